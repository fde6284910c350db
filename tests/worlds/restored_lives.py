"""Random lives that lose their database: restored from a backup of some nights before, while the gateway went on.

    nights, people come and go ──backup──> more nights and newcomers ──loss──> the backup restored, nights
                                                                        └────> the world in which nothing was lost

The gateway's books are a database of their own, as a real gateway's are; it is copied, so that each world has one.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import sqlalchemy as sa

from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import make_engine
from keizoku.db.tables.money import payment_attempt
from keizoku.db.tables.simulated import simulated_charge
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world

FIRST = date(2026, 3, 25)
CARDS = ("ok", "ok", "ok", "timeout_after_success", "insufficient_funds", "lost_card")
RunAlone = Callable[[str], object]
Charges = Counter[tuple[str, int]]


@dataclass(frozen=True)
class Told:
    """How a life ended: what cards paid, by account and yen, in both worlds, and what people are asked."""

    undisturbed: Charges
    restored: Charges
    before: frozenset[str]  # who was there at the backup
    unbooked: int  # charges of them in the restored world that no attempt stands for, and no task
    certificates: frozenset[str]

    def differences(self) -> list[str]:
        """What is not as it has to be: a card of before charged more or less often, money that nobody knows of."""
        found = [
            f"{each}: charged {self.restored[each]} times, not {count}"
            for each, count in self.undisturbed.items()
            if each[0] in self.before and self.restored[each] != count
        ]
        found += [
            f"{each}: charged {count} times, not {self.undisturbed[each]}"
            for each, count in self.restored.items()
            if count > self.undisturbed[each]
        ]
        found += [f"{self.unbooked} charges are neither booked nor before people"] if self.unbooked else []
        return found + [f"a certificate says {each}" for each in sorted(self.certificates - {"ok"})]


class Databases:
    """Databases that are copied; they go at the end."""

    def __init__(self, url: sa.URL, run_alone: RunAlone, template: str) -> None:
        self._url, self._alone, self._template = url, run_alone, template
        self._names: list[str] = []

    def copy(self, of: str = "") -> str:
        """A copy of a database, or of the one with tables and nothing in them."""
        name = f"r{uuid.uuid4().hex}"
        self._alone(f"CREATE DATABASE {name} TEMPLATE {of or self._template} STRATEGY file_copy")
        self._names.append(name)
        return name

    def drop(self) -> None:
        for name in self._names:
            self._alone(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextmanager
    def house(self, name: str, gateway: str) -> Iterator[Services]:
        """Services on one database, with a gateway that has another."""
        ours, theirs = (make_engine(self._url.set(database=each), "public") for each in (name, gateway))
        cards = SimulatedGateway(theirs)
        try:
            with ours.connect() as session:
                yield Services(session, Rules(Terms.load("premium")), cards)
        finally:
            cards.close()


def restored_life(databases: Databases, seed: int, *, after: int = 6, marked: bool = True) -> Told:
    """Live, lose, restore at a random moment, and live on in both worlds."""
    dice = Random(seed)  # noqa: S311  a test's dice
    backup_on, lost_for = dice.randrange(5, 40), dice.randrange(1, 12)
    end = backup_on + lost_for + after
    house, cards = databases.copy(), databases.copy()
    came: list[str] = []

    def live(services: Services, first: int, last: int, *, newcomers: bool) -> None:
        for number in range(first, last):
            at = night_at(FIRST + timedelta(days=number))
            for _ in range(dice.choice((0, 1, 1, 2)) if newcomers else 0):
                account = f"a{len(came):03d}"
                _cards(services).set_card(account, dice.choice(CARDS))
                came.append(account)
                plan = dice.choice(("monthly", "monthly", "yearly"))
                services.billing.approve(account, plan, "card", now=at - timedelta(hours=dice.randrange(1, 20)))
            run_night(services, FIRST + timedelta(days=number), at)

    with databases.house(house, cards) as services:
        open_world(services)
        live(services, 0, backup_on, newcomers=True)
    backup, before = databases.copy(house), frozenset(came)
    taken_at = night_at(FIRST + timedelta(days=backup_on - 1)) + timedelta(hours=1)
    with databases.house(house, cards) as services:
        live(services, backup_on, backup_on + lost_for, newcomers=True)
    other_cards = databases.copy(cards)
    with databases.house(house, cards) as services:
        live(services, backup_on + lost_for, end, newcomers=False)
        undisturbed = _charges(services)
    certificates, unbooked = set(), 0
    with databases.house(backup, other_cards) as services:
        restored_at = night_at(FIRST + timedelta(days=backup_on + lost_for - 1)) + timedelta(hours=9)
        if marked:
            RestoreMark("keizoku-test", taken_at, restored_at, drill=False).write(services.session)
        for number in range(backup_on + lost_for, end):
            on = FIRST + timedelta(days=number)
            certificates.add(run_night(services, on, night_at(on)).certificate)
        restored = _charges(services)
        unbooked = sum((restored - _booked(services)).values()) - _asked(services)
    return Told(undisturbed, restored, before, unbooked, frozenset(certificates))


def _cards(services: Services) -> SimulatedGateway:
    assert isinstance(services.gateway, SimulatedGateway)
    return services.gateway


def _charges(services: Services) -> Charges:
    """What the gateway has taken."""
    charges = simulated_charge.c
    query = sa.select(charges.account, charges.yen).where(charges.answer == "succeeded")
    return Counter((row.account, row.yen) for row in _cards(services)._connection.execute(query))


def _booked(services: Services) -> Charges:
    attempts = payment_attempt.c
    query = sa.select(attempts.account, attempts.yen).where(attempts.outcome == "succeeded")
    return Counter((row.account, row.yen) for row in services.session.execute(query))


def _asked(services: Services) -> int:
    """Charges that people are asked about."""
    query = sa.text(
        "SELECT count(*) FROM review_task WHERE kind = 'restored_act' AND closed_at IS NULL "
        "AND detail ->> 'what' = 'charge'"
    )
    return int(services.session.execute(query).scalar_one())
