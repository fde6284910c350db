"""Where settings come from, and how a bad one is refused."""

from datetime import date
from pathlib import Path

import pytest

from keizoku.db.tables.letters import NOTICE_KINDS
from keizoku.scheduler.night import figures
from keizoku.scheduler.night_settings import FIGURES, FIGURES_IN_YEN, limit_of
from keizoku.scheduler.settings import Settings, SettingsError, load_settings
from keizoku.terms.discretion import Discretion
from keizoku.terms.refusal import Refused


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty settings file that is read."""
    monkeypatch.delenv("KEIZOKU_LANG", raising=False)
    found = tmp_path / "settings.toml"
    found.write_text("")
    monkeypatch.setenv("KEIZOKU_SETTINGS_FILE", str(found))
    monkeypatch.delenv("KEIZOKU_LANG", raising=False)  # the tests' own language (tests/conftest.py)
    return found


def sources() -> dict[str, str]:
    return {line.name: line.source for line in load_settings().lines() if line.source != "default"}


def test_without_any_the_discretion_is_the_default() -> None:
    assert load_settings().discretion() == Discretion()
    assert sources() == {}


def test_the_variable_wins_over_the_file_and_the_file_over_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("suspend_after_days = 11\nterminate_after_days = 41\n")
    monkeypatch.setenv("KEIZOKU_SUSPEND_AFTER_DAYS", "12")
    settings = load_settings()
    assert (settings.suspend_after_days, settings.terminate_after_days) == (12, 41)
    assert sources() == {"suspend_after_days": "environment", "terminate_after_days": "file"}


@pytest.mark.parametrize(
    ("text", "days"), [("3,5,7", (3, 5, 7)), ("[3, 5]", (3, 5)), ("4", (4,)), ("[]", ()), (",", ())]
)
def test_a_list_is_written_as_people_do_or_as_json(
    monkeypatch: pytest.MonkeyPatch, text: str, days: tuple[int, ...]
) -> None:
    monkeypatch.setenv("KEIZOKU_RETRY_AFTER_DAYS", text)
    assert load_settings().retry_after_days == days


@pytest.mark.parametrize(
    "text",
    [
        "late_interest_day_count=fixed_365, term_rule=civil_code",
        '{"late_interest_day_count": "fixed_365", "term_rule": "civil_code"}',
    ],
)
def test_readings_reach_the_terms(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KEIZOKU_READINGS", text)
    settings = load_settings()
    assert settings.readings == {"late_interest_day_count": "fixed_365", "term_rule": "civil_code"}
    assert settings.rules().terms.at(date(2026, 4, 1)).readings["term_rule"] == "civil_code"


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("SUSPEND_AFTER_DAYS", "soon", "KEIZOKU_SUSPEND_AFTER_DAYS=soon: Input should be a valid integer"),
        (
            "SUSPEND_AFTER_DAYS",
            "-1",
            "KEIZOKU_SUSPEND_AFTER_DAYS=-1: Input should be greater than or equal to 0",
        ),
        (
            "RETRY_AFTER_DAYS",
            "5,3",
            "KEIZOKU_RETRY_AFTER_DAYS=['5', '3']: the days of retries have to ascend",
        ),
        ("RETRY_AFTER_DAYS", "3,x", "KEIZOKU_RETRY_AFTER_DAYS (1)=x: Input should be a valid integer"),
        ("RETRY_AFTER_DAYS", "[3", "KEIZOKU_RETRY_AFTER_DAYS=[3: not JSON"),
        ("READINGS", "term_rule", "KEIZOKU_READINGS=term_rule: has to be name=choice"),
        ("GATEWAY", "paypal", "KEIZOKU_GATEWAY=paypal: Input should be 'simulated'"),
        (
            "SUSPEND_AFTER_DAY",
            "3",
            "KEIZOKU_SUSPEND_AFTER_DAY is no setting; did you mean KEIZOKU_SUSPEND_AFTER_DAYS?",
        ),
    ],
)
def test_a_bad_variable_names_itself_its_value_and_the_rule(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"KEIZOKU_{variable}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("readings", ["term_rule=maybe", "no_such=x"])
def test_an_unknown_reading_is_refused(monkeypatch: pytest.MonkeyPatch, readings: str) -> None:
    monkeypatch.setenv("KEIZOKU_READINGS", readings)
    with pytest.raises(SettingsError, match="KEIZOKU_READINGS"):
        load_settings().rules()


def test_a_file_that_is_not_there_or_not_toml_or_names_nothing_known(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("suspend_after_day = 3\n")
    with pytest.raises(SettingsError, match=r"suspend_after_day is no setting; did you mean suspend_after_days\?"):
        load_settings()
    file.write_text("= 3")
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings()
    monkeypatch.setenv("KEIZOKU_SETTINGS_FILE", "/nowhere/settings.toml")
    with pytest.raises(SettingsError, match="No such file"):
        load_settings()


def test_every_setting_says_what_it_means() -> None:
    for line in load_settings().lines():
        assert line.meaning, line.name
    assert {line.name for line in load_settings().lines() if line.clause} == set(Discretion.model_fields)
    assert set(Settings.model_fields) >= set(Discretion.model_fields)


def test_stripe_needs_a_key_and_a_file_wins_over_the_key_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEIZOKU_GATEWAY", "stripe")
    with pytest.raises(SettingsError, match="needs KEIZOKU_STRIPE_SECRET_KEY_FILE or KEIZOKU_STRIPE_SECRET_KEY"):
        load_settings().stripe_key()
    monkeypatch.setenv("KEIZOKU_STRIPE_SECRET_KEY", "sk_test_of_the_environment")
    assert load_settings().stripe_key() == "sk_test_of_the_environment"
    assert "sk_test" not in str([line.value for line in load_settings().lines()])
    file = tmp_path / "key"
    monkeypatch.setenv("KEIZOKU_STRIPE_SECRET_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings().stripe_key()
    file.write_text("sk_test_of_the_file\n")
    assert load_settings().stripe_key() == "sk_test_of_the_file"
    file.write_text(" \n")
    with pytest.raises(SettingsError, match="holds no key"):
        load_settings().stripe_key()


FREE_MEMBERS = {
    "screening_grounds", "hard_decline_codes",  # the operator's and the gateway's own words
    "bank_accounts",  # a file of another account is a finding
    "backup_stores", "backup_recipients",  # read by libraries that only a backup loads
}  # fmt: skip
BAD_MEMBERS = {
    "night_limits": "payment.charges=500",
    "webhook_allowed_hosts": "https://shop.example",
    "readings": "no_such=x",
    "related_terms": "base",
    "retry_after_days": "-1",
    "issuer_changes": "soon/a/b",
    "issuer_registrations": "T1",
    "processor_bank_names": "a\tb",
    "link_needs_rulings": "9.9",
    "link_lapse_notice_days": "-1",
}


def test_a_list_takes_no_member_that_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = {name for name, each in Settings.model_fields.items() if str(each.annotation).startswith(("tuple", "dict"))}
    assert lists == FREE_MEMBERS | BAD_MEMBERS.keys()
    for name, value in BAD_MEMBERS.items():
        with monkeypatch.context() as patch:
            patch.setenv(f"KEIZOKU_{name.upper()}", value)
            with pytest.raises((SettingsError, Refused), match=f"KEIZOKU_{name.upper()}"):
                load_settings().rules()


@pytest.mark.parametrize(
    ("limit", "rule", "remedy"),
    [
        ("payment.charges=500", "one of terms.terms, credits.credits, ", "did you mean payments.charges?"),
        ("claims.awards=5yen", "in yen is set for one of terms.terms, ", "take the name of what "),
    ],
)
def test_a_limit_of_nights_names_what_a_night_counts(
    monkeypatch: pytest.MonkeyPatch, limit: str, rule: str, remedy: str
) -> None:
    monkeypatch.setenv("KEIZOKU_NIGHT_LIMITS", f"odd,{limit}")
    with pytest.raises(Refused) as refused:
        load_settings()
    assert refused.value.code == "settings.unknown_name"
    (finding,) = refused.value.findings
    assert (finding.source, finding.value) == ("KEIZOKU_NIGHT_LIMITS", limit)
    assert rule in finding.rule
    assert str(refused.value).startswith(f"KEIZOKU_NIGHT_LIMITS: {limit}: ")
    assert finding.remedy.startswith(remedy)


def test_a_limit_can_be_set_for_all_that_a_night_counts() -> None:
    counted = {
        f"{each.stage}.{each.what}{kind}": each.yen != "0"
        for each in figures._KINDS
        for kind in ([f".{kind}" for kind in NOTICE_KINDS] if each.kind else [""])
    } | {"revenue.recognised": True}
    assert set(FIGURES) == counted.keys()
    assert set(FIGURES_IN_YEN) == {name for name, yen in counted.items() if yen}
    assert [limit_of(f"{name}=1").name for name in FIGURES] == list(FIGURES)
