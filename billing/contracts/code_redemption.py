"""Redeeming a coupon code or a product key (premium/5.1.1.b): once, whoever comes at the same time.

    typed ──> well formed? ──> known? ──> held with the application ──> used when its contract is formed
              CodeTypoError         Refused     (free again if that comes to nothing)

The code says what it pays: its plan, its months, and for a key the price of each term.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from keizoku.billing.rules.codes import Code, CodeTypoError, read_code
from keizoku.billing.rules.payment_method import PREPAID, prepaid_terms
from keizoku.db.session import Session, numbers
from keizoku.db.tables.codes import code, code_batch, code_end, code_redemption
from keizoku.db.tables.contracts import contract, plan
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class Promise:
    """What a code pays for."""

    code_id: int
    batch: str
    kind: str
    plan: str
    months: int
    expires_on: date


def look_up(session: Session, text: str, now: datetime, *, hold: bool = False) -> Promise:
    """What a typed code pays for at this instant; `hold` locks it until the transaction ends.

    Raises Refused with what is wrong with it: a typo, unknown, redeemed, expired, revoked.
    """
    try:
        typed = read_code(text)
    except CodeTypoError as typo:
        raise Refused("code.typo", f"this is no code: {typo}") from None
    row = _find(session, typed, hold)
    if row is None:
        raise Refused("code.unknown", f"code {typed.masked}: it was never issued")
    if row.ended == "revoked":
        raise Refused("code.revoked", f"code {typed.masked}: its batch was revoked on {row.ended_on}")
    if row.ended is not None or row.expires_on < jst_day(now):
        raise Refused("code.expired", f"code {typed.masked}: it could be redeemed until {row.expires_on}")
    taken = session.execute(
        sa.select(code_redemption.c.id, code_redemption.c.redeemed_at, contract.c.id.label("waiting"))
        .outerjoin(
            contract,
            sa.and_(
                contract.c.account == code_redemption.c.account,
                contract.c.applied_at == code_redemption.c.redeemed_at,
                contract.c.rejected_at.is_(None),
            ),
        )
        .where(code_redemption.c.code_id == row.id, code_redemption.c.released_at.is_(None))
    ).first()
    if taken is not None and taken.waiting is not None:
        raise Refused("code.redeemed", f"code {typed.masked}: it was redeemed on {jst_day(taken.redeemed_at)}")
    if taken is not None and hold:
        session.execute(sa.update(code_redemption).where(code_redemption.c.id == taken.id).values(released_at=now))
    return Promise(row.id, row.name, row.kind, row.plan, row.months, row.expires_on)


def hold_code(session: Session, promise: Promise, account: str, now: datetime) -> None:
    """Keep a code for the application that the account makes at `now`; does not commit."""
    try:
        session.execute(sa.insert(code_redemption).values(code_id=promise.code_id, account=account, redeemed_at=now))
    except IntegrityError as error:
        session.rollback()
        if isinstance(error.orig, UniqueViolation):
            raise Refused("code.redeemed", f"batch {promise.batch!r}: the code was redeemed at this moment") from None
        raise


def prices_of_codes(session: Session, applications: Sequence[sa.Row[Any]]) -> dict[int, int | None]:
    """contract -> the price of each term that a code of ours pays, None for a coupon's; others are left out."""
    prepaid = [row.id for row in applications if row.method in PREPAID]
    if not prepaid:
        return {}
    rows = session.execute(
        _held(prepaid)
        .join(plan, plan.c.code == contract.c.plan)
        .add_columns(contract.c.id, code_batch.c.yen, code_batch.c.months, plan.c.interval)
    )
    return {row.id: row.yen // prepaid_terms(row.months, row.interval) or None for row in rows}


def use_codes(session: Session, contracts: dict[int, date]) -> None:
    """The contracts are formed, each on its day: the codes held for them are used. Does not commit."""
    for row in session.execute(_held(list(contracts)).add_columns(contract.c.id, code_redemption.c.id.label("held"))):
        session.execute(
            sa.update(code_redemption)
            .where(code_redemption.c.id == row.held)
            .values(contract_id=row.id, used_on=contracts[row.id])
        )


def _held(contract_ids: Sequence[int]) -> sa.Select[Any]:
    """Codes that are held for these applications."""
    return (
        sa.select()
        .select_from(contract)
        .join(
            code_redemption,
            sa.and_(
                code_redemption.c.account == contract.c.account,
                code_redemption.c.redeemed_at == contract.c.applied_at,
                code_redemption.c.released_at.is_(None),
                code_redemption.c.contract_id.is_(None),
            ),
        )
        .join(code, code.c.id == code_redemption.c.code_id)
        .join(code_batch, code_batch.c.id == code.c.batch_id)
        .where(contract.c.id == sa.any_(numbers(contract_ids)))
    )


def _find(session: Session, typed: Code, hold: bool) -> sa.Row[Any] | None:
    batch = session.execute(sa.select(code_batch.c.salt).where(code_batch.c.id == typed.batch_id)).scalar_one_or_none()
    if batch is None:
        return None
    if hold:  # a statement of its own: what is read after it sees all that the others did before
        session.execute(sa.select(code_batch.c.id).where(code_batch.c.id == typed.batch_id).with_for_update(read=True))
        session.execute(sa.select(code.c.id).where(code.c.digest == typed.digest(batch)).with_for_update())
    return session.execute(
        sa.select(code.c.id, code_batch, code_end.c.kind.label("ended"), code_end.c.ended_on)
        .join(code_batch, code_batch.c.id == code.c.batch_id)
        .outerjoin(code_end, code_end.c.code_id == code.c.id)
        .where(code.c.digest == typed.digest(batch))
    ).first()
