"""Article 9.4 over random months: buckets, order, splitting, and a count minute by minute that agrees."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from keizoku.sla.rules.intervals import Spans, length, normalise, union
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import SERVICE_BUCKETS, MonthFacts, announced_by, service_month
from keizoku.terms.calendar import Month, epoch
from keizoku.terms.policy import Policy
from tests.unit.sla.rules.april_outages import APRIL, POLICY, at, notice

# Random months: times on a grid of minutes around the month's end, so that edges meet often.
MINUTE_ZERO = at("2026-04-29 22:00")


def on_grid(minutes: tuple[int, int]) -> tuple[int, int]:
    start = MINUTE_ZERO + 60 * minutes[0]
    return start, start + 60 * minutes[1]


periods = st.tuples(st.integers(0, 3000), st.integers(1, 500)).map(on_grid)
outages = st.lists(
    st.builds(
        lambda span, cause, source, exact: Outage(span[0], span[1], cause, source, exact, source),
        periods,
        st.sampled_from(Cause),
        st.sampled_from("abc"),
        st.booleans(),
    ),
    max_size=7,
)
facts = st.builds(
    lambda outages, notices, interruptions, environments: MonthFacts(
        APRIL,
        tuple(outages),
        tuple(UpdateNotice("n", published, span[0], span[1]) for published, span in notices),
        tuple(Interruption(span[0], span[1], ground, "cto") for ground, span in interruptions),
        tuple(EnvironmentRuling((span,), "suzuki", ground, "r", on) for ground, on, span in environments),
    ),
    outages,
    st.lists(st.tuples(st.integers(MINUTE_ZERO - 7 * 86_400, MINUTE_ZERO), periods), max_size=3),
    st.lists(st.tuples(st.sampled_from(["", "flood"]), periods), max_size=2),
    st.lists(st.tuples(st.sampled_from(["", "carrier"]), st.sampled_from(["", "a", "b"]), periods), max_size=3),
)
resolutions = st.sampled_from([0, 61, 600])


@given(facts, resolutions)
def test_9_4__buckets_are_disjoint_and_sum_to_the_gross(of: MonthFacts, resolution: int) -> None:
    service = service_month(of, POLICY, resolution)
    assert list(service.buckets) == list(SERVICE_BUCKETS)
    assert sum(service.waterfall().values()) == length(service.gross)
    assert union(*service.buckets.values()) == service.gross
    for bucket, spans in service.buckets.items():
        own = [piece for piece in service.parts if piece.bucket == bucket]
        assert normalise((piece.start, piece.end) for piece in own) == spans
        assert sum(piece.end - piece.start for piece in own) == length(spans)
        assert all(piece.sources for piece in own)


@given(facts, resolutions, st.randoms())
def test_9_4__the_order_in_which_evidence_arrives_does_not_matter(
    of: MonthFacts, resolution: int, random: Random
) -> None:
    def shuffled(rows: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(random.sample(rows, len(rows)))

    other = MonthFacts(
        of.month,
        *(shuffled(rows) for rows in (of.outages, of.notices, of.interruptions, of.environments)),  # type: ignore[arg-type]
    )
    assert service_month(other, POLICY, resolution) == service_month(of, POLICY, resolution)


@given(facts, resolutions, st.integers(1, 499))
def test_9_4__splitting_a_row_does_not_matter(of: MonthFacts, resolution: int, minutes: int) -> None:
    halves = tuple(
        part
        for whole in of.outages
        for cut in [min(whole.start + 60 * minutes, whole.end)]
        for part in (replace(whole, end=cut), replace(whole, start=cut))
        if part.start < part.end
    )
    assert service_month(replace(of, outages=halves), POLICY, resolution) == service_month(of, POLICY, resolution)


@given(facts, resolutions)
def test_9_2__a_stop_over_a_months_end_is_shared_between_the_months(of: MonthFacts, resolution: int) -> None:
    both = [service_month(replace(of, month=month), POLICY, resolution) for month in (APRIL, APRIL.next())]
    everything = normalise((outage.start, outage.end) for outage in of.outages)
    assert sum(length(service.gross) for service in both) >= length(everything)
    assert resolution or union(*(service.gross for service in both)) == everything
    assert all(service.gross == clip_to(service.month, service.gross) for service in both)


def clip_to(month: Month, spans: Spans) -> Spans:
    start, end = epoch(month.start_at), epoch(month.end_at)
    return tuple((max(start, s), min(end, e)) for s, e in spans if e > start and s < end)


@given(facts, resolutions)
def test_9_4_4__a_notice_that_no_stop_overlaps_changes_nothing(of: MonthFacts, resolution: int) -> None:
    apart = notice("2026-04-01 00:00", "2026-04-27 10:00", "2026-04-27 12:00", "apart")
    assert service_month(replace(of, notices=(*of.notices, apart)), POLICY, resolution) == service_month(
        of, POLICY, resolution
    )


def is_announced(of: MonthFacts, minute: int, policy: Policy) -> bool:
    """Newest publication first: each says this minute, until one of them was in time."""
    for at_once in sorted({n.published_at for n in of.notices if n.published_at <= minute}, reverse=True):
        saying = [n for n in of.notices if n.published_at == at_once and n.start <= minute < n.end]
        if any(at_once <= announced_by(as_of_the_update(of, n, minute).start, policy) for n in saying):
            return True
        if not saying:
            return False
    return False


def as_of_the_update(of: MonthFacts, window: UpdateNotice, minute: int) -> UpdateNotice:
    """The window from where the update of this minute began, if it was under way before the window."""
    runs = {at for s in of.outages if s.cause is Cause.SYSTEM_UPDATE for at in range(s.start, s.end, 60)}
    began = minute
    while began - 60 in runs:
        began -= 60
    return replace(window, start=min(window.start, began))


def naive_bucket(of: MonthFacts, minute: int, whole_minutes: int, policy: Policy) -> str:
    """The bucket of one minute of exact evidence, in a whole outage of so many minutes."""
    strongest = next(c for c in Cause if any(s.cause is c and s.start <= minute < s.end for s in of.outages))
    if whole_minutes * 60 < policy.sla.minimum_outage_seconds:
        return "short_stop"
    if 1 <= (minute + 9 * 3600) % 86_400 // 3600 < 6:
        return "night"
    if strongest is Cause.SYSTEM_UPDATE and is_announced(of, minute, policy):
        return "announced_update"
    if any(i.ground and i.start <= minute < i.end for i in of.interruptions):
        return "interruption"
    standing = [s for s in of.outages if s.start <= minute < s.end and s.cause is not Cause.USER_ENVIRONMENT]
    ruled = [r.incident for r in of.environments if r.ground for start, end in r.spans if start <= minute < end]
    if all(s.incident in ruled or "" in ruled for s in standing):
        return "environment"
    return "unusable"


@given(facts)
def test_9_4__a_minute_by_minute_count_agrees(of: MonthFacts) -> None:
    stopped = sorted({minute for s in of.outages for minute in range(s.start, s.end, 60)})
    runs: list[list[int]] = []
    for minute in stopped:
        if runs and minute - runs[-1][-1] == 60:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    expected: dict[str, set[int]] = {bucket: set() for bucket in SERVICE_BUCKETS}
    for run in runs:
        for minute in run:
            if epoch(APRIL.start_at) <= minute < epoch(APRIL.end_at):
                expected[naive_bucket(of, minute, len(run), POLICY)].add(minute)
    assert {
        bucket: {minute for start, end in spans for minute in range(start, end, 60)}
        for bucket, spans in service_month(of, POLICY, 0).buckets.items()
    } == expected
