"""The command line: quick to answer, one line for a mistake, JSON for programs."""

import datetime as dt
import errno
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
import typer

from keizoku.billing.documents.atomic_files import whole_file
from keizoku.db.failures import AGAIN, BACK, FREE_SOME, reason_in_log
from keizoku.db.session import DatabaseError, DiskFullError
from keizoku.scheduler import cli
from keizoku.scheduler.cli.shared.language import language_of
from keizoku.scheduler.cli.shared.output import UserError, emit, explained, report_findings
from keizoku.scheduler.files import write_whole
from keizoku.scheduler.settings import SettingsError, load_settings
from keizoku.sla.evidence.import_log import sha256_of
from keizoku.terms.decision import Finding
from keizoku.terms.files import BadTermsError, read_toml
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.refusal import Refused
from tests.worlds.command_line import run


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEIZOKU_DATABASE_URL", raising=False)
    monkeypatch.delenv("KEIZOKU_SETTINGS_FILE", raising=False)


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A command `break` that ends in the error."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "broken_app", app, raising=False)
    monkeypatch.setitem(cli.COMMANDS, "settings", cli.Target("keizoku.scheduler.cli:broken_app", "breaks"))


def test_help_loads_nothing_heavy() -> None:
    heavy = ("alembic", "duckdb", "keizoku.db", "keizoku.terms", "psycopg", "pydantic_settings", "sqlalchemy")
    code = (
        "import sys, keizoku.scheduler.cli\n"
        "try: keizoku.scheduler.cli.main(['--help'])\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
    assert all(f" {name} " in answer.stdout for name in cli.COMMANDS)


HEAVY = (
    *("alembic", "apscheduler", "dateutil", "db", "duckdb", "fsspec", "icalendar", "jinja2", "pandas"),
    *("prometheus_client", "psutil", "psycopg", "pydantic_settings", "pyrage", "pyspark", "reportlab", "sqlalchemy"),
    *("stripe", "structlog", "xlsxwriter"),
)
"""What only work itself wants; what a command wants of them it imports inside."""


def test_the_help_of_every_group_loads_nothing_heavy() -> None:
    """One process for all groups: the first that loads something names it."""
    code = (
        "import sys, keizoku.scheduler.cli\n"
        "for name in keizoku.scheduler.cli.COMMANDS:\n"
        "    try: keizoku.scheduler.cli.main([name, '--help'])\n"
        f"    except SystemExit: loaded = [each for each in {HEAVY!r} if each in sys.modules]\n"
        "    assert not loaded, (name, loaded)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert all(f"Usage: keizoku {name}" in answer.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_list_is_there(name: str) -> None:
    module, attribute = cli.COMMANDS[name].place.split(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), typer.Typer)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert f"Usage: keizoku {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("keizoku ")


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("setings") == 2
    assert "Did you mean 'settings'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("no such account: X", 1), 1, "error: no such account: X"),
        (DatabaseError("the disk is full"), 2, "error: the disk is full"),
        (
            sa.exc.OperationalError("SELECT secret", {}, psycopg.OperationalError("server closed\nthe connection")),
            3,
            f"error: the database cannot be reached or has gone away: server closed the connection; {BACK}",
        ),
        (
            psycopg.errors.DiskFull("could not extend file"),
            3,
            f"error: the disk of the database is full: could not extend file; {FREE_SOME}",
        ),
        (
            sa.exc.OperationalError("SELECT secret", {}, psycopg.errors.DeadlockDetected("deadlock detected")),
            3,
            f"error: the database rolled back a transaction that was in another's way: deadlock detected; {AGAIN}",
        ),
        (
            sa.exc.ProgrammingError("SELECT secret", {}, psycopg.errors.InsufficientPrivilege("permission denied")),
            2,
            (
                "error: the login may not do this in the database: permission denied; "
                "only the owner of the tables may: `keizoku db roles` gives every other login its role"
            ),
        ),
        (DiskFullError("the disk is full: here"), 3, f"error: the disk is full: here; {FREE_SOME}"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/var/report.html"),
            3,
            f"error: the disk is full: [Errno 28] No space left on device: '/var/report.html'; {FREE_SOME}",
        ),
        (
            sa.exc.DataError("SELECT secret", {}, Exception("bigint out of range\nwhere")),
            2,
            "error: an impossible value: bigint out of range",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    raising(monkeypatch, error)
    assert run("settings") == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.strip() == line


def test_a_full_disk_under_stdout_is_one_line_and_an_exit_code() -> None:
    command = [sys.executable, "-c", "from keizoku.scheduler.cli import main; main()", "settings", "--json"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 3
    assert ended.stderr == f"error: the disk is full: [Errno 28] No space left on device; {FREE_SOME}\n"


def test_a_reader_who_leaves_is_no_mistake() -> None:
    keizoku = f"{sys.executable} -c 'from keizoku.scheduler.cli import main; main()' settings --json"
    ended = subprocess.run(["/bin/sh", "-c", f"{keizoku} | true"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    write_whole(page, "first")
    write_whole(page, "whole")

    def half(path: Path, content: bytes) -> int:
        path.write_text(content[:2].decode())
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match=r"No space left on device: .*/page.html") as full:
        write_whole(page, "another")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "whole")]
    monkeypatch.undo()
    assert explained(full.value) == (f"the disk is full: {full.value}; {FREE_SOME}", 3)
    with pytest.raises(OSError, match="No space left on device"):
        write_whole(Path("/dev/full"), "x")
    write_whole(Path("/dev/null"), "x")


def test_a_server_whose_disk_filled_up_says_so_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text('PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device\n')
    told = f"the disk is full: the embedded PostgreSQL went away (log: {log})"
    assert str(reason_in_log(log, 0)) == told
    assert reason_in_log(log, log.stat().st_size) is None
    assert reason_in_log(tmp_path / "none", 0) is None
    lost = sa.exc.OperationalError("SELECT secret", {}, psycopg.OperationalError("server closed the connection"))
    said = reason_in_log(log, 0)
    assert said is not None
    said.__cause__ = lost
    assert explained(said) == (f"{told}; {FREE_SOME}", 3)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["settings"])


def test_settings_lists_every_one_with_secrets_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql://u:sesame@h/d")
    monkeypatch.setenv("KEIZOKU_SUSPEND_AFTER_DAYS", "12")
    assert run("settings", "--json") == 0
    shown = capsys.readouterr().out
    assert "sesame" not in shown
    lines = {line["name"]: line for line in json.loads(shown)}
    assert lines["suspend_after_days"] == {
        "name": "suspend_after_days",
        "variable": "KEIZOKU_SUSPEND_AFTER_DAYS",
        "value": 12,
        "default": 10,
        "source": "environment",
        "meaning": "days overdue after which use is suspended",
        "clause": "premium/7.1.2",
    }
    assert run("settings") == 0
    assert "sesame" not in capsys.readouterr().out


def test_a_server_that_does_not_answer_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql://u:sesame@127.0.0.1:1/d")
    assert run("db", "status") == 3
    shown = capsys.readouterr().err
    assert shown.startswith("error: the database cannot be reached")
    assert shown.count("\n") == 1
    assert "sesame" not in shown


class Word(StrEnum):
    GRANTED = "granted"


@dataclass(frozen=True)
class Row:
    rate: Fraction
    on: dt.date
    file: Path
    word: Word


def test_json_has_a_form_for_our_values(capsys: pytest.CaptureFixture[str]) -> None:
    emit([Row(Fraction(1, 5), dt.date(2026, 4, 10), Path("継続"), Word.GRANTED)], as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"rate": "1/5", "on": "2026-04-10", "file": "継続", "word": "granted"}
    ]


