"""`make soak`: random nights, kills, restores, poison, hostile calls and quarters at full size, with their figures.

python -m tests.soak [--nights 200] [--kills 100] [--poison 20] [--calls 5000] [--restores 100] [--quarters 5]
                     [--orders 50] [--seed 5] [--write]

`--write` puts the figures where they are kept: docs/reference/soak.json, and between the marks in
docs/explanation/reliability.md.
Exit 1 where anything was not as it has to be.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import make_engine
from tests.quarter.company import WHOLE
from tests.quarter.played import RULES, Quarter
from tests.worlds.arrivals import RULES as ORDERS
from tests.worlds.arrivals import arrivals
from tests.worlds.disturbed_nights import FAST
from tests.worlds.hostile_calls import TODAY, acts, described, hostile_calls, write_files
from tests.worlds.kills import random_kills
from tests.worlds.poison import poisoned_life
from tests.worlds.random_nights import Weather, random_nights
from tests.worlds.restored_lives import Databases, restored_life
from tests.worlds.restored_over_http import Lost, restored_over_http
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import live, open_world, services_on

PAGE = Path("docs/explanation/reliability.md")
FIGURES = Path("docs/reference/soak.json")
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
Figures = dict[str, Any]


WORLD = 20
"""Nights of one world."""


def nights(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Random nights against a gateway that fails; raises AssertionError with what is wrong at the end of a world."""
    worlds = [min(WORLD, count - begun) for begun in range(0, count, WORLD)]
    found = [_world(size, seed + number, told) for number, size in enumerate(worlds)]
    return {
        "worlds": len(found),
        "nights": sum(each.nights for each in found),
        "calls to the gateway": sum(each.calls for each in found),
        "faults": _summed(each.faults for each in found),
        "payouts": _summed(each.payouts for each in found),
        "inquiries": sum(each.inquiries for each in found),
        "attempts": _summed(each.attempts for each in found),
        "left without an answer for a while": sum(len(each.unknown) for each in found),
        "made sure of by people": sum(each.by_people for each in found),
        "invoices": _summed(each.invoices for each in found),
    }


def _world(count: int, seed: int, told: Callable[[], None]) -> Weather:
    """Nights in a world of their own, checked at their end."""
    with _folder() as folder, EmbeddedServer(folder, FAST) as server, running_proxy() as proxy:
        engine = make_engine(server.url)
        with engine.begin() as session:
            create_all(session)
        weather = random_nights(engine, proxy, seed, count, lambda _: told())
        engine.dispose()
    return weather


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sorted(sum(map(Counter, counts), Counter[str]()).items()))


