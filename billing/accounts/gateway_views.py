"""Payouts of the gateway as people look through them, joined with the bank's lines; and when it told of anything last.

    gateway_payout (newest state) ── payout_movement ──> the movements that it is made of: net of each
          └── bank_act.about = "payout:po_1" ──> the bank's line that it arrived as

Read only; whole yen, JST days. Payouts in other money than yen are not ours to book and not listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.gateway import gateway_cursor
from keizoku.terms.read_model import JapanInstant, ReadModel

__all__ = ["GatewayNews", "PayoutRow", "gateway_news", "payout_list"]


@dataclass(frozen=True, slots=True, eq=False)
class PayoutRow(ReadModel):
    """A payout in its newest state; `movements` and `net_yen`: what it is made of, as far as the gateway told.

    `bank_payment` is the bank's line that it is; None: none has come yet.
    """

    id: int
    payout: str
    state: str
    yen: int
    arrives_on: date
    movements: int
    net_yen: int
    bank_payment: int | None
    arrived_on: date | None
    bank_yen: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Known(ReadModel):
    """Up to when something of the gateway is known."""

    what: str
    until: JapanInstant


@dataclass(frozen=True, slots=True, eq=False)
class GatewayNews(ReadModel):
    """Up to when the gateway was asked, by what was asked; `pushed`: whether its own calls are taken here."""

    asked: tuple[Known, ...]
    pushed: bool


def payout_list(session: Session, *, limit: int, before: int | None = None) -> list[PayoutRow]:
    """The payouts, the newest first: at most `limit`, older than the one with the id `before`."""
    rows = session.execute(_PAYOUTS, {"most": limit, "before": 2**62 if before is None else before})
    return [PayoutRow(**row._mapping) for row in rows]


def gateway_news(session: Session, *, pushed: bool) -> GatewayNews:
    """Up to when the gateway's events and its balance are known."""
    rows = session.execute(sa.select(gateway_cursor).order_by(gateway_cursor.c.name))
    return GatewayNews(tuple(Known(row.name, row.seen_to) for row in rows), pushed)


_PAYOUTS: Final = sa.text(
    """
    WITH first AS (
        SELECT id, payout, amount FROM gateway_payout AS told
        WHERE currency = 'jpy' AND id < :before AND NOT EXISTS (
            SELECT 1 FROM gateway_payout AS older WHERE older.payout = told.payout AND older.id < told.id)
        ORDER BY id DESC LIMIT :most
    )
    SELECT first.id, first.payout, newest.state, first.amount AS yen,
           CAST(newest.arrives_at AT TIME ZONE 'Asia/Tokyo' AS date) AS arrives_on,
           coalesce(made.movements, 0)::int AS movements, coalesce(made.net, 0)::bigint AS net_yen,
           line.id AS bank_payment, line.paid_on AS arrived_on, line.yen AS bank_yen
    FROM first
    JOIN LATERAL (
        SELECT state, arrives_at FROM gateway_payout WHERE gateway_payout.payout = first.payout ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS movements, sum(net) AS net FROM payout_movement
        JOIN balance_transaction ON balance_transaction.id = movement
        WHERE payout_movement.payout = first.payout AND balance_transaction.kind NOT LIKE 'payout%'
    ) AS made ON true
    LEFT JOIN LATERAL (
        SELECT line_id FROM bank_act AS joined WHERE joined.about = 'payout:' || first.payout AND NOT EXISTS (
            SELECT 1 FROM bank_act AS after WHERE after.line_id = joined.line_id AND after.id > joined.id)
        ORDER BY joined.id DESC LIMIT 1
    ) AS joined ON true
    LEFT JOIN bank_line AS line ON line.id = joined.line_id
    ORDER BY first.id DESC
    """
)