def test_plain_results_are_tables_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    emit([{"account": "A[bold]", "yen": 5300}, {"account": "B", "yen": None}])
    emit({"paid": True})
    emit("one [line]")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["account", "yen"],
        ["A[bold]", "5,300"],
        ["B"],
        ["paid", "yes"],
        ["one", "[line]"],
    ]


def test_findings_are_lines_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("claims.csv", 3, "2026-13", "a month is 2026-04", "mend the line and import it again")
    assert report_findings([finding]) == 1
    assert capsys.readouterr().err.splitlines() == [str(finding)]
    assert report_findings([]) == 0


def test_a_pipe_is_given_the_content_and_a_link_stays_one(tmp_path: Path) -> None:
    """`--out /dev/null` of the owner of the machine used to put a file in the place of the device."""
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    link.symlink_to(file)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_bytes)
        with whole_file(pipe) as partial:
            partial.write_bytes(b"to a pipe")
        assert read.result(10) == b"to a pipe"
    with whole_file(link) as partial:
        partial.write_bytes(b"behind a link")
    assert (pipe.is_fifo(), link.is_symlink(), file.read_bytes()) == (True, True, b"behind a link")
    with pytest.raises(IsADirectoryError), whole_file(tmp_path):
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link", "pipe"]
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")  # leads nowhere: becomes the file
    write_whole(tmp_path / "one", "x")
    assert (tmp_path / "one").read_text(encoding="utf-8") == "x"


def test_a_pipe_or_a_device_is_no_file_of_evidence_or_terms(tmp_path: Path) -> None:
    """An import of /dev/zero used to read for ever, one of a pipe to wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="is no file that can be read twice"):
            sha256_of(place)
        with pytest.raises(BadTermsError, match="is no file that can be read twice"):
            read_toml(place)


def test_what_the_system_says_of_no_file_in_particular_is_one_line() -> None:
    assert explained(OSError(errno.EIO, "Input/output error")) == ("Input/output error", 2)
    assert explained(OSError(errno.EIO, "Input/output error", "x.csv")) == ("x.csv: Input/output error", 2)
    assert explained(OSError("of a programmer")) is None


def test_a_number_that_no_column_holds_is_refused_in_a_list_or_among_named_ones() -> None:
    @guard_acts()
    class Acts:
        def post(self, lines: Mapping[str, int]) -> Mapping[str, int]:
            return lines

    assert Acts().post({"6110": 18, "1131": -18}) == {"6110": 18, "1131": -18}
    with pytest.raises(Refused, match="a number is at most"):
        Acts().post({"6110": 10**20, "1131": -(10**20)})
    told = "an impossible value: value is out of range for type bigint"
    assert explained(psycopg.errors.NumericValueOutOfRange("value is out of range for type bigint")) == (told, 2)


def test_a_letter_that_an_encoding_does_not_have_is_written_out() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "KEIZOKU_LANG": "ja"}
    asked = [sys.executable, "-m", "keizoku", "terms", "list"]
    done = subprocess.run(asked, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u" in done.stdout


def test_a_settings_file_that_never_ends_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEIZOKU_SETTINGS_FILE", "/dev/zero")
    assert language_of({"KEIZOKU_SETTINGS_FILE": "/dev/zero"}) == "en"
    with pytest.raises(SettingsError, match="KEIZOKU_SETTINGS_FILE=/dev/zero: is no file that can be read twice"):
        load_settings()
