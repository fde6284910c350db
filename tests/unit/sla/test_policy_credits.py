"""Kinds of credit under a stated SLA, caps and stacking, incidents one by one, who is refused, until when to ask."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from keizoku.sla.policies.engine import Credit
from keizoku.sla.policies.seconds import StatedOutage
from tests.unit.sla.plain_policy import HOUR, ZERO, hours, outcome, policy, seconds_and_credit


@pytest.mark.parametrize(
    ("count", "seconds", "units"),
    [
        ("started", 3_601, 1),
        ("started", 7_200, 1),
        ("started", 7_201, 2),
        ("complete", 7_199, 0),
        ("complete", 7_200, 1),
    ],
)
def test_a_credit_per_unit_counts_started_or_complete_units(count: str, seconds: int, units: int) -> None:
    credit = {"kind": "per_unit", "rate": "0.02", "unit": 3_600, "beyond": 3_600, "count": count}
    stated = policy(tiers=[{"above": 3_600, "credit": credit}])
    assert outcome(stated, StatedOutage(ZERO, ZERO + seconds, 1)).credit == Credit(rate=Fraction(units, 50))


def test_a_credit_per_unit_of_percent_counts_downward() -> None:
    credit = {"kind": "per_unit", "rate": "0.05", "unit": "0.5", "beyond": "99.5"}
    stated = policy(
        metric={"kind": "percent", "promised": {"at_least": "99.5"}}, tiers=[{"below": "99.5", "credit": credit}]
    )
    assert outcome(stated, hours(0, 7.2)).credit == Credit(rate=Fraction(1, 20))  # 99.0: one half point
    assert outcome(stated, hours(0, 7.3)).credit == Credit(rate=Fraction(1, 10))


def test_a_multiple_of_pro_rata_follows_the_time_down_up_to_the_cap() -> None:
    tiers = [{"above": 3_600, "credit": {"kind": "multiple_of_pro_rata", "times": 25}}]
    stated, capped = policy(tiers=tiers), policy(tiers=tiers, cap={"rate": "0.3"})
    assert outcome(stated, hours(0, 18)).credit == Credit(rate=Fraction(25 * 18, 720))
    assert outcome(capped, hours(0, 18)).credit == Credit(rate=Fraction(3, 10))


def test_days_of_service_are_capped_too() -> None:
    stated = policy(tiers=[{"above": 3_600, "credit": {"kind": "days", "days": 20}}], cap={"days": 15})
    assert outcome(stated, hours(0, 2)).credit == Credit(days=15)


def test_several_incidents_give_the_highest_or_the_sum() -> None:
    per_incident = {
        "metric": {"kind": "per_incident", "promised": {"below": 1_800}},
        "tiers": [
            {"at_least": 1_800, "below": 3_600, "credit": {"kind": "step", "rate": "0.03"}},
            {"at_least": 3_600, "credit": {"kind": "step", "rate": "0.1"}},
        ],
    }
    outages = (hours(0, 0.5), hours(10, 11), hours(20, 20.1))
    highest = outcome(policy(**per_incident), *outages)
    summed = outcome(policy(**per_incident, cap={"stacking": "sum"}), *outages)
    assert seconds_and_credit(highest) == (3_600, Credit(rate=Fraction(1, 10)))
    assert seconds_and_credit(summed) == (3_600, Credit(rate=Fraction(13, 100)))
    assert [(each.tier, each.credit.rate) for each in summed.incidents] == [
        (1, Fraction(3, 100)),
        (2, Fraction(1, 10)),
        (None, 0),
    ]


def test_an_incident_belongs_to_the_period_in_which_its_clock_starts() -> None:
    stated = policy(metric={"kind": "per_incident", "promised": {"below": 1_800}})
    later = hours(30 * 24 + 1, 30 * 24 + 3)
    assert outcome(stated, hours(-1, 1), later).incidents == ()
    assert [each.start for each in outcome(stated, hours(1, 3), later).incidents] == [ZERO + HOUR]


def test_the_clock_runs_from_the_first_report() -> None:
    stated = policy(metric={"kind": "per_incident", "clock": "known", "promised": {"below": 1_800}})
    reports = (hours(0, 3, known=ZERO + HOUR), hours(0, 3, known=ZERO + 2 * HOUR))
    assert [int(each.figure) for each in outcome(stated, *reports).incidents] == [2 * HOUR]


def test_who_is_owed_nothing_is_refused_nothing() -> None:
    stated = policy(eligibility={"methods": ["card"], "plans": ["team"]})
    assert outcome(stated, hours(0, 1), method="coupon").refused is None
    refused = [outcome(stated, hours(0, 2), method=method, plan="pro").refused for method in ("coupon", "card")]
    assert refused == ["method", "plan"]


def test_an_incident_the_provider_never_knew_of_in_its_time_has_no_clock() -> None:
    stated = policy(metric={"kind": "per_incident", "clock": "known", "promised": {"below": 1_800}})
    assert outcome(stated, hours(0, 2, known=ZERO + 2 * HOUR)).incidents == ()


def test_no_claim_is_needed_or_none_can_be_dated() -> None:
    assert outcome(policy(claim={"kind": "automatic"}), hours(0, 2)).claim_before_at is None
    since_incident = policy(claim={"kind": "days", "after": 5, "since": "incident"})
    assert outcome(since_incident).claim_before_at is None
    assert outcome(since_incident, hours(24, 25), hours(100, 101)).claim_before_at == datetime(2027, 6, 11, tzinfo=UTC)
    assert outcome(since_incident, hours(0, 24)).claim_before_at == datetime(2027, 6, 7, tzinfo=UTC)
