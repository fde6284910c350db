"""How much we can be liable for, where the contract limits it.

Decides premium/12.2: the fees actually received in the year before the event. An SLA credit stands outside
this limit, and counts against damages for the same loss (`still_due_yen`).

Always holds: refunds lower the limit, never below zero. Days are JST dates, amounts whole yen, tax included.
Whether there is damage, and whether intent or gross negligence lifts the limit, is decided by people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from terms.calendar import Month
from terms.decision import decides


@decides("premium/12.2")
def liability_cap_yen(receipts: Iterable[tuple[date, int]], event_on: date, lookback_years: int) -> int:
    """The most that damages for an event of a day can come to, short of intent and gross negligence.

    `receipts` are (day, yen) of fees received, refunds below zero. The year runs back from the event and
    includes its day: 2026-04-10 reaches back to 2025-04-10, inclusive; 29 February to the 28th where the
    year has no 29th.
    """
    since = Month.of(event_on).shift(-12 * lookback_years)
    since_on = date(since.year, since.month, min(event_on.day, since.days))
    return max(0, sum(yen for day, yen in receipts if since_on <= day <= event_on))


def still_due_yen(damage_yen: int, cap_yen: int, credit_yen: int) -> int:
    """What is left to pay of a damage for which a credit was granted: the rest of it, within the limit."""
    return max(0, min(damage_yen - credit_yen, cap_yen))
