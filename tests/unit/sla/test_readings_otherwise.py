"""What Article 9 comes to when a doubt is settled the other way: by hand, reading by reading."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from keizoku.sla.rules.claim_facts import AccountMonth, Claim, TermFact, TermKind
from keizoku.sla.rules.claims import Assessor, adjudicate_month, claim_deadline
from keizoku.sla.rules.outages import Cause, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import MonthFacts, announced_by, service_month
from keizoku.terms.calendar import Month, epoch, from_epoch, iso_jst, parse_instant
from keizoku.terms.policy import Policy, Terms

TERMS = Terms.load()
APRIL = Month(2026, 4)


def at(text: str) -> int:
    return epoch(parse_instant(text))


def read(month: Month = APRIL, **readings: str) -> Policy:
    return TERMS.with_readings(readings).of_month(month)


def filled(policy: Policy, *outages: tuple[str, str], month: Month = APRIL) -> dict[str, int]:
    facts = MonthFacts(month, tuple(Outage(at(start), at(end), Cause.FAULT, "s") for start, end in outages))
    waterfall = service_month(facts, policy, 0).waterfall()
    return {bucket: seconds for bucket, seconds in waterfall.items() if seconds}


def test_9_4_2__short_judged_on_what_is_left_of_it() -> None:
    before_one = ("2026-04-10 00:52", "2026-04-10 01:05")  # 780 s, 480 before the night
    over_the_end = ("2026-04-30 23:54", "2026-05-01 00:06")  # 360 s in each month
    exact = ("2026-04-20 00:50", "2026-04-20 03:00")  # 600 s are left: not short
    assert filled(read(), before_one, over_the_end, exact) == {"night": 300 + 7_200, "unusable": 480 + 360 + 600}
    assert filled(read(short_stop="what_is_left"), before_one, over_the_end, exact) == {
        "short_stop": 480 + 360,
        "night": 300 + 7_200,
        "unusable": 600,
    }


@pytest.mark.parametrize(
    ("choice", "by"),
    [
        ("clear_days", "2026-04-05T00:00:00+09:00"),
        ("calendar_days", "2026-04-06T00:00:00+09:00"),
        ("hours", "2026-04-05T02:00:00+09:00"),
    ],
)
def test_9_4_4__until_when_an_update_on_the_tenth_at_two_is_announced(choice: str, by: str) -> None:
    notice = UpdateNotice("n", 0, at("2026-04-10 02:00"), at("2026-04-10 04:00"))
    assert iso_jst(from_epoch(announced_by(notice.start, read(announcement_days=choice)))) == by


@pytest.mark.parametrize(
    ("month", "bounds"),
    [
        (Month(2027, 2), (12_096, 24_192)),
        (Month(2028, 2), (12_528, 25_056)),
        (Month(2026, 4), (12_960, 25_920)),
        (Month(2026, 5), (13_392, 26_784)),
    ],
)
def test_9_2__tiers_as_a_share_of_the_month(month: Month, bounds: tuple[int, int]) -> None:
    tiers = read(month, month_length="share_of_month").sla.tiers
    assert [(tier.over_seconds, tier.up_to_seconds) for tier in tiers] == [bounds, (bounds[1], None)]
    assert bounds == (month.days * 86_400 // 200, month.days * 86_400 // 100)
    fixed = TERMS.of_month(month)
    assert [(tier.over_seconds, tier.up_to_seconds) for tier in fixed.sla.tiers] == [(12_960, 25_920), (25_920, None)]


def test_9_5__a_deadline_that_our_own_outage_does_not_move() -> None:
    down = ((at("2026-05-31 20:00"), at("2026-05-31 23:00")),)
    ordinary = parse_instant("2026-06-01 00:00")
    assert claim_deadline(APRIL, down, read()) == ordinary + timedelta(hours=3)
    assert claim_deadline(APRIL, down, read(claim_deadline="month_end")) == ordinary


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("term_covering_the_second", ("rejected", "threshold", 7_200, Fraction(0))),
        ("any_term_of_month", ("granted", None, 21_600, Fraction(160))),
    ],
)
def test_9_6__six_hours_of_which_two_under_a_card(choice: str, expected: tuple[str, str | None, int, Fraction]) -> None:
    """The first four hours lie under a store's term of 800 yen, the last two under a card's of 500."""
    policy = read(eligible_payment=choice)
    facts = MonthFacts(APRIL, (Outage(at("2026-04-15 20:00"), at("2026-04-16 02:00"), Cause.FAULT, "s"),))
    service = service_month(facts, policy.model_copy(update={"sla": _without_night(policy)}), 0)
    terms = (
        TermFact(1, TermKind(at("2026-03-16 00:00"), at("2026-04-16 00:00"), "app_store", "month", 800)),
        TermFact(2, TermKind(at("2026-04-16 00:00"), at("2026-05-16 00:00"), "card", "month", 500)),
    )
    among = AccountMonth("hanako", APRIL, (Claim("c", parse_instant("2026-05-02 09:00")),), terms)
    (decided,) = adjudicate_month(among, Assessor(service, policy)).claims
    worth = decided.worth
    assert (decided.outcome, decided.reason, decided.seconds, worth) == expected


def _without_night(policy: Policy) -> object:
    """The night moved out of the way of this outage."""
    return policy.sla.model_copy(update={"night_from_second": 10 * 3600, "night_to_second": 11 * 3600})


def test_a_reading_of_one_month_leaves_the_terms_as_they_are() -> None:
    assert TERMS.of_month(Month(2024, 12)).version == "2024-12-02"  # the terms begin within it
    assert TERMS.at(date(2026, 5, 1)).sla == TERMS.of_month(Month(2026, 5)).sla
