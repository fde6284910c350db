"""SLA credits in yen: how much an award is worth, and how it is used up.

Decides premium/9.2 (the share of the monthly fee, taken off later invoices or paid back) and premium/tax
(the tax of what is left to pay).

    award 40 % of 500 → credit 200 ──> invoice of 500 (charged 300)
    980 - 196 = 784: its tax is 71, not 89 - 17 = 72; the yen between them is the adjustment

Always holds: no credit is used beyond what it has, no invoice is reduced below zero, a card is never left
with an amount that it cannot be charged because of a credit, and the parts of a plan sum to the whole.
Amounts are whole yen, tax included. Errors: ValueError for amounts below zero (programmer errors).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from keizoku.terms.calendar import Interval
from keizoku.terms.decision import decides
from keizoku.terms.money import ceil_yen, floor_yen, nearest_yen, tax_included_yen
from keizoku.terms.monthly_fee import monthly_fee

_ROUNDINGS = {"up": ceil_yen, "down": floor_yen, "nearest": nearest_yen}
"""The choices of the reading credit_rounding."""


class OpenCredit(NamedTuple):
    """A credit with something left."""

    credit_id: int
    available_yen: int
    usable_from: date  # first day of the month after the one in which the claim was received


class Charge(NamedTuple):
    """A successful card charge on which a refund can be placed."""

    charge_id: int
    charged_on: date
    room_yen: int  # charged, less what was already refunded on it


class Delta(NamedTuple):
    """A re-evaluated award against what was awarded before."""

    credit_yen: int  # to grant now
    over_granted_yen: int  # granted before and not due any more: stays with the user, shown to finance


class RefundPlan(NamedTuple):
    """Parts of a refund by charge, latest first, and what found no room."""

    parts: tuple[tuple[int, int], ...]  # (charge_id, yen)
    rest_yen: int  # for people to decide


@decides("premium/9.2")
def award_yen(rate: Fraction, prices: Sequence[tuple[int, Interval]], rounding: str = "up") -> int:
    """What an award is worth: the rate of the monthly fee, rounded up to the yen (or as `credit_rounding` reads).

    `prices` are those of the card-paid terms that the recognised time touched (monthly_fee). Raises ValueError
    where there is none.
    """
    fee = monthly_fee(prices)
    if fee is None:
        raise ValueError("an award rests on the price of at least one term")
    return credit_yen(rate * fee.exact_yen, rounding)


def credit_yen(exact_yen: Fraction, rounding: str = "up") -> int:
    """An exact worth as a credit of whole yen, by a choice of the reading credit_rounding."""
    return _ROUNDINGS[rounding](exact_yen)


def delta(total_now_yen: int, awarded_before_yen: int) -> Delta:
    """What a new revision of an award adds; it never takes away."""
    return Delta(max(total_now_yen - awarded_before_yen, 0), max(awarded_before_yen - total_now_yen, 0))


def apply_credits(
    total_yen: int,
    open_credits: Iterable[tuple[int, int, date]],
    issued_on: date,
    card: bool,
    minimum_yen: int = 50,
) -> tuple[tuple[int, int], ...]:
    """The parts (credit_id, yen) that an invoice takes of the account's credits, oldest first.

    A credit waits for the month after its claim. A card cannot be charged 1 to `minimum_yen` - 1 yen: if
    that would be left, so much less is taken, from the newest, that the minimum is left; credits that cover
    all do.
    """
    usable = sorted(
        (OpenCredit(*credit) for credit in open_credits if credit[2] <= issued_on),
        key=lambda credit: (credit.usable_from, credit.credit_id),
    )
    to_apply_yen = min(total_yen, sum(credit.available_yen for credit in usable))
    if card and 0 < total_yen - to_apply_yen < minimum_yen:
        to_apply_yen = max(total_yen - minimum_yen, 0)
    return _take(to_apply_yen, [(credit.credit_id, credit.available_yen) for credit in usable])


def plan_refunds(amount_yen: int, charges: Iterable[tuple[int, date, int]]) -> RefundPlan:
    """Place a refund on the latest `Charge` with room, then on earlier ones."""
    latest_first = sorted((Charge(*charge) for charge in charges), key=_newest, reverse=True)
    parts = _take(amount_yen, [(charge.charge_id, charge.room_yen) for charge in latest_first])
    return RefundPlan(parts, amount_yen - sum(yen for _, yen in parts))


@decides("premium/tax")
def document_tax(charged_yen: int, tax_rate: Fraction) -> int:
    """The tax that an invoice shows, in yen: once, of what is left after credits. 980 - 196 = 784: 71."""
    return tax_included_yen(charged_yen, tax_rate)


def used_tax(available_yen: int, used_yen: int, tax_rate: Fraction) -> int:
    """The part of a credit's tax, as booked at its grant, that goes with the part used now.

    Taken from what is still available, so that a credit used in pieces gives back the tax of its grant to
    the yen.
    """
    if not 0 <= used_yen <= available_yen:
        raise ValueError(f"a credit is used within what it has: {used_yen=}, {available_yen=}")
    return tax_included_yen(available_yen, tax_rate) - tax_included_yen(available_yen - used_yen, tax_rate)


def tax_adjustment(total_yen: int, used: Iterable[tuple[int, int]], tax_rate: Fraction) -> int:
    """The yen by which an invoice's tax differs from what the books hold for it: its fee's less its credits'.

    `used` pairs what each credit had available with what the invoice took of it. Below zero, the books hold
    too much output tax: 71 - (89 - 17) = -1.
    """
    pairs = tuple(used)
    charged_yen = total_yen - sum(used_yen for _, used_yen in pairs)
    booked_yen = tax_included_yen(total_yen, tax_rate) - sum(used_tax(*pair, tax_rate) for pair in pairs)
    return document_tax(charged_yen, tax_rate) - booked_yen


def _take(wanted_yen: int, stores: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Take an amount from stores (id, yen in it) in turn; the parts (id, yen), as far as they go."""
    if wanted_yen < 0 or any(yen < 0 for _, yen in stores):
        raise ValueError(f"amounts are never below zero: {wanted_yen=}, {stores=}")
    parts: list[tuple[int, int]] = []
    for store_id, store_yen in stores:
        part_yen = min(store_yen, wanted_yen)
        if part_yen > 0:
            parts.append((store_id, part_yen))
            wanted_yen -= part_yen
    return tuple(parts)


def _newest(charge: Charge) -> tuple[date, int]:
    return charge.charged_on, charge.charge_id
