"""Which exclusion decided: the one without which a higher tier would have been reached."""

from collections.abc import Sequence

import pytest

from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimFacts, TermFact, TermKind
from keizoku.sla.rules.decisive_exclusion import decisive_exclusions
from keizoku.sla.rules.intervals import Spans
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import MonthFacts
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.policy import Terms

APRIL = Month(2026, 4)
POLICY = Terms.load().of_month(APRIL)
MAY_2 = parse_instant("2026-05-02 09:00")


def at(text: str) -> int:
    return epoch(parse_instant(text))


def span(day: int, start: str, end: str) -> tuple[int, int]:
    return at(f"2026-04-{day:02} {start}"), at(f"2026-04-{day:02} {end}")


def outage(day: int, start: str, end: str, cause: Cause = Cause.FAULT) -> Outage:
    return Outage(*span(day, start, end), cause, "s")


def deciding(
    outages: Sequence[Outage],
    windows: Spans | None = None,
    method: str = "card",
    received: str = "2026-05-02 09:00",
    **more: object,
) -> list[tuple[tuple[str, ...], int, str]]:
    facts = MonthFacts(APRIL, tuple(outages), **more)  # type: ignore[arg-type]
    claim = Claim("c", parse_instant(received), windows)
    term = TermFact(1, TermKind(at("2026-03-20 10:00"), at("2026-05-20"), method, "month", 500))
    among = AccountMonth("hanako", APRIL, (claim,), (term,))
    found = decisive_exclusions(facts, ClaimFacts(claim, among), POLICY, 0)
    return [(each.buckets, each.seconds, each.tier.clause) for each in found]


def test_9_4_1__the_night_decided_between_nothing_and_the_first_tier() -> None:
    # 00:30 to 06:30: an hour counts, five of the night do not; 6 h would be 20 %
    assert deciding([outage(10, "00:30", "06:30")]) == [(("night",), 21_600, "premium/9.2.1")]


def test_9_2__an_exclusion_that_changes_no_tier_did_not_decide() -> None:
    assert deciding([outage(10, "09:00", "13:00"), outage(11, "12:00", "12:05")]) == []


def test_9_2__what_one_exclusion_lets_go_may_fall_to_the_next() -> None:
    """Six hours at night that were not claimed: neither alone gives them back, both together do."""
    claimed = (span(20, "09:00", "12:00"),)
    outages = [outage(10, "01:00", "06:00"), outage(20, "09:00", "12:00")]
    assert deciding(outages, claimed) == [(("night", "not_claimed"), 28_800, "premium/9.2.2")]


def test_9_2__two_that_each_would_have_sufficed_are_both_told() -> None:
    noon = span(20, "12:00", "16:00")
    notice = UpdateNotice("n", at("2026-04-01 00:00"), *noon)
    outages = [outage(20, "12:00", "16:00", Cause.SYSTEM_UPDATE), outage(10, "01:00", "05:00")]
    assert deciding(outages, notices=(notice,)) == [
        (("night",), 14_400, "premium/9.2.1"),
        (("announced_update",), 14_400, "premium/9.2.1"),
    ]


@pytest.mark.parametrize(
    ("more", "bucket"),
    [
        ({"interruptions": (Interruption(*span(20, "12:00", "16:00"), "art. 8", "cto"),)}, "interruption"),
        ({"environments": (EnvironmentRuling((span(20, "12:00", "16:00"),), "me", "own", "r"),)}, "environment"),
        ({"method": "app_store"}, "not_card"),
        ({"windows": (span(21, "12:00", "13:00"),)}, "not_claimed"),
    ],
)
def test_9_4__every_exclusion_can_decide(more: dict[str, object], bucket: str) -> None:
    found = deciding([outage(20, "12:00", "16:00")], **more)  # type: ignore[arg-type]
    assert found == [((bucket,), 14_400, "premium/9.2.1")]


def test_9_2__too_little_whatever_is_excluded() -> None:
    assert deciding([outage(10, "00:30", "02:00"), outage(11, "12:00", "12:05")]) == []
