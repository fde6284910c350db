"""Nights with a gateway that fails at random, over real HTTP: what was charged, what is booked, and why not.

acts of a day ──> night, with faults ──> midday: what was held back goes through, unknown charges are looked up
… then quiet nights, people who make sure of what stayed unknown, and the reckoning of `differences`
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from billing.gateway.stripe_calls import StripeCalls
from billing.gateway.stripe_gateway import StripeGateway
from billing.views import trial_balance, unknown_charges
from scheduler.app import House
from scheduler.hours import night_at
from scheduler.night import run_night
from terms.policy import Terms
from terms.rules import Rules
from tests.integration.stripe_proxy import FAULTS, KEY, Proxy, no_fault
from tests.integration.test_stripe_gateway import DECLINES, GOOD, save_card
from tests.integration.world import open_world

FIRST = date(2026, 4, 2)
TIMEOUT_SECONDS, STALL_SECONDS = 0.3, 0.35


@dataclass
class Weather:
    """How bad it was: faults by kind, and what people had to make sure of."""

    faults: Counter[str]
    nights: int = 0
    charged: int = 0
    by_people: int = 0


def random_nights(engine: sa.Engine, proxy: Proxy, seed: int, nights: int) -> Weather:
    """Run the nights; raises AssertionError with what is wrong at the end."""
    dice = random.Random(seed)  # noqa: S311  a test's dice
    weather = Weather(Counter())
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=TIMEOUT_SECONDS, retries=0)
    gateway = StripeGateway(engine, calls)
    proxy.stall_seconds, proxy.shuffle = STALL_SECONDS, random.Random(seed)  # noqa: S311
    deck: list[str] = []

    def fault(method: str, path: str) -> str | None:
        """Half of the calls that move money fail; each kind comes before one comes twice."""
        if method != "POST" or path not in ("/v1/payment_intents", "/v1/refunds") or dice.random() < 0.5:
            return None
        if not deck:
            deck.extend(dice.sample(FAULTS, len(FAULTS)))
        weather.faults[deck[-1]] += 1
        return deck.pop()

    with engine.connect() as session:
        house = House(session, Rules(Terms.load("premium")), gateway)

        def at(now: datetime) -> datetime:
            proxy.clock = lambda: now
            return now

        at(night_at(FIRST) - timedelta(hours=2))
        open_world(house)
        for number in range(nights):
            on = FIRST + timedelta(days=number)
            run_night(house, on, at(night_at(on)))
            proxy.fault = no_fault
            account = f"u{number:03d}"
            now = at(night_at(on) + timedelta(hours=6))
            save_card(session, calls, proxy, account, DECLINES if dice.random() < 0.2 else GOOD)
            proxy.fault = fault
            house.billing.approve(account, "monthly", "card", now=at(now + timedelta(hours=1)))
            if dice.random() < 0.7:
                proxy.release()
            house.billing.settle_unknown(now=at(now + timedelta(hours=3)))
        proxy.fault = no_fault
        proxy.release()
        for number in range(nights, nights + 3):
            on = FIRST + timedelta(days=number)
            night = run_night(house, on, at(night_at(on)))
            for each in unknown_charges(session):  # people look at the gateway's own page: nothing was charged
                attempt = int(str(each["attempt"]))
                house.billing.nothing_charged(attempt, by="keiri", ground="not on the page", now=at(night_at(on)))
                weather.by_people += 1
        assert (night.certificate, night.differences) == ("ok", ())
        weather.nights = nights
        weather.charged = _reckon(house, proxy)
    gateway.close()
    return weather


def _reckon(house: House, proxy: Proxy) -> int:
    """Every invoice: charged once, or not at all with a reason; the clearing account is the gateway's balance."""
    succeeded = [each for each in proxy.all_of("payment_intents") if each["status"] == "succeeded"]
    times = Counter(int(each["metadata"]["keizoku_invoice"]) for each in succeeded)
    rows = house.session.execute(
        sa.text(
            "SELECT invoice.id, state, due_on, array_agg(outcome) FILTER (WHERE attempt.id IS NOT NULL) AS outcomes "
            "FROM invoice LEFT JOIN attempt ON attempt.invoice_id = invoice.id GROUP BY invoice.id ORDER BY invoice.id"
        )
    ).all()
    wrong = []
    for row in rows:
        outcomes = row.outcomes or []
        reasons = {"declined_soft", "declined_hard", "needs_user", "abandoned"}
        once = row.state == "paid" and times[row.id] == 1 and outcomes.count("succeeded") == 1
        never = row.state == "open" and times[row.id] == 0 and outcomes and set(outcomes) <= reasons
        if not once and not never:
            wrong.append((row.id, row.state, times[row.id], outcomes))
    assert wrong == []
    balance = sum(each["net"] for each in proxy.all_of("balance_transactions"))
    assert trial_balance(house.session).get("1131", 0) == balance
    return sum(times.values())
