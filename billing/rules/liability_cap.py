"""How much we can be liable for, where the contract limits it.

Decides premium/12.2: the fees actually received in the year before the event. An SLA credit stands outside this
limit, and counts against damages for the same loss (`still_due_yen`).

    event 2026-04-10 15:00    counted: received from 2025-04-10 00:00 until the event
    event on 2028-02-29       counted: received from 2027-02-28 00:00; the day has no counterpart, the longer year holds

Always holds: what was given back before the event lowers the limit, what a lost dispute took back was never received,
and the limit is never below zero. What is unpaid does not count. Instants are aware, amounts whole yen, tax included.
Whether there is damage, and whether intent or gross negligence lifts the limit, is decided by people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from keizoku.terms.calendar import Month, day_start_at, jst_day
from keizoku.terms.decision import decides


class Source(StrEnum):
    """By which way a fee was received."""

    CARD = "card"  # a charge that succeeded: its part that paid a fee
    BANK = "bank"  # the part of a payment that was allocated to fees
    DEPOSIT = "deposit"  # the part of a deposit that was used for fees
    STORE = "store"  # the gross that a store reported, on the first day of its term
    KEY = "key"  # all that a product key pays for, when it is redeemed


@dataclass(frozen=True, slots=True)
class FeeReturned:
    """What of a fee went back. A refund counts from its time on; a lost dispute or a reversal always."""

    at: datetime
    yen: int
    never_received: bool = False


@dataclass(frozen=True, slots=True)
class FeeReceived:
    """A fee that was actually received: never late interest, costs, or what is kept as a deposit."""

    at: datetime
    yen: int
    source: Source
    subject: str  # e.g. "attempt 12"
    returned: tuple[FeeReturned, ...] = ()

    def net_yen(self, event_at: datetime) -> int:
        """What was left of it at the event."""
        back = sum(each.yen for each in self.returned if each.never_received or each.at < event_at)
        return max(0, self.yen - back)


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that damages for an event can come to, and the receipts that make it."""

    since_at: datetime
    event_at: datetime
    counted: tuple[FeeReceived, ...]
    yen: int


@decides("premium/12.2")
def liability_cap(receipts: Iterable[FeeReceived], event_at: datetime, lookback_years: int) -> Cap:
    """The limit for an event at an instant, short of intent and gross negligence.

    The year runs back from the event to the beginning of the same day; a 29 February without its counterpart to the
    28th, so that the doubt goes to the user.
    """
    since_at = day_start_at(_same_day_before(jst_day(event_at), lookback_years))
    counted = tuple(sorted((each for each in receipts if since_at <= each.at < event_at), key=lambda each: each.at))
    return Cap(since_at, event_at, counted, sum(each.net_yen(event_at) for each in counted))


def still_due_yen(damage_yen: int, cap_yen: int, credit_yen: int) -> int:
    """What is left to pay of a damage for which a credit was granted: the rest of it, within the limit."""
    return max(0, min(damage_yen - credit_yen, cap_yen))


def _same_day_before(on: date, years: int) -> date:
    month = Month.of(on).shift(-12 * years)
    return date(month.year, month.month, min(on.day, month.days))
