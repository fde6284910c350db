"""Whether an account is known: whoever asks about one that never applied for anything is told so in one way."""

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.contracts import account as account_table
from keizoku.terms.refusal import Refused

__all__ = ["want_account"]


def want_account(session: Session, account: str) -> None:
    """Raises Refused (account.unknown) for an account that is not known."""
    if session.execute(sa.select(account_table.c.id).where(account_table.c.id == account)).first() is None:
        raise Refused("account.unknown", f"account {account!r} is not known")
