"""A month's reports of two stores, as Google Play and Apple write them (the columns of their own files)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from keizoku.terms.calendar import Month
from tests.unit.billing.statements.test_store_files import FINANCIAL, GOOGLE

_CALIFORNIA, _JAPAN = ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")


class Sale(NamedTuple):
    """An order of Google's in a month: what was charged and kept; given back, where it was."""

    order: str
    on: date
    gross: int = 500
    fee: int = 75
    refunded_on: date | None = None
    only_refund: bool = False

    @property
    def paid(self) -> int:
        """What the store pays out for it."""
        own = 0 if self.only_refund else self.gross - self.fee
        return own - (self.gross - self.fee if self.refunded_on else 0)


def google_report(sales: Sequence[Sale]) -> str:
    """Google Play's earnings report."""
    rows = [GOOGLE]
    for each in sales:
        if not each.only_refund:
            rows += [_google(each.order, each.on, "Charge", each.gross)]
            rows += [_google(each.order, each.on, "Google fee", -each.fee)]
        if each.refunded_on is not None:
            rows += [_google(each.order, each.refunded_on, "Charge refund", -each.gross)]
            rows += [_google(each.order, each.refunded_on, "Google fee refund", each.fee)]
    return "".join(rows)


def _google(order: str, on: date, kind: str, yen: int) -> str:
    at = datetime.combine(on, time(12), _JAPAN).astimezone(_CALIFORNIA)
    day, clock = f"{at:%b} {at.day}, {at.year}", f"{at:%I:%M:%S %p} {at.tzname()}"
    return (
        f'{order},"{day}",{clock},,{kind},,Premium,jp.example.app,Subscription,monthly,,JP,,,JPY,{yen}.00,1.000000,'
        f"JPY,{yen}.00\n"
    )


def apple_report(month: Month, product: str, units: int, share: int = 425, price: int = 500) -> str:
    """Apple's monthly financial report: one product, its units; its own total below."""
    first, last = month.first_on, date.fromordinal(month.end_on.toordinal() - 1)
    row = (
        f"{first:%m/%d/%Y}\t{last:%m/%d/%Y}\t\t\t{product}\t{units}\t{share}.00\t{units * share}.00\tJPY\tS\t1\tX\t"
        f"Premium\t\t\tIAY\t\tJP\t\t\t{price}.00\tJPY\n"
    )
    return f"{FINANCIAL}{row}Total_Rows\t1\nTotal_Units\t{units}\nTotal_Amount\t{units * share}.00\n"
