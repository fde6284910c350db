"""Incoming payments as people look through them. Read only."""

from typing import Any

import sqlalchemy as sa

from keizoku.billing.receivables.read_models import BankPayment
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
    if open_only:
        query = query.where(sa.or_(newest.c.kind.is_(None), newest.c.kind == "unmatched"))
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
            state="open" if row.kind in (None, "unmatched") else row.kind,
            account=row.account if row.kind == "matched" else None,
            by=row.author,
            why=row.ground or row.doubt,
        )
        for row in session.execute(query)
    ]
