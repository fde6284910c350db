"""What hosts, support and scenarios are answered about one account: a frozen value for each question.

Amounts are whole yen, days JST dates, terms (first day, first day after). `account_views` asks for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from keizoku.billing.rules.contract_state import State
from keizoku.terms.read_model import IF_KNOWN, ReadModel

Term = tuple[date, date]


@dataclass(frozen=True, slots=True, eq=False)
class ContractView(ReadModel):
    """The latest contract of an account; `state` is None where it never applied for any.

    `ended_on` is the first day without it, `reason` why it was rejected or is over.
    """

    access: bool
    term: Term | None
    renews: bool
    method: str | None
    ended_on: date | None
    reason: str | None
    state: State | None


NO_CONTRACT = ContractView(False, None, False, None, None, None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Owed(ReadModel):
    """What an account owes at an instant, and what we hold of it as a deposit."""

    principal: int
    interest: int
    costs: int
    total: int
    deposit: int


@dataclass(frozen=True, slots=True, eq=False)
class InvoiceView(ReadModel):
    """An invoice: its total, the credits taken off, what was charged with the tax in it, and the price of its term."""

    id: int
    term: Term
    total: int
    credit: int
    charged: int
    tax: int
    state: str
    due: date
    paid_on: date | None
    price: int


@dataclass(frozen=True, slots=True, eq=False)
class AttemptView(ReadModel):
    """An attempt at a charge: `outcome` is succeeded, unknown, or the gateway's code of refusal."""

    on: date
    yen: int
    outcome: str


@dataclass(frozen=True, slots=True, eq=False)
class CountAndYen(ReadModel):
    """How many there were, and what they come to."""

    count: int
    yen: int


@dataclass(frozen=True, slots=True, eq=False)
class DemandView(ReadModel):
    """A demand for late interest: its day, and what was new in it."""

    on: date
    interest: int


@dataclass(frozen=True, slots=True, eq=False)
class NoticeView(ReadModel):
    """A notice that was written to the user."""

    on: date
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class CreditView(ReadModel):
    """SLA credits of an account: what is left of them, what was taken off invoices, what went back."""

    available: int
    applied: int
    refunded: int


@dataclass(frozen=True, slots=True, eq=False)
class JournalView(ReadModel):
    """Whether every entry sums to zero, and the balance of each account of the books, debit positive."""

    balanced: bool
    balances: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class UnknownCharge(ReadModel):
    """A charge without an answer, and what is still open of its invoice."""

    attempt: int
    account: str
    invoice: int
    yen: int
    still_open_yen: int
    sent_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class UnpaidInvoice(ReadModel):
    """An invoice of which something was open on a day."""

    invoice: int
    term_on: date
    due_on: date
    open_yen: int


@dataclass(frozen=True, slots=True, eq=False)
class AccountState(ReadModel):
    """Contract, debts, what comes if nothing more is paid, credits and deposit, at one moment."""

    state: State | None
    access: bool
    plan: str | None
    method: str | None
    price_yen: int | None
    term: Term | None
    ended_on: date | None
    reason: str | None
    unpaid_yen: int
    interest_yen: int
    days_overdue: int
    unpaid: tuple[UnpaidInvoice, ...]
    suspends_on: date | None
    terminates_on: date | None
    credit_yen: int
    deposit_yen: int
    held_until: Annotated[date | None, IF_KNOWN] = None  # people hold it back up to this day
