"""What an account owes, computed once more from what happened, and sharing nothing with `billing`.

The rows of events (invoices, answered attempts, receipts, acts of people) are gone through in order of time; interest
is counted day by day, each day with its own share of a year. What the engine remembers of it (open amounts, interest
marks, allocations) is not looked at.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.terms.calendar import jst_day

RATE = Fraction(146, 1000)
STATUTORY = Fraction(3, 100)  # Civil Code 404, since 1 April 2020
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
    accrued_unpaid_yen: int = 0
    after: date | None = None
    rate: Fraction = RATE
    fixed_365: bool = False

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
        reached = False  # what never reached the card leaves the fee uncharged until the next one begins
        for place, each in enumerate(tried):
            known = each.settled_at is not None and each.settled_at <= now
            outcome = each.outcome if known else None
            until = each.settled_on if known and each.settled_on else today
            if outcome == "abandoned":
                until = max(until, jst_day(tried[place + 1].started_at) if place + 1 < len(tried) else today)
            if not reached or outcome in (None, "succeeded", "abandoned"):
                spans.append((each.wanted_on, until))
            reached = reached or outcome not in (None, "abandoned")
        if self.method == "card" and not tried:
            spans.append((self.due_on, today))
        if self.method != "card":
            late = max(timedelta(0), jst_day(self.issued_at) - self.issued_on)
            spans.append((self.due(today), self.due(today) + late))
        return {start + n * ONE_DAY for start, end in spans for n in range(1, (end - start).days + 1)}

    def accrues_after(self, today: date) -> date:
        """Interest counts from the day after."""
        return self.after or self.due(today)

    def accrued(self, on: date, now: datetime) -> Fraction:
        """Interest on the open fee through `on` since its last count, without what is carried, as known `now`."""
        free = self.free_days(now)
        total, days = Fraction(0), 0
        day = first = self.accrues_after(jst_day(now)) + ONE_DAY
        while day <= on + ONE_DAY:
            if day == on + ONE_DAY or day in free:
                total += sum(shares(first, day))
                days += (day - first).days
                first = day + ONE_DAY
            day += ONE_DAY
        if self.fixed_365:  # never above the ceiling, which counts a leap year's days as 366ths
            return self.open_yen * min(self.rate * Fraction(days, 365), RATE * total)
        return self.open_yen * self.rate * total

    def overdue_days(self, now: datetime) -> int:
        """Days from the day after the due date to today that count against the user."""
        today, free = jst_day(now), self.free_days(now)
        due = self.due(today)
        return sum(due + n * ONE_DAY not in free for n in range(1, (today - due).days + 1))


@dataclass
class Fund:
    """Money that we hold for an account, from a day on."""

    since: date
    yen: int


@dataclass
class Account:
    """What happened to an account's debts until `now`."""

    fees: dict[int, Fee] = field(default_factory=dict)
    costs_yen: int = 0
    sent: list[Fund] = field(default_factory=list)
    overpaid_yen: int = 0
    interest_paid_yen: int = 0

    @property
    def deposit_yen(self) -> int:
        """What the payer sent, or a card was charged, beyond what was owed."""
        return self.overpaid_yen + sum(fund.yen for fund in self.sent)

    def owing(self, today: date) -> list[Fee]:
        """Fees with something left, the one due first first."""
        left = [fee for fee in self.fees.values() if fee.open_yen or fee.accrued_unpaid_yen]
        return sorted(left, key=lambda fee: (fee.due(today), fee.id))

    def interest(self, now: datetime) -> Fraction:
        """Exactly, of all fees."""
        today = jst_day(now)
        return sum((fee.accrued_unpaid_yen + fee.accrued(today, now) for fee in self.owing(today)), Fraction(0))

    def receive(self, yen: int, now: datetime, named: date | None) -> None:
        """Money from the payer: costs first; what is left over is held."""
        costs_yen = min(yen, self.costs_yen)
        self.costs_yen -= costs_yen
        today = jst_day(now)
        left = self.allocate(yen - costs_yen, self.owing(today), today, now, named)
        if left:
            self.sent.append(Fund(today, left))

    def meet(self, funds: Sequence[Fund], now: datetime, *, works_back: bool) -> None:
        """What we held for the user pays what is due: today, or from the first day on which both could have met."""
        today = jst_day(now)
        funds = [Fund(fund.since if works_back else today, fund.yen) for fund in funds]
        days = {fund.since for fund in funds} | {fee.accrues_after(today) for fee in self.owing(today)}
        for day in sorted(day for day in days if day <= today):
            held = [fund for fund in funds if fund.since <= day]
            fees = [fee for fee in self.owing(today) if fee.accrues_after(today) <= day]
            if fees:
                spend(held, sum(fund.yen for fund in held) - self.allocate(
                    sum(fund.yen for fund in held), fees, day, now))  # fmt: skip

    def allocate(self, yen: int, fees: Sequence[Fee], on: date, now: datetime, named: date | None = None) -> int:
        """Interest, then fees; the named debt before the others, then the one due first. What is left over."""
        if not yen:
            return 0
        running, owed = Fraction(0), {}
        for fee in fees:
            before = running
            running += fee.accrued_unpaid_yen + fee.accrued(on, now)
            owed[fee.id] = running.__floor__() - before.__floor__()
        in_turn = sorted(fees, key=lambda fee: fee.term_on != named)
        for fee in in_turn:
            paid = min(yen, owed[fee.id])
            fee.accrued_unpaid_yen = owed[fee.id] - paid
            self.interest_paid_yen += paid
            yen -= paid
        for fee in in_turn:
            paid = min(yen, fee.open_yen)
            fee.open_yen -= paid
            yen -= paid
            if on >= fee.due(jst_day(now)):
                fee.after = on
        return yen


