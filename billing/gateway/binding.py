"""One database, one account at Stripe, one mode: bound at first use; another key is refused before it does anything.

    first call ──> whose is the key? (account, live or test) ──> no row yet: bound │ the same: go on │ another: refused

A key of another account, or of the other mode, knows none of our customers: each of them would look as if it had no
card. People bind anew, with a ground: a further row; the last one holds. An account that a key has no right to read is
learned later; until then the mode alone is held.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway.port import GatewayRefusesUsError
from keizoku.db.session import Session
from keizoku.db.tables.gateway import gateway_binding
from keizoku.terms.refusal import Refused, want_signed

FIRST_USE, READ_LATER = "first use", "the account became readable"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose a key is: the account (None: the key has no right to know, and nobody told) and the mode."""

    account: str | None
    livemode: bool

    def fits(self, other: "Identity") -> bool:
        """Whether another can be the same: the mode is, and so is the account where both are known."""
        return self.livemode == other.livemode and not (
            self.account and other.account and self.account != other.account
        )

    def __str__(self) -> str:
        return f"{self.account or 'an account that the key may not read'}, {'live' if self.livemode else 'test'} mode"


def bound(session: Session) -> Identity | None:
    """What the database is bound to; None: no key was used yet."""
    row = _last(session)
    return None if row is None else Identity(row.account, row.livemode)


def hold(session: Session, found: Identity) -> None:
    """Bind the database at first use; raises GatewayRefusesUsError for a key of another account or mode.

    Commits only on a connection that commits by itself.
    """
    row = _last(session)
    if row is None:
        _add(session, found, "keizoku", FIRST_USE, None, sa.func.clock_timestamp())
        row = _last(session)
    if row is None:
        raise AssertionError("a row was added, or somebody else's was there")
    held = Identity(row.account, row.livemode)
    if not held.fits(found):
        raise GatewayRefusesUsError(
            f"the key of KEIZOKU_STRIPE_SECRET_KEY is of {found}, and this database is bound to {held}: nothing was "
            "asked and nothing charged; use the key of that account (keizoku gateway rebind binds anew, with a ground)"
        )
    if held.account is None and found.account is not None:
        _add(session, found, "keizoku", READ_LATER, row.id, sa.func.clock_timestamp())


def rebind(session: Session, found: Identity, by: str, ground: str, now: datetime) -> Identity | None:
    """People bind the database to another account or mode; commits; what it was bound to before.

    Raises Refused without an author and a ground, and where it is bound to this one already.
    """
    want_signed(by, ground)
    row = _last(session)
    before = None if row is None else Identity(row.account, row.livemode)
    if before == found:
        session.rollback()
        raise Refused("gateway.bound_already", f"this database is bound to {found} already", "there is nothing to do")
    _add(session, found, by, ground, None if row is None else row.id, now)
    session.commit()
    return before


def _last(session: Session) -> sa.Row[Any] | None:
    return session.execute(sa.select(gateway_binding).order_by(gateway_binding.c.id.desc()).limit(1)).first()


def _add(session: Session, found: Identity, by: str, ground: str, replaces: int | None, at: Any) -> None:
    session.execute(
        insert(gateway_binding)
        .values(
            account=found.account, livemode=found.livemode, author=by, ground=ground, replaces=replaces, recorded_at=at
        )
        .on_conflict_do_nothing()  # of two at once the first holds
    )
