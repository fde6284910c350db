"""The public SLAs stated in terms/public: each tier at, just under and just over its bounds; each deadline."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from keizoku.sla.policies.engine import Credit, evaluate
from keizoku.sla.policies.seconds import PolicyFacts, StatedOutage
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import epoch
from keizoku.terms.money import fraction_text
from keizoku.terms.stated.sla_policy import ByCause, OutageCause
from tests.unit.sla.stated_policies import NONE, POLICIES, days, down_for, period, rate

# policy -> (percent available, credit), from the bounds outward: a thousandth to either side is "just"
TIERS: dict[str, list[tuple[str, Credit]]] = {
    "google-workspace": [
        ("100", NONE),
        ("99.901", NONE),
        ("99.9", NONE),
        ("99.899", days(3)),
        ("99.001", days(3)),
        ("99", days(3)),
        ("98.999", days(7)),
        ("95.001", days(7)),
        ("95", days(7)),
        ("94.999", days(15)),
        ("0", days(15)),
    ],
    "aws-compute": [
        ("99.991", NONE),
        ("99.99", NONE),
        ("99.989", rate(10)),
        ("99.001", rate(10)),
        ("99", rate(10)),
        ("98.999", rate(30)),
        ("95", rate(30)),
        ("94.999", rate(100)),
        ("0", rate(100)),
    ],
    "microsoft-365": [
        ("99.901", NONE),
        ("99.9", NONE),
        ("99.899", rate(25)),
        ("99", rate(25)),
        ("98.999", rate(50)),
        ("95", rate(50)),
        ("94.999", rate(100)),
        ("0", rate(100)),
    ],
    "github": [
        ("99.901", NONE),
        ("99.9", rate(10)),
        ("99.899", rate(10)),
        ("99.001", rate(10)),
        ("99", NONE),  # the text's own gap
        ("98.999", rate(25)),
        ("0", rate(25)),
    ],
    "nifcloud": [
        ("99.991", NONE),
        ("99.99", NONE),
        ("99.989", rate(10)),
        ("99", rate(10)),
        ("98.999", rate(30)),
        ("95", rate(30)),
        ("94.999", rate(100)),
        ("0", rate(100)),
    ],
    "supabase": [
        ("99.901", NONE),
        ("99.9", NONE),
        ("99.899", rate(10)),
        ("99", rate(10)),
        ("98.999", rate(15)),
        ("98", rate(15)),
        ("97.999", rate(20)),
        ("96", rate(20)),
        ("95.999", rate(30)),
        ("0", rate(30)),
    ],
}
NTT = [
    (1_799, 0),
    (1_800, 3),
    (1_801, 3),
    (3_599, 3),
    (3_600, 10),
    (7_199, 10),
    (7_200, 20),
    (14_399, 20),
    (14_400, 30),
    (21_599, 30),
    (21_600, 40),
    (28_799, 40),
    (28_800, 50),
    (172_799, 50),
    (172_800, 100),
    (172_801, 100),
]


@pytest.mark.parametrize(("name", "percent", "credit"), [(name, *row) for name, rows in TIERS.items() for row in rows])
def test_each_tier_at_just_under_and_just_over_its_bounds(name: str, percent: str, credit: Credit) -> None:
    policy = POLICIES[name]
    outcome = down_for(policy, percent)
    assert (fraction_text(outcome.figure), outcome.credit) == (percent, credit)


@pytest.mark.parametrize("name", [name for name in TIERS if POLICIES[name].weight == "binary"])
def test_one_counted_unit_decides_at_each_bound(name: str) -> None:
    """A quarter or month cut at the bound itself: one unit of time less keeps the better tier, one more loses it."""
    policy = POLICIES[name]
    of = period(policy)
    start, end = epoch(of.start_at), epoch(of.end_at)
    unit = policy.duration.step_seconds
    bounds = {
        bound
        for tier in policy.tiers
        for bound in (tier.above, tier.at_least, tier.below, tier.at_most)
        if bound is not None
    }
    for bound in bounds:
        at_bound = (100 - bound) * (end - start) / 100
        units = at_bound / unit
        floor = units.numerator // units.denominator
        for count in (floor, floor + 1, floor - 1):
            figure = 100 - Fraction(100 * count * unit, end - start)
            outage = StatedOutage(start, start + count * unit, 1)
            outcome = evaluate(policy, PolicyFacts(of, (outage,), plan="enterprise"))
            expected = policy.tier(figure)
            assert outcome.figure == figure
            assert outcome.tier == (policy.tiers.index(expected) + 1 if expected else None)


@pytest.mark.parametrize(("seconds", "percent"), NTT)
def test_ntt__each_step_begins_at_its_bound(seconds: int, percent: int) -> None:
    policy = POLICIES["ntt-recovery"]
    of = period(policy)
    start = epoch(of.start_at) + 86_400
    outcome = evaluate(policy, PolicyFacts(of, (StatedOutage(start, start + seconds, 1),)))
    assert outcome.credit == rate(percent)
    assert outcome.kept == (percent == 0)


def test_ntt__the_clock_runs_from_when_the_provider_knew() -> None:
    policy = POLICIES["ntt-recovery"]
    of = period(policy)
    start = epoch(of.start_at) + 86_400
    late = StatedOutage(start, start + 7_200, 1, known_at=start + 3_601)
    assert evaluate(policy, PolicyFacts(of, (late,))).credit == rate(3)


def test_ntt__failures_add_up_to_the_whole_fee_at_most() -> None:
    policy = POLICIES["ntt-recovery"]
    of = period(policy)
    start = epoch(of.start_at)
    failures = tuple(StatedOutage(start + n * 100_000, start + n * 100_000 + 28_800, 1) for n in range(3))
    assert [evaluate(policy, PolicyFacts(of, failures[:n])).credit for n in (1, 2, 3)] == [
        rate(50),
        rate(100),
        rate(100),
    ]


def test_ntt__a_failure_over_the_months_end_counts_whole_in_the_month_of_its_start() -> None:
    policy = POLICIES["ntt-recovery"]
    june, july = period(policy), period(policy, date(2027, 7, 1))
    over = StatedOutage(epoch(june.end_at) - 600, epoch(june.end_at) + 3_000, 1)
    assert evaluate(policy, PolicyFacts(june, (over,))).credit == rate(10)
    assert evaluate(policy, PolicyFacts(july, (over,))).credit == NONE


@pytest.mark.parametrize("name", ["google-workspace", "github"])
def test_more_than_five_percent_means_more(name: str) -> None:
    policy = POLICIES[name]
    of = period(policy)
    start = epoch(of.start_at)

    def counted(affected: int) -> int:
        facts = PolicyFacts(of, (StatedOutage(start, start + 3_600, affected),), ((0, 1_000),))
        return evaluate(policy, facts).waterfall()["counted"]

    assert (counted(50), counted(51)) == (0, 3_600)


def test_google__only_whole_consecutive_minutes_count() -> None:
    policy = POLICIES["google-workspace"]
    of = period(policy)
    start = epoch(of.start_at)
    flapping = (StatedOutage(start, start + 59, 1), StatedOutage(start + 100, start + 219, 1))
    assert evaluate(policy, PolicyFacts(of, flapping)).waterfall() == {
        "too_short": 59,
        "not_the_provider": 0,
        "partial_step": 59,
        "counted": 60,
    }


def test_aws__all_own_instances_have_to_be_down_at_once() -> None:
    policy = POLICIES["aws-compute"]
    of = period(policy)
    start = epoch(of.start_at)
    facts = [PolicyFacts(of, (StatedOutage(start, start + 86_400, down),), ((0, 8),)) for down in (7, 8)]
    assert [evaluate(policy, one).credit for one in facts] == [NONE, rate(30)]


def test_microsoft__user_minutes_weigh_each_user() -> None:
    policy = POLICIES["microsoft-365"]
    of = period(policy)
    start = epoch(of.start_at)
    outcome = evaluate(policy, PolicyFacts(of, (StatedOutage(start, start + 72 * 3600, 1),), ((0, 100),)))
    assert (int(outcome.down), int(outcome.denominator)) == (72 * 3600, 100 * 30 * 86_400)
    assert (outcome.figure, outcome.credit) == (Fraction("99.9"), NONE)
    outcome = evaluate(policy, PolicyFacts(of, (StatedOutage(start, start + 72 * 3600 + 1, 1),), ((0, 100),)))
    assert outcome.credit == rate(25)


def test_microsoft__maintenance_needs_five_days_of_notice() -> None:
    policy = POLICIES["microsoft-365"]
    of = period(policy)
    start = epoch(of.start_at) + 10 * 86_400
    update = (StatedOutage(start, start + 36_000, 1, OutageCause.SYSTEM_UPDATE),)
    notices = [UpdateNotice("n", start - 432_000 + late, start, start + 36_000) for late in (0, 1)]
    outcomes = [evaluate(policy, PolicyFacts(of, update, notices=(notice,))) for notice in notices]
    assert [outcome.waterfall()["counted"] for outcome in outcomes] == [0, 36_000]


def test_nifcloud__three_minutes_a_share_of_the_servers_and_720_hours() -> None:
    policy = POLICIES["nifcloud"]
    of = period(policy, date(2027, 7, 1))  # 31 days, and yet 720 hours
    start = epoch(of.start_at)
    outcomes = [
        evaluate(policy, PolicyFacts(of, (StatedOutage(start, start + lasted, 1),), ((0, 4),))) for lasted in (179, 180)
    ]
    assert [outcome.down for outcome in outcomes] == [0, 45]
    assert outcomes[1].figure == 100 - Fraction(100 * 45, 720 * 3600)


def test_supabase__only_enterprise_customers() -> None:
    policy = POLICIES["supabase"]
    of = period(policy)
    outage = (StatedOutage(epoch(of.start_at), epoch(of.end_at), 1),)
    outcomes = [evaluate(policy, PolicyFacts(of, outage, plan=plan)) for plan in ("enterprise", "pro", None)]
    assert [(outcome.credit, outcome.refused) for outcome in outcomes] == [
        (rate(30), None),
        (NONE, "plan"),
        (NONE, "plan"),
    ]


# ── deadlines: the last day allowed is whole, so a claim comes before the first instant of the next ────────


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "stop_at", "before_at"),
    [
        # 30 days after the month: 31 January + 30 is 2 March in a common year, 1 March in a leap year
        ("google-workspace", utc(2027, 1, 5), utc(2027, 3, 3)),
        ("google-workspace", utc(2028, 1, 5), utc(2028, 3, 2)),
        ("google-workspace", utc(2028, 2, 29, 12), utc(2028, 3, 31)),
        # until the end of the second cycle after: cycles from 31 January are 01-31, 02-28, 03-31, 04-30
        ("aws-compute", utc(2027, 1, 31), utc(2027, 4, 30)),
        ("aws-compute", utc(2027, 2, 27, 23), utc(2027, 4, 30)),
        ("aws-compute", utc(2027, 2, 28), utc(2027, 5, 31)),
        ("aws-compute", utc(2028, 2, 28), utc(2028, 4, 30)),  # its cycle ends on 29 February 2028
        # the end of the month after the incident's
        ("microsoft-365", utc(2027, 1, 31, 22), utc(2027, 3, 1)),
        ("microsoft-365", utc(2028, 1, 31, 22), utc(2028, 3, 1)),
        ("microsoft-365", utc(2027, 12, 31, 22), utc(2028, 2, 1)),
        # 30 days after the quarter
        ("github", utc(2027, 1, 1), utc(2027, 5, 1)),
        ("github", utc(2027, 12, 31, 22), utc(2028, 1, 31)),
        ("github", utc(2028, 2, 29), utc(2028, 5, 1)),
        # the 15th of the next month in Japan; 15:00 UTC is the next day there
        ("nifcloud", utc(2027, 6, 30, 13), utc(2027, 7, 15, 15)),
        ("nifcloud", utc(2027, 6, 30, 15), utc(2027, 8, 15, 15)),
        ("nifcloud", utc(2028, 2, 29, 13), utc(2028, 3, 15, 15)),
        ("supabase", utc(2027, 2, 28), utc(2027, 3, 31)),
        ("supabase", utc(2028, 2, 28), utc(2028, 3, 31)),
        ("ntt-recovery", utc(2027, 6, 10), None),
    ],
)
def test_a_claim_has_to_arrive_before(name: str, stop_at: datetime, before_at: datetime | None) -> None:
    policy = POLICIES[name]
    day = (stop_at + timedelta(hours=9 if policy.period.zone == "Asia/Tokyo" else 0)).date()
    of = period(policy, day)
    assert of.start_at <= stop_at < of.end_at
    outage = StatedOutage(epoch(stop_at), epoch(stop_at) + 3_600, 1)
    assert evaluate(policy, PolicyFacts(of, (outage,))).claim_before_at == before_at


def test_each_example_says_what_it_is_and_where_it_is_from() -> None:
    assert list(POLICIES) == [
        "alibaba-datahub",
        "arcustech",
        "article-9",
        "aws-compute",
        "aws-rds",
        "aws-s3",
        "backblaze",
        "cloudkarafka",
        "cloudtables",
        "digitalocean-app-platform",
        "github",
        "google-cloud-functions",
        "google-workspace",
        "microsoft-365",
        "mongodb-atlas",
        "nifcloud",
        "ntt-recovery",
        "redbox",
        "slack",
        "speedex",
        "supabase",
        "twilio",
        "upcloud",
    ]
    for policy in POLICIES.values():
        assert policy.example, policy.name
        assert policy.source.notes, policy.name
        assert policy.source.last_checked_on >= date(2026, 11, 22), policy.name
        assert policy.name == "article-9" or str(policy.source.address).startswith("https://"), policy.name


# weight, predicate, shortest outage and step, excluded causes, fixed hours, promise, cap, earliest invoice
DIMENSIONS = {
    "aws-compute": ("binary", ">= 1", (0, 1), "all but the provider's", None, "99.99 <= u", (None, None), None),
    "github": ("binary", "> 0.05", (0, 60), "all but the provider's", None, "99.9 <= u", (None, 90), None),
    "google-workspace": ("binary", "> 0.05", (60, 60), "all but the provider's", None, "99.9 <= u", (None, 15), None),
    "microsoft-365": ("user_minutes", "> 0", (0, 1), "all but the provider's", None, "99.9 <= u", ("1", None), None),
    "nifcloud": ("affected_ratio", "> 0", (180, 1), "all but the provider's", 720, "99.99 <= u", (None, None), 2),
    "ntt-recovery": ("binary", ">= 1", (0, 1), "the customer's", None, "u < 1800", ("1", None), None),
    "supabase": ("binary", ">= 1", (0, 60), "all but the provider's", None, "99.9 <= u", (None, None), None),
}
CAUSES = {
    ("force_majeure", "customer", "user_environment"): "all but the provider's",
    ("customer", "user_environment"): "the customer's",
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_each_example_states_its_dimensions(name: str) -> None:
    policy = POLICIES[name]
    excluded = [CAUSES[each.causes] for each in policy.exclusions if isinstance(each, ByCause)]
    assert (
        policy.weight,
        f"{policy.predicate.comparator} {fraction_text(policy.predicate.threshold)}",
        (policy.duration.minimum_seconds, policy.duration.step_seconds),
        excluded[0],
        policy.denominator.hours,
        policy.metric.promised.text(),
        (policy.cap.rate and fraction_text(policy.cap.rate), policy.cap.days),
        policy.settlement.months_after,
    ) == DIMENSIONS[name]
    assert (policy.unknown, policy.duration.judged, len(excluded)) == ("up", "whole_stop", 1)
