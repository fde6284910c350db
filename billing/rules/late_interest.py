"""Late interest on overdue fees (遅延損害金).

Decides premium/5.2 (rate, days, ceiling) and its rounding: simple interest on the unpaid fee only, from the day
after the due date to the day of payment, both inclusive; the total of an account's debts is rounded down
to whole yen, once.

    5,300 due 2025-04-30, paid 05-30:  05-01 ───── 30 days ───── 05-30   5,300 × 14.6 % × 30/365 = 63.6 → 63
    5,300 due 2027-02-28, paid 2028-02-29:  2027-03-01 ─ one year, with 02-29   5,300 × 14.6 % = 773.8 → 773

Nothing that acts as damages for lateness passes the ceiling of the Consumer Contract Act (9 (1) (ii)), 14.6 % a year by
days on that principal, whatever a reading or a version of the terms would make of it; costs are actuals and none of it.
Whose late fees bear the rate of the contract is a reading (late_interest_scope).

Days are JST dates, amounts whole yen, shares of a year exact `Fraction`s. Errors: ValueError for an unknown
day count or amounts below zero (programmer errors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from keizoku.billing.rules.payment_method import CARD
from keizoku.terms.calendar import whole_years_and_rest
from keizoku.terms.decision import decides
from keizoku.terms.law.rates import rate_on
from keizoku.terms.money import floor_yen
from keizoku.terms.policy import Policy

YEARS_THEN_SPLIT = "years_then_split"  # whole years, then days by the length of the year that they lie in
FIXED_365 = "fixed_365"  # every day is 1/365: passes 14.6 % a year in leap years; for comparison only
ALL_METHODS = "all_methods"  # every late fee bears the rate of the contract
CARD_ONLY = "card_only"  # a card's alone; the others bear the statutory rate

DayRange = tuple[date, date]  # half-open: from the first day up to, but not including, the second

_ONE_DAY = timedelta(days=1)
_TERMS_BEGIN = date(2024, 12, 2)  # before them nobody owed anything under them


@dataclass(frozen=True, slots=True)
class InterestRate:
    """What a year of lateness costs, and how days are counted as parts of a year: neither means anything alone."""

    yearly: Fraction
    day_count: str
    ceiling: Fraction = field(default_factory=lambda: rate_on("consumer_contract_act_9", _TERMS_BEGIN))

    def __post_init__(self) -> None:
        if self.day_count not in (YEARS_THEN_SPLIT, FIXED_365):
            known = f"{YEARS_THEN_SPLIT}, {FIXED_365}"
            raise ValueError(f"premium/5.2: unknown day count {self.day_count!r}; one of {known}")

    def __hash__(self) -> int:
        """By whole numbers: a fraction's own hash, which is looked for with every debt, takes ten times as long."""
        return hash((self.yearly.as_integer_ratio(), self.day_count, self.ceiling.as_integer_ratio()))

    @classmethod
    def of(cls, policy: Policy) -> InterestRate:
        """From the terms in force on a day and the chosen reading of the day count."""
        return _rate(policy.late_interest.rate, policy.readings["late_interest_day_count"])


@lru_cache(maxsize=64)
def _rate(yearly: Fraction, day_count: str) -> InterestRate:
    return InterestRate(yearly, day_count)


@dataclass(frozen=True, slots=True)
class Run:
    """Days without a gap that bear interest, and the share of a year that they make."""

    first_on: date
    last_on: date
    years: int  # whole years counted from first_on; 0 under fixed_365
    common_days: int  # further days, each 1/365
    leap_days: int  # further days, each 1/366

    @property
    def year_share(self) -> Fraction:
        """What a year's interest is multiplied by."""
        return self.years + Fraction(self.common_days, 365) + Fraction(self.leap_days, 366)


@dataclass(frozen=True, slots=True)
class Debt:
    """An invoice's unpaid fee, and its interest as the last allocation (a payment applied to debts) left it."""

    invoice_id: int
    principal_yen: int
    accrues_after: date  # the due date, or the day of the last allocation: interest counts from the day after
    accrued_unpaid_yen: int = 0  # whole yen accrued up to that day and still unpaid
    excluded: tuple[DayRange, ...] = ()  # days on which our or the gateway's fault kept the fee from being charged
    yearly: Fraction | None = None  # its own rate a year, where it is not the contract's

    def __post_init__(self) -> None:
        if self.principal_yen < 0 or self.accrued_unpaid_yen < 0:
            raise ValueError(f"nobody owes less than nothing: {self}")


def own_rate(scope: str, method: str, due_on: date) -> Fraction | None:
    """The rate a year of a late fee that does not bear the contract's; None: it does.

    Read narrowly (`card_only`), 5.2 is about cards: other fees bear the statutory rate of the first day of lateness
    (Civil Code 404, 419 I).
    """
    if scope == ALL_METHODS or method == CARD:
        return None
    return rate_on("civil_code_404", due_on + _ONE_DAY)


