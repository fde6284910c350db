"""Kinds of poison: what sick accounts, mistaken people and broken machines do to a random life (poison.py).

Each is made of dice, at a random place: POISONS befall one account at one moment, FAULTS a whole night.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from keizoku.scheduler.app import Services
from keizoku.scheduler.clock import HeldClock
from keizoku.scheduler.night.stages import STEPS, Work
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import parse_instant

HUGE = "名" * 100_000
Do = Callable[[Services, datetime], object]
Poison = Callable[[random.Random, str], Do]


def _card(answer: str) -> Poison:
    return lambda dice, account: lambda services, now: Simulator(services).cards.set_card(account, answer)


def _windows_the_wrong_way(dice: random.Random, account: str) -> Do:
    ends = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 11:00")
    windows: Any = [ends] if dice.random() < 0.5 else [ends[:1]]
    return lambda services, now: services.sla.submit_claim(account, "2026-04", windows=windows, now=now)


def _windows_elsewhere(dice: random.Random, account: str) -> Do:
    windows = [(parse_instant("2020-01-01 00:00"), parse_instant("2020-01-01 05:00"))]
    return lambda services, now: services.sla.submit_claim(account, "2026-04", windows=windows, now=now)


def _huge_text(dice: random.Random, account: str) -> Do:
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", ground=HUGE, by=HUGE, now=now),
        lambda services, now: services.billing.suspend(account, HUGE, now=now),
        lambda services, now: services.billing.register(HUGE, "monthly", "card", now=now),
        lambda services, now: services.billing.service_change(
            HUGE, occurred_at=now, by=account, ground=account, now=now
        ),
    ]
    return dice.choice(acts)


def _no_text(dice: random.Random, account: str) -> Do:
    text = dice.choice(("a\0b", "\ud800"))
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", id=text, now=now),
        lambda services, now: services.billing.reject(text, text, now=now),
        lambda services, now: services.billing.terminate(account, text, now=now),
        lambda services, now: services.sla.recognise(f"c-{account}", [], text, text, now=now),
    ]
    return dice.choice(acts)


def _from_the_future(dice: random.Random, account: str) -> Do:
    ahead = timedelta(days=dice.choice((1, 400, 70_000, 2_000_000)))
    acts: list[Do] = [
        lambda services, now: services.sla.submit_claim(account, "2026-04", received_at=now + ahead, now=now),
        lambda services, now: services.sla.submit_claim(account, "2026-12", now=now),
        lambda services, now: services.billing.service_change(
            "x", occurred_at=now + ahead, by="y", ground="z", now=now
        ),
        lambda services, now: services.billing.suspend(account, "late", now=now + timedelta(days=2_000_000)),
    ]
    return dice.choice(acts)


def _numbers(dice: random.Random, account: str) -> Do:
    yen = dice.choice((-(10**30), -1, 0, 2**63, 10**30))
    acts: list[Do] = [
        lambda services, now: services.billing.pay(account, yen, now=now),
        lambda services, now: services.billing.match_payment(yen, account, by="y", ground="z", now=now),
        lambda services, now: services.billing.nothing_charged(yen, by="y", ground="z", now=now),
    ]
    return dice.choice(acts)


def _wrong_methods(dice: random.Random, account: str) -> Do:
    method = dice.choice(("Card", "crad", "", "appstore", "card\0", "名" * 5_000, "bank_transfer"))
    acts: list[Do] = [
        lambda services, now: services.billing.change_method(account, method, now=now),
        lambda services, now: services.billing.approve(f"n-{account}", "monthly", method, now=now),
        lambda services, now: services.billing.register(f"n-{account}", "monthly", method, now=now),
        lambda services, now: services.billing.approve(f"n-{account}", "monthly", "coupon", fallback=method, now=now),
    ]
    return dice.choice(acts)


def _method_of_an_older_release(dice: random.Random, account: str) -> Do:
    """A method that no term can have stands in the facts, from before its constraint."""
    method = dice.choice(('{"method": "crad"}', '{"method": 7}', "{}", "null"))

    def do(services: Services, now: datetime) -> None:
        _sql(services, "ALTER TABLE contract_fact DROP CONSTRAINT IF EXISTS ck_contract_fact_method_known")
        _sql(
            services,
            "INSERT INTO contract_fact (contract_id, account, kind, occurred_at, recorded_at, detail) "
            "SELECT id, account, 'change_method', :at, :at, CAST(:detail AS jsonb) FROM contract WHERE account = :who",
            at=now,
            detail=method,
            who=account,
        )

    return do


def _refused_rows(dice: random.Random, account: str) -> Do:
    """From now on the database refuses every row of a table that is this account's."""
    table, act = dice.choice(
        (("term", "INSERT"), ("invoice", "INSERT"), ("payment_attempt", "UPDATE"), ("user_notice", "INSERT"),
         ("demand", "INSERT"), ("credit", "INSERT"), ("award", "INSERT"))
    )  # fmt: skip

    def do(services: Services, now: datetime) -> None:
        name = f"poison_{table}_{account}"
        _sql(
            services,
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.account = '{account}' THEN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END IF; "
            "RETURN NEW; END $$",
        )
        trigger = f"CREATE OR REPLACE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        _sql(services, trigger)

    return do


