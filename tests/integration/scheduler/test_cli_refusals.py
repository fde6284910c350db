"""A refused command: one line on stderr, with --json the refusal on stdout, the same exit code either way."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.worlds.command_line import run
from tests.worlds.pages import database_of_the_settings


@pytest.fixture(autouse=True)
def server(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings mean a server with our tables in a schema of their own."""
    database_of_the_settings(engine_for_schema, monkeypatch)


STOP = ("--from", "2026-04-10 09:00", "--to", "2026-04-10 08:00")
SIGNED = ("--author", "sato", "--ground", "logs")


@pytest.mark.parametrize(
    ("command", "exit_code", "code", "line"),
    [
        (
            ("account", "resume", "u7", "--by", "sato", "--ground", "paid"),
            1,
            "contract.none",
            "account 'u7' has no contract; approve one first",
        ),
        (("explain", "invoice", "5"), 1, "invoice.unknown", "there is no invoice 5"),
        (
            ("sla", "incident", "correct", "s9", "--affected", "0", *SIGNED),
            1,
            "outage.unknown",
            "correct_stop: s9: no ",
        ),
        (("sla", "incident", "add", *STOP, "--affected", "5", *SIGNED), 1, "fact.period", "a period ends after it "),
        (("claim", "recognise", "c9", *SIGNED), 1, "claim.unknown", "recognise: c9: no claim has this id; there is"),
        (("claim", "show", "c9"), 1, "claim.unknown", "no claim has the id 'c9'; `keizoku claim list` shows them"),
    ],
)
def test_a_refused_command_says_so_in_one_way(
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    exit_code: int,
    code: str,
    line: str,
) -> None:
    assert run(*command) == exit_code
    plain = capsys.readouterr()
    assert plain.out == ""
    (said,) = [each for each in plain.err.splitlines() if not each.startswith("database: ")]
    assert said.startswith("error: ")
    assert line in said

    assert run(*command, "--json") == exit_code
    shown = capsys.readouterr()
    refused = json.loads(shown.out)["refused"]
    assert list(refused) == ["code", "clause", "sentence", "remedy", "findings"]
    assert refused["code"] == code
    assert said.startswith(f"error: {refused['sentence']}")
    assert [each["source"] for each in refused["findings"]] == ([said.split(": ")[1]] if refused["findings"] else [])
    assert said in shown.err


def test_a_refused_application_of_several_is_told_beside_the_good_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("contract", "approve", "u7", "--author", "sato", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["refused"] == ["account u7: no application is waiting; register it first (premium/3.3)"]
