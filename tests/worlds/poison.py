"""Random lives with poison in them: whatever sick accounts and mistaken people do, healthy accounts end as without it.

one seed ──> the lives of healthy and sick accounts ──> a world without poison
                                                   └──> the same with poison at random places, and faulty nights
compared: every row of every healthy account, in every table that names an account

A faulty night is one in which a whole step throws, or the population is missing. It ends, certified; what it left
is done by the same night run again. What poisons single rows of sick accounts is not taken back, and no night is run
again.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.reports.work.work_list import waiting_count
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.poison_kinds import FAULTS, POISONS, Do
from tests.worlds.world import TECHNICAL, open_world, services_on

FIRST = date(2026, 3, 25)
NIGHTS = 45
HEALTHY, SICK = 8, 5
POISONS_A_LIFE = 16
FAULTY_NIGHTS = 4


@dataclass
class Poisoned:
    """What a poisoned life came to."""

    poisons: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)  # what was raised that is no refusal
    differences: list[str] = field(default_factory=list)  # rows of healthy accounts that differ, and certificates
    set_aside: int = 0  # by nights, each thing as often as a night told it
    waiting: int = 0


def poisoned_life(clean: sa.Engine, poisoned: sa.Engine, seed: int) -> Poisoned:
    """Live one seed in both worlds; what differs between them for a healthy account."""
    found = Poisoned()
    without, _ = _live(clean, seed, None)
    with_poison, waiting = _live(poisoned, seed, found)
    found.waiting = waiting
    for account in sorted(without.keys() | with_poison.keys()):
        for table in sorted(metadata.tables):
            before, after = without[account].get(table, []), with_poison[account].get(table, [])
            if before != after:
                found.differences.append(f"seed {seed}: {account}: {table}: {len(before)} rows, {len(after)} poisoned")
    return found


def _live(engine: sa.Engine, seed: int, found: Poisoned | None) -> tuple[dict[str, dict[str, list[str]]], int]:
    """Acts and nights in order of time; the rows of each healthy account, and what waits for people at the end."""
    diary = _diary(seed)
    if found is not None:
        diary += _poisons(seed, found)
    diary.sort(key=lambda each: (each[0], each[1]))
    with services_on(engine) as services:
        open_world(services)
        for number in range(NIGHTS):
            on = FIRST + timedelta(days=number)
            while diary and diary[0][0] <= night_at(on):
                at, may_be_refused, do = diary.pop(0)
                _act(services, at, do, found if may_be_refused else None)
            nights = _nights(services, on, seed, number, found)
            if found is not None:
                found.set_aside += sum(len(each.set_aside) for each in nights)
                found.differences += [
                    f"seed {seed}: night {on}: {line}" for each in nights for line in each.differences
                ]
        rows = {account: _rows(services, account) for account in _names("h", HEALTHY)}
        waiting = waiting_count(services.session, night_at(on) + timedelta(hours=1))
    return rows, waiting


def _nights(services: Services, on: date, seed: int, number: int, found: Poisoned | None) -> list[NightResult]:
    """One night; a faulty one, and the same again without the fault."""
    fault = _faults(seed).get(number) if found is not None else None
    if fault is None or found is None:
        return [run_night(services, on, night_at(on))]
    found.poisons[fault] += 1
    with FAULTS[fault](services, random.Random(f"{seed} {number}")):  # noqa: S311 - a test's dice
        faulty = run_night(services, on, night_at(on))
    return [faulty, run_night(services, on, night_at(on))]


def _act(services: Services, at: datetime, do: Do, found: Poisoned | None) -> None:
    if found is None:
        do(services, at)
        return
    try:
        do(services, at)
    except Refused:
        found.refused += 1
    except Exception as error:
        found.wrong.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    finally:
        services.session.rollback()


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]


def _diary(seed: int) -> list[tuple[datetime, bool, Do]]:
    """What healthy and sick accounts do in both worlds: contracts, claims, payments, ends of use, one long stop.

    Each with its instant, and whether it may be refused where there is poison: what a sick account asks for.
    """
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    diary: list[tuple[datetime, bool, Do]] = [(parse_instant("2026-04-16 21:00"), False, _stop)]
    for account in (*_names("h", HEALTHY), *_names("s", SICK)):
        approved, sick = _time(dice, 0, 8), account.startswith("s")
        plan, method = dice.choice(("monthly", "yearly")), dice.choice(METHODS)
        diary.append((approved, False, _approve(account, plan, method)))
        if dice.random() < 0.5:
            diary.append((_time(dice, 38, 44), sick, _claim(account)))
        if dice.random() < 0.3:
            diary.append((_time(dice, 10, 40), sick, _pay(account, dice.randrange(100, 900))))
        if dice.random() < 0.3:
            diary.append((_time(dice, 10, 25), sick, _end(account, method)))
    return diary


METHODS = ("card", "card", "card", "other", "app_store")


def _time(dice: random.Random, first: int, last: int) -> datetime:
    return night_at(FIRST + timedelta(days=dice.randint(first, last))) + timedelta(minutes=dice.randrange(1, 1_200))


def _poisons(seed: int, found: Poisoned) -> list[tuple[datetime, bool, Do]]:
    dice = random.Random(seed + 1_000_003)  # noqa: S311 - a test's dice
    diary = []
    for number in range(POISONS_A_LIFE):
        kind = sorted(POISONS)[(seed + number) % len(POISONS)]
        found.poisons[kind] += 1
        diary.append((_time(dice, 9, NIGHTS - 2), True, POISONS[kind](dice, f"s{dice.randrange(SICK)}")))
    return diary


def _faults(seed: int) -> dict[int, str]:
    """The faulty nights of a life, by their number: among them nights that decide claims, and that renew."""
    dice = random.Random(seed + 2_000_003)  # noqa: S311 - a test's dice
    nights = dice.sample(range(2, NIGHTS), FAULTY_NIGHTS)
    return {number: sorted(FAULTS)[(seed + place) % len(FAULTS)] for place, number in enumerate(nights)}


def _rows(services: Services, account: str) -> dict[str, list[str]]:
    """Every row that names the account, without ids of ours, which count all accounts together."""
    found: dict[str, list[str]] = {}
    for name, table in metadata.tables.items():
        if "account" not in table.c:
            continue
        kept = [each for each in table.c if not _technical(each.name)]
        rows = services.session.execute(sa.select(*kept).where(table.c.account == account))
        lines = sorted(str(tuple(row)) for row in rows)
        if lines:
            found[name] = lines
    services.session.rollback()
    return found


def _technical(column: str) -> bool:
    return column in TECHNICAL or column.endswith("_id") or column in ("body_ja", "body_en")


def _approve(account: str, plan: str, method: str) -> Do:
    return lambda services, now: services.billing.approve(account, plan, method, now=now)


def _claim(account: str) -> Do:
    return lambda services, now: services.sla.claim(id=f"c-{account}", account=account, month=Month(2026, 4), now=now)


def _pay(account: str, yen: int) -> Do:
    return lambda services, now: services.billing.pay(account, yen, now=now)


def _end(account: str, method: str) -> Do:
    def do(services: Services, now: datetime) -> None:
        ends = services.billing.store_stop if method == "app_store" else services.billing.end_of_use
        ends(account, now=now)  # whoever pays in a store stops it there

    return do


def _stop(services: Services, now: datetime) -> object:
    start, end = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    return services.sla.record_outage(from_at=start, to_at=end, affected=60_000, now=now)
