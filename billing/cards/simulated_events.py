"""What happens to simulated cards later, for scenarios and tests: a charge is disputed, a refund comes back."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway.port import Gateway
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import Session
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import gateway_event
from keizoku.db.tables.money import invoice, payment_attempt
from keizoku.terms.calendar import day_start_at
from keizoku.terms.refusal import Refused


def dispute(
    session: Session, gateway: Gateway, account: str, term_on: date, outcome: str, decided_on: date, now: datetime
) -> None:
    """The cardholder disputes the last charge of the term that began on a day; the gateway tells of it; commits.

    Raises Refused where no card paid the term, or cards are real.
    """
    simulated = _simulated(gateway, "disputes of real cards", "disputes")
    charged: str | None = session.execute(
        sa.select(payment_attempt.c.gateway_id)
        .join(invoice, invoice.c.id == payment_attempt.c.invoice_id)
        .join(term, term.c.id == invoice.c.term_id)
        .where(term.c.account == account, term.c.starts_on == term_on, payment_attempt.c.outcome == "succeeded")
        .order_by(payment_attempt.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if charged is None:
        raise Refused(
            "dispute.no_card_payment",
            f"account {account}: no card paid the term of {term_on}, so nothing can be disputed",
        )
    dispute_id = simulated.open_dispute(charged, outcome, now, max(now, day_start_at(decided_on)))
    _tell(session, "charge.dispute.created", dispute_id, now)
    session.commit()


def fail_refunds(session: Session, gateway: Gateway, account: str, now: datetime) -> None:
    """What went back to the account's card comes back, and nothing goes there any more; the gateway tells; commits.

    Raises Refused where cards are real.
    """
    for refund_id in _simulated(gateway, "failed refunds of real cards", "refunds").fail_refunds(account, now):
        _tell(session, "refund.failed", refund_id, now)
    session.commit()


def _simulated(gateway: Gateway, what: str, command: str) -> SimulatedGateway:
    if not isinstance(gateway, SimulatedGateway):
        raise Refused(
            "gateway.not_simulated", f"{what} come from {gateway.name} itself", f": `keizoku payments {command}`"
        )
    return gateway


def _tell(session: Session, kind: str, about: str, now: datetime) -> None:
    """The gateway's event, once."""
    session.execute(
        insert(gateway_event)
        .values(id=f"sim_evt_{about}", kind=kind, about=about, happened_at=now, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["id"])
    )
