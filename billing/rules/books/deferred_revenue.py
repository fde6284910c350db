"""When what is deferred will be earned: the contract liability of a day, month by month ahead.

    500 from 2026-04-20, seen on 2026-05-01:   2026-05: 317          nothing else is left of it
    a fee that ended unpaid on 2026-04-25       when it is paid: 417

Always holds: the parts of a plan sum to what its terms hold less what is recognised, whatever ended early, was given
up, or is recognised late; a month's part is the sum of its days' revenue (revenue_recognition.py). Pure: values in,
values out. Amounts are whole yen, tax included; days are JST dates, `from_on` is the first day that has not passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from keizoku.billing.rules.books.revenue_recognition import recognised_through
from keizoku.terms.calendar import Month

LATE: Final = "late"  # of days that have passed: the next night recognises it (below zero: too much is recognised)
WHEN_PAID: Final = "when_paid"  # of terms that ended early and are unpaid: recognised once paid, or given up
BY_PEOPLE: Final = "by_people"  # what people posted to the account by hand


class Held(NamedTuple):
    """Terms that are alike, and what the contract liability got for each of them, revenue by day aside."""

    plan: str
    price_yen: int
    starts_on: date
    ends_on: date
    closed_on: date | None  # ended early, on a day that the balance is about
    held_yen: int  # invoiced (or redeemed, or begun at a store) less what was given up or recognised at the end
    terms: int = 1


class Part(NamedTuple):
    """What of a plan's balance will be earned when: a month ("2026-05"), or one of the words above."""

    plan: str
    when: str
    yen: int


def schedule(
    held: Iterable[Held], recognised: Mapping[str, int], by_people: Mapping[str, int], from_on: date
) -> tuple[Part, ...]:
    """The parts of the balance, by plan, months in order; parts of zero are left out.

    `recognised` is what was recognised by day so far, `by_people` what people posted, each by plan.
    """
    parts: dict[tuple[str, str], int] = {}
    passed_yen: dict[str, int] = {}

    def add(plan: str, when: str, yen: int) -> None:
        parts[plan, when] = parts.get((plan, when), 0) + yen

    for each in held:
        until_on = from_on if each.closed_on is None else min(from_on, each.closed_on)
        earned_yen = recognised_through(each.price_yen, each.starts_on, each.ends_on, until_on)
        passed_yen[each.plan] = passed_yen.get(each.plan, 0) + each.terms * earned_yen
        left_yen = each.held_yen - earned_yen
        if each.closed_on is not None or left_yen <= 0:
            add(each.plan, WHEN_PAID, each.terms * left_yen)
            continue
        for month, yen in _ahead(each, earned_yen, from_on):
            add(each.plan, month, each.terms * yen)
    for plan in passed_yen.keys() | recognised.keys():
        add(plan, LATE, passed_yen.get(plan, 0) - recognised.get(plan, 0))
    for plan, yen in by_people.items():
        add(plan, BY_PEOPLE, yen)
    return tuple(Part(plan, when, yen) for (plan, when), yen in sorted(parts.items()) if yen)


def _ahead(each: Held, earned_yen: int, from_on: date) -> Iterable[tuple[str, int]]:
    """What a running term will earn, by month, no more than it holds; what it holds above its fee never is."""
    month = Month.of(max(from_on, each.starts_on))
    before_yen = earned_yen
    while month.first_on < each.ends_on:
        through_yen = recognised_through(each.price_yen, each.starts_on, each.ends_on, month.end_on)
        through_yen = min(through_yen, each.held_yen)
        if through_yen > before_yen:
            yield str(month), through_yen - before_yen
            before_yen = through_yen
        month = month.next()
