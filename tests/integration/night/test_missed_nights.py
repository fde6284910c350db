"""After nights that were left out, terms, invoices, revenue and what is owed end as if none had been.

A life is lived twice, with the same acts: once with every night, once with gaps. A charge comes later then, and nothing
is owed for our delay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from keizoku.billing.accounts.account_views import owed_view
from keizoku.db.tables.contracts import METHODS
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.refusal import Refused
from tests.worlds.lives import open_shop
from tests.worlds.world import services_on

SOAK = int(os.environ.get("KEIZOKU_TEST_SOAK", "0"))
ONE_DAY = timedelta(days=1)
DAYS = 45
ACCOUNTS = ("hanako", "jiro", "taro")


class Member(NamedTuple):
    """How an account joins. A yearly contract that is terminated ends on the day of the night: its card is good."""

    plan: str
    method: str
    months: int | None
    card: str


class Act(NamedTuple):
    """Something that happens on a day of the life, at a minute of it."""

    day: int
    minute: int
    account: str
    kind: str


class Life(NamedTuple):
    """Who lives, from when, what they do, and which nights are left out."""

    start: date
    members: Mapping[str, Member]
    acts: tuple[Act, ...]
    missed: frozenset[date]


@st.composite
def members(draw: st.DrawFn) -> Member:
    plan = draw(st.sampled_from(("monthly", "monthly", "yearly")))
    method = draw(st.sampled_from(("card", "card", *METHODS)))
    months = (1 if plan == "monthly" else 12) if method in ("coupon", "product_key") else None
    card = draw(st.sampled_from(("ok", "insufficient_funds", "lost_card"))) if plan == "monthly" else "ok"
    return Member(plan, method, months, card)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    start = date.fromisoformat(draw(st.sampled_from(("2025-01-29", "2025-12-30", "2028-02-27"))))
    kinds = ("end_of_use", "withdraw_end_of_use", "leave_service", "other", "app_store", "pay", "new_card", "price")
    act = st.builds(
        Act, st.integers(0, DAYS), st.integers(0, 1439), st.sampled_from(ACCOUNTS), st.sampled_from((*kinds, "claim"))
    )
    gaps = draw(st.lists(st.tuples(st.integers(1, DAYS - 7), st.integers(1, 6)), min_size=1, max_size=3))
    missed = frozenset(start + (day + n) * ONE_DAY for day, length in gaps for n in range(length))
    acts = draw(st.lists(act, min_size=2, max_size=8))
    if any(each.kind == "claim" for each in acts):
        # who comes to the desk in a gap is renewed at once, before the award of a night that was left out
        acts = [each for each in acts if not {start + (each.day + n) * ONE_DAY for n in (0, 1)} & missed]
    joined = draw(st.fixed_dictionaries(dict.fromkeys(ACCOUNTS, members())))
    return Life(start, joined, tuple(sorted(acts)), missed)


def live(services: Services, life: Life, missed: frozenset[date]) -> dict[str, Any]:
    """Live it, with these nights left out; what stands at the end."""
    waiting = list(life.acts)
    at = night_at(life.start)
    open_shop(services, at)
    services.sla.record_outage(from_at=at, to_at=at + timedelta(hours=8), affected=60_000, now=at + timedelta(hours=9))
    for number, (account, member) in enumerate(life.members.items()):
        Simulator(services).cards.set_card(account, member.card)
        joins_at = at + timedelta(hours=number)
        services.billing.approve(account, member.plan, member.method, months=member.months, now=joins_at)
    for day in range(1, DAYS + 8):
        on = life.start + day * ONE_DAY
        while waiting and at + timedelta(days=waiting[0].day, minutes=waiting[0].minute) < night_at(on):
            _do(services, waiting.pop(0), at)
        if on not in missed:
            assert run_night(services, on, night_at(on)).certificate == "ok"
    return _found(services, life)


def _do(services: Services, act: Act, start_at: Any) -> None:
    now = start_at + timedelta(days=act.day, minutes=act.minute, hours=3)
    service, today = services.billing, jst_day(now)
    try:
        if act.kind in ("other", "app_store"):
            service.change_method(act.account, act.kind, now=now)
        elif act.kind == "pay":
            service.pay(act.account, 20_000, now=now)  # all that can be owed
        elif act.kind == "price":
            service.price("monthly", 600 + act.minute, announced=today, for_new_from=today,
                       for_renewals_from=today + 30 * ONE_DAY, now=now)  # fmt: skip
        elif act.kind == "claim":
            services.sla.claim(id=str(now), account=act.account, month=Month.of(start_at), now=now)
        else:
            if act.kind == "new_card":
                Simulator(services).cards.set_card(act.account, "ok")
            getattr(service, act.kind)(act.account, now=now)
    except Refused:
        services.session.rollback()


def _found(services: Services, life: Life) -> dict[str, Any]:
    queries = {
        "terms": "SELECT account, starts_on, ends_on, method, price_yen, closed_on FROM term ORDER BY 1, 2",
        "contracts": "SELECT account, ended_on, ended_reason FROM contract ORDER BY 1",
        "invoices": "SELECT account, total_yen, credit_yen, tax_yen, issued_on, due_on, state, open_yen FROM invoice "
        "ORDER BY account, issued_on",
        "revenue": "SELECT day, plan, sum(yen), sum(tax_yen) FROM revenue_posting GROUP BY 1, 2 HAVING sum(yen) <> 0 "
        "ORDER BY 1, 2",
        "balances": "SELECT code, sum(yen) FROM line WHERE code IN ('1140', '2120', '2125', '2130', '2170', '4110', "
        "'4190') GROUP BY code HAVING sum(yen) <> 0 ORDER BY 1",
    }
    found: dict[str, Any] = {
        name: [tuple(row) for row in services.session.execute(sa.text(query))] for name, query in queries.items()
    }
    now = night_at(life.start + (DAYS + 7) * ONE_DAY)
    found["interest"] = [
        owed_view(services.session, services.rules, account, now)["interest"] for account in life.members
    ]
    return found


def test_missed_nights_change_nothing_that_is_owed(engine_with_tables: Callable[[], sa.Engine]) -> None:
    @settings(
        max_examples=SOAK or 3,
        derandomize=not SOAK,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if SOAK else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(lives())
    def lived_twice(life: Life) -> None:
        with services_on(engine_with_tables()) as services:
            whole = live(services, life, frozenset())
        with services_on(engine_with_tables()) as services:
            with_gaps = live(services, life, life.missed)
        owed, owed_with_gaps = whole.pop("interest"), with_gaps.pop("interest")
        assert with_gaps == whole
        assert all(less <= more for less, more in zip(owed_with_gaps, owed, strict=True))

    lived_twice()
