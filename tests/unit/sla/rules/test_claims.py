"""Article 9: adjudication of claims, to the second, and what makes an award.

The figures follow the readings partial_recognition, part_of_month, claim_deadline, eligible_payment, monthly_fee and
repeated_claims in docs/reference/readings.md.
"""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from keizoku.sla.rules.claim_decision import MonthDecision
from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimRuling
from keizoku.sla.rules.claims import Assessor, adjudicate_month, claim_deadline, usable_from
from keizoku.sla.rules.intervals import Spans
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import CLAIMANT_BUCKETS, MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Month, epoch
from keizoku.terms.decision import Decision
from tests.unit.sla.rules.april_claims import (
    APRIL,
    MAY_2,
    NOON,
    POLICY,
    april,
    at,
    decide,
    month_of,
    span,
    stopped_for,
    term,
)


@pytest.mark.parametrize(
    ("seconds", "outcome", "reason", "rate"),
    [
        (12_960, "rejected", "threshold", None),
        (12_961, "granted", None, Fraction(1, 5)),
        (25_920, "granted", None, Fraction(1, 5)),
        (25_921, "granted", None, Fraction(2, 5)),
    ],
)
def test_9_2__the_tiers_begin_one_second_over_their_bounds(
    seconds: int, outcome: str, reason: str | None, rate: Fraction | None
) -> None:
    decided = decide(stopped_for(seconds), month_of())
    assert (decided.outcome, decided.reason, decided.rate, decided.seconds) == (
        outcome,
        reason,
        rate,
        seconds,
    )
    assert decided.waterfall == {**dict.fromkeys(CLAIMANT_BUCKETS, 0), "recognised": seconds}


def test_9_2__the_threshold_is_the_same_in_february() -> None:
    february = Month(2026, 2)
    noon = epoch(at("2026-02-10 12:00"))
    facts = MonthFacts(february, (Outage(noon, noon + 12_960, Cause.FAULT, "test"),))
    claim = Claim("c1", at("2026-03-02 09:00"))
    among = AccountMonth("hanako", february, (claim,), (term("2026-01-20", "2026-03-20"),))
    assert decide(service_month(facts, POLICY, 0), among, claim).reason == "threshold"


def test_9_2__partial_recognition_decides_on_what_is_left() -> None:
    ruled = month_of()._replace(rulings=(ClaimRuling("c1", ((NOON, NOON + 13_000),)),))
    decided = decide(stopped_for(30_000), ruled)
    assert (decided.seconds, decided.rate) == (13_000, Fraction(1, 5))
    assert decided.waterfall["not_recognised"] == 17_000


def test_9_2__the_newest_ruling_on_a_claim_holds() -> None:
    rulings = (ClaimRuling("c1", ()), ClaimRuling("c1", ((NOON, NOON + 30_000),)))
    decided = decide(stopped_for(30_000), month_of()._replace(rulings=rulings))
    assert (decided.seconds, decided.waterfall["not_recognised"]) == (30_000, 0)


def test_9_2__what_people_refused_is_not_recognised_by_claiming_it_again() -> None:
    again = Claim("c2", at("2026-05-03 09:00"))
    among = month_of(MAY_2, again)._replace(rulings=(ClaimRuling("c1", ()),))
    assert decide(stopped_for(30_000), among, again).seconds == 0


def test_9_2__only_claimed_windows_count() -> None:
    claim = MAY_2._replace(windows=((NOON, NOON + 13_000),))
    decided = decide(stopped_for(30_000), month_of(claim), claim)
    assert (decided.seconds, decided.waterfall["not_claimed"]) == (13_000, 17_000)


def test_9_2__timely_claims_of_a_month_are_united() -> None:
    first = MAY_2._replace(windows=((NOON, NOON + 10_000),))
    second = Claim("c2", at("2026-05-20 09:00"), ((NOON + 9_000, NOON + 20_000),))
    among = month_of(first, second)
    assert [decide(stopped_for(30_000), among, each).seconds for each in (first, second)] == [20_000, 20_000]


