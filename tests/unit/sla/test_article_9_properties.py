"""What holds for every month whatever happened in it: properties of Article 9's seconds, months and claims."""

from datetime import date
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from keizoku.sla.rules.claim_facts import AccountMonth, Claim, TermFact, TermKind
from keizoku.sla.rules.claims import Assessor, adjudicate_month
from keizoku.sla.rules.intervals import Spans, clip, intersect, length, normalise, union
from keizoku.sla.rules.outages import Cause, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import Claimant, MonthFacts, ServiceMonth, claimant_month, service_month
from keizoku.terms.calendar import Month, epoch, from_epoch
from keizoku.terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))
YEAR = [Month(2026, 1).shift(number) for number in range(12)]
FIRST, LAST = epoch(YEAR[0].start_at), epoch(YEAR[-1].end_at)
HOUR, DAY = 3_600, 86_400

starts = st.one_of(
    st.sampled_from([epoch(month.start_at) for month in YEAR]).flatmap(lambda at: st.integers(at - DAY, at + DAY)),
    st.integers(FIRST - DAY, LAST),
)
spans = st.tuples(starts, st.sampled_from([1, 599, 600, 601, HOUR, 9 * HOUR, 3 * DAY])).map(
    lambda s: (s[0], s[0] + s[1])
)
outages = st.lists(
    st.tuples(spans, st.sampled_from(Cause)).map(lambda each: Outage(*each[0], each[1], "seen")), max_size=6
).map(tuple)
notices = st.lists(spans.map(lambda span: UpdateNotice("n", span[0] - 20 * DAY, *span)), max_size=2).map(tuple)
sets = st.lists(spans, max_size=4).map(normalise)
maybe_sets = st.none() | sets


def year_of(outages: tuple[Outage, ...], notices: tuple[UpdateNotice, ...]) -> list[ServiceMonth]:
    return [service_month(MonthFacts(month, outages, notices), POLICY, 0) for month in YEAR]


@given(outages, notices)
@settings(max_examples=40)
def test_9_4__the_months_of_a_year_are_the_year(outages: tuple[Outage, ...], notices: tuple[UpdateNotice, ...]) -> None:
    months = year_of(outages, notices)
    everything = clip(normalise((outage.start, outage.end) for outage in outages), FIRST, LAST)
    assert union(*(month.gross for month in months)) == everything
    assert sum(sum(month.waterfall().values()) for month in months) == length(everything)


@given(outages, notices)
@settings(max_examples=40)
def test_9_4__what_is_recorded_twice_counts_once(
    outages: tuple[Outage, ...], notices: tuple[UpdateNotice, ...]
) -> None:
    assert year_of(outages * 2, notices * 2) == year_of(outages, notices)


@given(outages, notices, sets, sets, sets, maybe_sets, sets, maybe_sets)
@settings(max_examples=60)
def test_9_2__a_claimant_never_has_more_than_the_service(
    outages: tuple[Outage, ...],
    notices: tuple[UpdateNotice, ...],
    member: Spans,
    suspended: Spans,
    card: Spans,
    claimed: Spans | None,
    environment: Spans,
    recognised: Spans | None,
) -> None:
    for service in year_of(outages, notices)[::3]:
        own = claimant_month(service, Claimant(member, suspended, card, claimed, environment, recognised))
        assert intersect(own["recognised"], service.unusable) == own["recognised"]
        assert sum(length(taken) for taken in own.values()) == length(service.gross)
        assert union(*own.values()) == service.gross


claims = st.lists(st.tuples(st.integers(0, 40 * DAY), maybe_sets), min_size=1, max_size=4)


@given(outages, claims, st.randoms())
@settings(max_examples=60)
def test_9_2__the_order_in_which_claims_are_loaded_does_not_matter(
    outages: tuple[Outage, ...], asked: list[tuple[int, Spans | None]], random: Random
) -> None:
    month = YEAR[3]
    assessor = Assessor(service_month(MonthFacts(month, outages), POLICY, 0), POLICY)
    received = epoch(month.end_at)
    made = tuple(
        Claim(f"c{number}", from_epoch(received + seconds), windows) for number, (seconds, windows) in enumerate(asked)
    )
    term = TermFact(1, TermKind(epoch(month.start_at), epoch(month.end_at), "card", "month", 500))
    among = AccountMonth("u", month, made, (term,))
    whole = adjudicate_month(among, assessor)
    other = adjudicate_month(among._replace(claims=tuple(random.sample(made, len(made)))), assessor)
    assert {each.claim_id: each for each in other.claims} == {each.claim_id: each for each in whole.claims}
    assert other.award == whole.award
