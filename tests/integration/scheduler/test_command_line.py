"""The same kind of failure ends every command with the same exit code, in one line (docs/reference/command-line.md)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.command_line import run
from tests.worlds.pages import database_of_the_settings
from tests.worlds.world import open_world, services_on

BY = ("--by", "keiri", "--ground", "test")
AUTHOR = ("--author", "keiri", "--ground", "test")
FOUND, MISTAKEN, BROKEN_OFF = 1, 2, 3

UNKNOWN_ACCOUNT = [
    ("account", "show", "nobody"),
    ("account", "suspend", "nobody", *BY),
    ("account", "resume", "nobody", *BY),
    ("account", "terminate", "nobody", *BY),
    ("account", "write-off", "nobody", "--term", "2026-04-01", *BY),
    ("account", "set-off", "nobody", *BY),
    ("explain", "cap", "nobody", "--on", "2026-04-10"),
    ("explain", "interest", "nobody"),
    ("interest", "preview", "nobody"),
    ("contract", "end-of-use", "nobody"),
    ("contract", "withdraw-end-of-use", "nobody"),
    ("contract", "change-method", "nobody", "card"),
    ("contract", "leave", "nobody"),
    ("contract", "delete-user", "nobody"),
    ("contract", "approve", "nobody"),
    ("contract", "reject", "nobody", "--ground", "other"),
    ("card", "new", "nobody"),
    ("card", "detach", "nobody", "pm_1"),
    ("bank", "references", "nobody"),
    ("deposit", "apply", "nobody", *AUTHOR),
    ("deposit", "refund", "nobody", *AUTHOR),
    ("claim", "submit", "nobody", "--month", "2026-04"),
    ("acts", "disclosure", "nobody", "--to", "a card company", "--what", "name", "--ground", "a debt"),
]
UNKNOWN_ID = [
    ("invoice", "show", "#99"),
    ("invoice", "credit-note", "credit 99"),
    ("demand", "show", "D99"),
    ("notice", "show", "N99"),
    ("notice", "mark-sent", "N99"),
    ("explain", "invoice", "invoice 99"),
    ("explain", "claim", "c0099"),
    ("claim", "show", "c0099"),
    ("claim", "recognise", "c0099", *AUTHOR),
    ("claim", "consent", "c0099", "--what", "a voucher", *AUTHOR),
    ("ledger", "entry", "entry 99999"),
    ("ledger", "reverse", "99999", *AUTHOR),
    ("bank", "match", "taro", "payment 99", *AUTHOR),
    ("bank", "unmatch", "99", *AUTHOR),
    ("bank", "send-back", "99", *AUTHOR),
    ("bank", "payout", "99", *AUTHOR),
    ("payments", "nothing-charged", "attempt 99", *BY),
    ("payments", "refund-dealt-with", "refund 99", *BY),
    ("payments", "nothing-refunded", "no-such-key", *BY),
    ("key", "show", "no-such-batch"),
    ("key", "revoke", "no-such-batch", *AUTHOR),
    ("sla", "incident", "correct", "no-such-stop", "--affected", "1", *AUTHOR),
]
REFUSED = [
    ("contract", "apply", "taro", "--plan", "monthly", "--method", "card"),
    ("contract", "end-of-use", "gone"),
    ("deposit", "apply", "taro", *AUTHOR),
    ("ledger", "post", "1110=5", "1140=-4", *AUTHOR),
    ("plan", "add", "monthly", "year"),
]
BAD_OPTION = [
    ("account", "show", "taro", "--as-of", "soon"),
    ("account", "show", "taro", "--as-of", "2199-01-01"),
    ("account", "write-off", "taro", "--term", "2026-02-30", *BY),
    ("account", "list", "--limit", "-1"),
    ("account", "list", "--state", "asleep"),
    ("claim", "submit", "taro", "--month", "2026-13"),
    ("claim", "submit", "taro", "--month", "2026-04", "--window", "2026-04-10"),
    ("claim", "list", "--month", "April"),
    ("bank", "list", "--after", "twelve"),
    ("bank", "match", "1", "taro", *AUTHOR),
    ("notice", "show", "X1"),
    ("notice", "list", "--kind", "letter"),
    ("invoice", "show", "twelve"),
    ("ledger", "account", "1110", "--from", "2026-4"),
    ("ledger", "post", "1110:5", *AUTHOR),
    ("reconcile", "April"),
    ("close", "April"),
    ("report", "April", "--out", "x"),
    ("export", "2026-04", "--format", "excel", "--out", "x"),
    ("price", "add", "monthly", "5.5", "--announced", "2026-04-01", "--new-from", "2026-06-01"),
    ("price", "list", "--no-such-option"),
    ("sla", "history", "2026"),
    ("sla", "unknown", "decide", "2026-04-10", "up", *AUTHOR),
    ("night", "--on", "tomorrow"),
    ("bank", "import", "no-such-file.csv"),
]
FILES = [
    ("bank", "import"),
    ("store", "import"),
    ("contract", "import"),
    ("claim", "import"),
    ("sla", "incident", "import"),
    ("sla", "counts", "import"),
    ("sla", "population", "add", "--file"),
]


def codes(commands: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[int, int]]:
    """By command: its exit code, and the lines on stderr beside the one that says where the database is."""
    found = {}
    for arguments in commands:
        capsys.readouterr()
        code = run(*arguments)
        shown = capsys.readouterr()
        said = [line for line in shown.err.splitlines() if not line.startswith("database: ")]
        found[" ".join(arguments)] = (code, len(said))
    return found


@pytest.fixture
def server(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The settings mean a server with a small world: taro, hanako and one whose contract ended."""
    engine = engine_for_schema()
    database_of_the_settings(lambda: engine, monkeypatch)
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        services.billing.approve("gone", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        services.billing.leave_service("gone", now=parse_instant("2026-04-02 10:00"))
    return engine


@pytest.mark.database
@pytest.mark.usefixtures("server")
def test_one_exit_code_for_one_kind_of_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for kind, expected in (
        (UNKNOWN_ACCOUNT, FOUND),
        (UNKNOWN_ID, FOUND),
        (REFUSED, FOUND),
        (BAD_OPTION, MISTAKEN),
    ):
        found = codes(kind, capsys)
        assert found == dict.fromkeys(found, (expected, 1))
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n", encoding="utf-8")
    found = codes([(*command, str(bad)) for command in FILES], capsys)
    assert {command: code for command, (code, _) in found.items()} == dict.fromkeys(found, FOUND)


def test_without_a_database_every_command_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql://u@127.0.0.1:1/d")
    commands = [*UNKNOWN_ACCOUNT, *UNKNOWN_ID, *REFUSED, ("account", "list"), ("night",), ("reconcile", "2026-04")]
    found = codes(commands, capsys)
    assert found == dict.fromkeys(found, (BROKEN_OFF, 1))


@pytest.mark.database
def test_every_long_list_is_cut_and_goes_on(server: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with services_on(server) as services:
        for number in range(3):
            services.billing.approve(f"u{number}", "monthly", "app_store", now=parse_instant("2026-03-27 10:00"))
            submitted = parse_instant(f"2026-05-0{number + 1} 10:00")
            services.sla.submit_claim("taro", _april(), None, [], submitted, by="taro", ground=None, now=submitted)
        for account in ("u0", "u1", "u2"):
            services.billing.suspend(account, "test", by="keiri", accelerates=False, now=submitted)
    lists = {
        ("account", "list"): "account",
        ("contract", "list"): "id",
        ("notice", "list", "--also-sent"): "id",
        ("store", "list"): "id",
        ("claim", "list"): "id",
        ("plan", "list"): "plan",
        ("price", "list"): "id",
    }
    for command, key in lists.items():
        capsys.readouterr()
        assert run(*command, "--all", "--json") == 0
        shown = capsys.readouterr()
        assert "showing" not in shown.err
        whole = [str(row[key]) for row in json.loads(shown.out)]
        assert len(whole) >= (1 if command[0] in ("plan", "price") else 3), command
        walked: list[str] = []
        while True:
            after = ("--after", walked[-1]) if walked else ()
            assert run(*command, "--limit", "1", "--json", *after) == 0
            shown = capsys.readouterr()
            rows = json.loads(shown.out)
            walked += [str(row[key]) for row in rows]
            if "showing 1 of " not in shown.err:
                break
            assert f"showing 1 of {len(whole)}; --after {walked[-1]} goes on" in shown.err
        assert walked == whole, command


def _april() -> Month:
    return Month.parse("2026-04")
