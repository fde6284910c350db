"""Dated prices of the plans, and which of them a term has.

Decides premium/4.3: a changed fee binds a running contract at a renewal, once it was announced and the
migration period is over. A change has three dates: announced, for new contracts, for renewals. By premium/3.2 the
fee that an applicant was shown is the one agreed to, also if it has risen by the approval; if it has fallen, the lower.

    v1 from 03-01 │ v2 for renewals from 05-15        contract of 03-05, monthly
    term of 05-05: v1 │ term of 06-05: v2

Always holds: a term's price depends on its first day alone, however many changes fell inside the term before.
Days are JST dates, prices whole yen, tax included. Errors: NoPriceError for a day that no price covers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from keizoku.terms.calendar import Interval
from keizoku.terms.decision import Finding, decides


class NoPriceError(LookupError):
    """The plan has no price on that day."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price as it was recorded. `cohort` names the accounts that it is for; None: for all."""

    plan: str
    interval: Interval
    yen: int
    announced_on: date
    for_new_from: date
    for_renewals_from: date
    cohort: frozenset[str] | None = None
    recorded: int = 0  # its place in the order of recording

    @classmethod
    def initial(cls, plan: str, interval: Interval, yen: int, from_on: date, recorded: int = 0) -> Price:
        """A price that holds for new contracts and for renewals from one day, announced on it."""
        return cls(plan, interval, yen, from_on, from_on, from_on, recorded=recorded)

    def from_on(self, renewal: bool) -> date:
        """The first day on which a term of that kind can have it."""
        return self.for_renewals_from if renewal else self.for_new_from

    def is_for(self, account: str) -> bool:
        """Whether it is meant for that account."""
        return self.cohort is None or account in self.cohort


@decides("premium/4.3")
def price_at(prices: Iterable[Price], plan: str, account: str, first_day: date, renewal: bool) -> Price:
    """The price of a term that begins on `first_day`, by renewal or as a contract's first.

    In force is the price with the latest date for that kind of term, up to that day. Of several for one
    date the one announced last wins; announced on one day, a cohort's before the general one; then the one
    recorded last. A cohort's price is thus no promise for ever: a general change with a later date replaces
    it. Raises NoPriceError.
    """
    in_force = [
        price
        for price in prices
        if price.plan == plan and price.is_for(account) and price.from_on(renewal) <= first_day
    ]
    if not in_force:
        kind = "renewals" if renewal else "new contracts"
        raise NoPriceError(
            f"premium/4.3: plan {plan} has no price for {kind} on {first_day}; "
            "record one that holds from that day or earlier"
        )
    return max(
        in_force,
        key=lambda price: (
            price.from_on(renewal),
            price.announced_on,
            price.cohort is not None,
            price.recorded,
        ),
    )


class RenewalPrice(NamedTuple):
    """What renewals cost from a day on; `from_on` None: as things stand."""

    from_on: date | None
    yen: int


def renewal_prices(prices: Iterable[Price], plan: str, account: str, on: date) -> tuple[RenewalPrice, ...]:
    """What renewals cost as known on a day: the price in force then, and each other price from its later day."""
    ours = [each for each in prices if each.plan == plan]
    found: list[RenewalPrice] = []
    for from_on in sorted({on, *(each.for_renewals_from for each in ours if each.for_renewals_from > on)}):
        try:
            yen = price_at(ours, plan, account, from_on, True).yen
        except NoPriceError:
            continue
        if not found or found[-1].yen != yen:
            found.append(RenewalPrice(None if from_on == on else from_on, yen))
    return tuple(found)


class ShownOffer(NamedTuple):
    """The offer that an application accepts: its price, the day on which it was shown, the digest of what it says."""

    price_yen: int
    shown_on: date
    digest: str


def agreed_yen(shown: ShownOffer | None, in_force_yen: int) -> int:
    """The price of the first term: the one that was shown, or the one in force at the approval where that is lower.

    Nothing shown (there was no price yet): the one in force.
    """
    return in_force_yen if shown is None else min(shown.price_yen, in_force_yen)


def accepted_until(shown_on: date, valid_days: int) -> date | None:
    """The last day on which an approval can accept what was shown on a day; None: without limit (setting)."""
    return shown_on + timedelta(days=valid_days) if valid_days else None


def check_change(
    change: Price,
    replaces: Price | None,
    price_announce_days: int,
    price_migration_days: int,
    *,
    source: str = "price",
    line: int | None = None,
) -> list[Finding]:
    """What keeps a price change from being taken: too short a notice or migration period (settings).

    Notice runs from the announcement to the first day for new contracts, the migration period from the
    announcement to the first day for renewals. `replaces` is the price until then. A plan's first price
    (None) changes nothing that anybody agreed to, and a price that is not higher needs nobody's time to
    leave: neither is held to them.
    """
    if replaces is None or change.yen <= replaces.yen:
        return []
    spans = (
        ("new contracts", change.for_new_from, "notice", "price_announce_days", price_announce_days),
        (
            "renewals",
            change.for_renewals_from,
            "migration period",
            "price_migration_days",
            price_migration_days,
        ),
    )
    return [
        Finding(
            source=source,
            line=line,
            value=f"{change.plan}: {change.yen} yen for {kind} from {from_on}, told {change.announced_on}",
            rule=f"premium/4.3: the {span} is at least {least_days} days ({setting})",
            remedy=f"let it hold for {kind} from {change.announced_on + timedelta(days=least_days)} or later",
        )
        for kind, from_on, span, setting, least_days in spans
        if (from_on - change.announced_on).days < least_days
    ]
