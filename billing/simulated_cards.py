"""What happens to simulated cards later, for scenarios and tests: a charge is disputed, a refund comes back."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from billing.gateway.port import Gateway
from billing.gateway.simulated import SimulatedGateway
from billing.refusal import Refused
from db.session import Session
from db.tables.contracts import term
from db.tables.gateway import gateway_event
from db.tables.money import attempt, invoice
from terms.calendar import day_start_at


def dispute(
    session: Session, gateway: Gateway, account: str, term_on: date, outcome: str, decided_on: date, now: datetime
) -> None:
    """The cardholder disputes the last charge of the term that began on a day; the gateway tells of it; commits.

    Raises Refused where no card paid the term, or cards are real.
    """
    if not isinstance(gateway, SimulatedGateway):
        raise Refused(f"disputes of real cards come from {gateway.name} itself: `keizoku payments disputes`")
    charged: str | None = session.execute(
        sa.select(attempt.c.gateway_id)
        .join(invoice, invoice.c.id == attempt.c.invoice_id)
        .join(term, term.c.id == invoice.c.term_id)
        .where(term.c.account == account, term.c.starts_on == term_on, attempt.c.outcome == "succeeded")
        .order_by(attempt.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if charged is None:
        raise Refused(f"account {account}: no card paid the term of {term_on}, so nothing can be disputed")
    dispute_id = gateway.open_dispute(charged, outcome, now, max(now, day_start_at(decided_on)))
    told = {"id": f"sim_evt_{dispute_id}", "kind": "charge.dispute.created", "about": dispute_id}
    session.execute(
        insert(gateway_event)
        .values(**told, happened_at=now, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["id"])
    )
    session.commit()


def fail_refunds(session: Session, gateway: Gateway, account: str, now: datetime) -> None:
    """What went back to the account's card comes back, and nothing goes there any more; the gateway tells; commits.

    Raises Refused where cards are real.
    """
    if not isinstance(gateway, SimulatedGateway):
        raise Refused(f"failed refunds of real cards come from {gateway.name} itself: `keizoku payments refunds`")
    for refund_id in gateway.fail_refunds(account, now):
        told = {"id": f"sim_evt_{refund_id}", "kind": "refund.failed", "about": refund_id}
        session.execute(
            insert(gateway_event)
            .values(**told, happened_at=now, recorded_at=now)
            .on_conflict_do_nothing(index_elements=["id"])
        )
    session.commit()
