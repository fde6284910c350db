"""Our keys at the gateway: what is asked for under a key happens once.

    keizoku-INVOICE-NUMBER, keizoku-refund-CREDIT-ATTEMPT, keizoku-overcharge-ATTEMPT

A restored database counts on from where its backup was, so numbers come again that the gateway has seen; its keys
therefore begin with keizoku-r1, after the second restore with keizoku-r2, and never meet those of before.
"""

import re

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.restoration import restoration

_CHARGE = re.compile(r"keizoku(?:-r\d+)?-(\d+)-\d+")


def key_prefix(session: Session) -> str:
    """How the keys of this database begin."""
    restored: int = session.execute(sa.select(sa.func.count()).select_from(restoration)).scalar_one()
    return f"keizoku-r{restored}" if restored else "keizoku"


def invoice_in(key: str) -> int | None:
    """The invoice that a charge's key names."""
    found = _CHARGE.fullmatch(key)
    return None if found is None else int(found[1])
