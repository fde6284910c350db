"""`make soak`: random nights, kills, restores, poison, hostile calls and commands, and quarters, with their figures.

python -m tests.soak [--nights 200] [--kills 100] [--poison 20] [--calls 5000] [--commands 5000] [--restores 100]
                     [--quarters 5] [--orders 50] [--seed 5] [--log FILE] [--write]

`--log` keeps the figures of each seed of poison, commands and restores, a line each, as soon as it is done; a run with
the same log goes on behind what it has.
`--write` puts the figures where they are kept: docs/reference/soak.json, and between the marks in
docs/explanation/reliability.md.
Exit 1 where anything was not as it has to be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from tests.worlds.hostile_commands import hostile_commands, prepare
from tests.worlds.kills import random_kills
from tests.worlds.poison import poisoned_life
from tests.worlds.random_nights import Weather, random_nights
from tests.worlds.restored_lives import Databases, restored_life
from tests.worlds.restored_over_http import Lost, restored_over_http
from tests.worlds.scratch import engine_in, environment, tables_in
from tests.worlds.scratch import folder as scratch_folder
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
    with scratch_folder() as folder, EmbeddedServer(folder, FAST) as server, running_proxy() as proxy:
        engine = make_engine(server.url)
        with engine.begin() as session:
            create_all(session)
        weather = random_nights(engine, proxy, seed, count, lambda _: told())
        engine.dispose()
    return weather


class Log:
    """The figures of each seed that is done, as lines of a file where one is named."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.exists() else []
        self._done = {(each["part"], each["seed"]): each["figures"] for each in map(json.loads, lines)}

    def each(
        self, part: str, seeds: Iterable[int], one: Callable[[int], Figures], told: Callable[[], None]
    ) -> list[Figures]:
        """The figures of every seed: those that are kept, and those that are made now."""
        found = []
        for seed in seeds:
            if (part, seed) not in self._done:
                self._note(part, seed, one(seed))
            found.append(self._done[part, seed])
            told()
        return found

    def _note(self, part: str, seed: int, figures: Figures) -> None:
        self._done[part, seed] = figures
        if self._file is not None:
            line = json.dumps({"part": part, "seed": seed, "commit": _commit(), "figures": figures}, ensure_ascii=False)
            with self._file.open("a", encoding="utf-8") as kept:
                kept.write(line + "\n")


LOG = Log()


def _together(figures: Sequence[Figures]) -> Figures:
    """The sums of numbers and of counts, and the lists one behind the other."""
    found: Figures = {}
    for each in figures:
        for name, value in each.items():
            if isinstance(value, dict):
                found[name] = _summed([found.get(name, {}), value])
            else:
                found[name] = found[name] + value if name in found else value
    return found


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sorted(sum(map(Counter, counts), Counter[str]()).items()))


def kills(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Random kills, each held against an undisturbed night."""
    with scratch_folder() as folder, running_proxy() as proxy:
        damage = random_kills(folder, proxy, seed, count, lambda _: told())
    return {
        "kills": dict(sorted(damage.kinds.items())),
        "moments": {"statements": damage.statements, "calls": damage.calls},
        "what the disturbed worker said": dict(sorted(damage.said.items())),
        "differences": damage.differences,
    }


def poison(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Random lives with and without poison, each pair in databases of its own."""

    def one(number: int) -> Figures:
        with (
            scratch_folder() as here,
            scratch_folder() as there,
            tables_in(here) as clean,
            tables_in(there) as poisoned,
        ):
            life = poisoned_life(clean, poisoned, number)
        return {
            "lives": 1,
            "poisons": dict(life.poisons),
            "set aside by nights": life.set_aside,
            "refused at once": life.refused,
            "waiting for people at the end": life.waiting,
            "differences": [*life.wrong, *life.differences],
        }

    return _together(LOG.each("poison", range(seed, seed + count), one, told))


def restores(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Databases lost at random moments and restored: as many on the simulated gateway as over HTTP."""
    with scratch_folder() as folder, tables_in(folder) as engine, running_proxy() as proxy:
        url = engine.url.set(database="postgres")
        template = str(engine.url.database)
        if template == "postgres":
            raise RuntimeError("the template is a database of its own")
        engine.dispose()  # a template has no other session
        server = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as admin:

            def one(number: int) -> Figures:
                databases = Databases(url, admin.exec_driver_sql, template)
                simulated = restored_life(databases, number)
                over_http = restored_over_http(Lost(databases, url, proxy), number)
                databases.drop()
                return {
                    "lives": 1,
                    "lives over HTTP": 1,
                    "charges": simulated.restored.total(),
                    "charges over HTTP": over_http.charges,
                    "days lost over HTTP": over_http.lost_days,
                    "differences": [*simulated.differences(), *over_http.differences],
                }

            found = _together(LOG.each("restores", range(seed, seed + count), one, told))
        server.dispose()
    return found


WORLD_OF_COMMANDS = 500
"""Calls of commands in one world."""


def commands(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Hostile calls of every command, with nights in between, in worlds with seeds of their own."""
    sizes = [min(WORLD_OF_COMMANDS, count - begun) for begun in range(0, count, WORLD_OF_COMMANDS)]

    def one(number: int) -> Figures:
        with scratch_folder() as folder, engine_in(folder) as engine:
            meant = {
                "KEIZOKU_DATABASE_URL": engine.url.render_as_string(hide_password=False),
                "KEIZOKU_DATA_DIR": str(folder / "data"),
                "KEIZOKU_LANG": "en",
            }
            with environment(meant):
                place = prepare(engine, folder / "called in")
                found = hostile_commands(place, sizes[number - seed], number, told)
        return {
            "commands called": found.calls,
            "worlds": 1,
            "exit codes": {str(code): times for code, times in sorted(found.codes.items())},
            "nights in between": found.nights,
            "differences": list(found.described()),
        }

    return _together(LOG.each("commands", range(seed, seed + len(sizes)), one, lambda: None))


def calls(count: int, seed: int, told: Callable[[], None]) -> Figures:
    """Hostile calls of every library act, with nights in between."""
    with scratch_folder() as folder, tables_in(folder) as engine, services_on(engine) as services:
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
        with scratch_folder() as folder, tables_in(folder) as engine, services_on(engine, ORDERS) as services:
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
        with scratch_folder() as folder, tables_in(folder) as engine, services_on(engine, RULES) as services:
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


def main(arguments: list[str]) -> int:
    """Run all, print the figures, keep them if asked to. A part of size 0 is left out; what is kept of it stays."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--poison", type=int, default=20)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--commands", type=int, default=5_000)
    parser.add_argument("--restores", type=int, default=100)
    parser.add_argument("--quarters", type=int, default=5)
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--log", type=Path, help="where the figures of each seed are kept, and found again")
    parser.add_argument("--write", action="store_true", help="keep the figures in the documents")
    asked = parser.parse_args(arguments)
    global LOG
    LOG = Log(asked.log)
    found: Figures = {}
    for part, count in (
        (quarters, asked.quarters),
        (orders, asked.orders),
        (calls, asked.calls),
        (commands, asked.commands),
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


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