def _clock_ahead(dice: random.Random, account: str) -> Do:
    """Whoever acts has a clock that is ahead of the database's, which stands at the life's own time."""
    ahead = timedelta(seconds=dice.choice((301, 86_400, 400 * 86_400)))

    def do(services: Services, now: datetime) -> None:
        held = Services(services.session, services.rules, services.gateway, HeldClock(now, timedelta(minutes=5)))
        acts: list[Callable[[], object]] = [
            lambda: held.sla.submit_claim(account, "2026-04", now=now + ahead),
            lambda: held.billing.pay(account, 500, now=now + ahead),
            lambda: held.billing.leave_service(account, now=now + ahead),
            lambda: held.billing.settle_unknown(now=now + ahead),
        ]
        dice.choice(acts)()

    return do


def _clock_behind(dice: random.Random, account: str) -> Do:
    """Whoever acts has a clock that is behind what nights have done."""
    behind = timedelta(days=dice.choice((2, 20, 300)))
    acts: list[Do] = [
        lambda services, now: services.billing.leave_service(account, now=now - behind),
        lambda services, now: services.billing.end_of_use(account, now=now - behind),
        lambda services, now: services.billing.suspend(account, "late", now=now - behind),
    ]
    return dice.choice(acts)


def _sql(services: Services, text: str, **values: object) -> None:
    services.session.execute(sa.text(text), values)
    services.session.commit()


@contextmanager
def _step_throws(services: Services, dice: random.Random) -> Iterator[None]:
    """Two steps of the night throw, at once or after their first chunk."""
    steps = [(stage, name) for stage, named in STEPS.items() for name in named]
    (stage, first), (other_stage, second) = dice.sample(steps, 2)
    throwing = {
        name: _throwing(STEPS[of][name], dice.randrange(2)) for of, name in ((stage, first), (other_stage, second))
    }
    with patch.dict(STEPS[stage], {first: throwing[first]}), patch.dict(STEPS[other_stage], {second: throwing[second]}):
        yield


def _throwing(step: Callable[[Work], Iterator[int]], chunks: int) -> Callable[[Work], Iterator[int]]:
    def throwing(work: Work) -> Iterator[int]:
        yield from islice(step(work), chunks)
        raise LookupError("poison")

    return throwing


@contextmanager
def _no_population(services: Services, dice: random.Random) -> Iterator[None]:
    """Nobody has said how many users there are."""
    _sql(services, "ALTER TABLE population RENAME TO population_of_others")
    _sql(services, "CREATE TABLE population (LIKE population_of_others INCLUDING ALL)")
    yield
    _sql(services, "DROP TABLE population")
    _sql(services, "ALTER TABLE population_of_others RENAME TO population")


FAULTS = {"step that throws": _step_throws, "population that is missing": _no_population}
"""What befalls whole nights."""

POISONS: Mapping[str, Poison] = {
    "card that is refused": _card("lost_card"),
    "card whose answer never comes": _card("timeout_before"),
    "card whose answer comes late": _card("timeout_after_success"),
    "windows the wrong way round": _windows_the_wrong_way,
    "windows of another month": _windows_elsewhere,
    "huge texts": _huge_text,
    "what is no text": _no_text,
    "rows from the future": _from_the_future,
    "numbers beyond every column": _numbers,
    "methods that nobody knows": _wrong_methods,
    "a method of an older release": _method_of_an_older_release,
    "rows that the database refuses": _refused_rows,
    "a clock that is ahead": _clock_ahead,
    "a clock that is behind": _clock_behind,
}
"""Each at a random place of a random life."""
