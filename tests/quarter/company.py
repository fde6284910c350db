"""The company whose quarter it is: members, cards, two stores, three banks, and what happens to it week by week.

The gateway is the simulated one with a fee; what it pays out is recorded as its own books would tell it. Every act
has its time; a day's night comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Final, NamedTuple

import sqlalchemy as sa

from keizoku.billing.closing.reconciliation_run import fetch_news
from keizoku.billing.gateway.books import Movement, Payout
from keizoku.billing.gateway.events import record_movements, record_payouts
from keizoku.billing.gateway.simulated_books import SimulatedBooks
from keizoku.billing.receivables.bank.bank_transfers import references_of
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import balance_transaction
from keizoku.db.tables.money import invoice
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.discretion import Discretion
from tests.quarter.truth import NAMES, Account, Line, Week
from tests.unit.billing.statements.writers import TABLES
from tests.worlds.world import open_world

MONTHS: Final = (Month(2026, 4), Month(2026, 5), Month(2026, 6))
PATIENT: Final = Discretion(suspend_after_days=80, terminate_after_days=90)
PROCESSOR: Final = "ｽﾄﾗｲﾌﾟｼﾞﾔﾊﾟﾝ(ｶ"
STORES: Final = {"google": "ｸﾞｰｸﾞﾙ(ﾄﾞｳ", "apple": "ｱｲﾁﾕｰﾝｽﾞ(ｶ"}
STATED: Final = tuple(name for name in TABLES if name != "mufg")


class Size(NamedTuple):
    """How large a quarter is; of `faults`, each part of a month has as many, as far as it has places for them."""

    payers: int
    cards: int
    google: int
    apple: int
    faults: int
    nights: tuple[int, ...]
    parts: tuple[int, ...]  # of a month: the first days of what a bank gives one file of


SMALL: Final = Size(payers=8, cards=3, google=5, apple=2, faults=46, nights=(1,), parts=(1, 15))
WHOLE: Final = Size(payers=60, cards=20, google=20, apple=12, faults=340, nights=(1, 8, 15, 22), parts=(1, 8, 15, 22))


def at(on: date, clock: str = "10:00") -> datetime:
    """A day's hour in Japan."""
    return parse_instant(f"{on} {clock}")


def weeks(month: Month, firsts: Sequence[int]) -> Iterator[Week]:
    """The month in its parts, each of which is a file of each account."""
    days = [date(month.first_on.year, month.first_on.month, first) for first in firsts] + [month.end_on]
    for first_on, past in pairwise(days):
        yield Week(first_on, past - timedelta(days=1))


