"""Every view of a contract says the same of it, at every instant of random lives, also between missed nights."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_list import account_count, account_list
from keizoku.billing.accounts.account_views import contract_view
from keizoku.billing.accounts.contract_lists import contract_count, contract_list
from keizoku.billing.accounts.history import state_at
from keizoku.billing.rules.contract_state import STATES
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, services_on

ACCOUNTS = ("hanako", "jiro", "taro")
MOMENT = timedelta(microseconds=1)
FIRST_ON = date(2026, 3, 1)
Act = Callable[[Services, random.Random, str, datetime], object]


def _apply(services: Services, chance: random.Random, account: str, now: datetime) -> object:
    method = chance.choice(("card", "other", "coupon", "product_key"))
    months = chance.choice((1, 2)) if method in ("coupon", "product_key") else None
    fallback = chance.choice((None, "card")) if months else None
    act = chance.choice((services.billing.register, services.billing.approve, services.billing.approve))
    return act(account, "monthly", method, months=months, fallback=fallback, now=now)


ACTS: tuple[Act, ...] = (
    _apply,
    _apply,
    lambda services, _, account, now: services.billing.approve(account, now=now),
    lambda services, _, account, now: services.billing.reject(account, "screening", now=now),
    lambda services, _, account, now: services.billing.end_of_use(account, now=now),
    lambda services, _, account, now: services.billing.end_of_use(account, now=now),
    lambda services, _, account, now: services.billing.withdraw_end_of_use(account, now=now),
    lambda services, chance, account, now: services.billing.change_method(
        account, chance.choice(("card", "other")), now=now
    ),
    lambda services, _, account, now: services.billing.suspend(account, "spam", now=now),
    lambda services, _, account, now: services.billing.resume(account, "cleared", now=now),
    lambda services, _, account, now: services.billing.terminate(account, "fraud", now=now),
    lambda services, _, account, now: services.billing.leave_service(account, now=now),
    lambda services, _, account, now: services.billing.pay(account, 500, now=now),
    lambda services, _, account, now: Simulator(services).cards.set_card(account, "lost_card"),
    lambda services, _, account, now: services.billing.new_card(account, now=now),
)

Said = tuple[object, bool, object]


def _said_now(services: Services, now: datetime) -> dict[str, Said]:
    """account -> (state, access, ended_on), by every view of the present, which agree."""
    said: dict[str, Said] = {}
    listed = account_list(services.session, services.rules, now, limit=10)
    contracts = contract_list(services.session, services.rules, now, limit=100)
    for account in ACCOUNTS:
        said[account] = _said_then(services, account, now)
        shown = contract_view(services.session, services.rules, account, now)
        assert (shown.state, shown.access, shown.ended_on) == said[account]
        state, _, ended_on = said[account]
        rows = [row for row in contracts if row["account"] == account]
        of_account = [row for row in listed if row["account"] == account]
        assert [(row["state"], row["ended_on"]) for row in (*rows[:1], *of_account)] == [
            (state, ended_on) for _ in range(0 if state is None else 2)
        ]
        assert [row["method"] for row in of_account] == [row["method"] for row in rows[:1]]
    for state in STATES:
        among = contract_list(services.session, services.rules, now, state=state, limit=3)
        every = [row for row in contracts if row.state == state]
        assert among == every[:3]
        assert contract_count(services.session, services.rules, now, state=state) == len(every)
        accounts = [row for row in listed if row.state == state]
        assert account_count(services.session, services.rules, now, state=state) == len(accounts)
        assert (
            account_list(services.session, services.rules, now, state=state, limit=1)
            == ([row for row in listed if row["state"] == state][:1])
        )
    return said


def _said_then(services: Services, account: str, now: datetime) -> Said:
    state = state_at(services.session, services.rules, account, until=now + MOMENT, known_at=now)
    return state.state, state.access, state.ended_on


@pytest.mark.parametrize("seed", range(3))
def test_views_lists_and_history_agree_on_every_contract(engine: sa.Engine, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - lives, not secrets
    seen: dict[datetime, dict[str, Said]] = {}
    with services_on(engine) as services:
        open_world(services)
        now, on = night_at(FIRST_ON), FIRST_ON
        for _ in range(50):
            now += timedelta(minutes=chance.choice((1, 600, 1_500, 6_000)))
            if night_at(on + timedelta(days=1)) <= now and chance.random() < 0.6:  # else the nights are missed
                on = (now - timedelta(hours=18)).date()
                run_night(services, on, now)
            try:
                chance.choice(ACTS)(services, chance, chance.choice(ACCOUNTS), now)
            except Refused:
                services.session.rollback()
            seen[now] = _said_now(services, now)
        states = {said[0] for each in seen.values() for said in each.values()}
        assert len(states) >= 4, states
        for then, said in seen.items():
            assert {account: _said_then(services, account, then) for account in ACCOUNTS} == said, then