def test_9_4_3__a_ruling_on_the_claimants_environment_takes_its_seconds_out() -> None:
    among = month_of()._replace(environment=((NOON, NOON + 20_000),))
    decided = decide(stopped_for(30_000), among)
    assert (decided.seconds, decided.waterfall["environment"], decided.reason) == (
        10_000,
        20_000,
        "threshold",
    )


def test_9_4_5__own_suspension_takes_its_seconds_out() -> None:
    among = month_of()._replace(suspended=((NOON, NOON + 20_000),))
    assert decide(stopped_for(30_000), among).waterfall["suspended"] == 20_000


def test_9_5__the_deadline_is_the_end_of_the_next_month() -> None:
    service, just_before = stopped_for(20_000), at("2026-05-31 23:59:59") + timedelta(microseconds=999_999)
    in_time, too_late = Claim("c1", just_before), Claim("c2", at("2026-06-01 00:00"))
    assert decide(service, month_of(in_time), in_time).outcome == "granted"
    late = decide(service, month_of(in_time, too_late), too_late)
    assert (late.outcome, late.reason, late.seconds, late.rate) == ("rejected", "deadline", 20_000, None)
    assert late.decision.clauses == ("premium/9.5",)


def test_9_5__february_until_the_end_of_march_in_japan() -> None:
    assert claim_deadline(Month(2026, 2), (), POLICY) == datetime(2026, 3, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("down", "moved_to"),
    [
        (("2026-05-31 20:00", "2026-05-31 22:00"), "2026-06-01 02:00"),
        (("2026-05-29 00:00", "2026-05-29 00:30"), "2026-06-01 00:30"),
        (("2026-05-28 23:30", "2026-05-29 00:30"), "2026-06-01 00:30"),
        (("2026-05-28 20:00", "2026-05-28 22:00"), "2026-06-01 00:00"),
        (("2026-06-01 00:00", "2026-06-01 05:00"), "2026-06-01 00:00"),
    ],
)
def test_9_5__the_deadline_moves_by_the_time_our_form_was_down_in_its_last_72_hours(
    down: tuple[str, str], moved_to: str
) -> None:
    assert claim_deadline(APRIL, (span(*down),), POLICY) == at(moved_to)


@pytest.mark.parametrize(
    ("down", "moved_to"),
    [
        # down at the deadline: the hours lost before it are counted from the return
        ([("2026-05-31 20:00", "2026-06-01 04:00")], "2026-06-01 08:00"),
        # in two pieces that touch the grace and the deadline
        ([("2026-05-28 20:00", "2026-05-29 01:00"), ("2026-05-31 23:00", "2026-06-01 02:00")], "2026-06-01 04:00"),
        # down again before all was given back: that is not given back
        ([("2026-05-31 20:00", "2026-05-31 22:00"), ("2026-06-01 01:00", "2026-06-01 03:00")], "2026-06-01 04:00"),
        # down again when all was given back
        ([("2026-05-31 20:00", "2026-05-31 22:00"), ("2026-06-01 02:00", "2026-06-01 03:00")], "2026-06-01 02:00"),
    ],
)
def test_9_5__what_was_lost_is_given_back_while_the_form_is_up(down: list[tuple[str, str]], moved_to: str) -> None:
    assert claim_deadline(APRIL, tuple(span(*each) for each in down), POLICY) == at(moved_to)


def test_9_5__the_decision_says_how_long_the_form_was_down_and_until_when_the_claim_could_come() -> None:
    down = (span("2026-05-31 20:00", "2026-06-01 04:00"),)
    late = Claim("c2", at("2026-06-01 07:59"))
    decided = decide(stopped_for(20_000), month_of(late)._replace(form_outages=down), late)
    moved = decided.decision.steps[0]
    assert (decided.outcome, moved.key, moved.facts) == (
        "granted",
        "claim.deadline_moved",
        {
            "ordinary_at": "2026-06-01T00:00:00+09:00",
            "form_down_seconds": 4 * 3600,
            "deadline_at": "2026-06-01T08:00:00+09:00",
        },
    )


