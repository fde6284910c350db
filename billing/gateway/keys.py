"""Our keys at the gateway: what is asked for under a key happens once.

    keizoku-INVOICE-NUMBER, keizoku-refund-CREDIT-ATTEMPT, keizoku-overcharge-ATTEMPT

A restored database counts on from where its backup was, so numbers come again that the gateway has seen; its keys
therefore begin with keizoku-r and the second of the restore (keizoku-r20261203001500), and never meet those of before,
nor those of another database that was restored from the same backup.
"""

import re
from datetime import UTC, datetime

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.restoration import restoration

_CHARGE = re.compile(r"keizoku(?:-r\d+)?-(\d+)-\d+")


def key_prefix(session: Session) -> str:
    """How the keys of this database begin."""
    at: datetime | None = session.execute(sa.select(sa.func.max(restoration.c.restored_at))).scalar_one()
    return "keizoku" if at is None else f"keizoku-r{at.astimezone(UTC):%Y%m%d%H%M%S}"


def invoice_in(key: str) -> int | None:
    """The invoice that a charge's key names."""
    found = _CHARGE.fullmatch(key)
    return None if found is None else int(found[1])
