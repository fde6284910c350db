"""Versions beside each other: the linked service's two, and a host's own version of the premium terms."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.cli.terms import contract_terms as command
from keizoku.scheduler.settings import SettingsError, load_settings
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.terms.diff import compare
from keizoku.terms.files import BadTermsError
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms
from tests.worlds.command_line import run_of

PREMIUM = Path(__file__).parents[3] / "terms" / "premium"
CHANGED = (
    "1.1 1.2 1.3 1.6 1.8 1.9 2 4.1 4.2 5.5 5.7 5.8 5.9.1 5.9.2 6.2 6.3 6.4 6.5 6.6 9.2 10.1 10.2 10.3 10.4 11.2 12.2.2 "
    "14.2.1 14.2.4 15.1"
)
OLD_NAME, NEW_NAME = "auカブコム証券", "三菱UFJ eスマート証券"


run = partial(run_of, command.app)


def own(folder: Path, since: str = "2027-04-01", until: str = "", **changed: str) -> Path:
    """An own version: the released one, with other days and text replaced in whichever file has it."""
    for path in PREMIUM.glob("2024-12-02*.toml"):
        text = path.read_text(encoding="utf-8")
        ends = f"\nin_force_until = {until}" if until else ""
        text = text.replace("in_force_from = 2024-12-02", f"in_force_from = {since}{ends}")
        text = text.replace('version = "2024-12-02"', f'version = "{since}"')
        for before, after in changed.items():
            text = text.replace(before, after)
        (folder / path.name.replace("2024-12-02", since)).write_text(text, encoding="utf-8")
    return folder


def found(folder: Path) -> list[tuple[str, str]]:
    return [(finding.value, finding.rule) for finding in with_own_versions(Terms.load(), folder)[1]]


def test_the_linked_services_versions_follow_each_other_and_have_a_policy_of_their_own() -> None:
    terms = Terms.load("api_link")
    assert [terms.version_at(day).version for day in (date(2024, 7, 1), date(2025, 2, 2), date(2025, 2, 3))] == [
        "2024-07-01",
        "2024-07-01",
        "2025-02-03",
    ]
    statuses = [Counter(clause.status for clause in version.clauses.values()) for version in terms.versions]
    assert statuses == [{"computed": 17, "by_people": 31, "informational": 28}] * 2
    assert [link_policy(day).partner_name for day in (date(2025, 2, 2), date(2025, 2, 3))] == [OLD_NAME, NEW_NAME]
    assert link_policy(date(2026, 4, 1)).fee_yen == 0
    with pytest.raises(BadTermsError, match="carry no numbers"):
        terms.at(date(2025, 2, 3))


def test_between_the_linked_services_versions_only_the_partners_names_change() -> None:
    old, new = Terms.load("api_link").versions
    diff = compare(old, new)
    assert (diff.added, diff.removed, diff.readings) == ((), (), {})
    assert [name.removeprefix("api_link/") for name in diff.changed] == CHANGED.split()
    for fields in diff.changed.values():
        before, after = fields["gist_ja"]
        assert (before or "").replace("auカブコムAPIサービス", f"{OLD_NAME}のAPIサービス").replace(
            OLD_NAME, NEW_NAME
        ) == after
    assert diff.numbers == {
        "partner.name": (OLD_NAME, NEW_NAME),
        "partner.service": ("auカブコムAPIサービス", f"{NEW_NAME}のAPIサービス"),
    }
    assert diff.about["in_force_until"] == ("2025-02-03", "")


def test_the_diff_is_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("diff", "api_link/2024-07-01", "api_link/2025-02-03", "--lang", "en") == 0
    told = capsys.readouterr().out
    assert "changed: 29 clauses" in told
    assert "gist_ja" not in told
    own(tmp_path, **{'value = "0.146"': 'value = "0.03"', '["premium/11.1"]': '["premium/11.9"]'})
    assert run("diff", "premium/2024-12-02", str(tmp_path / "2027-04-01.toml"), "--json") == 0
    diff = json.loads(capsys.readouterr().out)
    assert diff["numbers"] == {"late_interest.rate": {"old": "0.146", "new": "0.03"}}
    assert ([one["id"] for one in diff["added"]], [one["id"] for one in diff["removed"]]) == (
        ["premium/11.9"],
        ["premium/11.1"],
    )
    with pytest.raises(UserError, match="are two contracts"):
        run("diff", "premium/2024-12-02", "api_link/2025-02-03")


def test_an_own_version_takes_over_on_its_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(tmp_path, **{'value = "0.146"': 'value = "0.03"', '["premium/11.1"]': '["premium/11.9"]'})
    monkeypatch.setenv("KEIZOKU_TERMS_DIR", str(tmp_path))
    terms = load_settings().rules().terms
    assert [terms.at(date(2027, *day)).version for day in ((3, 31), (4, 1))] == ["2024-12-02", "2027-04-01"]
    assert [str(terms.at(date(2027, *day)).late_interest.rate) for day in ((3, 31), (4, 1))] == ["73/500", "3/100"]
    own(tmp_path, **{'["premium/5.2"]': '["premium/5.9"]'})
    with pytest.raises(SettingsError, match=r"KEIZOKU_TERMS_DIR=.*late_interest.rate names the clause 'premium/5.2'"):
        load_settings().rules()


@pytest.mark.parametrize(
    ("before", "after", "flaw"),
    [
        ('["premium/4.1"]', '["premium/4.8"]', ("premium/4.1", "the engine decides by this clause, but it is missing")),
        ("minimum_outage_seconds   = ", "# ", ("sla.minimum_outage_seconds", "Field required")),
        ("guaranteed_share  ", "promised_share  ", ("sla.promised_share", "Extra inputs are not permitted")),
        ("[term_rule]", "[rule_of_terms]", ("term_rule", "the engine asks for this reading, but it is missing")),
        (
            'name = "civil_code"',
            'name = "drifting"',
            ("term_rule: drifting", "no such choice is built; there are anchored, civil_code"),
        ),
    ],
)
def test_a_gap_in_an_own_version_is_named(tmp_path: Path, before: str, after: str, flaw: tuple[str, str]) -> None:
    assert flaw in found(own(tmp_path, **{before: after}))


def test_days_without_a_version_and_days_with_two_are_named(tmp_path: Path) -> None:
    own(tmp_path, "2027-04-01", "2027-07-01")
    own(tmp_path, "2027-07-02", "2027-10-01")
    own(tmp_path, "2027-09-30", "2028-01-01")
    assert found(tmp_path) == [
        ("2027-04-01 and 2027-07-02", "no version covers the days from 2027-07-01 to 2027-07-02 (exclusive)"),
        ("2027-07-02 and 2027-09-30", "two versions cover 2027-09-30"),
        ("2027-09-30", "no version covers the days from 2028-01-01 on"),
    ]


def test_an_own_version_from_before_the_released_one_covers_days_twice(tmp_path: Path) -> None:
    assert found(own(tmp_path, "2024-12-01")) == [("2024-12-02 and 2024-12-01", "two versions cover 2024-12-01")]


def test_the_check_is_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(tmp_path)) == 1
    assert "no version of the premium terms is here" in capsys.readouterr().err
    assert run("check", str(own(tmp_path) / "2027-04-01.toml")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2024-12-02: 2024-12-02 to 2027-04-01",
        "2027-04-01: 2027-04-01 to open",
    ]
