"""The numbers of the premium terms, their clauses, the readings, and which version holds on which day."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keizoku.terms.clauses import clauses
from keizoku.terms.discretion import Discretion
from keizoku.terms.files import BadTermsError
from keizoku.terms.policy import Policy, Terms, UncoveredDateError, UnknownReadingError
from keizoku.terms.rules import Rules

PREMIUM = Path(__file__).parents[3] / "terms" / "premium"
TIERS = Terms.load("premium").at(date(2026, 4, 10)).sla.tiers


@pytest.fixture(scope="module")
def terms() -> Terms:
    return Terms.load("premium")


@pytest.fixture(scope="module")
def policy(terms: Terms) -> Policy:
    return terms.at(date(2026, 4, 10))


def test_every_number_names_its_clause(policy: Policy) -> None:
    assert policy.version == "2024-12-02"
    clause = "premium/{}".format
    assert policy.sources() == [
        ("sla.guaranteed_share", "0.995", clause("9.1")),
        ("sla.quorum_share", "0.05", clause("9.3")),
        ("sla.night_from_second", "01:00", clause("9.4.1")),
        ("sla.night_to_second", "06:00", clause("9.4.1")),
        ("sla.minimum_outage_seconds", "600", clause("9.4.2")),
        ("sla.announce_clear_days", "5", clause("9.4.4")),
        ("sla.claim_months_after", "1", clause("9.5")),
        ("sla.claim_form_grace_hours", "72", clause("9.5")),
        ("sla.eligible_method", "card", clause("9.6")),
        ("sla.tiers.1.over_seconds", "12960", clause("9.2.1")),
        ("sla.tiers.1.up_to_seconds", "25920", clause("9.2.1")),
        ("sla.tiers.1.rate", "0.2", clause("9.2.1")),
        ("sla.tiers.2.over_seconds", "25920", clause("9.2.2")),
        ("sla.tiers.2.rate", "0.4", clause("9.2.2")),
        ("late_interest.rate", "0.146", clause("5.2")),
        ("tax.rate", "0.10", clause("tax")),
        ("tax.registration_number", "", clause("tax")),
        ("backup.copies", "3", clause("10.1")),
        ("backup.every_days", "1", clause("10.3")),
        ("backup.longest_pause_days", "7", clause("10.3")),
        ("backup.restore_about_days", "7", clause("10.5")),
        ("liability.lookback_years", "1", clause("12.2")),
    ]


def test_the_numbers_are_exact(policy: Policy) -> None:
    sla = policy.sla
    assert (sla.guaranteed_share, sla.quorum_share) == (Fraction(199, 200), Fraction(1, 20))
    assert (sla.night_from_second, sla.night_to_second) == (3_600, 21_600)
    assert policy.late_interest.rate == Fraction(146, 1000)
    assert (policy.tax.rate, policy.tax.registration_number) == (Fraction(1, 10), None)


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [(0, None), (12_960, None), (12_961, "0.2"), (25_920, "0.2"), (25_921, "0.4"), (31 * 86_400, "0.4")],
)
def test_a_tier_begins_above_its_bound(policy: Policy, seconds: int, rate: str | None) -> None:
    tier = policy.sla.tier(seconds)
    assert (tier.rate if tier else None) == (Fraction(rate) if rate else None)


@given(st.integers(min_value=0, max_value=31 * 86_400))
def test_no_second_has_two_tiers(seconds: int) -> None:
    assert sum(tier.takes(seconds) for tier in TIERS) == (seconds > 12_960)


def test_a_day_before_every_version_is_refused(terms: Terms) -> None:
    with pytest.raises(UncoveredDateError) as refused:
        terms.at(date(2024, 12, 1))
    assert str(refused.value) == (
        "no version of the premium terms is in force on 2024-12-01; they cover 2024-12-02 on, with no end. "
        "Add the TOML of the version that held then to terms/premium/"
    )


def test_an_instant_counts_by_its_japanese_day(terms: Terms) -> None:
    assert terms.at(datetime(2024, 12, 1, 15, tzinfo=UTC)).version == "2024-12-02"
    with pytest.raises(UncoveredDateError):
        terms.at(datetime(2024, 12, 1, 14, 59, 59, tzinfo=UTC))


def test_a_policy_cannot_be_changed_but_travels(terms: Terms, policy: Policy) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        policy.sla.minimum_outage_seconds = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.readings["sub_second"] = "inward"  # type: ignore[index]
    rules = Rules(terms)
    assert pickle.loads(pickle.dumps(rules)) == copy.deepcopy(rules) == rules  # noqa: S301
    assert hash(policy) == hash(copy.deepcopy(policy))


# ── readings ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_reading_is_chosen_by_name_and_the_rest_stays(terms: Terms) -> None:
    otherwise = terms.with_readings({"term_rule": "civil_code", "late_interest_day_count": "fixed_365"})
    before, after = terms.at(date(2026, 4, 10)).readings, otherwise.at(date(2026, 4, 10)).readings
    assert before["term_rule"] == "anchored"
    assert {name: choice for name, choice in after.items() if choice != before[name]} == {
        "term_rule": "civil_code",
        "late_interest_day_count": "fixed_365",
    }


def test_the_readings_that_have_an_alternative(terms: Terms) -> None:
    readings = terms.version_at(date(2026, 4, 10)).readings
    assert {
        name: [reading.default, *(choice.name for choice in reading.alternatives)]
        for name, reading in readings.items()
        if reading.alternatives
    } == {
        "announcement_days": ["clear_days", "calendar_days", "hours"],
        "claim_deadline": ["month_end_extended_by_our_outage", "month_end"],
        "credit_rounding": ["up", "down", "nearest"],
        "deposit_use": ["when_due", "kept_until_asked"],
        "due_on_holiday": ["next_business_day", "as_stated"],
        "eligible_payment": ["term_covering_the_second", "any_term_of_month"],
        "late_interest_day_count": ["years_then_split", "fixed_365"],
        "late_interest_scope": ["all_methods", "card_only"],
        "month_length": ["fixed", "share_of_month"],
        "set_off_effect": ["works_back", "on_notice"],
        "short_stop": ["whole_stop", "what_is_left"],
        "term_rule": ["anchored", "civil_code"],
        "terminated_term_fee": ["full", "to_termination_day"],
    }


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"term_rul": "anchored"}, "no reading 'term_rul'; nearest: term_rule"),
        ({"xyzzy": "x"}, "no reading 'xyzzy'; nearest: none"),
        ({"term_rule": "civil"}, "'term_rule' has no choice 'civil'; it has anchored, civil_code"),
    ],
)
def test_an_unknown_reading_or_choice_is_refused(terms: Terms, choices: dict[str, str], complaint: str) -> None:
    with pytest.raises(UnknownReadingError, match=complaint):
        terms.with_readings(choices)


# ── versions, in a made-up contract ────────────────────────────────────────────────────────────────────


def write(folder: Path, version: str, since: str, until: str = "", **changed: str) -> None:
    """A version of the contract `demo`: the premium numbers, with other dates and text replaced."""
    folder = folder / "demo"
    folder.mkdir(exist_ok=True)
    for path in PREMIUM.glob("2024-12-02*.toml"):
        text = path.read_text(encoding="utf-8").replace("premium/", "demo/")
        if path.stem == "2024-12-02":
            text = text.replace('name = "premium"', 'name = "demo"')
            text = text.replace('version = "2024-12-02"', f'version = "{version}"')
            ends = f"\nin_force_until = {until}" if until else ""
            text = text.replace("in_force_from = 2024-12-02", f"in_force_from = {since}{ends}")
        for before, after in changed.items():
            text = text.replace(before, after)
        (folder / path.name.replace("2024-12-02", version)).write_text(text, encoding="utf-8")


def test_each_day_has_the_version_of_its_day(tmp_path: Path) -> None:
    write(tmp_path, "2025-01-01", "2025-01-01", "2025-07-01")
    write(tmp_path, "2025-07-01", "2025-07-01", "2026-01-01", **{'value = "0.146"': 'value = "0.03"'})
    terms = Terms.load("demo", tmp_path)
    assert [terms.at(date(2025, *day)).version for day in ((1, 1), (6, 30), (7, 1), (12, 31))] == [
        "2025-01-01",
        "2025-01-01",
        "2025-07-01",
        "2025-07-01",
    ]
    assert terms.at(date(2025, 6, 30)).late_interest.rate == Fraction("0.146")
    assert terms.at(date(2025, 7, 1)).late_interest.rate == Fraction("0.03")
    with pytest.raises(UncoveredDateError, match=r"on 2026-01-01; they cover 2025-01-01 on, until 2026-01-01"):
        terms.at(date(2026, 1, 1))


@pytest.mark.parametrize(
    ("first_until", "second_from", "complaint"),
    [
        ("2025-06-30", "2025-07-01", "leave a gap from 2025-06-30 to 2025-07-01"),
        ("2025-07-02", "2025-07-01", "overlap from 2025-07-01"),
        ("", "2025-07-01", "overlap from 2025-07-01; end the earlier one there"),
        ("2025-01-01", "2025-07-01", "2025-01-01: in_force_until must lie after in_force_from"),
    ],
)
def test_gaps_and_overlaps_are_refused(tmp_path: Path, first_until: str, second_from: str, complaint: str) -> None:
    write(tmp_path, "2025-01-01", "2025-01-01", first_until)
    write(tmp_path, "2025-07-01", second_from)
    with pytest.raises(BadTermsError, match=complaint):
        Terms.load("demo", tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('value = "0.05"', "value = 0.05", '0.05 would be a float; write it as text, "0.05"'),
        ('value = "0.05"', "value = 1", "a rate is written as text"),
        ('value = "0.05"', 'value = "1.5"', "less than or equal to 1"),
        ('value = "01:00"', 'value = "25:00"', "a time of day is written as 06:00"),
        ('value = "06:00"', 'value = "00:30"', "the night begins before it ends"),
        ("up_to_seconds = 25_920", "up_to_seconds = 25_921", "must begin where demo/9.2.1 ends"),
        ("up_to_seconds = 25_920", "", "must begin where demo/9.2.1 ends"),
        ('rate = "0.4"', 'rate = "0.1"', "at a higher rate"),
        ('clause = "demo/9.6"', 'clause = "demo/9.7"', "sla.eligible_method names the clause 'demo/9.7'"),
        ('{ value = 600,     clause = "demo/9.4.2" }', "600", "sla.minimum_outage_seconds: write a number as"),
        ("quorum_share ", "quorum_part ", "quorum_share"),
        ('title = "', 'heading = "', r"\[contract\] needs 'title'"),
        ('name = "demo"', 'name = "other"', "folder and file name say demo 2025-01-01"),
        ("in_force_from = 2025-01-01", 'in_force_from = "2025-01-01"', "needs in_force_from, a day such as"),
        ('default = "anchored"', 'default = "drifting"', "the default 'drifting' is none of its choices"),
        ('name = "civil_code"', 'name = "anchored"', "a choice is listed twice"),
        ('status = "by_people"', 'status = "someone"', "clause 'demo/2.3'"),
        ('["demo/preamble"]', '["elsewhere/preamble"]', "does not begin with demo/"),
        ("[sla]", "[sla", "2025-01-01.toml: "),
    ],
)
def test_terms_written_wrong_say_where_and_what(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    write(tmp_path, "2025-01-01", "2025-01-01", **{before: after})
    with pytest.raises(BadTermsError, match=complaint):
        Terms.load("demo", tmp_path)


def test_a_contract_without_files_or_clauses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTermsError, match="no terms of a contract 'demo'"):
        Terms.load("demo", tmp_path)
    write(tmp_path, "2025-01-01", "2025-01-01")
    (tmp_path / "demo" / "2025-01-01.clauses.toml").unlink()
    with pytest.raises(BadTermsError, match=r"2025-01-01.clauses.toml is missing"):
        Terms.load("demo", tmp_path)


def test_a_contract_without_numbers_has_clauses_but_no_policy(tmp_path: Path) -> None:
    write(tmp_path, "2025-01-01", "2025-01-01")
    main = tmp_path / "demo" / "2025-01-01.toml"
    main.write_text(main.read_text(encoding="utf-8").partition("# ──")[0], encoding="utf-8")
    terms = Terms.load("demo", tmp_path)
    assert "demo/9.2" in terms.version_at(date(2026, 4, 10)).clauses
    assert terms.with_readings({"term_rule": "civil_code"}) == terms
    with pytest.raises(BadTermsError, match="the demo terms 2025-01-01 carry no numbers"):
        terms.at(date(2026, 4, 10))


# ── discretion ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_setting_says_what_it_is_and_which_clause_leaves_it(terms: Terms) -> None:
    known = {*terms.version_at(date(2026, 4, 10)).clauses, *clauses("api_link")}
    for name, field in Discretion.model_fields.items():
        assert field.description, name
        assert isinstance(field.json_schema_extra, dict), name
        assert field.json_schema_extra["clause"] in known, name


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("retry_after_days", (5, 3), "have to ascend"),
        ("retry_after_days", (3, 3), "have to ascend"),
        ("suspend_after_days", -1, "greater than or equal to 0"),
        ("retry_resend_hours", 24, "less than or equal to 23"),
        ("suspend_after_dys", 1, "Extra inputs are not permitted"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(name: str, value: object, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Discretion.model_validate({name: value})


def test_there_may_be_no_retries() -> None:
    assert Discretion.model_validate({"retry_after_days": []}).retry_after_days == ()
