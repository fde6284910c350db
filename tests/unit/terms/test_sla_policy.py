"""SLAs as data: what can be written, what is refused and how it is told, periods in their zones."""

from datetime import UTC, date, datetime
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

from keizoku.terms.files import BadTermsError
from keizoku.terms.stated.sla_periods import SlaPeriod, announced_by, claim_before, period_of
from keizoku.terms.stated.sla_policy import (
    PUBLIC,
    Announced,
    PeriodRule,
    Range,
    SlaPolicy,
    parse_policy,
    public_policies,
    read_policy,
)

GITHUB = PUBLIC / "github.toml"


def changed(tmp_path: Path, before: str, after: str, name: str = "github") -> Path:
    text = (PUBLIC / f"{name}.toml").read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(before, after), encoding="utf-8")
    return path


def test_the_examples_come_with_the_package() -> None:
    folder = resources.files("terms") / "public"
    assert {entry.name for entry in folder.iterdir()} == {f"{policy.name}.toml" for policy in public_policies()}


@pytest.mark.parametrize("policy", public_policies(), ids=lambda policy: policy.name)
def test_what_is_written_as_json_is_read_back_the_same(policy: SlaPolicy) -> None:
    assert parse_policy(policy.model_dump(), "x") == policy
    assert SlaPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_a_policy_cannot_be_changed() -> None:
    policy = read_policy(GITHUB)
    with pytest.raises(ValidationError, match="frozen"):
        policy.weight = "user_minutes"  # type: ignore[misc]
    assert hash(policy) == hash(read_policy(GITHUB))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('above = "99.0"', "above = 99.0", '99.0 would be a float; write it as text, "99.0"'),
        ('above = "99.0"', "above = true", r'tiers.0.above: a number is whole or text, such as "99.9": True'),
        ('above = "99.0"', 'above = "1/0"', "a number is whole or text"),
        ('above = "99.0"', 'above = "1e999999999"', "a number is whole or text"),
        ('above = "99.0"', 'above = "99.0"\nat_least = "99.0"', "states above or at_least, not both"),
        ('at_most = "99.9"', 'at_most = "99.9"\nbelow = "99.9"', "states below or at_most, not both"),
        ('promised = { at_least = "99.9" }', "promised = {}", "a range states a bound: above, at_least, below"),
        ('threshold = "0.05"', 'threshold = "5"', "predicate.threshold: Input should be less than or equal to 1"),
        ('zone = "UTC"', 'zone = "Mars/Base"', "no time zone is called 'Mars/Base'; write it as Asia/Tokyo or UTC"),
        ('kind = "quarter"', 'kind = "fortnight"', "period.kind: Input should be 'month', 'quarter' or"),
        ('name = "github"', 'name = "Git Hub"', "name: String should match pattern"),
        ('kind = "step", rate = "0.1"', 'kind = "steps", rate = "0.1"', "tiers.0.credit: Input tag 'steps'"),
        ('unknown = "up"', "", "unknown: Field required"),
        ('weight = "binary"', 'weight = "binary"\nheight = 1', "height: Extra inputs are not permitted"),
        ('name = "not_the_provider"', 'name = "counted"', "each exclusion has a name of its own"),
        ("after = 30", "after = 30\nday = 3", "claim: a claim by day_of_month states its day, another does not"),
        ('kind = "days"\nafter', 'kind = "day_of_month"\nafter', "a claim by day_of_month states its day"),
        ("[claim]", '[denominator]\nkind = "fixed"\n[claim]', "a fixed denominator states its hours"),
        ("[claim]", "[denominator]\nhours = 720\n[claim]", "an actual one does not"),
        ('kind = "cause"', 'kind = "announced"', "causes: Input should be|either clear_days or notice_seconds"),
        ("[claim]", "[claim", "mine.toml: "),
    ],
)
def test_an_sla_written_wrong_says_where_and_what(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    with pytest.raises(BadTermsError, match=complaint) as refused:
        read_policy(changed(tmp_path, before, after))
    assert "\n" not in str(refused.value)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadTermsError, match=r"none\.toml: No such file"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadTermsError, match=r"bytes\.toml: "):
        read_policy(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "text"),
    [
        ({"at_least": "99", "below": "99.9"}, ["99", "99.899"], ["98.999", "99.9"], "99 <= u < 99.9"),
        ({"above": "99", "at_most": "99.9"}, ["99.001", "99.9"], ["99", "99.901"], "99 < u <= 99.9"),
        ({"below": "95"}, ["94.999", "-1"], ["95"], "u < 95"),
        ({"at_least": 172_800}, ["172800", "999999"], ["172799"], "172800 <= u"),
        ({"above": "1/3"}, ["0.34"], ["1/3"], "1/3 < u"),
    ],
)
def test_bounds_are_inclusive_or_exclusive_as_written(
    bounds: dict[str, object], inside: list[str], outside: list[str], text: str
) -> None:
    stated = Range.model_validate(bounds)
    assert [stated.takes(Fraction(figure)) for figure in inside] == [True] * len(inside)
    assert [stated.takes(Fraction(figure)) for figure in outside] == [False] * len(outside)
    assert stated.text() == text


