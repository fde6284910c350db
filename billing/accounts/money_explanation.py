"""Where each yen of one payment, one credit or one refund went: the rows that were written for it, read again.

    a payment ── costs, interest, fees by invoice, the rest a deposit ──> what took it back, what came of earlier days
    a credit  ── its award and claim ──> invoices that it reduced, refunds to cards, what is left
    a refund  ── of a credit or of an overpayment, to the card that paid ──> its answer

Read only; decides nothing. JST days, whole yen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act
from keizoku.db.tables.books import entry
from keizoku.db.tables.claims import award
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import (
    allocation,
    credit,
    credit_application,
    credit_extinguishment,
    credit_refund,
    deposit_use,
    payment_attempt,
    receipt,
)
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused

__all__ = ["CreditStory", "ReceiptStory", "RefundStory", "explain_credit", "explain_receipt", "explain_refund"]

MOST: Final = 200
"""Rows of a list that are told."""


@dataclass(frozen=True, slots=True, eq=False)
class MoneyPart(ReadModel):
    """What a part of a payment became: costs, interest, principal or deposit; below zero: taken back."""

    kind: str
    invoice: int | None
    yen: int
    on: date


@dataclass(frozen=True, slots=True, eq=False)
class OtherReceipt(ReadModel):
    """Another payment of the account: its money's day, and when it was recorded."""

    receipt: int
    yen: int
    received_on: date
    recorded_at: JapanInstant


@dataclass(frozen=True, slots=True, eq=False)
class DepositMoved(ReadModel):
    """What became of what the account had too much: applied, refunded; below zero: it came back."""

    kind: str
    yen: int
    on: date
    author: str | None
    ground: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ReceiptStory(ReadModel):
    """A payment: where each yen went. `bank_payment` is the bank's line that it came by.

    `takes_back` and `taken_back_by` are payments that mirror each other; `earlier` came to be known after it and count
    from an earlier day, so that all was worked out again in the order of days; `later` are those whose turn came then.
    """

    receipt: int
    account: str
    yen: int
    via: str
    received_on: date
    recorded_at: JapanInstant
    costs_yen: int
    costs_proof: str | None
    for_term_on: date | None
    bank_payment: int | None
    takes_back: int | None
    taken_back_by: int | None
    parts: tuple[MoneyPart, ...]
    earlier: tuple[OtherReceipt, ...]
    later: tuple[OtherReceipt, ...]
    deposit: tuple[DepositMoved, ...]
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CreditUse(ReadModel):
    """A part of a credit that reduced an invoice; below zero: that was taken back."""

    invoice: int
    yen: int
    on: date


@dataclass(frozen=True, slots=True, eq=False)
class CreditSentBack(ReadModel):
    """A part of a credit that went to a card."""

    refund: str
    yen: int
    on: date
    outcome: str | None


@dataclass(frozen=True, slots=True, eq=False)
class CreditStory(ReadModel):
    """A credit: of which month and claim, how it was reckoned, what it reduced, what is left."""

    credit: int
    account: str
    month: str
    claim: str
    rate: str
    seconds: int
    fee_basis: str
    total_yen: int
    granted_yen: int
    available_yen: int
    granted_on: date
    usable_from: date
    uses: tuple[CreditUse, ...]
    refunds: tuple[CreditSentBack, ...]
    deposit: tuple[DepositMoved, ...]
    performed_otherwise: bool
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RefundStory(ReadModel):
    """A refund to a card: of a credit or an overpayment, from which charge, and what the gateway answered."""

    refund: str
    of: str
    account: str
    yen: int
    credit: int | None
    attempt: int
    invoice: int
    requested_at: JapanInstant
    outcome: str | None
    code: str | None
    gateway_id: str | None
    settled_on: date | None
    failed_on: date | None
    failed_code: str | None


def explain_receipt(session: Session, number: int) -> ReceiptStory:
    """A payment by the number of its receipt. Raises Refused where there is none."""
    row = session.execute(sa.select(receipt).where(receipt.c.id == number)).one_or_none()
    if row is None:
        raise Refused("receipt.unknown", f"payment received {number}: there is none", "(see `keizoku bank list`)")
    noted(row.account, "explain receipt")
    parts = session.execute(
        sa.select(allocation)
        .where(allocation.c.account == row.account, allocation.c.receipt_id == number)
        .order_by(allocation.c.id)
    )
    mirror = session.execute(sa.select(receipt.c.id).where(receipt.c.reverses == number)).scalar_one_or_none()
    line = session.execute(_LINE_OF, {"receipt": number}).scalar_one_or_none()
    others = sa.select(receipt).where(receipt.c.account == row.account, receipt.c.reverses.is_(None))
    after = sa.or_(receipt.c.recorded_at > row.recorded_at, receipt.c.id > number)
    before = sa.or_(receipt.c.recorded_at < row.recorded_at, receipt.c.id < number)
    earlier = session.execute(
        others.where(after, receipt.c.received_on < row.received_on).order_by(receipt.c.id).limit(MOST)
    )
    later = session.execute(
        others.where(before, receipt.c.received_on > row.received_on).order_by(receipt.c.id).limit(MOST)
    )
    return ReceiptStory(
        receipt=row.id,
        account=row.account,
        yen=row.yen,
        via=row.via,
        received_on=row.received_on,
        recorded_at=row.recorded_at,
        costs_yen=row.costs_yen,
        costs_proof=row.costs_proof,
        for_term_on=row.for_term_on,
        bank_payment=line,
        takes_back=row.reverses,
        taken_back_by=mirror,
        parts=tuple(MoneyPart(each.kind, each.invoice_id, each.yen, each.allocated_on) for each in parts),
        earlier=tuple(_other(each) for each in earlier),
        later=tuple(_other(each) for each in later),
        deposit=_deposit(session, deposit_use.c.account == row.account),
        entries=_entries(session, f"receipt:{number}", f"receipt:{number}:deposit"),
    )