@dataclass
class Company:
    """Its books, its banks, and the draw of what happens."""

    services: Services
    rng: Random
    size: Size
    accounts: dict[str, Account] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    pays: dict[int, tuple[date, str]] = field(default_factory=dict)  # invoice -> its day and the account paid to
    ahead: list[tuple[str, Line]] = field(default_factory=list)  # lines that are to come: (account, line)
    orders: dict[str, str] = field(default_factory=dict)  # google's order of an account
    used: int = 0
    paid_out: int = 0

    def number(self) -> int:
        """A number that nothing else has."""
        self.used += 1
        return self.used

    def open(self) -> None:
        """Plans, members, cards, stores, banks."""
        open_world(self.services)
        begin = at(date(2026, 3, 31), "09:00")
        size = self.size
        groups = (("p", size.payers, "other"), ("c", size.cards, "card"), ("g", size.google, "app_store"))
        for letter, many, method in (*groups, ("i", size.apple, "app_store")):
            for n in range(many):
                account = f"{letter}{n:03}"
                when = begin + timedelta(days=1 + n % 5, minutes=n)
                self.services.billing.approve(account, "monthly", method, now=when)
                self.names[account] = NAMES[n % len(NAMES)]
                if letter == "g":
                    self.orders[account] = f"GPA.3300-{n:04}"
        for account in self.names:
            if account[0] == "p":
                self.references[account] = str(references_of(self.services.session, account)[0]["reference"])
        self.services.session.rollback()
        self.accounts = {
            "A": Account("0005-001-1-1234567", ("zengin", "mufg"), 3_000_000),
            "B": Account("sub", (self.rng.choice(STATED),), 1_000_000),
            "C": Account("0033-002-1-7654321", ("camt", "mt940", "ofx"), 500_000),
        }

    def night(self, on: date) -> str:
        """The night of a day; what its certificate says."""
        done = run_night(self.services, on, at(on, "02:30"))
        return f"{done.certificate}" + "".join(f"; {each}" for each in done.differences)

    def members_lines(self, week: Week) -> list[tuple[str, Line]]:
        """What members transfer in a week: each open fee on a day of its own, and now and then part of it first."""
        rows = self.services.session.execute(
            sa.select(invoice.c.id, invoice.c.account, invoice.c.due_on, invoice.c.open_yen)
            .where(invoice.c.state == "open", invoice.c.account.like("p%"))
            .order_by(invoice.c.id)
        ).all()
        self.services.session.rollback()
        found = []
        for row in rows:
            if row.id not in self.pays:
                paid_on = row.due_on + timedelta(days=self.rng.randint(-8, 3))
                home = self.rng.choice("AABBC")
                self.pays[row.id] = (max(paid_on, week.first_on), home)
            on, home = self.pays[row.id]
            if not week.first_on <= on <= week.last_on:
                continue
            name = f"{self.references[row.account]}{self.names[row.account]}"
            found.append((home, Line(on, row.open_yen, name, self.number(), "member", row.account)))
            self.pays[row.id] = (date.max, home)
        return found

    def others_lines(self, week: Week) -> list[tuple[str, Line]]:
        """Suppliers with the bank's fee, a transfer between our own accounts, interest, what is on its way."""
        on = [week.first_on + timedelta(days=n) for n in range((week.last_on - week.first_on).days + 1)]
        found = [(home, each) for home, each in self.ahead if each.on <= week.last_on]
        self.ahead = [(home, each) for home, each in self.ahead if each.on > week.last_on]
        for home in "AB":
            day = self.rng.choice(on)
            supplier = Line(day, -(12_000 + 7 * self.number()), "ｶ)ｵﾌｲｽﾌﾞﾂｻﾝ", self.number(), "supplier")
            found += [(home, supplier), (home, Line(day, -330, "ﾌﾘｺﾐﾃｽｳﾘﾖｳ", self.number(), "fee"))]
        day, yen, out, into = self.rng.choice(on), 200_000 + self.number(), self.number(), self.number()
        found.append(("A", Line(day, -yen, "ｶ)ｹｲｿﾞｸ", out, "transfer", str(into))))
        found.append(
            (self.rng.choice("BC"), Line(day, yen, "ｶ)ｹｲｿﾞｸ", into, "transfer", str(out), doubt="no reference"))
        )
        if week.first_on.day == 15:
            interest = Line(self.rng.choice(on), 11 + self.number() % 50, "ﾘｿｸ", self.number(), "interest")
            found.append(("B", interest))
        return found

    def payout(self, week: Week) -> Line | None:
        """What the gateway pays out on the week's second day: all that it has."""
        session, now = self.services.session, at(week.first_on + timedelta(days=1), "09:00")
        fetch_news(session, self.services.gateway, now)
        moved = sa.select(sa.func.coalesce(sa.func.sum(balance_transaction.c.net), 0))
        yen = int(session.execute(moved.where(balance_transaction.c.currency == "jpy")).scalar_one())
        session.rollback()
        if yen <= 0:
            return None
        self.paid_out += 1
        name = f"po_{self.paid_out:03}"
        arrives = now + timedelta(days=2)
        movement = Movement(f"txn_{name}", "payout", -yen, 0, 0, -yen, "jpy", name, None, None, now, now)
        record_movements(session, [movement], now)
        paid = Payout(name, yen, "jpy", "paid", False, now, arrives)
        record_payouts(session, SimulatedBooks(session, now), [paid], now)
        session.commit()
        return Line(week.first_on + timedelta(days=3), yen, PROCESSOR, self.number(), "payout", name)

    def store_terms(self, month: Month, letter: str) -> list[tuple[str, date]]:
        """The terms of a store's members that began in a month: (account, first day)."""
        rows = self.services.session.execute(
            sa.select(term.c.account, term.c.starts_on)
            .where(term.c.account.like(f"{letter}%"), term.c.starts_on >= month.first_on)
            .where(term.c.starts_on < month.end_on)
            .order_by(term.c.id)
        ).all()
        self.services.session.rollback()
        return [(row.account, row.starts_on) for row in rows]