def spend(funds: Sequence[Fund], yen: int) -> list[Fund]:
    """Take so much out of the funds, the oldest first; the parts taken."""
    taken = []
    for fund in funds:
        part = min(fund.yen, yen)
        fund.yen -= part
        yen -= part
        if part:
            taken.append(Fund(fund.since, part))
    return taken


def replay(session: Session, account: str, now: datetime, readings: Mapping[str, str]) -> Account:
    """Everything that was recorded about the account's debts until `now`, in order, by the readings chosen."""
    works_back = readings["set_off_effect"] == "works_back"
    narrow = readings["late_interest_scope"] == "card_only"
    fixed_365 = readings["late_interest_day_count"] == "fixed_365"
    state = Account()
    tries: dict[int, list[Try]] = {}
    for row in _rows(session, "SELECT * FROM payment_attempt WHERE account = :account ORDER BY id", account):
        one = Try(row.wanted_on, row.started_at, row.settled_on, row.settled_at, row.outcome)
        tries.setdefault(row.invoice_id, []).append(one)
    for at, _, kind, row in sorted(_events(session, account), key=lambda event: event[:2]):
        if at > now:
            break
        if kind == "invoice":
            state.fees[row.id] = Fee(
                row.id, row.contract_id, row.method, row.starts_on, row.issued_on, row.issued_at, row.due_on,
                row.accelerated_on, row.total_yen - row.credit_yen, tries.get(row.id, []),
                rate=STATUTORY if narrow and row.method != "card" else RATE, fixed_365=fixed_365,
            )  # fmt: skip
        elif kind == "receipt":
            state.costs_yen += row.costs_yen
            state.receive(row.yen, at, row.for_term_on)
        elif kind == "set_off":
            held = [Fund(since, yen) for since, yen in zip(row.since, row.yen, strict=True)]
            state.meet(held, at, works_back=works_back)
        elif kind == "deposit":
            part = spend(state.sent, row.yen)
            if row.kind == "applied":
                state.meet(part, at, works_back=works_back)
        else:
            fee = state.fees[row.invoice_id]
            if kind == "card":
                fee.accrued_unpaid_yen = (fee.accrued_unpaid_yen + fee.accrued(row.settled_on, at)).__floor__()
                fee.open_yen = 0
                state.overpaid_yen += row.charged_yen - row.yen
            else:
                fee.open_yen = fee.accrued_unpaid_yen = 0
    return state


Event = tuple[datetime, int, str, Any]


def _events(session: Session, account: str) -> Iterator[Event]:
    queries = {
        "invoice": "SELECT invoice.*, starts_on, issued_at AS at FROM invoice JOIN term ON term.id = term_id "
        "WHERE invoice.account = :account",
        "card": "SELECT settlement.*, payment_attempt.yen AS charged_yen, settlement.recorded_at AS at FROM settlement "
        "JOIN payment_attempt ON payment_attempt.id = source_id WHERE kind = 'card' AND settlement.account = :account",
        "receipt": "SELECT receipt.*, recorded_at AS at FROM receipt WHERE account = :account",
        "given_up": "SELECT DISTINCT ON (invoice_id) settlement.*, recorded_at AS at FROM settlement "
        "WHERE kind IN ('write_off', 'reduction') AND account = :account",
        "set_off": "SELECT recorded_at AS at, array_agg(since ORDER BY since, credit_id) AS since, "
        "array_agg(yen ORDER BY since, credit_id) AS yen FROM ("
        "SELECT fact.recorded_at, credit_id, granted_on AS since, "
        "CAST(sum(yen) AS bigint) AS yen FROM contract_fact AS fact JOIN credit ON credit.account = fact.account "
        "JOIN credit_application AS used ON credit_id = credit.id AND used.recorded_at = fact.recorded_at "
        "WHERE fact.kind = 'set_off' AND fact.account = :account GROUP BY 1, 2, 3) AS used GROUP BY 1",
        "deposit": "SELECT recorded_at AS at, kind, yen FROM deposit_use WHERE origin = 'sent' AND account = :account",
    }
    for rank, (kind, query) in enumerate(queries.items()):
        for row in _rows(session, query, account):
            yield row.at, rank, kind, row


def _rows(session: Session, query: str, account: str) -> Sequence[Any]:
    return session.execute(sa.text(query), {"account": account}).all()
