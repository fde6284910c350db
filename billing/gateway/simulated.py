"""A simulated card gateway, for scenarios and the demo: no card exists and no money moves.

It keeps its own books in three tables and commits on a connection of its own, so that, as with a real gateway,
what it has done stays done when the caller's transaction is lost. It honours keys: the same key answers the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway.books import Dispute, DisputeMove, KeyedAct, RefundState
from keizoku.billing.gateway.keys import invoice_in
from keizoku.billing.gateway.port import BANK_NAMES, Answer, ChargeRequest, ChargeResult, RefundRequest, RefundResult
from keizoku.db.session import plain_array, text_array, texts
from keizoku.db.tables.gateway import simulated_dispute
from keizoku.db.tables.simulated import simulated_card, simulated_charge, simulated_refund

CARD_OUTCOMES = (
    "ok",  # every charge succeeds
    "insufficient_funds",  # a soft decline: the retry schedule goes on
    "lost_card",  # a hard decline: waits for a new card
    "expired_card",  # a hard decline: waits for a new card
    "authentication_required",  # the card holder has to come back
    "timeout_after_success",  # the charge is made, the answer is lost
    "timeout_before",  # nothing is made, no answer comes
    "error_500",  # nothing is made, the answer says nothing
)
_SUCCEEDED = "succeeded"
_LOST_ANSWER = ("timeout_before", "error_500")
_Results = dict[str, ChargeResult]
_MAKE = sa.text(
    """
    INSERT INTO simulated_charge (key, account, yen, answer, created_at)
    SELECT asked.*, :at FROM unnest(
        CAST(:keys AS text[]), CAST(:accounts AS text[]), CAST(:yen AS bigint[]), CAST(:answers AS text[])
    ) AS asked
    ON CONFLICT DO NOTHING RETURNING id, key, answer, created_at
    """
)


class SimulatedGateway:
    """Stands in for a card gateway on the tables simulated_*; says so by its name."""

    name = "simulated"
    bank_names: tuple[str, ...] = BANK_NAMES
    books = None  # no news comes from it at night; a reconciliation reads billing.gateway.simulated_books

    def __init__(self, engine: sa.Engine, fee_per_mille: int = 0) -> None:
        self.fee_per_mille = fee_per_mille
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def set_card(self, account: str, outcome: str) -> None:
        """From now on charges to this account's card end like this (see CARD_OUTCOMES)."""
        if outcome not in CARD_OUTCOMES:
            raise ValueError(f"card outcome {outcome!r} is none of {', '.join(CARD_OUTCOMES)}")
        self._put_card(account, outcome=outcome)

    def set_refund_fails(self, account: str) -> None:
        """From now on refunds to this account's card fail."""
        self._put_card(account, refund_fails=True)

    def fail_refunds(self, account: str, at: datetime) -> list[str]:
        """What went back to this account's card comes back now, and no refund reaches it any more; their ids."""
        self.set_refund_fails(account)
        failed = self._connection.execute(
            sa.update(simulated_refund)
            .where(simulated_refund.c.account == account, simulated_refund.c.failed_at.is_(None))
            .values(failed_at=at)
            .returning(simulated_refund.c.id)
        )
        return [f"sim_re_{number}" for number in sorted(failed.scalars())]

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        """Each refund as it stands at `at`."""
        numbers = [int(each.removeprefix("sim_re_")) for each in ids if each.startswith("sim_re_")]
        rows = self._connection.execute(sa.select(simulated_refund).where(simulated_refund.c.id.in_(numbers)))
        for row in rows.all():
            if row.failed_at is not None and row.failed_at <= at:
                yield RefundState(f"sim_re_{row.id}", "failed", "lost_or_stolen_card", row.failed_at)
            else:
                yield RefundState(f"sim_re_{row.id}", "succeeded")

    def _put_card(self, account: str, **values: object) -> None:
        row: dict[str, object] = {"account": account, "outcome": "ok", "refund_fails": False} | values
        self._connection.execute(
            insert(simulated_card).values(row).on_conflict_do_update(index_elements=["account"], set_=values)
        )

    def check_account(self) -> None:
        """It is of this database and no other."""

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        """Answer every request by the outcome set for its card, once per key."""
        cards = self._cards(requests)
        known = self.find_charges(requests, at)
        fresh = [each for each in requests if each.key not in known and cards.get(each.account) not in _LOST_ANSWER]
        made = self._make(fresh, cards, at)
        for request in requests:
            outcome = cards.get(request.account, "ok")
            if request.key in known:
                yield known[request.key]
            elif outcome in _LOST_ANSWER or outcome == "timeout_after_success":
                yield ChargeResult(request.key, Answer.UNKNOWN, code=outcome)
            else:
                yield made[request.key]

    def _cards(self, requests: Sequence[ChargeRequest]) -> dict[str, str]:
        """The outcomes that are set for the requests' cards; the others are "ok"."""
        accounts = texts({each.account for each in requests})
        cards = simulated_card.c
        rows = self._connection.execute(
            sa.select(cards.account, cards.outcome).where(cards.account == sa.any_(accounts))
        )
        return {row.account: row.outcome for row in rows}

    def _make(self, requests: Sequence[ChargeRequest], cards: Mapping[str, str], at: datetime) -> _Results:
        """One statement for all of them; a charge that another has made under its key meanwhile is that one's."""
        if not requests:
            return {}
        rows = self._connection.execute(
            _MAKE,
            {
                "keys": text_array([each.key for each in requests]),
                "accounts": text_array([each.account for each in requests]),
                "yen": plain_array(each.yen for each in requests),
                "answers": text_array([_answer_kept(cards.get(each.account, "ok")) for each in requests]),
                "at": at,
            },
        )
        made = {row.key: _result(row.id, row.key, row.answer, row.created_at) for row in rows}
        missing = [each for each in requests if each.key not in made]
        return made | dict(self.find_charges(missing, at)) if missing else made

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        """What was made under these keys; looking up always answers."""
        keys = texts([request.key for request in requests])
        rows = self._connection.execute(sa.select(simulated_charge).where(simulated_charge.c.key == sa.any_(keys)))
        return {row.key: _result(row.id, row.key, row.answer, row.created_at) for row in rows}

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        """Refund to the card, up to what the charge has left; once per key."""
        charge_id = int(request.charge_gateway_id.removeprefix("sim_ch_"))
        made = self._connection.execute(
            sa.select(simulated_refund.c.id).where(simulated_refund.c.key == request.key)
        ).scalar_one_or_none()
        if made is None:
            fails = self._connection.execute(
                sa.select(simulated_card.c.refund_fails).where(simulated_card.c.account == request.account)
            ).scalar_one_or_none()
            charged = self._connection.execute(
                sa.select(simulated_charge.c.yen).where(
                    simulated_charge.c.id == charge_id, simulated_charge.c.answer == _SUCCEEDED
                )
            ).scalar_one_or_none()
            refunded = self._connection.execute(
                sa.select(sa.func.coalesce(sa.func.sum(simulated_refund.c.yen), 0)).where(
                    simulated_refund.c.charge_id == charge_id, simulated_refund.c.failed_at.is_(None)
                )
            ).scalar_one()
            if fails:
                return RefundResult(request.key, Answer.DECLINED, code="refund_failed")
            if charged is None or refunded + request.yen > charged:
                return RefundResult(request.key, Answer.DECLINED, code="charge_has_no_room")
            made = self._connection.execute(
                sa.insert(simulated_refund)
                .values(
                    key=request.key,
                    charge_id=charge_id,
                    account=request.account,
                    yen=request.yen,
                    created_at=at,
                )
                .returning(simulated_refund.c.id)
            ).scalar_one()
        return RefundResult(request.key, Answer.SUCCEEDED, gateway_id=f"sim_re_{made}")

    def open_dispute(self, charge_gateway_id: str, outcome: str, opened_at: datetime, decided_at: datetime) -> str:
        """A cardholder disputes a charge; it is decided like that, then; its id."""
        charge_id = int(charge_gateway_id.removeprefix("sim_ch_"))
        yen = sa.select(simulated_charge.c.yen).where(simulated_charge.c.id == charge_id).scalar_subquery()
        self._connection.execute(
            insert(simulated_dispute)
            .values(charge_id=charge_id, yen=yen, outcome=outcome, opened_at=opened_at, decided_at=decided_at)
            .on_conflict_do_nothing(index_elements=["charge_id"])
        )
        return f"sim_dp_{charge_id}"

    def disputes(self, ids: Sequence[str], at: datetime) -> Iterator[Dispute]:
        """Each dispute as it stands at `at`; no fee is taken here."""
        charge_ids = [int(each.removeprefix("sim_dp_")) for each in ids if each.startswith("sim_dp_")]
        rows = self._connection.execute(
            sa.select(simulated_dispute)
            .where(simulated_dispute.c.charge_id.in_(charge_ids))
            .order_by(simulated_dispute.c.id)
        )
        for row in rows.all():
            decided = row.decided_at <= at
            moves = [DisputeMove(f"sim_txn_dp_out_{row.id}", -row.yen, 0, row.opened_at)]
            if decided and row.outcome == "won":
                moves.append(DisputeMove(f"sim_txn_dp_in_{row.id}", row.yen, 0, row.decided_at))
            yield Dispute(
                id=f"sim_dp_{row.charge_id}",
                payment=f"sim_ch_{row.charge_id}",
                amount=row.yen,
                state=row.outcome if decided else "open",
                happened_at=row.opened_at,
                moves=tuple(moves),
                closed_at=row.decided_at if decided else None,
            )

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        """The refund with this key, if one was made."""
        made = self._connection.execute(
            sa.select(simulated_refund.c.id).where(simulated_refund.c.key == request.key)
        ).scalar_one_or_none()
        return None if made is None else RefundResult(request.key, Answer.SUCCEEDED, gateway_id=f"sim_re_{made}")

    def acts_since(self, since: datetime) -> Iterator[KeyedAct]:
        """Charges that succeeded and refunds since then; a key names the invoice (`charge_stage`)."""
        charges = sa.select(simulated_charge).where(
            simulated_charge.c.created_at >= since, simulated_charge.c.answer == _SUCCEEDED
        )
        for row in self._connection.execute(charges).all():
            yield KeyedAct(f"sim_ch_{row.id}", row.key, row.account, invoice_in(row.key), None, row.yen, row.created_at)
        refunds = sa.select(simulated_refund).where(simulated_refund.c.created_at >= since)
        for row in self._connection.execute(refunds).all():
            charge = f"sim_ch_{row.charge_id}"
            yield KeyedAct(f"sim_re_{row.id}", row.key, row.account, None, charge, row.yen, row.created_at)


def _answer_kept(outcome: str) -> str:
    return _SUCCEEDED if outcome in ("ok", "timeout_after_success") else outcome


def _result(charge_id: int, key: str, answer: str, created_at: datetime) -> ChargeResult:
    if answer == _SUCCEEDED:
        return ChargeResult(key, Answer.SUCCEEDED, gateway_id=f"sim_ch_{charge_id}", happened_at=created_at)
    kind = Answer.NEEDS_USER if answer == "authentication_required" else Answer.DECLINED
    return ChargeResult(key, kind, code=answer, happened_at=created_at)
