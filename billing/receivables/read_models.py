"""What is answered about money received: payments of the bank, references that payers can state, terms of stores."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from keizoku.terms.read_model import JapanInstant, Key, ReadModel


@dataclass(frozen=True, slots=True, eq=False)
class BankPayment(ReadModel):
    """An incoming payment: whose it is, who said so, or why nobody was found."""

    id: int
    paid_on: date
    yen: int
    payer: str
    reference: str
    state: str
    account: str | None
    by: str | None
    why: str | None


@dataclass(frozen=True, slots=True, eq=False)
class BankLineView(ReadModel):
    """A line of the bank's book: `amount` in minor units of its currency, `about` what it is joined to."""

    id: int
    bank_account: str
    paid_on: date
    direction: str
    amount: int
    currency: str
    payer: str
    reference: str
    balance: int | None
    state: str
    account: str | None
    about: str | None
    by: str | None
    why: str | None
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class BankActView(ReadModel):
    """An act about a line of the bank: who said what it is, and why; `receipt` is the payment that it became."""

    kind: str
    account: str | None
    receipt: int | None
    about: str | None
    by: str
    why: str | None
    recorded_at: JapanInstant


@dataclass(frozen=True, slots=True, eq=False)
class PayerReference(ReadModel):
    """A reference that a payer can state: the account's own, or that of an open invoice and its term."""

    reference: str
    kind: Annotated[str, Key("for")]
    term: date | None
    open_yen: int | None


@dataclass(frozen=True, slots=True, eq=False)
class StoreTerm(ReadModel):
    """A term that a store began for us: its price, what the store reported of it, what it paid out; whole yen."""

    id: int
    account: str
    term: date
    price: int
    store: str | None
    gross: int | None
    fee: int | None
    fee_tax: int | None
    paid_out: int | None
    paid_out_on: date | None
    payout_id: str | None
