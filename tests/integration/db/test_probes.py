"""The probes of the night: a night that asks first leaves nothing for one in which every stage looks for itself.

A probe may say yes for nothing; what is held here is that it never says no for something.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keizoku.billing.contracts import renewal_notice_stage
from keizoku.billing.contracts.price_lookup import load_prices
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.tables.contracts import plan, price
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.night.stages import Work, run_probes
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

FIRST, NIGHTS = date(2026, 3, 27), 38
LEAVES_AFTER = 20  # nights: one month of a key for two is left
ACCOUNTS = ("hanako", "jiro", "saburo")


Act = Callable[[Services, str, datetime], object]


def _stop(services: Services, account: str, now: datetime) -> object:
    from_at, to_at = parse_instant("2026-04-03 12:00"), parse_instant("2026-04-03 20:00")
    return services.sla.record_outage(from_at=from_at, to_at=to_at, affected=60_000, now=now)


def _claim(services: Services, account: str, now: datetime) -> object:
    return services.sla.claim(id=f"{account} {now:%m%d%H}", account=account, month=Month(2026, 4), now=now)


def _new_card(services: Services, account: str, now: datetime) -> None:
    Simulator(services).cards.set_card(account, "ok")
    services.billing.new_card(account, now=now)


def _approve(method: str, plan: str = "monthly", months: int | None = None) -> Act:
    return lambda services, account, now: services.billing.approve(account, plan, method, months=months, now=now)


def _card(outcome: str) -> Act:
    return lambda services, account, now: Simulator(services).cards.set_card(account, outcome)


WHAT_PEOPLE_DO: dict[str, Act] = {
    "card fails": _card("insufficient_funds"),
    "card lost": _card("lost_card"),
    "card mute": _card("timeout_after_success"),
    "refund fails": lambda services, account, now: Simulator(services).cards.set_refund_fails(account),
    "new card": _new_card,
    "pay": lambda services, account, now: services.billing.pay(account, 300, now=now),
    "pay too much": lambda services, account, now: services.billing.pay(account, 1_200, now=now),
    "end of use": lambda services, account, now: services.billing.end_of_use(account, now=now),
    "leave": lambda services, account, now: services.billing.leave_service(account, now=now),
    "suspend": lambda services, account, now: services.billing.suspend(account, "asked for", now=now),
    "terminate": lambda services, account, now: services.billing.terminate(account, "asked for", now=now),
    "other method": lambda services, account, now: services.billing.change_method(account, "other", now=now),
    "stop": _stop,
    "claim": _claim,
    "approve by card": _approve("card"),
    "approve for a year": _approve("card", "yearly"),
    "approve by key": _approve("product_key", months=1),
    "approve by store": _approve("app_store"),
}
ACTS = st.tuples(
    st.integers(0, NIGHTS - 1),
    st.sampled_from(sorted(WHAT_PEOPLE_DO)),
    st.sampled_from(ACCOUNTS),
)


# what fails is long to make smaller
@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hanako_by=st.sampled_from(("card", "app_store")),
    acts=st.lists(ACTS, min_size=4, max_size=14),
)
def test_a_night_that_asks_first_leaves_nothing_for_one_that_looks_everywhere(
    hanako_by: str, acts: list[tuple[int, str, str]], engine_with_tables: Callable[[], sa.Engine]
) -> None:
    with services_on(engine_with_tables()) as services:
        open_world(services)
        _approve(hanako_by)(services, "hanako", night_at(FIRST))
        _approve("product_key", months=2)(services, "jiro", night_at(FIRST))
        _approve("other")(services, "saburo", night_at(FIRST))
        for count in range(NIGHTS):
            on = FIRST + timedelta(days=count)
            today = [(name, account) for day, name, account in acts if day == count]
            _live_a_day(services, on, [*today, ("leave", "jiro")] if count == LEAVES_AFTER else today)
            assert run_night(services, on, night_at(on)).differences == ()
            everywhere = run_night(services, on, night_at(on), ask_first=False)
            assert (everywhere.changes, everywhere.differences) == (0, ())


def _live_a_day(services: Services, on: date, acts: list[tuple[str, str]]) -> None:
    for hour, (name, account) in enumerate(acts):
        try:
            WHAT_PEOPLE_DO[name](services, account, night_at(on) - timedelta(hours=12) + timedelta(minutes=20 * hour))
        except Refused:
            services.session.rollback()


TOLD, NOT_TOLD = Discretion(renewal_notice_days_month=3), Discretion()
MONTHLY, YEARLY = {"basic": "month", "plus": "month"}, {"basic": "month", "whole": "year"}


@pytest.mark.parametrize(
    ("intervals", "prices", "settings", "due"),
    [
        (MONTHLY, [("basic", 500, None), ("plus", 900, None)], NOT_TOLD, False),
        (MONTHLY, [("basic", 500, None), ("basic", 500, None)], NOT_TOLD, False),
        (MONTHLY, [("basic", 500, None)], TOLD, True),
        (MONTHLY, [("basic", 500, None), ("basic", 600, None)], NOT_TOLD, True),
        (MONTHLY, [("basic", 500, None), ("basic", 500, ["hanako"])], NOT_TOLD, True),
        (YEARLY, [("basic", 500, None), ("whole", 5_000, None)], NOT_TOLD, True),
    ],
)
def test_notices_ahead_are_passed_over_only_where_no_plan_can_have_one(
    session: sa.Connection,
    intervals: dict[str, str],
    prices: list[tuple[str, int, list[str] | None]],
    settings: Discretion,
    due: bool,
) -> None:
    at, on = night_at(FIRST), FIRST
    session.execute(
        sa.insert(plan), [{"code": code, "interval": each, "recorded_at": at} for code, each in intervals.items()]
    )
    known = {"announced_on": on, "for_new_from": on, "for_renewals_from": on, "recorded_at": at}
    session.execute(
        sa.insert(price), [{"plan": code, "yen": yen, "cohort": cohort, **known} for code, yen, cohort in prices]
    )
    services = Services(session, Rules(Terms.load(), settings), SimulatedGateway(session.engine))
    said = run_probes(Work(services, on, at, (on,), 0), "disputes")
    Simulator(services).cards.close()
    assert said["renewal_notices"] is due
    assert due or not renewal_notice_stage._plans(load_prices(session), settings, on)
