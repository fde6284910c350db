"""The monthly fee (月額利用料金) of which a credit is a share.

Part of premium/9.2, whose yen billing/rules/sla_credit.py decides: the tax-inclusive recurring price of the terms
that count, a yearly price by the month and unrounded, the highest of several. Doubt in the text goes to the user.

    5,300 a year │ 500 a month  ──>  500, of the monthly term      5,300 a year  ──>  1325/3

This is the only place that works the fee out: the award of a month, its explanation, the credit and the reports
all ask here. Prices are whole yen, tax included; the fee is exact and is rounded once, after the rate, by billing.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from keizoku.terms.calendar import MONTHS_OF

NO_FEE = Fraction(0)


class MonthlyFee(NamedTuple):
    """The fee, and the recurring price that it comes from."""

    exact_yen: Fraction
    price_yen: int
    interval: str


@lru_cache(maxsize=1_000)  # a month has few prices and a million terms
def fee_by_month(price_yen: int, interval: str) -> Fraction:
    """A recurring price by the month, in exact yen. Raises ValueError for a price below zero."""
    if price_yen < 0:
        raise ValueError(f"a price is never below zero: {price_yen}")
    return Fraction(price_yen, MONTHS_OF[interval])


def monthly_fee(prices: Iterable[tuple[int, str]]) -> MonthlyFee | None:
    """The fee of a month from (price, interval) of each term that counts: the highest, of equal ones the first.

    None where no term counts.
    """
    fees = (MonthlyFee(fee_by_month(price_yen, interval), price_yen, interval) for price_yen, interval in prices)
    return max(fees, key=lambda fee: fee.exact_yen, default=None)
