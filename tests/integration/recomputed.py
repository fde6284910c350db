"""What an account owes, computed once more from what happened, and sharing nothing with `billing`.

The rows of events (invoices, answered attempts, receipts, acts of people) are gone through in order of time; interest
is counted day by day, each day with its own share of a year. What the engine remembers of it (open amounts, interest
marks, allocations) is not looked at.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from db.session import Session
from terms.calendar import jst_day

RATE = Fraction(146, 1000)
ONE_DAY = timedelta(days=1)


def shares(start: date, end: date) -> Iterator[Fraction]:
    """The share of a year that each day of [start, end) is: whole years from `start`, then the year it lies in."""
    years = 0
    while _later(start, years + 1) <= end:
        days = (_later(start, years + 1) - _later(start, years)).days
        yield from [Fraction(1, days)] * days
        years += 1
    day = _later(start, years)
    while day < end:
        yield Fraction(1, 366 if isleap(day.year) else 365)
        day += ONE_DAY


def _later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


@dataclass
class Try:
    """An attempt to charge a card."""

    wanted_on: date
    started_at: datetime
    settled_on: date | None
    settled_at: datetime | None
    outcome: str | None


@dataclass
class Fee:
    """An invoice's fee. `after`: the day after which interest counts anew; None: its due date."""

    id: int
    contract_id: int
    method: str
    term_on: date
    issued_on: date
    issued_at: datetime
    due_on: date
    accelerated_on: date | None
    open_yen: int
    tries: list[Try] = field(default_factory=list)
    carried_yen: int = 0
    after: date | None = None

    def due(self, today: date) -> date:
        """The due date as it stands on a day."""
        if self.accelerated_on is None or self.accelerated_on > today:
            return self.due_on
        return min(self.due_on, self.accelerated_on)

    def free_days(self, now: datetime) -> set[date]:
        """Days on which our or the gateway's fault kept the fee from being charged."""
        today = jst_day(now)
        spans: list[tuple[date, date]] = []
        tried = [each for each in self.tries if each.started_at <= now]
        for place, each in enumerate(tried):
            known = each.settled_at is not None and each.settled_at <= now
            outcome = each.outcome if known else None
            if place == 0 or outcome in (None, "succeeded", "abandoned"):
                spans.append((each.wanted_on, each.settled_on if known and each.settled_on else today))
        if self.method == "card" and not tried:
            spans.append((self.due_on, today))
        if self.method != "card":
            late = max(timedelta(0), jst_day(self.issued_at) - self.issued_on)
            spans.append((self.due(today), self.due(today) + late))
        return {start + n * ONE_DAY for start, end in spans for n in range(1, (end - start).days + 1)}

    def accrued(self, now: datetime) -> Fraction:
        """Interest on the open fee since its last count, without what is carried."""
        today, free = jst_day(now), self.free_days(now)
        total = Fraction(0)
        day = first = (self.after or self.due(today)) + ONE_DAY
        while day <= today + ONE_DAY:
            if day == today + ONE_DAY or day in free:
                total += sum(shares(first, day))
                first = day + ONE_DAY
            day += ONE_DAY
        return self.open_yen * RATE * total

    def overdue_days(self, now: datetime) -> int:
        """Days from the day after the due date to today that count against the user."""
        today, free = jst_day(now), self.free_days(now)
        due = self.due(today)
        return sum(due + n * ONE_DAY not in free for n in range(1, (today - due).days + 1))