def test_9_5__a_late_claim_does_not_join_the_timely_ones() -> None:
    first = MAY_2._replace(windows=((NOON, NOON + 10_000),))
    late = Claim("c2", at("2026-06-02 09:00"))
    among = month_of(first, late)
    assert decide(stopped_for(30_000), among, first).seconds == 10_000
    assert adjudicate_month(among, Assessor(stopped_for(30_000), POLICY)).award is None


def test_9_6__seconds_under_a_term_not_paid_by_card_do_not_count() -> None:
    terms = (
        term(end="2026-04-10 13:00", method="app_store"),
        term("2026-04-10 13:00", term_id=2),
    )
    decided = decide(stopped_for(20_000), month_of(terms=terms))
    assert (decided.seconds, decided.waterfall["not_card"], decided.term_ids) == (16_400, 3_600, (2,))


def test_9_6__no_term_paid_by_card_is_the_reason_method() -> None:
    decided = decide(stopped_for(20_000), month_of(terms=(term(method="app_store"),)))
    assert (decided.outcome, decided.reason, decided.seconds) == ("rejected", "method", 0)
    assert decided.decision.clauses == ("premium/9.6",)


def test_9_6__with_some_time_paid_by_card_the_reason_is_the_threshold() -> None:
    terms = (term(end="2026-04-20", method="app_store"), term("2026-04-20", term_id=2))
    assert decide(stopped_for(20_000), month_of(terms=terms)).reason == "threshold"


def test_9_2__who_was_no_member_in_the_month_is_rejected_for_that() -> None:
    decided = decide(stopped_for(20_000), month_of(terms=()))
    assert (decided.reason, decided.waterfall["not_member"]) == ("not_member", 20_000)


def test_9_2__the_first_reason_that_holds_is_given() -> None:
    late = Claim("c1", at("2026-06-02 09:00"))
    assert decide(stopped_for(0), month_of(late, terms=()), late).reason == "deadline"


def test_13__time_counts_from_the_instant_of_approval() -> None:
    decided = decide(stopped_for(20_000), month_of(terms=(term("2026-04-10 13:00"),)))
    assert (decided.seconds, decided.waterfall["not_member"]) == (16_400, 3_600)


def test_9_2__the_fee_is_the_higher_of_the_terms_that_were_touched() -> None:
    terms = (
        term(end="2026-04-10 13:00", price_yen=980),
        term("2026-04-10 13:00", "2026-04-20", price_yen=500, term_id=2),
        term("2026-04-20", price_yen=2_000, term_id=3),
    )
    decided = decide(stopped_for(20_000), month_of(terms=terms))
    assert (decided.term_ids, decided.monthly_fee, decided.worth) == ((1, 2), 980, 196)


def test_9_2__a_yearly_fee_is_divided_by_twelve_unrounded() -> None:
    yearly = term(end="2027-03-20", interval="year", price_yen=5_300)
    decided = decide(stopped_for(20_000), month_of(terms=(yearly,)))
    assert (decided.monthly_fee, decided.worth) == (Fraction(1325, 3), Fraction(265, 3))  # 88.33, billing gives 89


def award(among: AccountMonth, service: ServiceMonth) -> MonthDecision:
    return adjudicate_month(among, Assessor(service, POLICY))


def test_9_2__an_award_is_usable_from_the_month_after_its_claim() -> None:
    decided = award(month_of(), stopped_for(20_000))
    assert decided.award is not None
    assert (decided.award.claim_id, decided.award.usable_from) == ("c1", date(2026, 6, 1))
    assert usable_from(at("2026-04-30 23:59:59")) == date(2026, 5, 1)


def test_9_2__an_award_rests_on_the_claim_that_brought_it_there() -> None:
    claims = (
        MAY_2._replace(windows=((NOON, NOON + 10_000),)),
        Claim("c2", at("2026-05-20 09:00"), ((NOON, NOON + 13_000),)),
        Claim("c3", at("2026-05-25 09:00"), ((NOON, NOON + 14_000),)),
    )
    decided = award(month_of(*claims), stopped_for(30_000))
    assert decided.award is not None
    assert (decided.award.claim_id, decided.award.rests_on.seconds) == ("c2", 14_000)


