"""Hostile calls of every command, drawn from the commands' own signatures, with nights in between.

    signature ──> values, of what it means and of what nobody means ──> the call ──> an exit code and a line

The small world has lived until `TODAY`, and the process's clock is held at the days that follow: as a host whose
commands are called by people and programs that err. Each call ends in a code of the command line, within a minute,
without a trace and without letters that steer a terminal; the nights in between are certified without a difference.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import sqlalchemy as sa
import typer
from freezegun import freeze_time
from hypothesis import strategies as st

from keizoku.db.migrate import upgrade
from keizoku.scheduler import cli
from keizoku.scheduler.night.schedule import night_at
from tests.worlds.hostile_values import FILES, TEXTS, HangsError, no_longer_than, write_files
from tests.worlds.world import live, open_world, services_on

TODAY = date(2026, 5, 6)
LAST_NIGHT = date(2026, 6, 2)
"""The first of a month is among the nights at the end."""
LONGEST_SECONDS = 60
CODES = (0, 1, 2, 3)

OUT_OF_REACH = frozenset({("worker",), ("serve",), ("demo",), ("db", "stop"), ("db", "roles"), ("api", "openapi")})
"""What runs on, makes or stops a server, or makes roles that all databases of the server share; and the schema that is
read from types, among which a clock held still has its own days."""
NOT_GIVEN = frozenset({"--write", "--install-completion", "--show-completion"})
"""What writes pages of the checkout itself, or asks the shell."""

WORDS = (
    *TEXTS, "0", "1", "2", "u00", "u01", "shop:a:17", "c1", "monthly", "month", "card", "crad", "fault", "2026-04",
    "2026-04-10", "2026-04-10 09:00", "2026-04-10 09:00/2026-04-10 10:00", "N1", "D1", "invoice 1", "6110=18", "ja",
    "en", "premium", "2024-12-02",
)  # fmt: skip

GOOD_FILES = {
    "incidents.csv": "id,from,to,affected,cause,ground,author\n"
    "g1,2026-04-12 09:00,2026-04-12 10:00,70000,fault,,taro\n"
    "g2,2026-04-13 09:00,2026-04-13 10:30,70000,system_update,release,taro\n",
    "claims.csv": "id,account,month,received_at,windows\n"
    "g1,u01,2026-04,2026-05-01 09:00,\ng2,u02,2026-04,2026-05-02 09:00,2026-04-16 12:00/2026-04-16 13:00\n",
    "counts.csv": "from,to,affected,total\n2026-04-14 09:00,2026-04-14 09:05,60000,1000000\n",
    "population.csv": "from,users\n2026-05-01 00:00,1100000\n",
    "observations.csv": "user_id,symptom,started_at,ended_at\n"
    "u00,site,2026-04-15 09:00,2026-04-15 09:30\nu01,login,2026-04-15 09:00,\n",
    "bank.csv": "date,amount,payer,reference\n2026-05-01,500,サトウ タロウ,u01\n2026-05-02,300,ヤマダ,\n",
    "store.csv": "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n"
    "app_store,u08,2026-04,500,75,7,JPY,2026-05-01,p1\n",
    "applications.csv": "account,plan,method\na1,monthly,card\na2,yearly,other\n",
    "notices.ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:n1\r\n"
    "DTSTAMP:20260401T000000Z\r\nCREATED:20260401T000000Z\r\nSUMMARY:Update\r\n"
    "DTSTART:20260416T030000Z\r\nDTEND:20260416T050000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
}
"""Of each kind of import one that is taken; each is written once more with one letter mistyped."""

_FILES = (*GOOD_FILES, *(f"mistyped.{name}" for name in GOOD_FILES))
_ACCOUNTS = ("u00", "u01", "u02", "u05", "u06", "u08", "u09", "coupon", "key", "new")
MEANT = {
    "account": _ACCOUNTS, "accounts": _ACCOUNTS, "affected": ("60000",), "announced": ("2026-01-01", "2026-05-06"),
    "approved_by": ("x",), "as_of": ("2026-05-06", "2026-04-30"), "author": ("x",), "batch": ("b1",), "by": ("x",),
    "card": ("pm_1",), "cause": ("fault", "system_update"), "choice": ("void",), "claim_id": ("c0", "c1", "c2", "c3"),
    "code": ("monthly", "yearly"), "count": ("3",), "credit_id": ("1", "2"), "customer": ("cus_1",),
    "damage": ("1000",), "dispute": ("dp_1",), "expires": ("2027-12-31",), "file": _FILES, "files": _FILES,
    "form": ("csv",),
    "from_": ("2026-04-10 09:00", "2026-04-16 12:00", "2026-04-10"), "ground": ("x",), "incident_id": ("s1",),
    "interval": ("month", "year"), "invoice_id": ("1", "2", "3"), "key": ("k", "k2"), "known_at": ("2026-05-06",),
    "lang": ("ja", "en"), "limit": ("1", "5"), "lines": ("6110=18", "1131=-18"), "method": ("card", "other"),
    "month": ("2026-03", "2026-04", "2026-05"), "months": ("1",), "new_from": ("2026-06-01",),
    "number": ("1", "2", "3"), "on": ("2026-05-06",), "out": ("out.html", "out"), "payment": ("1", "2"),
    "plan": ("monthly", "yearly"),
    "published": ("2026-04-01",), "received_at": ("2026-05-01",), "recipient": ("x",), "renewals_from": ("2027-01-01",),
    "since": ("2026-01-01",), "symptom": ("site",), "to": ("2026-04-10 10:00", "2026-04-16 20:00", "2026-05-06"),
    "total": ("1000000",), "uid": ("m1",), "users": ("1000000",), "verdict": ("up", "down"), "what": ("x",),
    "transfer": ("1",), "term": ("1", "2"), "kind": ("claim", "end_of_use", "leave"), "old": ("2024-12-02",),
    "population": ("1000000",), "incidents": ("incidents.csv",), "observations": ("observations.csv",),
    "counts": ("counts.csv",), "notices": ("notices.ics",), "claims": ("claims.csv",), "at": ("2026-05-06 09:00",),
    "by_on": ("2026-05-20",), "until": ("2026-05-20",), "version": ("2024-12-02",), "into": ("d",),
    "windows": ("2026-04-16 12:00/2026-04-16 13:00",), "yen": ("100", "500"),
}  # fmt: skip
"""What a parameter of this name wants: a call gets as far as its one hostile value."""


@dataclass
class Found:
    """What came of the calls."""

    calls: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    commands: set[tuple[str, ...]] = field(default_factory=set)
    nights: int = 0
    wrong: dict[str, str] = field(default_factory=dict)  # command and error -> the first call of it
    differences: list[str] = field(default_factory=list)

    def described(self) -> list[str]:
        """Each wrong answer and each difference, one a line."""
        return [*(f"{kind}\n    {call}" for kind, call in sorted(self.wrong.items())), *self.differences]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None or command.invoke_without_command:
        yield path, command
    if inner is None:
        return
    for name, each in inner.items():
        target = cli.COMMANDS.get(name) if not path else None
        if target is not None:
            module, attribute = target.place.split(":")
            each = typer.main.get_command(getattr(import_module(module), attribute))
        yield from leaves(each, (*path, name))


def commands() -> list[tuple[tuple[str, ...], list[Any]]]:
    """The commands within reach, each with its parameters."""
    found = leaves(typer.main.get_command(cli.app))
    return [(path, list(command.params)) for path, command in found if path and not {path, path[:1]} & OUT_OF_REACH]


@st.composite
def arguments_of(draw: st.DrawFn, params: Sequence[Any], files: Sequence[Path]) -> list[str]:
    """Values for a command's parameters, as they are written."""
    hostile = st.one_of(
        st.sampled_from(WORDS).map(_own_device),
        st.sampled_from([str(each) for each in files]),
        st.text(st.characters(exclude_characters="\0/"), max_size=20),
    )
    written: list[str] = []
    for each in params:
        meant = st.sampled_from(MEANT[each.name]) if each.name in MEANT else hostile
        values = hostile if draw(st.integers(0, 3)) == 0 else meant
        if each.param_type_name == "argument":
            written += draw(st.lists(values, min_size=1, max_size=2)) if each.nargs != 1 else [draw(values)]
            continue
        name = draw(st.sampled_from(each.opts))
        if name not in NOT_GIVEN and (each.required or draw(st.integers(0, 3)) == 0):
            written.append(name)
            if not each.is_flag:
                written.append(draw(values))
    return written