@dataclass
class Account:
    """What happened to an account's debts until `now`."""

    fees: dict[int, Fee] = field(default_factory=dict)
    costs_yen: int = 0
    deposit_yen: int = 0
    interest_paid_yen: int = 0

    def owing(self, today: date) -> list[Fee]:
        """Fees with something left, the one due first first."""
        left = [fee for fee in self.fees.values() if fee.open_yen or fee.carried_yen]
        return sorted(left, key=lambda fee: (fee.due(today), fee.id))

    def interest(self, now: datetime) -> Fraction:
        """Exactly, of all fees."""
        return sum((fee.carried_yen + fee.accrued(now) for fee in self.owing(jst_day(now))), Fraction(0))

    def allocate(self, yen: int, now: datetime, named: date | None = None, *, only_due: bool = False) -> None:
        """Costs, then interest, then fees; the named debt before the others, then the one due first."""
        today = jst_day(now)
        costs_yen = min(yen, self.costs_yen)
        self.costs_yen -= costs_yen
        yen -= costs_yen
        if not yen:
            return
        fees = [fee for fee in self.owing(today) if not only_due or fee.due(today) <= today]
        running, owed = Fraction(0), {}
        for fee in fees:
            before = running
            running += fee.carried_yen + fee.accrued(now)
            owed[fee.id] = running.__floor__() - before.__floor__()
        in_turn = sorted(fees, key=lambda fee: fee.term_on != named)
        for fee in in_turn:
            paid = min(yen, owed[fee.id])
            fee.carried_yen = owed[fee.id] - paid
            self.interest_paid_yen += paid
            yen -= paid
        for fee in in_turn:
            paid = min(yen, fee.open_yen)
            fee.open_yen -= paid
            yen -= paid
            if today >= fee.due(today):
                fee.after = today
        self.deposit_yen += yen


def replay(session: Session, account: str, now: datetime) -> Account:
    """Everything that was recorded about the account's debts until `now`, in order."""
    state = Account()
    tries: dict[int, list[Try]] = {}
    for row in _rows(session, "SELECT * FROM attempt WHERE account = :account ORDER BY id", account):
        one = Try(row.wanted_on, row.started_at, row.settled_on, row.settled_at, row.outcome)
        tries.setdefault(row.invoice_id, []).append(one)
    for at, _, kind, row in sorted(_events(session, account), key=lambda event: event[:2]):
        if at > now:
            break
        if kind == "invoice":
            state.fees[row.id] = Fee(
                row.id, row.contract_id, row.method, row.starts_on, row.issued_on, row.issued_at, row.due_on,
                row.accelerated_on, row.total_yen - row.credit_yen, tries.get(row.id, []),
            )  # fmt: skip
        elif kind == "receipt":
            state.costs_yen += row.costs_yen
            state.allocate(row.yen, at, row.for_term_on)
        elif kind == "set_off":
            state.allocate(row.yen, at, only_due=True)
        else:
            fee = state.fees[row.invoice_id]
            if kind == "card":
                fee.carried_yen = (fee.carried_yen + fee.accrued(at)).__floor__()
                fee.open_yen = 0
                state.deposit_yen += row.charged_yen - row.yen
            else:
                fee.open_yen = fee.carried_yen = 0
    return state


Event = tuple[datetime, int, str, Any]


def _events(session: Session, account: str) -> Iterator[Event]:
    queries = {
        "invoice": "SELECT invoice.*, starts_on, issued_at AS at FROM invoice JOIN term ON term.id = term_id "
        "WHERE invoice.account = :account",
        "card": "SELECT settlement.*, attempt.yen AS charged_yen, settlement.recorded_at AS at FROM settlement "
        "JOIN attempt ON attempt.id = source_id WHERE kind = 'card' AND settlement.account = :account",
        "receipt": "SELECT receipt.*, recorded_at AS at FROM receipt WHERE account = :account",
        "given_up": "SELECT DISTINCT ON (invoice_id) settlement.*, recorded_at AS at FROM settlement "
        "WHERE kind IN ('write_off', 'reduction') AND account = :account",
        "set_off": "SELECT fact.recorded_at AS at, coalesce((SELECT sum(yen) FROM settlement "
        "WHERE kind = 'set_off' AND source_id = fact.id), 0) + coalesce((SELECT -sum(yen) FROM interest_booking "
        "WHERE kind = 'set_off' AND occasion = concat('act\\:', fact.id, '\\:paid')), 0) AS yen "
        "FROM contract_fact AS fact WHERE kind = 'set_off' AND account = :account",
    }
    for rank, (kind, query) in enumerate(queries.items()):
        for row in _rows(session, query, account):
            yield row.at, rank, kind, row


def _rows(session: Session, query: str, account: str) -> Sequence[Any]:
    return session.execute(sa.text(query), {"account": account}).all()
