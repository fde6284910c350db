"""Late interest on any day, past or to come, without saving anything (premium/5.2).

    a past day      the debts as they stood then, as far as is known now
    today, later    the debts as they stand, if nothing more is paid

Decides nothing: keizoku.billing.rules.late_interest does. Read only.
"""

from datetime import date

import sqlalchemy as sa

from keizoku.billing.receivables.interest_bookings import workings_of
from keizoku.billing.receivables.open_items import open_items_on
from keizoku.billing.rules.documents.late_interest_statement import Workings
from keizoku.db.session import Session
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.money import (
    allocation,
    interest_booking,
)
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def preview(session: Session, rules: Rules, account: str, on: date) -> Workings:
    """The interest that the account owes through `on`, with the workings of every debt.

    Raises Refused for an account that is not known, or a day that no terms cover.
    """
    if session.execute(sa.select(account_table.c.id).where(account_table.c.id == account)).first() is None:
        raise Refused("account.unknown", f"account {account!r} is not known")
    try:
        unpaid = open_items_on(session, rules, account, on)
        return workings_of(account, unpaid, rules, on, _demanded(session, account, on))
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None


def _demanded(session: Session, account: str, on: date) -> int:
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(interest_booking.c.yen), 0))
        .where(interest_booking.c.account == account, interest_booking.c.booked_on <= on)
        .scalar_subquery()
    )
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0))
        .where(allocation.c.account == account, allocation.c.kind == "interest", allocation.c.allocated_on <= on)
        .scalar_subquery()
    )
    return max(0, int(session.execute(sa.select(booked - paid)).scalar_one()))