def kills(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Random kills, each held against an undisturbed night."""
    with _folder() as folder, running_proxy() as proxy:
        damage = random_kills(folder, proxy, seed, count, lambda _: told())
    return {
        "kills": dict(sorted(damage.kinds.items())),
        "moments": {"statements": damage.statements, "calls": damage.calls},
        "what the disturbed worker said": dict(sorted(damage.said.items())),
        "differences": damage.differences,
    }


def poison(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Random lives with and without poison, each pair in databases of its own."""
    lives = []
    for number in range(count):
        with _folder() as one, _folder() as other, _tables_in(one) as clean, _tables_in(other) as poisoned:
            lives.append(poisoned_life(clean, poisoned, seed + number))
        told()
    return {
        "lives": len(lives),
        "poisons": _summed(each.poisons for each in lives),
        "set aside by nights": sum(each.set_aside for each in lives),
        "refused at once": sum(each.refused for each in lives),
        "waiting for people at the end": sum(each.waiting for each in lives),
        "differences": [line for each in lives for line in (*each.wrong, *each.differences)],
    }


def restores(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Databases lost at random moments and restored: as many on the simulated gateway as over HTTP."""
    simulated, over_http = [], []
    with _folder() as folder, _tables_in(folder) as engine, running_proxy() as proxy:
        url = engine.url.set(database="postgres")
        template = str(engine.url.database)
        if template == "postgres":
            raise RuntimeError("the template is a database of its own")
        engine.dispose()  # a template has no other session
        server = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as admin:
            for number in range(seed, seed + count):
                databases = Databases(url, admin.exec_driver_sql, template)
                simulated.append(restored_life(databases, number))
                over_http.append(restored_over_http(Lost(databases, url, proxy), number))
                databases.drop()
                told()
        server.dispose()
    return {
        "lives": len(simulated),
        "lives over HTTP": len(over_http),
        "charges": sum(each.restored.total() for each in simulated),
        "charges over HTTP": sum(each.charges for each in over_http),
        "days lost over HTTP": sum(each.lost_days for each in over_http),
        "differences": [
            *(line for each in simulated for line in each.differences()),
            *(line for each in over_http for line in each.differences),
        ],
    }


def calls(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Hostile calls of every library act, with nights in between."""
    with _folder() as folder, _tables_in(folder) as engine, services_on(engine) as services:
        open_world(services)
        live(services, TODAY)
        write_files(folder)
        found = hostile_calls(services, count, seed, told)
    return {
        "calls": found.calls,
        "acts that were called": len(acts(services)),
        "fine": found.fine.total(),
        "refused": found.refused.total(),
        "kinds of refusal": len(found.refused),
        "nights in between": found.nights,
        "differences": list(described(found)),
    }


def orders(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Facts of random lives, recorded in up to 24 orders each; raises what a night raises."""
    lived = []
    for number in range(seed, seed + count):
        with _folder() as folder, _tables_in(folder) as engine, services_on(engine, ORDERS) as services:
            lived.append(arrivals(services, number, folder))
        told()
    return {
        "lives": len(lived),
        "facts": _summed(Counter(fact.kind for fact in each.facts) for each in lived),
        "orders": sum(each.orders for each in lived),
        "differences": [line for each in lived for line in each.differences],
    }


def quarters(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Quarters of banks, stores and cards with three hundred faults and more each, found, mended, closed."""
    lived = []
    for number in range(seed, seed + count):
        with _folder() as folder, _tables_in(folder) as engine, services_on(engine, RULES) as services:
            files = folder / "files"
            files.mkdir()
            quarter = Quarter(services, files, number, WHOLE)
            quarter.live()
        lived.append(quarter)
        told()
    return {
        "quarters": len(lived),
        "lines of the banks": sum(len(each.truth) for each in lived),
        "faults planted": sum(each.planted.total() for each in lived),
        "of each kind": _summed(each.planted for each in lived),
        "acts of people": sum(each.acts for each in lived),
        "months closed": sum(len(each.closed) for each in lived),
        "differences": [f"{each.seed}: {line}" for each in lived for line in each.differences],
    }


@contextmanager
def _tables_in(folder: Path) -> Iterator[sa.Engine]:
    with EmbeddedServer(folder, FAST) as server:
        engine = make_engine(server.url)
        with engine.begin() as session:
            create_all(session)
        yield engine
        engine.dispose()


def main(arguments: list[str]) -> int:
    """Run all, print the figures, keep them if asked to. A part of size 0 is left out; what is kept of it stays."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--poison", type=int, default=20)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--restores", type=int, default=100)
    parser.add_argument("--quarters", type=int, default=5)
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the figures in the documents")
    asked = parser.parse_args(arguments)
    found: Figures = {}
    for part, count in (
        (quarters, asked.quarters),
        (orders, asked.orders),
        (calls, asked.calls),
        (poison, asked.poison),
        (restores, asked.restores),
        (kills, asked.kills),
        (nights, asked.nights),
    ):
        if count:
            began = time.monotonic()
            with _progress(part.__name__, count) as told:
                figures = part(count, asked.seed, told)
            about = {"commit": _commit(), "on": datetime.now(UTC).date().isoformat(), "seed": asked.seed}
            found[part.__name__] = {**about, "seconds": round(time.monotonic() - began), **figures}
            sys.stdout.write(f"{as_text({part.__name__: found[part.__name__]})}\n")
    if asked.write:
        keep(found)
    return 1 if any(part.get("differences") for part in found.values()) else 0


def keep(found: Mapping[str, Any], figures: Path = FIGURES, page: Path = PAGE) -> None:
    """Put the figures found in the place of those kept before, in the file and on the page."""
    kept = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    kept = {**kept, **found}
    figures.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n\n{as_text(kept)}\n\n{end}{after}", encoding="utf-8")


def as_text(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as tables of the page, one a part."""
    tables = []
    for part, figures in parts.items():
        rows = [f"| {part} | |", "|---|---|"]
        for name, value in figures.items():
            if isinstance(value, Mapping):
                shown = "; ".join(f"{each}: {number:,}" for each, number in value.items())
            elif isinstance(value, list):
                shown = "; ".join(value) or "0"
            else:
                shown = f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
            rows.append(f"| {name} | {shown} |")
        tables.append("\n".join(rows))
    return "\n\n".join(tables)


@contextmanager
def _progress(name: str, count: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, a line for every tenth part elsewhere."""
    console = Console(stderr=True)
    done = 0

    def plainly() -> None:
        nonlocal done
        done += 1
        if done % max(count // 10, 1) == 0:
            console.print(f"{name}: {done} of {count}", highlight=False)

    if not console.is_terminal:
        yield plainly
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(name, total=count)
        yield lambda: bars.advance(task)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="keizoku-soak-"))
    folder.chmod(0o755)  # as root the server's own account passes through it
    try:
        yield folder
    finally:
        EmbeddedServer(folder).stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
