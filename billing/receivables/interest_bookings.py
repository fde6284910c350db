"""Late interest in the books: what was booked and not yet paid, and how an amount is worked out, debt by debt.

An account's share of 1150 is what was booked (by a demand, or before a payment) less what payments took.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.receivables.open_items import OpenItem
from keizoku.billing.rules.documents.late_interest_statement import OpenDebt, Workings, work_out
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.money import allocation, interest_booking
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def workings_of(account: str, unpaid: Sequence[OpenItem], rules: Rules, on: date, demanded_yen: int) -> Workings:
    """The interest of an account's debts through a day, worked out debt by debt; debts that bear none are left out."""
    policy = rules.terms.at(on)
    return work_out(
        account,
        [
            OpenDebt(each.debt, each.term_starts_on, each.due_on)
            for each in unpaid
            if each.accrued_unpaid_yen or (each.open_yen and each.due_on < on)
        ],
        on,
        InterestRate.of(policy),
        demanded_yen,
    )


def interest_booked(session: Session, account: str, on: date | None = None) -> int:
    """Whole yen of interest in the books of an account that are not paid yet (its share of 1150); or by a past day."""
    return interest_booked_by(session, [account], on).get(account, 0)


def interest_booked_by(session: Session, accounts: Collection[str], on: date | None = None) -> dict[str, int]:
    """The same for many accounts; those with nothing in the books are left out."""
    wanted = sa.any_(texts(accounts))
    booked = sa.select(interest_booking.c.account, interest_booking.c.yen).where(interest_booking.c.account == wanted)
    paid = sa.select(allocation.c.account, -allocation.c.yen).where(
        allocation.c.account == wanted, allocation.c.kind == "interest"
    )
    if on is not None:
        booked = booked.where(interest_booking.c.booked_on <= on)
        paid = paid.where(allocation.c.allocated_on <= on)
    both = booked.union_all(paid).subquery()
    rows = session.execute(sa.select(both.c.account, sa.func.sum(both.c.yen)).group_by(both.c.account))
    return {account: int(yen) for account, yen in rows if yen}


def book_interest(session: Session, account: str, kind: str, yen: int, occasion: str, now: datetime) -> None:
    """Note that interest went into the books; does not commit."""
    write_bookings(session, [(account, kind, yen, jst_day(now), now, occasion)])


def write_bookings(session: Session, rows: Sequence[tuple[object, ...]]) -> None:
    """Rows of (account, kind, yen, booked_on, recorded_at, occasion), as they are; does not commit."""
    copy_rows(session, interest_booking, ("account", "kind", "yen", "booked_on", "recorded_at", "occasion"), rows)
