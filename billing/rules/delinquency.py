"""Default: what an unpaid fee leads to, and when.

Decides premium/7.1.2 (suspension, termination for unpaid fees) and premium/7.2 (acceleration), with the days that
the operator's settings give. Everything is derived from what is unpaid now, so paying the oldest debt moves every
later date. Days are JST dates; only unpaid fees count, never interest, nor what is too little to be charged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from keizoku.terms.decision import decides


class DefaultState(StrEnum):
    """Where the unpaid fees of a contract put it."""

    GOOD = "good"  # nothing is overdue
    OVERDUE = "overdue"  # overdue, not long enough for more
    SUSPEND = "suspend"  # access is to be off
    TERMINATE = "terminate"  # the contract is to end


@dataclass(frozen=True, slots=True)
class UnpaidFee:
    """An open invoice: `excluded` are days [from, to) that do not count against the user.

    `waits`: what is left is less than a card can be charged, so it waits for the next invoice and puts nobody into
    default; it stays owed and bears interest.
    """

    invoice_id: int
    due_on: date
    open_yen: int
    issued_on: date
    excluded: tuple[tuple[date, date], ...] = ()
    waits: bool = False


def overdue_days(fee: UnpaidFee, today: date) -> int:
    """Days from the day after the due date to `today`, inclusive, that count against the user; 0 if not overdue."""
    counted = (today - fee.due_on).days
    if counted <= 0 or fee.waits:
        return 0
    first, end = fee.due_on + timedelta(days=1), today + timedelta(days=1)
    for start, stop in fee.excluded:
        counted -= max(0, (min(stop, end) - max(start, first)).days)
    return max(0, counted)


@decides("premium/7.1.2")
def default_state(
    fees: Sequence[UnpaidFee], today: date, suspend_after_days: int, terminate_after_days: int
) -> tuple[DefaultState, int]:
    """The standing on `today` and the days by which the oldest unpaid fee is overdue."""
    days = max((overdue_days(fee, today) for fee in fees), default=0)
    if days <= 0:
        return DefaultState.GOOD, 0
    if days >= terminate_after_days:
        return DefaultState.TERMINATE, days
    if days >= suspend_after_days:
        return DefaultState.SUSPEND, days
    return DefaultState.OVERDUE, days


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes if nothing more is paid; both days move when the oldest debt is paid."""

    suspends_on: date
    terminates_on: date


def outlook(fees: Sequence[UnpaidFee], suspend_after_days: int, terminate_after_days: int) -> Outlook | None:
    """The days on which these fees, left unpaid, bring suspension and termination; None where nothing is unpaid."""
    counted = [fee for fee in fees if not fee.waits]
    if not counted:
        return None
    return Outlook(
        min(_reached_on(fee, suspend_after_days) for fee in counted),
        min(_reached_on(fee, terminate_after_days) for fee in counted),
    )


@dataclass(frozen=True, slots=True)
class Prospect:
    """What will really come of an outlook: nothing that the end of the contract comes before."""

    suspends_on: date | None
    terminates_on: date | None
    ends_on: date | None  # the term's end, where the contract ends with it because it is suspended then


def prospect(ahead: Outlook, term_ends_on: date | None, *, renews: bool, suspended_term_renews: bool) -> Prospect:
    """The outlook of a running contract, up to the end of its term where nothing renews it.

    `renews`: whether the user lets it renew; a term that ends while it is suspended renews by a setting only.
    """
    if term_ends_on is None or (renews and (suspended_term_renews or ahead.suspends_on > term_ends_on)):
        return Prospect(ahead.suspends_on, ahead.terminates_on, None)
    return Prospect(
        ahead.suspends_on if ahead.suspends_on < term_ends_on else None,
        ahead.terminates_on if ahead.terminates_on < term_ends_on else None,
        term_ends_on if ahead.terminates_on >= term_ends_on else None,
    )


def _reached_on(fee: UnpaidFee, days: int) -> date:
    """The first day on which a fee is overdue, and by at least so many days that count."""
    needed = max(days, 1)
    on = fee.due_on + timedelta(days=needed)
    while (missing := needed - overdue_days(fee, on)) > 0:
        on += timedelta(days=missing)
    return on


@decides("premium/7.2")
def accelerated(fees: Sequence[UnpaidFee], today: date) -> tuple[int, ...]:
    """Invoices that become due at once because another fee is overdue: those that existed when default began.

    What arises later has its own due date: the clause speaks of the debts of that time.
    """
    overdue = [fee.due_on for fee in fees if overdue_days(fee, today) > 0]
    if not overdue:
        return ()
    began_on = min(overdue) + timedelta(days=1)
    return tuple(fee.invoice_id for fee in fees if fee.due_on > today and fee.issued_on <= began_on)
