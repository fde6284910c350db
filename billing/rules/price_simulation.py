"""What a change of price would do (premium/4.3): whom it touches, on which renewal, from what to what.

A change touches a contract at the first renewal from its date on, if the contract lives that long and no other price
holds there; what was paid in advance keeps its price. Facts in, answers out; nothing is saved.

    renewals   │ 05-10 │ 06-10 │ 07-10 │          change for renewals from 06-20
               │  500  │  500  │  600  │          touched on 07-10, from 500 to 600
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from keizoku.billing.rules.price_catalog import NoPriceError, Price, price_at
from keizoku.terms.calendar import Interval, TermRule, boundary
from keizoku.terms.read_model import ReadModel


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A running contract. `next_seq` is the term that follows the last one; `ends_on`: it ends there for good."""

    account: str
    plan: str
    interval: Interval
    anchor_on: date
    next_seq: int
    prepaid_terms: int
    price_yen: int
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Touched:
    """A contract that the change touches: on the first day of which term, its price now, without and with it."""

    account: str
    plan: str
    first_day: date
    now_yen: int
    without_yen: int | None
    with_yen: int


@dataclass(frozen=True, slots=True, eq=False)
class TouchedCount(ReadModel):
    """How many contracts of a plan a change takes from one price to another on a day."""

    plan: str
    first_day: date
    from_yen: int | None
    to_yen: int
    contracts: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """The change, what new contracts would pay from its date, the contracts it touches, and how many it does not."""

    change: Price
    new_before_yen: int | None
    new_after_yen: int
    touched: tuple[Touched, ...]
    ending: int  # contracts that end before it could touch them
    untouched: int  # other contracts of the plan: another price holds for them on that day

    def by_date(self) -> list[TouchedCount]:
        """How many contracts by plan, first day and prices, in that order."""
        counts = Counter((each.plan, each.first_day, each.without_yen, each.with_yen) for each in self.touched)
        return [
            TouchedCount(plan, first_day, before, after, count)
            for (plan, first_day, before, after), count in sorted(
                counts.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or 0, item[0][3])
            )
        ]


def simulate(change: Price, prices: Sequence[Price], subscribers: Iterable[Subscriber], rule: TermRule) -> Simulation:
    """What would follow if the change were recorded after `prices`."""
    after = [*prices, change]
    touched: list[Touched] = []
    ending = untouched = 0
    for each in subscribers:
        first_day = _first_renewal(each, change.for_renewals_from, rule)
        if each.ends_on is not None and each.ends_on <= first_day:
            ending += 1
            continue
        without_yen = _yen(prices, change.plan, each.account, first_day, renewal=True)
        with_yen = price_at(after, change.plan, each.account, first_day, True).yen
        if with_yen == without_yen:
            untouched += 1
        else:
            touched.append(Touched(each.account, each.plan, first_day, each.price_yen, without_yen, with_yen))
    somebody = min(change.cohort) if change.cohort else ""
    return Simulation(
        change=change,
        new_before_yen=_yen(prices, change.plan, somebody, change.for_new_from, renewal=False),
        new_after_yen=price_at(after, change.plan, somebody, change.for_new_from, False).yen,
        touched=tuple(touched),
        ending=ending,
        untouched=untouched,
    )


def _first_renewal(each: Subscriber, from_on: date, rule: TermRule) -> date:
    """The first day of the first term to come that begins on `from_on` or later and is not paid in advance."""
    seq = max(each.next_seq, each.prepaid_terms)
    while (first_day := boundary(each.anchor_on, each.interval, seq, rule)) < from_on:
        seq += 1
    return first_day


def _yen(prices: Sequence[Price], plan: str, account: str, first_day: date, *, renewal: bool) -> int | None:
    try:
        return price_at(prices, plan, account, first_day, renewal).yen
    except NoPriceError:
        return None
