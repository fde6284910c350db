"""Yen: whole numbers, and the few roundings that the contract and the tax need. Rates as exact text.

Amounts are `int` yen. A `Fraction` lives only between reading the numbers and one named rounding:

    exact share (Fraction) ──floor_yen / ceil_yen──> int yen, once

Errors: ValueError where an amount is below zero or a part exceeds its whole; these are programmer errors.
"""

from __future__ import annotations

from fractions import Fraction


def floor_yen(exact: Fraction | int) -> int:
    """The amount rounded down to the yen: what we may demand."""
    exact = Fraction(exact)
    return exact.numerator // exact.denominator


def ceil_yen(exact: Fraction | int) -> int:
    """The amount rounded up to the yen: what we owe. 333 × 20 % = 66.6 becomes 67."""
    exact = Fraction(exact)
    return -(-exact.numerator // exact.denominator)


def nearest_yen(exact: Fraction | int) -> int:
    """The amount rounded to the nearest yen, half a yen up."""
    return floor_yen(Fraction(exact) + Fraction(1, 2))


def tax_included_yen(total_yen: int, rate: Fraction) -> int:
    """The consumption tax inside a tax-inclusive total: floor(total × rate / (1 + rate)).

    Once per document and rate, after credits: 784 at 10 % holds 71.
    """
    if total_yen < 0:
        raise ValueError(f"tax is taken from a document's total, which is never below zero: {total_yen}")
    over, under = tax_parts(rate)
    return total_yen * over // under


def tax_parts(rate: Fraction) -> tuple[int, int]:
    """A rate in whole numbers, as (over, under): rate = n / d makes rate / (1 + rate) = n / (n + d)."""
    return rate.numerator, rate.numerator + rate.denominator


def cumulative_floor(total: int, part: int, whole: int) -> int:
    """What has accrued of `total` when `part` of `whole` equal steps have passed, rounded down.

    The amount of one step is the difference of two neighbours, so that all steps sum to the total:
    5,300 over 365 days gives 435 for the first 30 days and 450 for the next 31.
    """
    if whole <= 0 or not 0 <= part <= whole or total < 0:
        raise ValueError(f"needs 0 <= part <= whole, whole > 0 and total >= 0: {total=}, {part=}, {whole=}")
    return total * part // whole


def fraction_text(number: Fraction) -> str:
    """A fraction as short exact text: "0.2", "0.146", "20"; "1/3" where no decimal ends."""
    rest = number.denominator
    places = 0
    while rest % 10 == 0:
        rest, places = rest // 10, places + 1
    while rest % 5 == 0:
        rest, places = rest // 5, places + 1
    while rest % 2 == 0:
        rest, places = rest // 2, places + 1
    if rest != 1:
        return f"{number.numerator}/{number.denominator}"
    if places == 0:
        return str(number.numerator)
    digits = str(abs(number.numerator) * 10**places // number.denominator).zfill(places + 1)
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def mixed_text(number: Fraction) -> str:
    """An exact amount as people write it: "63.6", and "126 52/61" where no decimal ends."""
    text = fraction_text(number)
    if "/" not in text:
        return text
    whole, rest = divmod(number.numerator, number.denominator)
    return f"{whole} {rest}/{number.denominator}" if whole else text