# ── periods and deadlines ──────────────────────────────────────────────────────────────────────────────


def of(kind: str, day: date, zone: str = "UTC", anchor: date | None = None) -> SlaPeriod:
    return period_of(PeriodRule.model_validate({"kind": kind, "zone": zone}), day, anchor)


@pytest.mark.parametrize(
    ("kind", "day", "anchor", "first", "end"),
    [
        ("month", date(2028, 2, 29), None, date(2028, 2, 1), date(2028, 3, 1)),
        ("month", date(2027, 12, 31), None, date(2027, 12, 1), date(2028, 1, 1)),
        ("quarter", date(2028, 2, 29), None, date(2028, 1, 1), date(2028, 4, 1)),
        ("quarter", date(2027, 12, 31), None, date(2027, 10, 1), date(2028, 1, 1)),
        ("quarter", date(2027, 7, 1), None, date(2027, 7, 1), date(2027, 10, 1)),
        ("billing_cycle", date(2027, 1, 31), date(2027, 1, 31), date(2027, 1, 31), date(2027, 2, 28)),
        ("billing_cycle", date(2027, 3, 30), date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31)),
        ("billing_cycle", date(2028, 2, 29), date(2027, 1, 31), date(2028, 2, 29), date(2028, 3, 31)),
        ("billing_cycle", date(2028, 2, 28), date(2027, 1, 31), date(2028, 1, 31), date(2028, 2, 29)),
    ],
)
def test_a_day_lies_in_one_period(kind: str, day: date, anchor: date | None, first: date, end: date) -> None:
    assert of(kind, day, anchor=anchor) == SlaPeriod(first, end, "UTC", anchor)


def test_a_period_begins_at_midnight_of_its_zone() -> None:
    tokyo, pacific = of("month", date(2027, 3, 1), "Asia/Tokyo"), of("month", date(2027, 3, 1), "America/Los_Angeles")
    assert (tokyo.start_at, tokyo.end_at) == (
        datetime(2027, 2, 28, 15, tzinfo=UTC),
        datetime(2027, 3, 31, 15, tzinfo=UTC),
    )
    assert (pacific.start_at, pacific.end_at) == (
        datetime(2027, 3, 1, 8, tzinfo=UTC),
        datetime(2027, 4, 1, 7, tzinfo=UTC),  # clocks went forward: an hour less
    )


@pytest.mark.parametrize("anchor", [None, date(2027, 2, 1)])
def test_a_billing_cycle_needs_the_day_on_which_billing_began(anchor: date | None) -> None:
    with pytest.raises(ValueError, match="counted from the day on which billing began"):
        of("billing_cycle", date(2027, 1, 31), anchor=anchor)


def test_a_claim_day_beyond_a_short_month_is_its_last_day(tmp_path: Path) -> None:
    policy = read_policy(changed(tmp_path, "day = 15", "day = 30", "nifcloud"))
    stops = [datetime(year, 1, 31, tzinfo=UTC) for year in (2027, 2028)]
    before = [claim_before(policy, of("month", stop.date(), "Asia/Tokyo"), stop) for stop in stops]
    assert before == [datetime(2027, 2, 28, 15, tzinfo=UTC), datetime(2028, 2, 29, 15, tzinfo=UTC)]


def test_the_last_day_of_a_long_month_is_a_claim_day_too(tmp_path: Path) -> None:
    policy = read_policy(changed(tmp_path, "day = 15", "day = 31", "nifcloud"))
    stop = datetime(2027, 6, 10, tzinfo=UTC)
    assert claim_before(policy, of("month", stop.date(), "Asia/Tokyo"), stop) == datetime(2027, 7, 31, 15, tzinfo=UTC)


def test_an_incident_that_ends_at_midnight_belongs_to_the_day_before() -> None:
    policy = read_policy(PUBLIC / "nifcloud.toml")
    june = of("month", date(2027, 6, 1), "Asia/Tokyo")
    assert claim_before(policy, june, june.end_at) == datetime(2027, 7, 15, 15, tzinfo=UTC)
    with pytest.raises(ValueError, match="counted from the incident, which is not given"):
        claim_before(policy, june)


@pytest.mark.parametrize(
    ("notice", "last_at"),
    [
        ({"clear_days": 5}, datetime(2027, 4, 4, 15, tzinfo=UTC)),  # 00:00 of 5 April in Japan
        ({"notice_seconds": 86_400}, datetime(2027, 4, 8, 17, tzinfo=UTC)),
    ],
)
def test_notice_is_counted_in_clear_days_or_in_seconds(notice: dict[str, int], last_at: datetime) -> None:
    exclusion = Announced.model_validate({"kind": "announced", "name": "update", **notice})
    assert announced_by(exclusion, datetime(2027, 4, 9, 17, tzinfo=UTC), "Asia/Tokyo") == last_at
