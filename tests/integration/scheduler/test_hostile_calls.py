"""Every command, called with what nobody means well: it ends in an exit code and a line, never in a trace or a hang.

The calls are drawn from the commands' own signatures. KEIZOKU_TEST_FUZZ says how many (150; `make soak` makes 5,000).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keizoku.db.migrate import upgrade
from keizoku.scheduler import cli
from tests.worlds.hostile_values import FILES, TEXTS, no_longer_than, write_files

CALLS = int(os.environ.get("KEIZOKU_TEST_FUZZ", "150"))
LONGEST_S = 60

OUT_OF_REACH = frozenset({("worker",), ("demo",), ("db", "stop"), ("db", "roles")})
"""What runs on, makes or stops a server, or makes roles that all databases of the server share."""
WRITES_ITS_OWN_PAGES = frozenset({"--write"})

WORDS = (
    *TEXTS, "0", "1", "u1", "shop:a:17", "c1", "p", "month", "card", "crad", "fault", "2026-04", "2026-04-10",
    "2026-04-10 09:00", "2026-04-10 09:00/2026-04-10 10:00", "N1", "D1", "invoice 1", "6110=18", "ja", "en",
)  # fmt: skip

MEANT = {
    "account": ("u1", "u2"), "accounts": ("u1",), "affected": ("60000",), "announced": ("2026-01-01",),
    "approved_by": ("x",), "as_of": ("2026-11-30",), "author": ("x",), "batch": ("b1",), "by": ("x",),
    "card": ("pm_1",), "cause": ("fault",), "choice": ("void",), "claim_id": ("c1",), "code": ("p",),
    "count": ("3",), "credit_id": ("1",), "customer": ("cus_1",), "damage": ("1000",), "dispute": ("dp_1",),
    "expires": ("2027-12-31",),
    "form": ("csv",), "from_": ("2026-04-10 09:00",), "ground": ("x",), "incident_id": ("s1",), "interval": ("month",),
    "invoice_id": ("1",), "key": ("k",), "known_at": ("2026-11-30",), "lang": ("ja", "en"), "limit": ("1",),
    "lines": ("6110=18", "1131=-18"), "method": ("card", "other"), "month": ("2026-04", "2026-11"), "months": ("1",),
    "new_from": ("2026-12-01",), "number": ("1",), "on": ("2026-11-30",), "payment": ("1",), "plan": ("p",),
    "published": ("2026-04-01",), "received_at": ("2026-05-01",), "recipient": ("x",), "renewals_from": ("2027-01-01",),
    "since": ("2026-01-01",), "symptom": ("site",), "to": ("2026-04-10 10:00",), "total": ("1000000",), "uid": ("m1",),
    "users": ("1000000",), "verdict": ("up", "down"), "what": ("x",), "windows": ("2026-04-10 09:00/2026-04-10 10:00",),
    "yen": ("100",),
}  # fmt: skip
"""What a parameter of this name wants: a call gets as far as its one hostile value."""

WORLD = (
    ("plan", "add", "p", "month"),
    ("price", "add", "p", "500", "--announced", "2026-01-01", "--new-from", "2026-01-01", "--renewals-from",
     "2026-03-01", "--author", "x"),
    ("contract", "apply", "u1", "--plan", "p", "--method", "card"),
    ("contract", "approve", "u1", "--author", "x"),
    ("contract", "apply", "u2", "--plan", "p", "--method", "other"),
    ("sla", "population", "add", "1000000", "--from", "2026-01-01", "--author", "x"),
    ("sla", "incident", "add", "--from", "2026-04-10 09:00", "--to", "2026-04-10 13:00", "--affected", "60000", "--id",
     "s1", "--ground", "x", "--author", "x"),
    ("claim", "submit", "u1", "--month", "2026-04", "--id", "c1", "--author", "x"),
)  # fmt: skip


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
    return [(path, list(command.params)) for path, command in found if path and not {path, path[:1]} & OUT_OF_REACH]


@st.composite
def calls(draw: st.DrawFn, known: list[tuple[tuple[str, ...], list[Any]]], folder: Path) -> list[str]:
    """A command with values for its parameters."""
    path, params = draw(st.sampled_from(known))
    hostile = st.one_of(
        st.sampled_from(WORDS),
        st.sampled_from([str(folder / name) for name in FILES]),
        st.text(st.characters(exclude_characters="\0/"), max_size=20),
    )
    written = list(path)
    for each in params:
        meant = st.sampled_from(MEANT[each.name]) if each.name in MEANT else hostile
        values = hostile if draw(st.integers(0, 2)) == 0 else meant
        if each.param_type_name == "argument":
            written += draw(st.lists(values, min_size=1, max_size=2)) if each.nargs != 1 else [draw(values)]
            continue
        name = draw(st.sampled_from(each.opts))
        if name in WRITES_ITS_OWN_PAGES or name in ("--install-completion", "--show-completion"):
            continue
        if each.required or draw(st.integers(0, 3)) == 0:
            written.append(name)
            if not each.is_flag:
                written.append(draw(values))
    return written


@pytest.fixture
def place(engine_for_schema: Callable[[], sa.Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings mean a schema of its own with a small world in it; the current folder has hostile files."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    engine = engine_for_schema()
    with engine.connect() as session:
        schema = str(session.execute(sa.text("SELECT current_schema()")).scalar_one())
        upgrade(session)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema)
    for call in WORLD:
        with pytest.raises(SystemExit) as ended:
            cli.main(call)
        assert ended.value.code == 0, call
    return tmp_path


def test_every_command_ends_hostile_calls_in_a_line(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    known = commands()
    assert len(known) > 100
    capfd.readouterr()

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
        with no_longer_than(LONGEST_S), pytest.raises(SystemExit) as ended:
            cli.main(written)
        shown = capfd.readouterr()
        assert ended.value.code in (0, 1, 2, 3), written
        for text in (shown.out, shown.err):
            assert "Traceback" not in text, written
            assert "\x1b" not in text, written
            assert "\u202e" not in text, written

    fuzz()
