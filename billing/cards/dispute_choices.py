"""What people choose a lost dispute to mean, and the list of disputes that they see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.cards.dispute_booking import CLAIM_STAYS, ENDED, SALE_VOIDED, charge_of, chosen, void
from keizoku.billing.dunning.write_off import Act
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.session import Session
from keizoku.db.tables.gateway import dispute_choice, gateway_dispute
from keizoku.db.tables.money import invoice, payment_attempt
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

UNDECIDED = ("inquiry", "open")
"""States of a dispute whose end is not known."""


def choose(session: Session, rules: Rules, dispute_id: str, choice: str, act: Act, now: datetime) -> str:
    """People choose what a loss of this dispute means, before or after it is lost; commits; the account.

    Raises Refused where the dispute is unknown or all of its money is back, or what was chosen cannot be had any more.
    """
    rows = session.execute(
        sa.select(gateway_dispute).where(gateway_dispute.c.dispute == dispute_id).order_by(gateway_dispute.c.number)
    ).all()
    last = rows[-1] if rows else None
    open_once = any(row.state == "open" and row.attempt_id is not None for row in rows)
    charge = charge_of(session, rows[-1].payment) if open_once else None
    won = last is not None and last.state == "won" and last.returned >= last.amount
    if last is None or charge is None or won:
        session.rollback()
        see = "(see `keizoku payments disputes`)"
        if won:
            raise Refused("dispute.won", f"dispute {dispute_id}: it was won", see)
        raise Refused("dispute.unknown", f"dispute {dispute_id}: no charge of ours is known under it", see)
    lock_accounts(session, [charge.account])
    session.execute(
        sa.insert(dispute_choice).values(
            dispute=dispute_id, choice=choice, author=act.by, ground=act.ground, recorded_at=now
        )
    )
    if last.state in ENDED:
        fee = session.execute(sa.select(invoice).where(invoice.c.id == charge.invoice_id)).one()
        if choice == SALE_VOIDED and fee.state != "void":
            if not fee.open_yen:
                session.rollback()
                raise Refused(
                    "dispute.paid_since", f"dispute {dispute_id}: invoice {fee.id} was paid since; the sale stands"
                )
            void(session, rules, dispute_id, charge, act, 0, jst_day(now), now)
        elif choice == CLAIM_STAYS and fee.state == "void":
            session.rollback()
            raise Refused(
                "dispute.sale_void", f"dispute {dispute_id}: the sale is void already; what is void is not owed again"
            )
    session.commit()
    return charge.account


@dataclass(frozen=True, slots=True, eq=False)
class DisputeRow(ReadModel):
    """A dispute with its newest state; `choice` is what people chose its loss to mean, amounts are whole yen.

    `yen` is what left the balance (or is asked about), `returned_yen` what of it has come back.
    """

    dispute: str
    state: str
    account: str | None
    invoice: int | None
    yen: int
    returned_yen: int
    fee_yen: int
    opened_at: datetime | None
    decided_at: datetime | None
    choice: str | None


def disputes(session: Session) -> list[DisputeRow]:
    """Every dispute with its newest state, the open ones first."""
    rows: Sequence[Any] = session.execute(
        sa.select(gateway_dispute, payment_attempt.c.account, payment_attempt.c.invoice_id)
        .outerjoin(payment_attempt, payment_attempt.c.id == gateway_dispute.c.attempt_id)
        .where(gateway_dispute.c.currency == "jpy")
        .order_by(gateway_dispute.c.id)
    ).all()
    newest = {row.dispute: row for row in rows}
    opened = {row.dispute: row.happened_at for row in reversed(rows) if row.state == "open"}
    found = []
    for row in sorted(newest.values(), key=lambda each: (each.state not in UNDECIDED, each.id)):
        choice = chosen(session, row.dispute)
        found.append(
            DisputeRow(
                dispute=row.dispute,
                state=row.state,
                account=row.account,
                invoice=row.invoice_id,
                yen=row.amount,
                returned_yen=row.returned,
                fee_yen=row.fee,
                opened_at=opened.get(row.dispute),
                decided_at=None if row.state in UNDECIDED else row.happened_at,
                choice=None if choice is None else choice.choice,
            )
        )
    return found
