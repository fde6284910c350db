"""More public SLAs stated in terms/public: each tier on a small evidence, each deadline, each dimension."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from keizoku.sla.policies.engine import Credit, PolicyOutcome, evaluate
from keizoku.sla.policies.seconds import PolicyFacts, StatedOutage
from keizoku.sla.rules.outages import Interruption, UpdateNotice
from keizoku.terms.calendar import epoch
from keizoku.terms.money import fraction_text
from keizoku.terms.stated.sla_policy import ByCause, OutageCause
from tests.unit.sla.stated_policies import NONE, POLICIES, down_for, period, rate

# policy -> (what is promised, [(from where on down, percent of the fee)]); the bound itself keeps the better tier
STEPS: dict[str, list[tuple[str, int]]] = {
    "alibaba-datahub": [("99.9", 20), ("99", 30), ("95", 50)],
    "aws-rds": [("99.95", 10), ("99", 25), ("95", 100)],
    "aws-s3": [("99.9", 10), ("99", 25), ("95", 100)],
    "backblaze": [("99.9", 5), ("99", 10)],
    "cloudkarafka": [("99.95", 50)],
    "digitalocean-app-platform": [("99.95", 10), ("99", 30), ("95", 100)],
    "google-cloud-functions": [("99.5", 10), ("99", 25), ("95", 50)],
    "mongodb-atlas": [("99.995", 10), ("99", 25), ("95", 100)],
    "redbox": [("99.95", 10)],
    "speedex": [("99.99", 10)],
    "twilio": [("99.95", 10)],
}
HOUR, DAY = 3_600, 86_400


def bounds() -> list[tuple[str, str, Credit]]:
    """(policy, percent available, credit): at each bound and a thousandth to both sides, and nothing at all."""
    found = []
    for name, steps in STEPS.items():
        kept = 0
        for bound, percent in steps:
            at = Fraction(bound)
            found += [(name, fraction_text(at + Fraction(1, 1_000)), rate(kept)), (name, bound, rate(kept))]
            found.append((name, fraction_text(at - Fraction(1, 1_000)), rate(percent)))
            kept = percent
        found.append((name, "0", rate(kept)))
    return found


@pytest.mark.parametrize(("name", "percent", "credit"), bounds())
def test_each_tier_at_just_under_and_just_over_its_bounds(name: str, percent: str, credit: Credit) -> None:
    outcome = down_for(POLICIES[name], percent, plan="dedicated")
    assert (fraction_text(outcome.figure), outcome.credit) == (percent, credit)


def stopped(name: str, *spans: tuple[float, float], cause: str = "fault", **more: object) -> PolicyOutcome:
    """The outcome of outages at (from, to) seconds of the tenth day, of all that the policy looks at."""
    policy = POLICIES[name]
    of = period(policy)
    zero = epoch(of.start_at) + 9 * DAY
    outages = tuple(StatedOutage(zero + int(start), zero + int(end), 1, OutageCause(cause)) for start, end in spans)
    return evaluate(policy, PolicyFacts(of, outages, plan="enterprise", **more))  # type: ignore[arg-type]


def counted(outcome: PolicyOutcome) -> int:
    return outcome.waterfall()["counted"]


@pytest.mark.parametrize("name", ["aws-rds", "mongodb-atlas", "slack", "twilio"])
def test_only_whole_minutes_count(name: str) -> None:
    assert counted(stopped(name, (0, 179), (300, 359))) == 120


@pytest.mark.parametrize(
    ("name", "short", "shortest"),
    [
        ("backblaze", 59, 60),
        ("google-cloud-functions", 59, 60),
        ("speedex", 59, 60),
        ("redbox", 179, 180),
        ("upcloud", 300, 301),
    ],
)
def test_a_stop_counts_from_its_shortest_length_on(name: str, short: int, shortest: int) -> None:
    assert [counted(stopped(name, (0, lasted))) for lasted in (short, shortest)] == [0, shortest]


def test_google__more_than_ten_percent_of_the_attempts() -> None:
    policy = POLICIES["google-cloud-functions"]
    of = period(policy)
    zero = epoch(of.start_at)
    facts = [PolicyFacts(of, (StatedOutage(zero, zero + HOUR, failed),), ((0, 1_000),)) for failed in (100, 101)]
    assert [counted(evaluate(policy, each)) for each in facts] == [0, HOUR]


def test_s3__a_share_of_the_requests_weighs_as_much() -> None:
    policy = POLICIES["aws-s3"]
    of = period(policy)
    zero = epoch(of.start_at)
    failing = StatedOutage(zero, zero + 10 * HOUR, 100)  # a tenth of the requests for ten hours
    assert evaluate(policy, PolicyFacts(of, (failing,), ((0, 1_000),))).down == HOUR


def test_slack__ten_times_what_was_paid_for_the_time_down() -> None:
    in_quarter = 91 * DAY
    kept, broken = stopped("slack", (0, 13 * 60)), stopped("slack", (0, 14 * 60))
    assert (kept.credit, broken.credit) == (NONE, Credit(rate=Fraction(10 * 14 * 60, in_quarter)))


def test_slack__ten_hours_a_year_that_were_announced_two_days_ahead() -> None:
    zero = epoch(period(POLICIES["slack"]).start_at) + 9 * DAY
    in_time, late = (
        stopped(
            "slack",
            (0, 11 * HOUR),
            cause="system_update",
            notices=(UpdateNotice("n", zero - 172_800 + seconds, zero, zero + 12 * HOUR),),
        )
        for seconds in (0, 1)
    )
    assert (counted(in_time), counted(late)) == (HOUR, 11 * HOUR)


def test_upcloud__fifty_times_up_to_the_whole_fee() -> None:
    assert stopped("upcloud", (0, HOUR)).credit == Credit(rate=Fraction(50, 720))
    assert stopped("upcloud", (0, 15 * HOUR)).credit == rate(100)


def test_cloudtables__a_hundred_times_beyond_five_minutes_up_to_the_whole_fee_unasked() -> None:
    outcomes = [stopped("cloudtables", (0, seconds)) for seconds in (300, 301, 8 * HOUR)]
    credits = [NONE, Credit(rate=Fraction(100 * 301, 30 * DAY)), rate(100)]
    assert [each.credit for each in outcomes] == credits
    assert {each.claim_before_at for each in outcomes} == {None}


def test_arcustech__five_percent_for_each_half_hour_begun() -> None:
    lasted = (1, 1_800, 1_801, 19 * 1_800, 20 * 1_800, 30 * 1_800)
    assert [stopped("arcustech", (0, seconds)).credit for seconds in lasted] == [
        rate(5),
        rate(5),
        rate(10),
        rate(95),
        rate(100),
        rate(100),
    ]


@pytest.mark.parametrize("name", ["arcustech", "speedex"])
def test_emergency_maintenance_is_left_out_where_people_recorded_it(name: str) -> None:
    zero = epoch(period(POLICIES[name]).start_at) + 9 * DAY
    recorded = (Interruption(zero, zero + HOUR, "security hole", "cto"),)
    assert counted(stopped(name, (0, 2 * HOUR), interruptions=recorded)) == HOUR


# policy -> population, weight and predicate, shortest outage and step, fixed hours, promise, cap, plans, zone
DIMENSIONS = {
    "alibaba-datahub": ("binary >= 1", (0, 1), None, "99.9 <= u", "0.5", (), "month Asia/Shanghai"),
    "arcustech": ("binary >= 1", (0, 1), None, "u <= 0", "1", (), "billing_cycle UTC"),
    "aws-rds": ("binary >= 1", (0, 60), None, "99.95 <= u", None, (), "billing_cycle UTC"),
    "aws-s3": ("affected_ratio > 0", (0, 1), None, "99.9 <= u", None, (), "billing_cycle UTC"),
    "backblaze": ("binary >= 1", (60, 60), None, "99.9 <= u", None, (), "month UTC"),
    "cloudkarafka": ("binary >= 1", (0, 1), None, "99.95 <= u", None, ("dedicated",), "month UTC"),
    "cloudtables": ("binary >= 1", (0, 1), None, "u <= 300", "1", ("enterprise",), "month UTC"),
    "digitalocean-app-platform": ("binary >= 1", (0, 1), None, "99.95 <= u", None, (), "billing_cycle UTC"),
    "google-cloud-functions": ("binary > 0.1", (60, 60), None, "99.5 <= u", "0.5", (), "month UTC"),
    "mongodb-atlas": ("binary >= 1", (0, 60), None, "99.995 <= u", None, (), "month UTC"),
    "redbox": ("binary >= 1", (180, 1), None, "99.95 <= u", None, (), "month Asia/Tokyo"),
    "slack": ("binary >= 1", (0, 60), None, "99.99 <= u", None, ("business-plus", "enterprise"), "quarter UTC"),
    "speedex": ("binary >= 1", (60, 60), 720, "99.99 <= u", None, (), "month Asia/Tokyo"),
    "twilio": ("binary >= 1", (0, 60), None, "99.95 <= u", None, (), "month UTC"),
    "upcloud": ("binary >= 1", (301, 1), None, "100 <= u", "1", (), "month UTC"),
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_each_example_states_its_dimensions(name: str) -> None:
    policy = POLICIES[name]
    predicate = policy.predicate
    assert (
        f"{policy.weight} {predicate.comparator} {fraction_text(predicate.threshold)}",
        (policy.duration.minimum_seconds, policy.duration.step_seconds),
        policy.denominator.hours,
        policy.metric.promised.text(),
        policy.cap.rate and fraction_text(policy.cap.rate),
        policy.eligibility.plans,
        f"{policy.period.kind} {policy.period.zone}",
    ) == DIMENSIONS[name]
    excluded = [each.causes for each in policy.exclusions if isinstance(each, ByCause)]
    assert excluded == [("force_majeure", "customer", "user_environment")]
    assert (policy.unknown, policy.duration.judged) == ("up", "whole_stop")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "stop_at", "before_at"),
    [
        ("alibaba-datahub", utc(2027, 6, 10), utc(2027, 8, 31, 16)),  # the end of August in Shanghai
        ("aws-rds", utc(2027, 2, 28), utc(2027, 5, 31)),  # cycles from 31 January
        ("aws-s3", utc(2027, 2, 27), utc(2027, 4, 30)),
        ("cloudkarafka", utc(2027, 6, 10), utc(2027, 7, 31)),
        ("digitalocean-app-platform", utc(2027, 2, 28), utc(2027, 5, 31)),
        ("google-cloud-functions", utc(2028, 2, 10), utc(2028, 3, 31)),
        ("speedex", utc(2027, 6, 30, 13), utc(2027, 7, 10, 15)),  # the 10th in Japan is whole
        ("twilio", utc(2027, 6, 10), utc(2027, 7, 31)),
        ("upcloud", utc(2027, 6, 10), utc(2027, 7, 16)),
        *((name, utc(2027, 6, 10), None) for name in ("arcustech", "backblaze", "mongodb-atlas", "redbox", "slack")),
    ],
)
def test_a_claim_has_to_arrive_before(name: str, stop_at: datetime, before_at: datetime | None) -> None:
    policy = POLICIES[name]
    ahead = {"Asia/Tokyo": 9, "Asia/Shanghai": 8}.get(policy.period.zone, 0)
    of = period(policy, (stop_at + timedelta(hours=ahead)).date())
    outage = StatedOutage(epoch(stop_at), epoch(stop_at) + HOUR, 1)
    assert evaluate(policy, PolicyFacts(of, (outage,))).claim_before_at == before_at


def test_each_was_looked_up_lately_and_names_its_page() -> None:
    assert {POLICIES[name].source.last_checked_on for name in DIMENSIONS} == {date(2026, 11, 30)}
