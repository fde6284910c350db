"""The simulated gateway's books, made from what its cards did: charges and refunds, each with its fee.

The fee is a share of the amount in thousandths, rounded down, exempt from tax; by default there is none. Product keys
are sold through it too, so what people recorded as sold or paid back is there under the event's key. It pays nothing
out: what it collected stays in the clearing account.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.gateway.books import Dispute, GatewayEvent, Movement, Payout
from keizoku.billing.gateway.port import UnansweredError
from keizoku.db.session import Session
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.gateway import balance_transaction, simulated_dispute
from keizoku.db.tables.simulated import simulated_charge, simulated_refund
from keizoku.terms.calendar import day_start_at, jst_day


class SimulatedBooks:
    """Reads the tables simulated_* as a gateway's account, as it stands at `now`.

    A simulated clock goes its own way, so what is new is what is not recorded yet, whenever it happened.
    """

    def __init__(self, session: Session, now: datetime, fee_per_mille: int = 0) -> None:
        self._session = session
        self._now = now
        self._fee_per_mille = fee_per_mille

    def server_now(self) -> datetime | None:
        """It has no clock of its own."""
        return None

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        """None: nothing happens there that we did not ask for."""
        return iter(())

    def movements(self, since: datetime) -> Iterator[Movement]:
        """Charges that succeeded, sales of keys, refunds, disputes, as far as they are not recorded."""
        charges = sa.select(simulated_charge).where(
            simulated_charge.c.answer == "succeeded", _new("sim_txn_ch_", simulated_charge.c.id)
        )
        for row in self._session.execute(charges.order_by(simulated_charge.c.id)).all():
            fee = row.yen * self._fee_per_mille // 1000
            charge = f"sim_ch_{row.id}"
            yield _movement(f"sim_txn_ch_{row.id}", "charge", row.yen, fee, (charge, charge, row.key), row.created_at)
        yield from self._keys()
        refunds = sa.select(simulated_refund).where(_new("sim_txn_re_", simulated_refund.c.id))
        for row in self._session.execute(refunds.order_by(simulated_refund.c.id)).all():
            behind = (f"sim_re_{row.id}", f"sim_ch_{row.charge_id}", row.key)
            yield _movement(f"sim_txn_re_{row.id}", "refund", -row.yen, 0, behind, row.created_at)
        failed = sa.select(simulated_refund).where(
            simulated_refund.c.failed_at <= self._now, _new("sim_txn_rf_", simulated_refund.c.id)
        )
        for row in self._session.execute(failed.order_by(simulated_refund.c.id)).all():
            behind = (f"sim_re_{row.id}", f"sim_ch_{row.charge_id}", row.key)
            yield _movement(f"sim_txn_rf_{row.id}", "refund_failure", row.yen, 0, behind, row.failed_at)
        yield from self._disputes()

    def _keys(self) -> Iterator[Movement]:
        sold = (
            sa.select(entry.c.id, entry.c.event_key, entry.c.posted_on, line.c.yen, entry.c.recorded_at)
            .join(line, line.c.entry_id == entry.c.id)
            .where(
                entry.c.event.in_(("key_sold", "key_revoked")),
                line.c.code == "1131",
                _new("sim_txn_key_", entry.c.id),
            )
            .order_by(entry.c.id)
        )
        for row in self._session.execute(sold).all():
            at = row.recorded_at if jst_day(row.recorded_at) == row.posted_on else day_start_at(row.posted_on)
            kind, sale = "charge" if row.yen > 0 else "refund", f"sim_key_{row.id}"
            yield _movement(f"sim_txn_key_{row.id}", kind, row.yen, 0, (sale, sale, row.event_key), at)

    def _disputes(self) -> Iterator[Movement]:
        for part, sign, at, also in (
            ("out", -1, simulated_dispute.c.opened_at, sa.true()),
            ("in", 1, simulated_dispute.c.decided_at, simulated_dispute.c.outcome == "won"),
        ):
            moved = sa.select(simulated_dispute, at.label("at")).where(
                also, at <= self._now, _new(f"sim_txn_dp_{part}_", simulated_dispute.c.id)
            )
            for row in self._session.execute(moved.order_by(simulated_dispute.c.id)).all():
                behind = (f"sim_dp_{row.charge_id}", f"sim_ch_{row.charge_id}", None)
                yield _movement(f"sim_txn_dp_{part}_{row.id}", "adjustment", sign * row.yen, 0, behind, row.at)

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """None."""
        return iter(())

    def payout(self, payout: str) -> Payout | None:
        """None."""
        return None

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        """None: the events of a simulated dispute are recorded where it is begun (simulated_events)."""
        return iter(())

    def movements_of(self, payout: str) -> Sequence[str]:
        """None."""
        return ()

    def dispute(self, dispute: str) -> Dispute:
        """There are no disputes in these books."""
        raise UnansweredError(f"no dispute {dispute}")


def _new(prefix: str, number: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return ~sa.exists().where(balance_transaction.c.id == sa.func.concat(prefix, number))


def _movement(
    movement: str, kind: str, amount: int, fee: int, behind: tuple[str, str, str | None], at: datetime
) -> Movement:
    """A balance transaction; `behind` it are its source, its payment and our key."""
    source, payment, our_key = behind
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
        our_key=our_key,
        happened_at=at,
        available_at=at,
    )
