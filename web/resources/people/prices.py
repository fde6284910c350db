"""Plans and their dated prices, and what a change would do before it is made (4.3)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.billing.accounts.contract_lists import PlanRow, PriceRow, plan_list, price_list
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, whole
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Yen

__all__ = ["prices"]

prices = Resource("prices", "Plans, their dated prices, and what a change would do.")

PlanAdded = listed("PlanAdded", plan=str, interval=str)
PriceAdded = listed("PriceAdded", plan=str, yen=int, done=bool)
Cohort = Annotated[
    list[Id], Field(min_length=1, max_length=10_000, description="the accounts that it is for; none: all")
]
Interval = Annotated[str, Field(pattern="^(month|year)$")]


@prices.list("/plans", command="plan list", row=PlanRow)
def list_plans(call: Call) -> Listing:
    """Plans with today's prices for new contracts and for renewals, and how many contracts run."""
    return whole(plan_list(call.session, call.today), "plan")


@prices.act("/plans", command="plan add", answer=PlanAdded)
def add_plan(call: Call, *, plan: Id, interval: Interval) -> Any:
    """Declare a plan. It can be sold once it has a price."""
    call.billing.add_plan(plan, interval, now=call.now)
    return {"plan": plan, "interval": interval}


@prices.list("/prices", command="price list", row=PriceRow)
def list_prices(call: Call, *, plan: Id | None = None) -> Listing:
    """Every price ever recorded, with its dates."""
    return whole(price_list(call.session, plan))


@prices.act("/prices", command="price add", answer=PriceAdded)
def add_price(
    call: Call,
    *,
    plan: Id,
    yen: Yen,
    announced: Day,
    for_new_from: Day,
    for_renewals_from: Day,
    cohort: Cohort | None = None,
    ground: Ground | None = None,
    proof: Ground | None = None,
) -> Any:
    """Record a price with its three dates. Too short a notice is refused, with the earliest days that would do."""
    call.billing.price(
        plan,
        yen,
        announced=announced,
        for_new_from=for_new_from,
        for_renewals_from=for_renewals_from,
        cohort=cohort,
        ground=ground,
        proof=proof,
        by=call.author,
        now=call.now,
    )
    return {"plan": plan, "yen": yen, "done": True}


@prices.question("/price-simulations/{plan}", command="price simulate", answer=dict[str, Any])
def simulate(call: Call, plan: Id, *, yen: Yen, announced: Day, for_new_from: Day, for_renewals_from: Day) -> Any:
    """Whom a change would affect, when, and at which price; `refused` says why it could not be made. Saves nothing."""
    found, findings = call.billing.simulate_price(
        plan, yen, announced=announced, for_new_from=for_new_from, for_renewals_from=for_renewals_from, now=call.now
    )
    return {
        "plan": plan,
        "yen": yen,
        "new_before_yen": found.new_before_yen,
        "new_after_yen": found.new_after_yen,
        "touched": len(found.touched),
        "ending_before": found.ending,
        "untouched": found.untouched,
        "by_date": found.by_date(),
        "refused": findings,
    }
