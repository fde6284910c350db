"""A hold on one account: people keep us from what we would do to it of our own accord, up to a day.

    held      charges of its cards, demands for interest, letters about being late, suspension and termination for
              unpaid fees, and that such fees become due at once
    not held  all that is the member's right or the books' need: access, renewal and end of use, claims, credits,
              refunds, payments and what they lift, invoices, revenue; and what people do themselves

What is owed stays owed and its days go on: a hold is patience, not a waiver (that is a write-off). A card fee that was
not charged for it is our own delay, whose days count against nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.receivables.of_account import want_account
from keizoku.db.session import Session
from keizoku.db.tables.people import account_hold, account_hold_end
from keizoku.terms.calendar import day_start_at, jst_day
from keizoku.terms.refusal import Refused, want_signed

__all__ = ["AccountHold", "held_until", "hold", "holds", "in_force", "release"]

_OPEN = ~sa.exists().where(account_hold_end.c.hold_id == account_hold.c.id)


def in_force(session: Session, today: date) -> set[str]:
    """The accounts that are held on a day."""
    held = sa.select(account_hold.c.account).where(account_hold.c.until_on >= today, _OPEN)
    return set(session.scalars(held))


@dataclass(frozen=True, slots=True)
class AccountHold:
    """A hold that is in force: whose, by whom, until the end of which day, and why."""

    account: str
    until_on: date
    author: str
    ground: str
    recorded_at: datetime


def holds(session: Session, today: date) -> list[AccountHold]:
    """The holds that are in force on a day, the one that ends first at the head."""
    row = account_hold.c
    held = sa.select(row.account, row.until_on, row.author, row.ground, row.recorded_at)
    found = session.execute(held.where(row.until_on >= today, _OPEN).order_by(row.until_on, row.id))
    return [AccountHold(**each._mapping) for each in found]


def held_until(session: Session, account: str, on: date, known_at: datetime) -> date | None:
    """The last day of the hold on an account as of a day, by what was known at an instant; None: it was not held."""
    ended = sa.exists().where(
        account_hold_end.c.hold_id == account_hold.c.id,
        account_hold_end.c.recorded_at <= known_at,
        account_hold_end.c.recorded_at < day_start_at(on + timedelta(days=1)),
    )
    held = sa.select(sa.func.max(account_hold.c.until_on)).where(
        account_hold.c.account == account,
        account_hold.c.until_on >= on,
        account_hold.c.recorded_at <= known_at,
        account_hold.c.recorded_at < day_start_at(on + timedelta(days=1)),
        ~ended,
    )
    found: date | None = session.execute(held).scalar_one()
    return found


def hold(session: Session, account: str, until_on: date, *, by: str, ground: str, now: datetime) -> None:
    """Hold an account up to a day, that day included. Does not commit.

    Refused where it is unknown, is held already, or the day is over.
    """
    want_signed(by, ground)
    want_account(session, account)
    today = jst_day(now)
    if until_on < today:
        raise Refused("account.hold_over", f"account {account}: {until_on} is over", "name a day to come")
    before = _row(session, account, today)
    if before is not None:
        raise Refused(
            "account.held",
            f"account {account}: {before.author} holds it until {before.until_on}",
            "release it first: `keizoku account release`",
        )
    session.execute(
        sa.insert(account_hold).values(account=account, until_on=until_on, author=by, ground=ground, recorded_at=now)
    )


def release(session: Session, account: str, *, by: str, ground: str, now: datetime) -> None:
    """End the hold on an account now. Does not commit. Refused where there is none."""
    want_signed(by, ground)
    want_account(session, account)
    row = _row(session, account, jst_day(now))
    if row is None:
        raise Refused("account.not_held", f"account {account}: it is not held")
    session.execute(
        sa.insert(account_hold_end).values(hold_id=row.id, account=account, author=by, ground=ground, recorded_at=now)
    )


def _row(session: Session, account: str, today: date) -> sa.Row[*tuple[Any, ...]] | None:
    held = sa.select(account_hold).where(account_hold.c.account == account, account_hold.c.until_on >= today, _OPEN)
    return session.execute(held.order_by(account_hold.c.id.desc()).limit(1)).one_or_none()
