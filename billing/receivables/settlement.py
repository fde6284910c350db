"""What settles a fee, as rows: the one place that writes settlements and brings the invoices' caches up to them.

Decides nothing. Does not commit.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from keizoku.db.session import Session, copy_rows, plain_array
from keizoku.db.tables.money import settlement


class Settled(NamedTuple):
    """Whole yen that settled an invoice on a day, by kind and source; below zero, it takes back what had settled it."""

    invoice_id: int
    account: str
    kind: str
    yen: int
    settled_on: date
    source_id: int


def settle(session: Session, settled: Sequence[Settled], now: datetime) -> None:
    """Write settlements, and update what is unpaid of their invoices: paid with nothing left, else open.

    Those of one invoice are of the same day.
    """
    write_settlements(session, settled, now)
    yen: dict[int, int] = {}
    for each in settled:
        yen[each.invoice_id] = yen.get(each.invoice_id, 0) + each.yen
    if not yen:
        return
    days = {each.invoice_id: each.settled_on for each in settled}
    session.execute(
        _BRING_UP, {"ids": plain_array(yen), "yen": plain_array(yen.values()), "days": plain_array(days.values())}
    )


def write_settlements(session: Session, settled: Iterable[Settled], now: datetime) -> None:
    """Write settlements alone: of invoices whose caches are written with them in view."""
    copy_rows(session, settlement, _COLUMNS, ((*each, now) for each in settled))


_COLUMNS = (*Settled._fields, "recorded_at")
_BRING_UP = sa.text(
    "UPDATE invoice SET open_yen = invoice.open_yen - settled.yen, "
    "state = CASE WHEN open_yen = settled.yen THEN 'paid' WHEN settled.yen < 0 THEN 'open' ELSE invoice.state END, "
    "paid_on = CASE WHEN open_yen = settled.yen THEN settled.paid_on WHEN settled.yen < 0 THEN NULL "
    "ELSE invoice.paid_on END "
    "FROM unnest(CAST(:ids AS bigint[]), CAST(:yen AS bigint[]), CAST(:days AS date[])) AS settled (id, yen, paid_on) "
    "WHERE invoice.id = settled.id"
)
