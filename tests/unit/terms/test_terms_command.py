"""`keizoku terms`: list, show, readings, map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.cli.terms import contract_terms as command


def run(*arguments: str) -> int:
    """The exit code of one command."""
    code: Any = command.app(list(arguments), standalone_mode=False)
    return code or 0


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_list_has_every_clause_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    listed = as_json(capsys, "list")
    assert len(listed) > 75
    assert listed[1] == {
        "id": "premium/1",
        "gist_ja": "総則",
        "gist_en": "General",
        "status": "informational",
        "why": "A heading",
    }


def test_list_is_also_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--lang", "en") == 0
    told = capsys.readouterr().out
    assert "gist (en)" in told
    assert "gist (ja)" not in told
    assert "Credit card" in told


def test_show_tells_numbers_and_readings_of_a_clause(capsys: pytest.CaptureFixture[str]) -> None:
    shown = as_json(capsys, "show", "9.4.4")
    assert shown["numbers"] == {"sla.announce_clear_days": "5"}
    assert [(one["name"], one["default"], one["alternatives"]) for one in shown["readings"]] == [
        ("update_window", "update_inside_window", []),
        ("announcement_days", "clear_days", ["calendar_days", "hours"]),
        ("announcement_edits", "what_all_issues_announce", []),
    ]


def test_show_in_one_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "tax", "--lang", "ja") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "消費税10%、適格請求書発行事業者の番号は申請中",
        "computed: The tax inside each total, and whether a document may call itself a qualified invoice",
        "  tax.rate = 0.10",
        "  tax.registration_number = left blank",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "9.44"), "no clause '9.44'; nearest: premium/9.4"),
        (("show", "zzz"), "no clause 'zzz'"),
        (("list", "--contract", "nothing"), "no terms of a contract 'nothing'"),
        (("map", "--tests", "no-such-folder"), "the clause map is made in a checkout"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message) as mistake:
        run(*arguments)
    assert mistake.value.code == 2
    assert "\n" not in str(mistake.value)


def test_readings_mark_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("readings", "--lang", "en") == 0
    told = capsys.readouterr().out
    assert "  * years_then_split: whole years" in told
    assert "    fixed_365: every day counts 1/365" in told
    assert {one["name"] for one in as_json(capsys, "readings")} > {"term_rule", "sub_second"}


def test_map_is_written_and_then_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every = {one.id: ("room.module.decide",) for one in command._newest("premium").clauses.values()}
    monkeypatch.setattr(command, "load_homes", lambda: every)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "all.yaml").write_text(" ".join(every), encoding="utf-8")
    where = ("--tests", str(tmp_path / "tests"), "--output", str(tmp_path / "map.md"))
    assert run("map", "--check", *where) == 1
    assert "not up to date" in capsys.readouterr().err.replace("\n", " ")
    assert run("map", "--write", *where) == 0
    assert run("map", "--check", *where) == 0
    assert run("map", *where) == 0
    assert capsys.readouterr().out == (tmp_path / "map.md").read_text(encoding="utf-8")


def test_map_fails_while_a_computed_clause_has_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_homes", dict)
    where = ("--tests", str(tmp_path), "--output", str(tmp_path / "map.md"))
    assert run("map", "--write", *where) == 1
    assert "/5.2: computed, but no function decides it" in capsys.readouterr().err
