"""The simulated gateway's books, made from what its cards did: charges and refunds, each with its fee.

The fee is a share of the amount in thousandths, rounded down, exempt from tax; by default there is none. It pays
nothing out: what it collected stays in the clearing account.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from billing.gateway.books import Dispute, GatewayEvent, Movement, Payout
from billing.gateway.port import UnansweredError
from db.session import Session
from db.tables.money import simulated_charge, simulated_refund


class SimulatedBooks:
    """Reads the tables simulated_* as a gateway's account."""

    def __init__(self, session: Session, fee_per_mille: int = 0) -> None:
        self._session = session
        self._fee_per_mille = fee_per_mille

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        """None: nothing happens there that we did not ask for."""
        return iter(())

    def movements(self, since: datetime) -> Iterator[Movement]:
        """Charges that succeeded, and refunds, from an instant on."""
        charges = sa.select(simulated_charge).where(
            simulated_charge.c.answer == "succeeded", simulated_charge.c.created_at >= since
        )
        for row in self._session.execute(charges.order_by(simulated_charge.c.id)).all():
            fee = row.yen * self._fee_per_mille // 1000
            charge_id = f"sim_ch_{row.id}"
            yield _movement(f"sim_txn_ch_{row.id}", "charge", row.yen, fee, charge_id, charge_id, row)
        refunds = sa.select(simulated_refund).where(simulated_refund.c.created_at >= since)
        for row in self._session.execute(refunds.order_by(simulated_refund.c.id)).all():
            payment = f"sim_ch_{row.charge_id}"
            yield _movement(f"sim_txn_re_{row.id}", "refund", -row.yen, 0, f"sim_re_{row.id}", payment, row)

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """None."""
        return iter(())

    def movements_of(self, payout: str) -> Sequence[str]:
        """None."""
        return ()

    def dispute(self, dispute: str) -> Dispute:
        """There are no disputes in these books."""
        raise UnansweredError(f"no dispute {dispute}")


def _movement(
    movement: str, kind: str, amount: int, fee: int, source: str, payment: str, row: sa.Row[tuple[object, ...]]
) -> Movement:
    return Movement(
        id=movement,
        kind=kind,
        amount=amount,
        fee=fee,
        fee_tax=0,
        net=amount - fee,
        currency="jpy",
        source=source,
        payment=payment,
        our_key=row.key,
        happened_at=row.created_at,
        available_at=row.created_at,
    )
