"""Random lives with poison in them: whatever sick accounts and mistaken people do, healthy accounts end as without it.

one seed ──> the lives of healthy and sick accounts ──> a world without poison
                                                   └──> the same with poison at random places
compared: every row of every healthy account, in every table that names an account
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.reports.work_list import waiting_count
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import TECHNICAL, open_world, services_on

FIRST = date(2026, 3, 25)
NIGHTS = 45
HEALTHY, SICK = 8, 5
POISONS_A_LIFE = 12
HUGE = "名" * 100_000
Do = Callable[[Services, datetime], object]
Poison = Callable[[random.Random, str], Do]


@dataclass
class Poisoned:
    """What a poisoned life came to."""

    poisons: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)  # what was raised that is no refusal
    differences: list[str] = field(default_factory=list)  # rows of healthy accounts that differ, and certificates
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
                at, is_poison, do = diary.pop(0)
                _act(services, at, do, found if is_poison else None)
            night = run_night(services, on, night_at(on))
            if night.certificate != "ok" and found is not None:
                found.differences += [f"seed {seed}: night {on}: {each}" for each in night.differences]
        rows = {account: _rows(services, account) for account in _names("h", HEALTHY)}
        waiting = waiting_count(services.session, night_at(on) + timedelta(hours=1))
    return rows, waiting


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
    """What healthy and sick accounts do in both worlds: contracts, claims, payments, ends of use, one long stop."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    diary: list[tuple[datetime, bool, Do]] = [(parse_instant("2026-04-16 21:00"), False, _stop)]
    for account in (*_names("h", HEALTHY), *_names("s", SICK)):
        approved = _time(dice, 0, 8)
        diary.append((approved, False, _approve(account, dice.choice(("monthly", "yearly")), dice.choice(METHODS))))
        if dice.random() < 0.5:
            diary.append((_time(dice, 38, 44), False, _claim(account)))
        if dice.random() < 0.3:
            diary.append((_time(dice, 10, 40), False, _pay(account, dice.randrange(100, 900))))
        if dice.random() < 0.3:
            diary.append((_time(dice, 10, 25), False, _end(account)))
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


def _end(account: str) -> Do:
    def do(services: Services, now: datetime) -> None:
        services.billing.end_of_use(account, now=now)

    return do


def _stop(services: Services, now: datetime) -> object:
    start, end = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    return services.sla.stop(from_at=start, to_at=end, affected=60_000, now=now)


def _card(answer: str) -> Poison:
    return lambda dice, account: lambda services, now: Simulator(services).cards.set_card(account, answer)


def _windows_the_wrong_way(dice: random.Random, account: str) -> Do:
    ends = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 11:00")
    windows: Any = [ends] if dice.random() < 0.5 else [ends[:1]]
    return lambda services, now: services.sla.submit_claim(account, "2026-04", windows=windows, now=now)


def _windows_elsewhere(dice: random.Random, account: str) -> Do:
    windows = [(parse_instant("2020-01-01 00:00"), parse_instant("2020-01-01 05:00"))]
    return lambda services, now: services.sla.submit_claim(account, "2026-04", windows=windows, now=now)


def _huge_text(dice: random.Random, account: str) -> Do:
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", ground=HUGE, by=HUGE, now=now),
        lambda services, now: services.billing.suspend(account, HUGE, now=now),
        lambda services, now: services.billing.register(HUGE, "monthly", "card", now=now),
        lambda services, now: services.billing.service_change(
            HUGE, occurred_at=now, by=account, ground=account, now=now
        ),
    ]
    return dice.choice(acts)


def _no_text(dice: random.Random, account: str) -> Do:
    text = dice.choice(("a\0b", "\ud800"))
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", id=text, now=now),
        lambda services, now: services.billing.reject(text, text, now=now),
        lambda services, now: services.billing.terminate(account, text, now=now),
        lambda services, now: services.sla.recognise(f"c-{account}", [], text, text, now=now),
    ]
    return dice.choice(acts)


def _from_the_future(dice: random.Random, account: str) -> Do:
    ahead = timedelta(days=dice.choice((1, 400, 70_000, 2_000_000)))
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", received_at=now + ahead, now=now),
        lambda services, now: services.sla.submit_claim(account, "2026-12", now=now),
        lambda services, now: services.billing.service_change(
            "x", occurred_at=now + ahead, by="y", ground="z", now=now
        ),
        lambda services, now: services.billing.suspend(account, "late", now=now + timedelta(days=2_000_000)),
    ]
    return dice.choice(acts)


def _numbers(dice: random.Random, account: str) -> Do:
    yen = dice.choice((-(10**30), -1, 0, 2**63, 10**30))
    acts: list[Do] = [
        lambda services, now: services.billing.pay(account, yen, now=now),
        lambda services, now: services.billing.match_payment(yen, account, by="y", ground="z", now=now),
        lambda services, now: services.billing.nothing_charged(yen, by="y", ground="z", now=now),
    ]
    return dice.choice(acts)


POISONS: Mapping[str, Poison] = {
    "card that is refused": _card("lost_card"),
    "card whose answer never comes": _card("timeout_before"),
    "card whose answer comes late": _card("timeout_after_success"),
    "windows the wrong way round": _windows_the_wrong_way,
    "windows of another month": _windows_elsewhere,
    "huge texts": _huge_text,
    "what is no text": _no_text,
    "rows from the future": _from_the_future,
    "numbers beyond every column": _numbers,
}
"""Each at a random place of a random life."""