def explain_credit(session: Session, number: int) -> CreditStory:
    """A credit by its number. Raises Refused where there is none."""
    query = sa.select(credit, award.c.claim_id, award.c.rate, award.c.seconds, award.c.fee_basis)
    row = session.execute(query.join(award, award.c.id == credit.c.award_id).where(credit.c.id == number)).one_or_none()
    if row is None:
        raise Refused("credit.unknown", f"credit {number}: there is none", "(see `keizoku account show`)")
    noted(row.account, "explain credit")
    uses = session.execute(
        sa.select(credit_application).where(credit_application.c.credit_id == number).order_by(credit_application.c.id)
    )
    sent = session.execute(
        sa.select(credit_refund).where(credit_refund.c.credit_id == number).order_by(credit_refund.c.id)
    ).all()
    otherwise = sa.select(credit_extinguishment.c.id).where(credit_extinguishment.c.credit_id == number)
    return CreditStory(
        credit=row.id,
        account=row.account,
        month=row.month,
        claim=row.claim_id,
        rate=row.rate,
        seconds=row.seconds,
        fee_basis=row.fee_basis,
        total_yen=row.total_yen,
        granted_yen=row.granted_yen,
        available_yen=row.available_yen,
        granted_on=row.granted_on,
        usable_from=row.usable_from,
        uses=tuple(CreditUse(each.invoice_id, each.yen, each.applied_on) for each in uses),
        refunds=tuple(CreditSentBack(each.key, each.yen, each.requested_on, _outcome(each)) for each in sent),
        deposit=_deposit(session, deposit_use.c.credit_id == number),
        performed_otherwise=session.execute(otherwise).first() is not None,
        entries=_entries(session, f"credit:{number}", f"award:{row.award_id}", *(f"refund:{each.id}" for each in sent)),
    )


def explain_refund(session: Session, key: str) -> RefundStory:
    """A refund to a card by our key, or by the gateway's id. Raises Refused where there is none."""
    for table, of in ((credit_refund, "credit"), (overpayment_refund, "overpayment")):
        query = sa.select(table, payment_attempt.c.invoice_id).join(
            payment_attempt, payment_attempt.c.id == table.c.attempt_id
        )
        named = table.c.key == key if not key.startswith("re_") else table.c.gateway_id == key
        row = session.execute(query.where(named).limit(1)).one_or_none()
        if row is None:
            continue
        noted(row.account, "explain refund")
        return RefundStory(
            refund=row.key,
            of=of,
            account=row.account,
            yen=row.yen,
            credit=row.credit_id if of == "credit" else None,
            attempt=row.attempt_id,
            invoice=row.invoice_id,
            requested_at=row.requested_at,
            outcome=_outcome(row),
            code=row.code,
            gateway_id=row.gateway_id,
            settled_on=row.settled_on,
            failed_on=row.failed_on,
            failed_code=row.failed_code,
        )
    raise Refused("refund.none", f"refund {key}: there is none", "(see `keizoku payments refunds`)")


_LINE_OF: Final = sa.select(bank_act.c.line_id).where(bank_act.c.receipt_id == sa.bindparam("receipt")).limit(1)


def _other(row: sa.Row[Any]) -> OtherReceipt:
    return OtherReceipt(row.id, row.yen, row.received_on, row.recorded_at)


def _deposit(session: Session, of: sa.ColumnElement[bool]) -> tuple[DepositMoved, ...]:
    rows = session.execute(sa.select(deposit_use).where(of).order_by(deposit_use.c.id).limit(MOST))
    return tuple(DepositMoved(each.kind, each.yen, each.used_on, each.author, each.ground) for each in rows)


def _outcome(row: sa.Row[Any]) -> str | None:
    """What the gateway said last: a refund that had succeeded may come back."""
    return "failed" if row.failed_on is not None else row.outcome


def _entries(session: Session, *keys: str) -> tuple[int, ...]:
    """The journal's entries of these events."""
    return tuple(session.scalars(sa.select(entry.c.id).where(entry.c.event_key.in_(keys)).order_by(entry.c.id)))
