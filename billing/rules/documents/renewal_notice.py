"""Notices before a term renews: that it does (premium/3.3), and that it has another price (premium/4.3).

Once per term and document; a price that changes again after its notice gets another notice. Nothing for a contract that
does not renew as things stand, for terms that were paid in advance, and for app stores, which tell their own
customers. Facts in, notices out. Days are JST dates, amounts whole yen.

    renews on 06-10 at 600, now 500      price notice 06-10, 500 to 600
    notified 600 for 06-10, now 550      price notice 06-10, 500 to 550
    notified 600 for 06-10, now 500      price notice 06-10, withdrawn
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from keizoku.billing.rules.contract_lifecycle import NewTerm
from keizoku.billing.rules.documents.notice_text import Notice, price_change, renewal
from keizoku.billing.rules.payment_method import INVOICED


@dataclass(frozen=True, slots=True)
class RenewalNotified:
    """The notices that the user has had of the coming term: its renewal, and its prices in order."""

    renewal: bool
    prices_yen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Windows:
    """How many days before a renewal its notices are due, for this contract's interval; 0: never."""

    renewal_days: int
    price_days: int
    end_of_use_days_before: int


def renewal_notices(
    upcoming: NewTerm,
    now_yen: int,
    notified: RenewalNotified,
    windows: Windows,
    today: date,
    *,
    renews_now: bool = False,
) -> Sequence[tuple[str, Notice]]:
    """(occasion, notice) of what is due today and was not told; the occasion is once per contract and kind.

    `renews_now`: the term is about to be recorded, on its first day or, after nights that were missed, later. Then the
    renewal can no longer be declined, and the notice says by when the next one can.
    """
    days = (upcoming.starts_on - today).days
    if upcoming.method not in INVOICED or (days < 1 and not renews_now):
        return ()
    declined_at = upcoming.ends_on if renews_now else upcoming.starts_on
    ask_by_on = declined_at - timedelta(days=1 + windows.end_of_use_days_before)
    occasion = f"term:{upcoming.starts_on}"
    due: list[tuple[str, Notice]] = []
    if windows.renewal_days and days <= windows.renewal_days and not notified.renewal:
        text = renewal(upcoming.starts_on, upcoming.ends_on, upcoming.price_yen, upcoming.method, ask_by_on)
        due.append((occasion, text))
    last_yen = notified.prices_yen[-1] if notified.prices_yen else now_yen
    if windows.price_days and days <= windows.price_days and upcoming.price_yen != last_yen:
        place = len(notified.prices_yen) + 1
        text = price_change(upcoming.starts_on, now_yen, upcoming.price_yen, ask_by_on)
        due.append((f"{occasion}:{place}:{upcoming.price_yen}", text))
    return due


def unnotified_rise(term: NewTerm, before_yen: int, notified: RenewalNotified, windows: Windows) -> bool:
    """Whether a term that is about to be recorded costs more than the one before, and its user was owed word of it.

    What was written on a night before is known by then; what is written with the renewal came too late.
    """
    if not windows.price_days or term.method not in INVOICED or term.price_yen <= before_yen:
        return False
    return not notified.prices_yen or notified.prices_yen[-1] != term.price_yen