def every_kind() -> list[Decision]:
    """Decisions that between them say every sentence there is."""
    night_too = april(span("2026-04-10 00:30", "2026-04-10 12:00"), span("2026-04-11 09:00", "2026-04-11 09:05"))
    half: Spans = (span("2026-04-10 06:00", "2026-04-10 11:00"),)
    second = Claim("c2", at("2026-05-31 23:30"), half)
    down: Spans = (span("2026-05-31 22:00", "2026-05-31 23:00"),)
    rich = month_of(MAY_2._replace(windows=half), second)._replace(
        form_outages=down,
        suspended=(span("2026-04-10 06:00", "2026-04-10 06:10"),),
        environment=(span("2026-04-10 06:10", "2026-04-10 06:20"),),
        rulings=(ClaimRuling("c2", (span("2026-04-10 06:00", "2026-04-10 10:55"),)),),
    )
    late = Claim("c9", at("2026-06-02 09:00"))
    yearly = term(interval="year", price_yen=5_300)
    return [
        decide(night_too, rich, second).decision,
        decide(stopped_for(26_000), month_of(terms=(yearly,))).decision,
        decide(stopped_for(20_000), month_of(terms=(term("2026-04-10 12:10"),))).decision,
        decide(stopped_for(20_000), month_of(terms=(term(method="coupon"),))).decision,
        decide(stopped_for(20_000), month_of(terms=())).decision,
        decide(stopped_for(20_000), month_of(late), late).decision,
        decide(stopped_for(700), month_of()).decision,
    ]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_9_2__every_decision_is_told_in_sentences(lang: str) -> None:
    for decision in every_kind():
        told = decision.render(lang)  # type: ignore[arg-type]
        assert len(told) == len(decision.steps)
        assert not [sentence for sentence in told if "{" in sentence]
        assert Decision.from_json(decision.to_json()) == decision


def test_9_2__a_decision_says_how_it_came_about() -> None:
    told = decide(april(span("2026-04-10 00:30", "2026-04-10 09:37")), month_of()).decision.render("en")
    assert told == [
        (
            "We received the claim for April 2026 at 2 May 2026 09:00 JST, before the deadline of "
            "1 June 2026 00:00 JST: it is in time."
        ),
        "In April 2026, more than 5% of all users could not use the service for 9 h 7 min in total.",
        (
            "Of this, 5 h lies in the night hours from 01:00 to 06:00, Japan time, and is not counted "
            "(10 April 2026 01:00–06:00 JST)."
        ),
        (
            "The unusable time that we recognise is 4 h 7 min "
            "(10 April 2026 00:30–01:00 JST, 10 April 2026 06:00–09:37 JST)."
        ),
        "This is more than 3 h 36 min, so 20% of the monthly fee is taken off a later bill or refunded.",
        "The monthly fee it is worked out from is 500 yen, tax included.",
        "The next tier begins above 7 h 12 min; the recognised time is 3 h 5 min short of that.",
    ]


def test_9_2__a_decision_says_all_that_it_rests_on() -> None:
    again = Claim("c2", at("2026-05-03 09:00"))
    made = decide(stopped_for(13_000), month_of(MAY_2, again)).decision
    assert (made.subject, made.outcome, made.terms) == ("claim c1", "granted", "2024-12-02")
    assert made.facts == {
        "account": "hanako",
        "month": "2026-04",
        "received_at": "2026-05-02T09:00:00+09:00",
        "deadline_at": "2026-06-01T00:00:00+09:00",
        "reason": None,
        "seconds": 13_000,
        "united_claims": ["c1", "c2"],
        "terms": [{"term_id": 1, "interval": "month", "price_yen": 500}],
    }


def test_9_5__a_claim_on_the_deadline_is_late_and_is_not_united_with_those_in_time() -> None:
    first, second = (NOON, NOON + 10_000), (NOON + 20_000, NOON + 29_000)
    in_time = MAY_2._replace(windows=(first,))
    late = Claim("c2", at("2026-06-01 00:00"), (second,))
    among = month_of(in_time, late)
    service = april(first, second)
    assert (decide(service, among, in_time).seconds, decide(service, among, late).seconds) == (10_000, 9_000)
    assert decide(service, among, late).reason == "deadline"
    down = among._replace(form_outages=(span("2026-05-31 23:00", "2026-05-31 23:30"),))
    assert (decide(service, down, late).reason, decide(service, down, late).seconds) == (None, 19_000)


