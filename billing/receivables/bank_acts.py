"""What became of each incoming payment, act by act.

    waits for its payer ── matched, returned, payout ──> done ── unmatched ──> waits again

Always holds: a payment that does not wait has one act that ended its wait. Nothing here commits.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.terms.refusal import Refused


def open_line(session: Session, line_id: int) -> sa.Row[Any]:
    """The payment, locked. Refused where there is none or it does not wait for its payer."""
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one_or_none()
    if line is None or not _is_open(session, line_id):
        session.rollback()
        see = "(see `keizoku bank list`)"
        if line is None:
            raise Refused("transfer.unknown", f"payment {line_id}: there is none", see)
        raise Refused("transfer.settled", f"payment {line_id}: it already has its payer, or went back", see)
    return line


def note_act(
    session: Session,
    line_id: int,
    kind: str,
    now: datetime,
    by: str,
    ground: str | None,
    account: str | None = None,
    receipt_id: int | None = None,
) -> int:
    """Note what became of a payment; the id of the row."""
    query = sa.insert(bank_act).values(
        line_id=line_id,
        kind=kind,
        change=1 if kind == "unmatched" else -1,
        account=account,
        receipt_id=receipt_id,
        author=by,
        ground=ground,
        recorded_at=now,
    )
    return int(session.execute(query.returning(bank_act.c.id)).scalar_one())


def _is_open(session: Session, line_id: int) -> int:
    """1 where the payment waits for its payer, 0 where it has one or went back."""
    query = sa.select(1 + sa.func.coalesce(sa.func.sum(bank_act.c.change), 0)).where(bank_act.c.line_id == line_id)
    return int(session.execute(query).scalar_one())
