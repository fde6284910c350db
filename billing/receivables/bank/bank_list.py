"""Incoming payments as people look through them. Read only."""

from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import WAITING
from keizoku.billing.receivables.read_models import BankActView, BankLineView, BankPayment
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line


def line_count(session: Session, *, open_only: bool = False) -> int:
    """How many incoming payments `lines` has in all."""
    return session.scalar(sa.select(sa.func.count()).select_from(_incoming(open_only).subquery())) or 0


def _incoming(open_only: bool) -> sa.Select[Any]:
    newest = (
        sa.select(bank_act)
        .where(bank_act.c.line_id == bank_line.c.id)
        .order_by(bank_act.c.id.desc())
        .limit(1)
        .lateral("newest")
    )
    query = sa.select(bank_line, newest.c.kind, newest.c.account, newest.c.author, newest.c.ground).outerjoin(
        newest, sa.true()
    )
    received = bank_line.c.posts & (bank_line.c.direction == "in")
    query = query.where(sa.or_(received, newest.c.kind.in_(("posted", "matched", "unmatched"))))
    query = query.where(bank_line.c.direction == "in", newest.c.kind.is_distinct_from("taken_back"))
    if open_only:
        query = query.where(sa.or_(newest.c.kind.is_(None), newest.c.kind.in_(WAITING)))
    return query


def lines(
    session: Session, *, open_only: bool = False, limit: int | None = None, after: int | None = None
) -> list[BankPayment]:
    """Every incoming payment, oldest first: whose it is, who said so, or why nobody was found.

    At most `limit`, after the payment `after`, which need no longer be in the list.
    """
    place = sa.tuple_(bank_line.c.paid_on, bank_line.c.id)
    query = _incoming(open_only).order_by(bank_line.c.paid_on, bank_line.c.id).limit(limit)
    if after is not None:
        last = bank_line.alias("last")
        query = query.where(place > sa.select(last.c.paid_on, last.c.id).where(last.c.id == after).scalar_subquery())
    return [
        BankPayment(
            id=row.id,
            paid_on=row.paid_on,
            yen=row.yen,
            payer=row.payer,
            reference=row.reference,
            state="open" if row.kind is None or row.kind in WAITING else row.kind,
            account=row.account if row.kind == "matched" else None,
            by=row.author,
            why=row.ground or row.doubt,
        )
        for row in session.execute(query)
    ]


def statement_count(session: Session, account: str | None = None) -> int:
    """How many lines `statement_lines` has in all."""
    return session.scalar(sa.select(sa.func.count()).select_from(_book(account).subquery())) or 0


def statement_lines(
    session: Session,
    account: str | None = None,
    *,
    file: str | None = None,
    line: int | None = None,
    limit: int | None = None,
    after: int | None = None,
) -> list[BankLineView]:
    """Every line of the bank's book, in and out, in any currency, oldest first, and what became of it.

    At most `limit`, behind the line `after`. `account`: of one account at the bank. `file`: that came first with the
    file of this digest (MoneyImport.digest). `line`: this one alone.
    """
    query = _book(account).order_by(bank_line.c.paid_on, bank_line.c.id).limit(limit)
    if file is not None:
        query = query.where(bank_line.c.file_digest == file)
    if line is not None:
        query = query.where(bank_line.c.id == line)
    if after is not None:
        last = bank_line.alias("last")
        place = sa.tuple_(bank_line.c.paid_on, bank_line.c.id)
        query = query.where(place > sa.select(last.c.paid_on, last.c.id).where(last.c.id == after).scalar_subquery())
    return [
        BankLineView(
            id=row.id,
            bank_account=row.bank_account,
            paid_on=row.paid_on,
            direction=row.direction,
            amount=row.yen or row.foreign_amount,
            currency=row.currency,
            payer=row.payer,
            reference=row.reference,
            balance=row.balance,
            state=_state(row),
            account=row.account if row.kind == "matched" else None,
            about=row.about,
            by=row.author,
            why=row.ground or row.doubt,
            source=f"{row.source}:{row.line}",
        )
        for row in session.execute(query)
    ]


def acts_of(session: Session, line: int) -> list[BankActView]:
    """What became of a line, act by act, oldest first."""
    rows = session.execute(sa.select(bank_act).where(bank_act.c.line_id == line).order_by(bank_act.c.id))
    return [
        BankActView(
            kind=row.kind, account=row.account, receipt=row.receipt_id, about=row.about, by=row.author, why=row.ground,
            recorded_at=row.recorded_at,
        )
        for row in rows
    ]  # fmt: skip


def _book(account: str | None) -> sa.Select[Any]:
    newest = (
        sa.select(bank_act)
        .where(bank_act.c.line_id == bank_line.c.id)
        .order_by(bank_act.c.id.desc())
        .limit(1)
        .lateral("newest")
    )
    query = sa.select(
        bank_line, newest.c.kind, newest.c.account, newest.c.author, newest.c.ground, newest.c.about
    ).outerjoin(newest, sa.true())
    return query if account is None else query.where(bank_line.c.bank_account == account)


def _state(row: sa.Row[Any]) -> str:
    """What a line is: the newest act says; else where it waits, or why it is in no books."""
    if row.kind is not None and row.kind not in WAITING:
        return str(row.kind)
    if row.kind is not None or row.posts:
        return "open"
    if row.state != "booked":
        return str(row.state)
    return "left out" if row.currency == "JPY" else "not in yen"