def test_9_2__an_award_rests_on_the_first_claim_that_is_worth_as_much_with_its_own_rulings() -> None:
    again = Claim("c2", at("2026-06-02 09:00"))
    later = again._replace(received_at=at("2026-05-20 09:00"))
    assessor = Assessor(stopped_for(30_000), POLICY)
    first = adjudicate_month(month_of(MAY_2, later), assessor)
    assert first.award is not None
    assert (first.award.claim_id, first.award.usable_from, len(first.claims)) == ("c1", date(2026, 6, 1), 2)
    narrowed = month_of(MAY_2._replace(windows=((NOON, NOON + 1),)), later)._replace(
        rulings=(ClaimRuling("c2", ((NOON, NOON + 13_000),)),)
    )
    second = adjudicate_month(narrowed, assessor)
    assert second.award is not None
    assert (second.award.claim_id, second.award.rests_on.seconds) == ("c2", 13_000)


def test_9_2__rulings_on_two_claims_narrow_each_its_own_windows() -> None:
    hours = [NOON + 3_600 * hour for hour in range(7)]
    one, two = (
        MAY_2._replace(claim_id=name, windows=((hours[at_], hours[at_ + 3]),)) for name, at_ in (("c1", 0), ("c2", 3))
    )
    rulings = (ClaimRuling("c1", ((hours[0], hours[2]),)), ClaimRuling("c2", ((hours[3], hours[5]),)))
    decided = decide(april((hours[0], hours[6])), month_of(one, two)._replace(rulings=rulings), one)
    assert decided.recognised == ((hours[0], hours[2]), (hours[3], hours[5]))


def test_9_2__an_award_does_not_rest_on_a_claim_that_people_narrowed_below_the_threshold() -> None:
    first, second = (NOON, NOON + 15_000), (NOON + 20_000, NOON + 30_000)
    later = Claim("c2", at("2026-06-02 09:00"), (second,))
    among = month_of(MAY_2._replace(windows=(first,)), later._replace(received_at=at("2026-05-20 09:00")))._replace(
        rulings=(ClaimRuling("c1", ((NOON, NOON + 5_000),)),),
    )
    award = adjudicate_month(among, Assessor(april(first, second), POLICY)).award
    assert award is not None
    assert (award.claim_id, award.rests_on.seconds) == ("c2", 15_000)


def test_9_2__without_an_award_every_claim_has_its_decision() -> None:
    made = adjudicate_month(month_of(), Assessor(stopped_for(600), POLICY))
    assert ([each.reason for each in made.claims], made.award) == (["threshold"], None)


def test_9_2__what_an_assessor_knows_of_one_account_is_not_told_of_another() -> None:
    service = stopped_for(30_000)
    one = Assessor(service, POLICY)
    other_claim = Claim("c9", at("2026-05-03 09:00"), ())
    accounts = (
        month_of(),
        month_of(terms=(term(price_yen=5_300, interval="year"),)),
        month_of(terms=(term(method="app_store"),)),
        month_of(terms=(term(end="2026-04-10 13:00"),)),
        month_of()._replace(rulings=(ClaimRuling("c1", ((NOON, NOON + 13_000),)),)),
        month_of()._replace(rulings=(ClaimRuling("c1", ()),)),
        month_of()._replace(environment=((NOON, NOON + 20_000),)),
        month_of()._replace(suspended=((NOON, NOON + 20_000),)),
        month_of(MAY_2, other_claim),
        month_of(MAY_2, other_claim)._replace(rulings=(ClaimRuling("c1", ()),)),
        month_of(Claim("c1", at("2026-06-02 09:00"))),
    )
    for among in (*accounts, *reversed(accounts)):
        assert adjudicate_month(among, one) == adjudicate_month(among, Assessor(service, POLICY))
