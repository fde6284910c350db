"""A database and the one that is restored in its place, both on one account of the gateway, over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

import sqlalchemy as sa

from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import make_engine
from keizoku.scheduler.app import Services
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.restored_lives import Databases
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.world import open_world

FIRST = date(2026, 4, 5)  # after the cards were saved (test_stripe_gateway.NOW)


class Lost:
    """A database and the one that is restored in its place, both on one Stripe."""

    def __init__(self, databases: Databases, url: sa.URL, proxy: Proxy) -> None:
        self.databases, self.url, self.proxy = databases, url, proxy
        self.name = databases.copy()
        self.calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=10, retries=0)
        proxy.forget()

    @contextmanager
    def services(self) -> Iterator[Services]:
        engine = make_engine(self.url.set(database=self.name), "public")
        gateway = StripeGateway(engine, self.calls)
        try:
            with engine.connect() as session:
                yield Services(session, Rules(Terms.load("premium")), gateway)
        finally:
            gateway.close()

    def at(self, now: datetime) -> datetime:
        self.proxy.clock = lambda: now
        return now

    def comes(self, services: Services, account: str, now: datetime) -> None:
        self.at(now)
        save_card(services.session, self.calls, self.proxy, account)
        services.billing.approve(account, "monthly", "card", now=now)

    def night(self, services: Services, on: date) -> NightResult:
        return run_night(services, on, self.at(night_at(on)))

    def restore(self, backup: str, taken_on: date, now: datetime, *, drill: bool = False) -> None:
        self.name = backup
        with self.services() as services:
            RestoreMark("keizoku-test", night_at(taken_on), self.at(now), drill).write(services.session)

    def charged(self) -> Counter[str]:
        """How many times each card was charged."""
        whose = {each["id"]: each["metadata"]["keizoku_account"] for each in self.proxy.all_of("customers")}
        intents = self.proxy.all_of("payment_intents")
        return Counter(whose[each["customer"]] for each in intents if each["status"] == "succeeded")


@dataclass(frozen=True)
class Life:
    """How a restored life ended: charges that succeeded, and every account that was not charged as it has to be."""

    charges: int
    lost_days: int
    certificates: set[str]
    differences: list[str]


def restored_over_http(lost: Lost, seed: int) -> Life:
    """Live, lose the database at a random moment, restore a backup of days before, and live on for four nights.

    Who was there at the backup is charged once for each of its terms, who came later not again.
    """
    dice = Random(seed)  # noqa: S311  a test's dice
    backup_at, lost_for = dice.randrange(10, 40), dice.randrange(1, 9)
    came: list[str] = []

    def live(services: Services, first: int, last: int) -> None:
        for number in range(first, last):
            at = night_at(FIRST + timedelta(days=number))
            if dice.random() < 0.3 or number == 0:
                came.append(f"a{len(came)}")
                lost.comes(services, came[-1], at - timedelta(hours=dice.randrange(1, 20)))
            lost.night(services, FIRST + timedelta(days=number))

    with lost.services() as services:
        open_world(services)
        live(services, 0, backup_at)
    backup, before = lost.databases.copy(lost.name), set(came)
    with lost.services() as services:
        live(services, backup_at, backup_at + lost_for)
    at_loss = lost.charged()
    taken_on, lost_on = (FIRST + timedelta(days=each - 1) for each in (backup_at, backup_at + lost_for))
    lost.restore(backup, taken_on, night_at(lost_on) + timedelta(hours=9))
    certificates = set()
    with lost.services() as services:
        for number in range(backup_at + lost_for, backup_at + lost_for + 4):
            certificates.add(lost.night(services, FIRST + timedelta(days=number)).certificate)
        rows = services.session.execute(sa.text("SELECT account, count(*) FROM term GROUP BY account")).all()
        terms: dict[str, int] = {account: number for account, number in rows}  # noqa: C416  rows are no pairs
    charged = lost.charged()
    wanted = {account: terms[account] if account in before else at_loss[account] for account in came}
    wrong = [
        f"seed {seed}: {account}: charged {charged[account]} times, not {times}"
        for account, times in wanted.items()
        if charged[account] != times
    ]
    return Life(charged.total(), lost_for, certificates, wrong)
