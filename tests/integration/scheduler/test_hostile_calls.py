"""Every command, called with what nobody means well: it ends in an exit code and a line, never in a trace or a hang.

The calls are drawn from the commands' own signatures. KEIZOKU_TEST_FUZZ says how many (300; `make soak` makes 5,000).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keizoku.scheduler import cli
from tests.conftest import OwnDatabase

CALLS = int(os.environ.get("KEIZOKU_TEST_FUZZ", "300"))
LONGEST_S = 60

OUT_OF_REACH = frozenset({"worker", "demo", "backup", "db", "night"})
"""Groups that run on, make servers, or have a fuzz of their own beside them."""
WRITES_ITS_OWN_PAGES = frozenset({"--write"})

WORDS = (
    "", " ", "0", "1", "-1", "999999999999999999", "99999999999999999999", "1e9", "NaN", "０", "u1", "shop:a:17", "c1",
    "p", "month", "card", "crad", "fault", "2026-04", "0001-01", "9999-12", "2026-13", "2026-04-10", "0001-01-01",
    "9999-12-31", "2026-04-10 09:00", "9999-12-31T23:59:59-23:59", "2026-04-10 09:00/2026-04-10 10:00", "/", "--", "-",
    "=1+1", "＝1", "\x1b[2J", "\x1b]52;c;aGk=\x07", "\u202eabc", "[red]x[/]", "[/]", ":a:", "é" * 201, "x" * 3_000,
    "𠮷" * 2_001, "a\nb", "a\tb", "\x85", "'; DROP TABLE account; --", "%s%n", "{0}", "N1", "D1", "invoice 1",
    "6110=18", "ja", "en", "..", "/", "/dev/null", "/dev/zero", "\udcff",
)  # fmt: skip

FILES: dict[str, bytes] = {
    "empty.csv": b"",
    "mac.csv": b"id,from,to,affected,cause,ground,author\rs1,2026-04-10 09:00,2026-04-10 10:00,60000,fault,,a\r",
    "wide.csv": b",".join(b"c%d" % n for n in range(20_000)) + b"\n",
    "twice.csv": b"id," * 900 + b"id\n",
    "long.csv": b"user_id,symptom,started_at,ended_at\n" + b"u" * 5_000 + b",site,2026-04-10 09:00,\n",
    "field.csv": b"user_id,symptom,started_at,ended_at\n" + b"u" * 200_000 + b",site,2026-04-10 09:00,\n",
    "quote.csv": b'id,account,month,received_at,windows\n"c1,u1\n"x"y,2\n',
    "nul.csv": b"id,account,month,received_at,windows\nc\0,u1,2026-04,2026-05-01 09:00,\n",
    "latin.csv": b"id,account\n\xff\xfe,u1\n",
    "esc.csv": b"id,account,month,received_at,windows\n\x1b[2J,u1,2026-04,2026-05-01 09:00,\n",
    "applications.csv": b"account,plan,method\r\x00u,p,card\r" + b"x" * 3_000 + b",p,card\r",
    "bank.csv": "date,amount,payer,reference\r2026-04-10,100,＝x,r\r0001-01-01,1,y,\r".encode(),
    "deep.ndjson": b"[" * 100_000 + b"\n" + b'{"user_id": ' + b"[" * 50_000 + b"\n",
    "deep.json": b"[" * 100_000,
    "deep.yaml": b"[" * 20_000,
    "alias.yaml": b"a: &a [1]\n" + b"".join(b"b%d: &b%d [%s]\n" % (n, n, b",".join([b"*a"] * 9)) for n in range(9)),
    "self.yaml": b"a: &a {<<: *a}\n",
    "deep.toml": b"a = " + b"[" * 20_000,
    "interval.ics": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nCREATED:20260301T000000Z\r\n"
    b"DTSTART:20260410T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;INTERVAL=0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "far.ics": b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\0b\r\nCREATED:20260301T000000Z\r\n"
    b"DTSTART:99991231T230000Z\r\nDURATION:P9D\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "parquet.parquet": b"PAR1" + b"\0" * 100,
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        target = cli.COMMANDS.get(name) if not path else None
        if target is not None:
            module, attribute = target.place.split(":")
            each = typer.main.get_command(getattr(__import__(module, fromlist=["x"]), attribute))
        yield from leaves(each, (*path, name))


def commands() -> list[tuple[tuple[str, ...], list[Any]]]:
    """The commands within reach, each with its parameters."""
    found = leaves(typer.main.get_command(cli.app))
    return [(path, list(command.params)) for path, command in found if path and path[0] not in OUT_OF_REACH]


@st.composite
def calls(draw: st.DrawFn, known: list[tuple[tuple[str, ...], list[Any]]], folder: Path) -> list[str]:
    """A command with values for its parameters."""
    path, params = draw(st.sampled_from(known))
    words = st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from([str(folder / name) for name in FILES]),
        st.text(st.characters(exclude_characters="\0/"), max_size=20),
    )
    written = list(path)
    for each in params:
        if each.param_type_name == "argument":
            written += draw(st.lists(words, min_size=1, max_size=2)) if each.nargs != 1 else [draw(words)]
            continue
        name = draw(st.sampled_from(each.opts))
        if name in WRITES_ITS_OWN_PAGES or name in ("--install-completion", "--show-completion"):
            continue
        if each.required or draw(st.integers(0, 3)) == 0:
            written.append(name)
            if not each.is_flag:
                written.append(draw(words))
    return written


@contextmanager
def no_longer_than(seconds: int, what: list[str]) -> Iterator[None]:
    def too_long(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"{what} takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place(own_database: OwnDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings mean a database of its own; the current folder has hostile files."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with own_database() as engine:
        monkeypatch.setenv("KEIZOKU_DATABASE_URL", engine.url.render_as_string(hide_password=False))
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT 1"))
        yield tmp_path


def test_every_command_ends_hostile_calls_in_a_line(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    known = commands()
    assert len(known) > 80

    @settings(
        max_examples=CALLS,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        written = data.draw(calls(known, place))
        with no_longer_than(LONGEST_S, written), pytest.raises(SystemExit) as ended:
            cli.main(written)
        shown = capfd.readouterr()
        assert ended.value.code in (0, 1, 2, 3), written
        for text in (shown.out, shown.err):
            assert "Traceback" not in text, written
            assert "\x1b" not in text, written
            assert "\u202e" not in text, written

    fuzz()
