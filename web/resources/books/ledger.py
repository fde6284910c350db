"""The books: trial balance, accounts, entries and what is behind them; entries by hand and reversals by two persons."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.closing.contract_liability import contract_liability
from keizoku.billing.ledger.entry_search import EntryFound, Sought, entries_found
from keizoku.billing.ledger.manual_entries import reverse as take_back
from keizoku.billing.ledger.queries import account_book, account_lines, chart_rows, explain_entry, rule_rows, trial
from keizoku.billing.ledger.reversal_advice import landed, warning
from keizoku.db.session import one_snapshot
from keizoku.terms.calendar import Month
from keizoku.web.calls.call import Call, Listing, number_in, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Instant, MonthText, Number, Yen

__all__ = ["ledger"]

ledger = Resource("ledger", "The books.")

Code = Annotated[str, Field(pattern="^[0-9]{4}$", description="an account of the chart")]
Legs = Annotated[dict[Code, Annotated[int, Field(strict=True)]], Field(min_length=2, max_length=100)]


@ledger.question("/ledger/trial-balance", command="ledger trial", answer=dict[str, Any])
def trial_balance(call: Call, *, as_of: Day | None = None, known_at: Instant | None = None) -> Any:
    """Every account's debit, credit and balance, at the end of a day, by what was booked by an instant."""
    return trial(call.session, as_of, known_at)


@ledger.question("/ledger/accounts/{code}", command="ledger account", answer=dict[str, Any])
def account(
    call: Call,
    code: Code,
    *,
    since: Day | None = None,
    as_of: Day | None = None,
    known_at: Instant | None = None,
    customer: Id | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 100,
    after_entry: Annotated[int, Field(ge=0)] = 0,
) -> Any:
    """An account's lines with their running balance; `next_after_entry` goes on."""
    seen: dict[str, Any] = {"since": since, "as_of": as_of, "known_at": known_at, "customer": customer}
    found = account_book(call.session, code, **seen, limit=limit, after_entry=after_entry)
    lines = list(found["lines"])
    last = lines[-1]["entry"] if lines else 0
    more = bool(lines) and account_lines(call.session, code, **seen, limit=1, after_entry=last)["lines"]
    return {**found, "lines": lines, "next_after_entry": last if more else None}


@ledger.list("/ledger/entries", command="ledger find", row=EntryFound)
def find(
    call: Call,
    *,
    from_on: Day | None = None,
    to_on: Day | None = None,
    from_yen: Yen | None = None,
    to_yen: Yen | None = None,
    account: Id | None = None,
    late_after: Annotated[int, Field(ge=0, le=10_000)] = 7,
    late_only: bool = False,
    number: Number | None = None,
    reference: Id | None = None,
) -> Listing:
    """Entries by day, sum, account, number and event, all conditions together; late ones are marked (電子帳簿保存法).

    `reference`: what an entry was posted for, as its key says it: receipt:12, attempt:7, bank:3.
    """
    sought = Sought(from_on, to_on, from_yen, to_yen, account, late_after, late_only, number, reference)

    def read(limit: int, after: str) -> list[EntryFound]:
        return entries_found(call.session, sought, limit=limit, after=number_in(after) or 0)

    return Listing(read)


@ledger.question("/ledger/entries/{number}", command="ledger entry", answer=dict[str, Any])
def entry(call: Call, number: Number) -> Any:
    """An entry: its lines, the rule that made it, the event and the document behind it."""
    return explain_entry(call.session, number)


@ledger.question("/ledger/deferred", command="ledger deferred", answer=dict[str, Any])
def deferred(call: Call, *, month: MonthText | None = None) -> Any:
    """2120, what is owed in service: its movements in a month, and when the rest becomes revenue."""
    about = Month.parse(month) if month else Month.of(call.today)
    with one_snapshot(call.session):
        found = contract_liability(call.session, about, call.today)
    return {**asdict(found), "month": str(about), "movements": found.movements}


@ledger.list("/ledger/chart", command="ledger trial", row=dict[str, Any])
def chart(call: Call) -> Any:
    """The chart of accounts."""
    return whole(chart_rows(), "code")


@ledger.question("/ledger/rules", command="ledger trial", answer=list[dict[str, Any]])
def rules(call: Call) -> Any:
    """By which rule each event is booked."""
    return rule_rows()


@ledger.act("/ledger/entries", command="ledger post", answer=dict[str, Any], four_eyes=True)
def post(call: Call, *, lines: Legs, ground: Ground, on: Day | None = None) -> Any:
    """Post an entry by hand: account -> yen, debit positive, in all zero. Another person approves it."""
    made = call.billing.post_by_hand(lines, on or call.today, by=call.author, ground=ground, now=call.now)
    return _where(call, made)


@ledger.act("/ledger/entries/{number}/reverse", command="ledger reverse", answer=dict[str, Any], four_eyes=True)
def reverse(call: Call, number: Number, *, ground: Ground, on: Day | None = None) -> Any:
    """Take an entry back by its opposite. Another person approves it; a warning names the better act, if one is."""
    warned = warning(call.session, number)
    made = take_back(call.session, number, on or call.today, call.author, ground, call.now)
    return {**_where(call, made), "reverses": number, "warning": warned}


def _where(call: Call, made: int) -> dict[str, Any]:
    found = landed(call.session, made)
    return {"entry": made, "posted_on": found.posted_on, "belongs_to": found.belongs_to}
