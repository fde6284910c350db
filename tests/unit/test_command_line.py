"""Rules of the whole command line: help in both languages, one parser of each kind, one shape of lists."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from keizoku.scheduler import cli
from keizoku.scheduler.cli.shared import language
from keizoku.scheduler.cli.shared.ids import document_id, numbered, refund_id, worded
from keizoku.scheduler.cli.shared.inputs import day, instant, month_of, window
from keizoku.scheduler.cli.shared.listing import Cut, Page, emit_rows, of_rows
from keizoku.scheduler.cli.shared.output import MISTAKEN, UserError, emit, in_japan

JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
ENGLISH = re.compile(r"(?:\b[a-z]+ ){3}")
WALK = """
import importlib, json, typer
from keizoku.scheduler import cli

def walk(command, path):
    yield path, "", command.help or ""
    for each in command.params:
        if each.name != "help":
            yield path, each.opts[0] if each.opts else each.name, getattr(each, "help", None) or ""
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{path} {name}")

found = [("", "", typer.main.get_command(cli.app).help)]
found += [(name, "in the list", each.help) for name, each in typer.main.get_command(cli.app).commands.items()]
for name, target in cli.COMMANDS.items():
    module, attribute = target.place.split(":")
    group = getattr(importlib.import_module(module), attribute)
    group._add_completion = False
    found += walk(typer.main.get_command(group), name)
print(json.dumps(found))
"""


def spoken(lang: str, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    environment = {**os.environ, "KEIZOKU_LANG": lang}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def texts(lang: str) -> Iterator[tuple[str, str, str]]:
    yield from (tuple(each) for each in json.loads(spoken(lang, "-c", WALK)))


def test_every_command_and_option_explains_itself_in_english() -> None:
    assert [each for each in texts("en") if not each[2] or JAPANESE.search(each[2])] == []


def test_every_command_and_option_explains_itself_in_japanese() -> None:
    def wrong(text: str) -> bool:
        return not JAPANESE.search(text) or ENGLISH.search(re.sub(r"`[^`]*`", "", text)) is not None

    assert [each for each in texts("ja") if wrong(each[2])] == []


def test_the_help_page_itself_is_japanese() -> None:
    page = spoken("ja", "-m", "keizoku", "account", "show", "--help")
    assert "使い方: keizoku account show" in page
    assert not {"Usage", "Options", "Arguments", "Show this message"} & set(
        re.findall(r"[A-Z][a-z]+(?: [a-z]+)*", page)
    )
    assert spoken("en", "-m", "keizoku", "explain", "claim", "--help", "--lang", "ja").split()[0] == "使い方:"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja"}, "ja"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "KEIZOKU_LANG": "en"}, "en"),
        ({"KEIZOKU_LANG": "ja"}, "ja"),
    ],
)
def test_the_language_is_the_settings_or_the_locales(environment: dict[str, str], expected: str) -> None:
    assert language.language_of(environment) == expected


def test_the_language_may_stand_in_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "keizoku.toml"
    file.write_text('lang = "ja"\n', encoding="utf-8")
    assert language.language_of({"KEIZOKU_SETTINGS_FILE": str(file), "LANG": "C"}) == "ja"
    assert language.language_of({"KEIZOKU_SETTINGS_FILE": str(tmp_path / "none")}) == "en"


@pytest.mark.parametrize("text", ["12", "#12", " 12 ", "invoice 12", "Invoice #12", "請求12"])
def test_a_number_is_accepted_as_it_is_printed(text: str) -> None:
    assert numbered("invoice", "請求")(text) == 12


def test_ids_of_every_kind() -> None:
    assert numbered("invoice")("2,856") == 2_856
    assert [numbered("demand", "D")(text) for text in ("D3", "d3", "3", "demand 3")] == [3, 3, 3, 3]
    assert [document_id(text) for text in ("N12", "n12", "D3", "demand 3", "notice #12")] == [
        "N12",
        "N12",
        "D3",
        "D3",
        "N12",
    ]
    assert [worded("claim")(text) for text in ("c0063", "claim c0063")] == ["c0063", "c0063"]
    assert [refund_id(text) for text in ("refund 7", "7", "#7")] == ["refund 7", "refund 7", "refund 7"]


@pytest.mark.parametrize("text", ["", "twelve", "credit 12", "12x", "-1", "9" * 19, "D"])
def test_what_is_no_number_names_the_value_and_the_rule(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 12, #12 or invoice 12") as refused:
        numbered("invoice")(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("parse", "text"), [(day, "soon"), (instant, "soon"), (month_of, "2026-13"), (window, "2026-04-10")]
)
def test_what_cannot_be_read_is_a_mistake_of_the_call(parse: object, text: str) -> None:
    with pytest.raises(UserError, match=re.escape(text)) as refused:
        parse(text)  # type: ignore[operator]
    assert refused.value.code == MISTAKEN


def test_people_read_times_in_japan(capsys: pytest.CaptureFixture[str]) -> None:
    at = dt.datetime(2026, 5, 14, 17, 30, tzinfo=dt.UTC)
    assert in_japan(at) == in_japan("2026-05-14T17:30:00+00:00") == "2026-05-15 02:30:00 JST"
    assert in_japan("2026-05-14") == "2026-05-14"
    emit([{"attempt": 2_856, "yen": 5_300, "sent_at": at}])
    assert capsys.readouterr().out.split() == [
        *("attempt", "yen", "sent_at"),
        *("2856", "5,300", "2026-05-15", "02:30:00", "JST"),
    ]
    emit({"sent_at": at}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"sent_at": "2026-05-15T02:30:00+09:00"}


ROWS = [{"id": number} for number in range(1, 6)]


def test_a_list_says_where_it_is_cut_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    emit_rows(ROWS, Page(2), "none", as_json=True)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == [{"id": 1}, {"id": 2}]
    assert shown.err == "showing 2 of 5; --after 2 goes on, --all shows every row\n"
    emit_rows(ROWS, Page(2, "4"), "none", as_json=False)
    assert capsys.readouterr() == ("id\n5 \n", "")
    emit_rows(ROWS, Page(0), "none", as_json=True)
    shown = capsys.readouterr()
    assert (len(json.loads(shown.out)), shown.err) == (5, "")
    emit_rows([], Page(2), "none", as_json=True)
    assert capsys.readouterr().out == "[]\n"
    emit_rows([], Page(2), "none", as_json=False)
    assert capsys.readouterr().out == "none\n"
    with pytest.raises(UserError, match="--after 9: no row of the list has this id"):
        emit_rows(ROWS, Page(2, "9"), "none", as_json=False)


def test_rows_of_one_id_are_told_apart() -> None:
    rows = [{"id": "a", "n": 1}, {"id": "a", "n": 2}, {"id": "b", "n": 3}]
    first = Cut(of_rows(rows), Page(1))
    assert [list(some) for some in first.pages()] == [[rows[0]]]
    second = Cut(of_rows(rows), Page(1, first.last))
    assert [list(some) for some in second.pages()] == [[rows[1]]]
    assert [list(some) for some in Cut(of_rows(rows), Page(1, second.last)).pages()] == [[rows[2]]]


def test_all_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keizoku.scheduler.cli.shared.listing.PAGE", 2)
    assert [len(some) for some in Cut(of_rows(ROWS), Page(0)).pages()] == [2, 2, 1]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_an_option_that_does_not_exist_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--no-such-option"])
    assert ended.value.code == MISTAKEN
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("error: ")


def test_completion_is_of_the_whole_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["account", "--help"])
    assert "completion" not in capsys.readouterr().out