class Interest(NamedTuple):
    """What several debts of one account have accrued by a day."""

    exact: Fraction  # whole yen carried over plus the exact interest since, before rounding
    total_yen: int  # the same, rounded down once: what may be demanded
    per_debt_yen: tuple[int, ...]  # the total split over the debts, in their order


@decides("premium/5.2")
def accrued(
    principal_yen: int, after: date, through: date, rate: InterestRate, excluded: Sequence[DayRange] = ()
) -> Fraction:
    """Interest for the days after `after` up to and including `through`, exact; nothing if there are none.

    A fee bears interest while its payment is late, for whatever reason the card company refused it. The
    contract names the yearly rate and no day count. Read in the user's favour: a year costs the yearly rate
    even when it has 366 days. Days on which we or the gateway were at fault (`excluded`) bear none. Each
    stretch between excluded days is counted on its own.
    """
    runs = interest_runs(after, through, rate.day_count, excluded)
    return principal_yen * rate.yearly * sum((run.year_share for run in runs), Fraction(0))


def ceiling(
    principal_yen: int, after: date, through: date, rate: InterestRate, excluded: Sequence[DayRange] = ()
) -> Fraction:
    """The most that lateness may cost on a principal through a day, exact (Consumer Contract Act 9 (1) (ii)).

    By days, a year never more than its yearly rate: the count of days that the reading `years_then_split` has.
    """
    by_days = replace(rate, yearly=rate.ceiling, day_count=YEARS_THEN_SPLIT)
    return accrued(principal_yen, after, through, by_days, excluded)


def accrued_of(debt: Debt, through: date, rate: InterestRate) -> Fraction:
    """What a debt has accrued since its last allocation, at its own rate, never above the ceiling; exact."""
    own = rate if debt.yearly is None else replace(rate, yearly=debt.yearly)
    span = (debt.principal_yen, debt.accrues_after, through)
    exact = accrued(*span, own, debt.excluded)
    if own.yearly <= own.ceiling and own.day_count == YEARS_THEN_SPLIT:
        return exact  # the ceiling is counted in the same way
    return min(exact, ceiling(*span, own, debt.excluded))


def total_interest(debts: Sequence[Debt], through: date, rate: InterestRate) -> Interest:
    """What all debts have accrued through a day, rounded down once for the whole.

    Each debt gets the whole yen by which it raises the rounded running sum, so that the parts make the total:
    0.6 and 0.6 are 1 yen together, and it belongs to the second.
    """
    if len(debts) == 1:  # by far the most, and many of them are alike
        (debt,) = debts
        facts = (debt.principal_yen, debt.accrued_unpaid_yen, debt.accrues_after, debt.excluded, debt.yearly)
        return _of_one(*facts, through, rate)
    return _of_all(debts, through, rate)


@lru_cache(maxsize=8_192)
def _of_one(
    principal_yen: int,
    accrued_unpaid_yen: int,
    after: date,
    excluded: tuple[DayRange, ...],
    yearly: Fraction | None,
    through: date,
    rate: InterestRate,
) -> Interest:
    return _of_all([Debt(0, principal_yen, after, accrued_unpaid_yen, excluded, yearly)], through, rate)


def _of_all(debts: Sequence[Debt], through: date, rate: InterestRate) -> Interest:
    running = Fraction(0)
    per_debt_yen: list[int] = []
    for debt in debts:
        before_yen = floor_yen(running)
        running += debt.accrued_unpaid_yen
        running += accrued_of(debt, through, rate)
        per_debt_yen.append(floor_yen(running) - before_yen)
    return Interest(running, floor_yen(running), tuple(per_debt_yen))


def interest_runs(after: date, through: date, day_count: str, excluded: Sequence[DayRange] = ()) -> tuple[Run, ...]:
    """The stretches of days that bear interest, in order: what `accrued` sums, and an explanation shows."""
    runs: list[Run] = []
    for first_on, end_on in _stretches(after + _ONE_DAY, through + _ONE_DAY, excluded):
        last_on = end_on - _ONE_DAY
        if day_count == FIXED_365:
            runs.append(Run(first_on, last_on, 0, (end_on - first_on).days, 0))
        else:
            runs.append(Run(first_on, last_on, *whole_years_and_rest(first_on, last_on)))
    return tuple(runs)


def _stretches(start_on: date, end_on: date, excluded: Sequence[DayRange]) -> list[DayRange]:
    """[start, end) without the excluded days, which may overlap and come in any order."""
    kept: list[DayRange] = []
    for gap_start, gap_end in sorted(excluded):
        if gap_start >= end_on:
            break
        if gap_end <= max(start_on, gap_start):
            continue
        if start_on < gap_start:
            kept.append((start_on, gap_start))
        start_on = gap_end
    if start_on < end_on:
        kept.append((start_on, end_on))
    return kept