def _own_device(word: str) -> str:
    return word.removeprefix("/dev/") if word in ("/dev/null", "/dev/zero") and os.geteuid() == 0 else word


def prepare(engine: sa.Engine, folder: Path) -> Path:
    """Make the engine's tables and let the small world live in them. Returns the folder in which commands are called.

    It is deep within `folder`, because `../../etc/passwd` is among the names of files.
    """
    with engine.connect() as session:
        upgrade(session)
    with services_on(engine) as services:
        open_world(services)
        live(services, TODAY)
    place = folder.joinpath(*"abcdefg")
    place.mkdir(parents=True)
    write_files(place)
    if os.geteuid() == 0:  # who may do everything might take the machine's own devices away
        os.mknod(place / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(place / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    for name, text in GOOD_FILES.items():
        (place / name).write_text(text, encoding="utf-8", newline="")
    return place


def mistype(place: Path, seed: int) -> None:
    """Write each good file once more with one letter lost, doubled or another."""
    chance = Random(seed)  # noqa: S311
    for name, text in GOOD_FILES.items():
        at = chance.randrange(len(text))
        instead = chance.choice(["", text[at] * 2, *'xあ０-/:;,"\0\n\r\t 9'])
        (place / f"mistyped.{name}").write_text(text[:at] + instead + text[at + 1 :], encoding="utf-8", newline="")


def hostile_commands(
    place: Path,
    count: int,
    seed: int,
    told: Callable[[], None] = lambda: None,
    *,
    night_every: int = 100,
    until: date = LAST_NIGHT,
) -> Found:
    """Call commands at random in the world that the settings mean, with a night now and then, and all at the end."""
    found = Found()
    files = [*(place / name for name in (*FILES, *_FILES)), place, place / "not there.csv"]
    waiting = calls(count, seed, files)
    day = TODAY
    with _in_folder(place):
        while waiting or day < until:
            with freeze_time(night_at(day) + timedelta(hours=7), tick=True):
                mistype(place, seed * 1_000 + found.nights)
                for written in waiting[:night_every]:
                    _call(found, written)
                    told()
            del waiting[:night_every]
            day += timedelta(days=1)
            with freeze_time(night_at(day), tick=True):
                _night(found, day, whole=day >= until)
    return found


def calls(count: int, seed: int, files: Sequence[Path]) -> list[list[str]]:
    """As many calls of every command as of any other, all mixed."""
    known = commands()
    found: list[list[str]] = []
    for path, params in known:
        drawn = _drawn(params, files, count // len(known) + 1, seed)
        found += [[*path, *drawn[turn % len(drawn)]] for turn in range(count // len(known) + 1)]
    Random(seed).shuffle(found)  # noqa: S311
    return found[:count]


def _drawn(params: Sequence[Any], files: Sequence[Path], count: int, seed: int) -> list[list[str]]:
    """Different arguments for one command; fewer where there are no more."""
    found: list[list[str]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count + 1,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(arguments_of(params, files))
    def one(written: list[str]) -> None:
        found.append(written)

    one()
    return found[1:] or found  # the first is always the simplest


def run(written: Sequence[str]) -> tuple[int | str | None, str]:
    """One command within this process: its exit code, and all that it showed."""
    with _shown() as shown:
        try:
            cli.main(written)
        except SystemExit as ended:
            return ended.code, shown()
    raise AssertionError("a command ends by an exit")


def _call(found: Found, written: Sequence[str]) -> None:
    found.calls += 1
    found.commands.add(tuple(written[:2]))
    try:
        with no_longer_than(LONGEST_SECONDS):
            code, text = run(written)
    except (Exception, HangsError) as error:
        _wrong(found, written, f"{type(error).__name__} {_place(error)}: {' '.join(str(error).split())[:200]}")
        return
    found.codes[code if isinstance(code, int) else -1] += 1
    if code not in CODES:
        _wrong(found, written, f"exit code {code}: {text[:200]!r}")
    for each in ("Traceback", "\x1b", "\u202e"):
        if each in text:
            _wrong(found, written, f"shows {each!r}")


def _night(found: Found, on: date, *, whole: bool = False) -> None:
    found.nights += 1
    try:
        code, text = run(["night", *(["--whole-audit"] if whole else [])])
    except Exception as error:
        found.differences.append(f"night {on}: {type(error).__name__} {_place(error)} {str(error)[:200]}")
        return
    if code != 0:
        found.differences.append(f"night {on}: {code}: {text[-2_000:]}")


def _wrong(found: Found, written: Sequence[str], what: str) -> None:
    found.wrong.setdefault(f"{' '.join(written[:2])}: {what}", " ".join(map(_short, written)))


def _short(value: str) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else f"{text[:40]}…({len(text):,} letters)"


def _place(error: BaseException) -> str:
    from traceback import extract_tb

    ours = [each for each in extract_tb(error.__traceback__) if "/tests/" not in each.filename]
    rooms = [each for each in ours if "site-packages" not in each.filename and "/lib/python" not in each.filename]
    return f"in {Path(rooms[-1].filename).name}:{rooms[-1].name}" if rooms else ""


@contextmanager
def _in_folder(place: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _shown() -> Iterator[Callable[[], str]]:
    """Stdin is empty, and what goes to stdout and stderr is caught, whoever writes it."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, streams = [os.dup(number) for number in (0, 1, 2)], (sys.stdin, sys.stdout, sys.stderr)
    with tempfile.TemporaryFile() as caught, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(caught.fileno(), 1)
        os.dup2(caught.fileno(), 2)
        numbers = ((0, "r"), (1, "w"), (2, "w"))
        own = [os.fdopen(number, mode, encoding="utf-8", closefd=False) for number, mode in numbers]
        sys.stdin, sys.stdout, sys.stderr = own

        def text() -> str:
            for each in own[1:]:
                each.flush()
            caught.seek(0)
            return caught.read().decode(errors="replace")

        try:
            yield text
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            for each in own[1:]:
                each.flush()
            for number, copy in enumerate(kept):
                os.dup2(copy, number)
                os.close(copy)
