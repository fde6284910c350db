"""Nights with a gateway that fails at random, over real HTTP: what was charged, what is booked, and why not.

acts of a day ──> night, with faults ──> some pay otherwise while their card's answer is awaited
    ──> midday: what was held back goes through, unknown charges are looked up
meanwhile payouts go out, arrive and come back, cardholders ask their banks, and some nights begin with a key that is
not ours, or may not do what it should
… then quiet nights, people who make sure of what stayed unknown, and the reckoning of `differences`
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view, trial_balance, unknown_charges
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import Session
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import DECLINES, GOOD, save_card
from tests.stripe_double.access import LIVE
from tests.worlds.stripe_proxy import FAULTS, KEY, Proxy, no_fault
from tests.worlds.world import open_world

FIRST = date(2026, 4, 2)
TIMEOUT_SECONDS, STALL_SECONDS = 0.3, 0.35
PAY_OTHERWISE = 0.5
"""Of charges without an answer, how many are paid at a bank meanwhile: a success that shows later goes back."""
WRONG_KEYS = (LIVE, "sk_test_nobody", "rk_test_without_rights")
"""What a night may find in place of our key: the other mode's, an unknown one, one without rights."""
LIVES_OF_PAYOUTS = (("in_transit", "paid"), ("in_transit", "paid", "failed"), ("in_transit", "failed"), ("canceled",))
REASONS = {"declined_soft", "declined_hard", "needs_user", "abandoned"}


@dataclass
class Weather:
    """How bad it was, and what came of it."""

    faults: Counter[str]
    nights: int = 0
    calls: int = 0
    invoices: Counter[str] = field(default_factory=Counter)  # how each ended
    attempts: Counter[str] = field(default_factory=Counter)  # by outcome
    unknown: set[int] = field(default_factory=set)  # attempts that were left without an answer for a while
    by_people: int = 0  # of these, what people made sure of
    payouts: Counter[str] = field(default_factory=Counter)  # by their last state
    inquiries: int = 0
    good: set[str] = field(default_factory=set)  # accounts whose card never refuses: what is late is not their fault


def random_nights(
    engine: sa.Engine, proxy: Proxy, seed: int, nights: int, told: Callable[[int], None] = lambda _: None
) -> Weather:
    """Run the nights; raises AssertionError with what is wrong at the end."""
    dice = random.Random(seed)  # noqa: S311  a test's dice
    weather = Weather(Counter())
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=TIMEOUT_SECONDS, retries=0)
    gateway = StripeGateway(engine, calls)
    # people at a page, and the quiet nights at the end, wait for an answer: a busy machine is no fault of the gateway
    patient = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=600, retries=0)
    quiet = StripeGateway(engine, patient)
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
        services = Services(session, Rules(Terms.load("premium")), gateway)

        def at(now: datetime) -> datetime:
            proxy.clock = lambda: now
            return now

        def some_pay_otherwise(now: datetime) -> None:
            """Of those whose card has not answered, by a bank transfer of all that they owe."""
            fresh = [each for each in unknown_charges(session) if int(str(each["attempt"])) not in weather.unknown]
            for each in fresh:
                weather.unknown.add(int(str(each["attempt"])))
                if dice.random() < PAY_OTHERWISE:
                    account = str(each["account"])
                    owed = owed_view(session, services.rules, account, at(now))["total"]
                    services.billing.pay(account, int(str(owed)), now=now)

        money = _Money(proxy, random.Random(seed), weather)  # noqa: S311
        proxy.act("key", name="rk_test_without_rights", rights=["event_read"])
        at(night_at(FIRST) - timedelta(hours=2))
        open_world(services)
        for number in range(nights):
            on = FIRST + timedelta(days=number)
            if number % 5 == 4:
                weather.faults["wrong key"] += 1
                begun = session.execute(_ATTEMPTS).scalar_one()
                with _wrong_key(engine, proxy, WRONG_KEYS[number % len(WRONG_KEYS)]) as wrong:
                    run_night(Services(session, services.rules, wrong), on, at(night_at(on)))
                refused = _of_night(session, begun)
                assert set(refused) <= {"abandoned"}, refused  # no decline, and nothing left in flight
            run_night(services, on, at(night_at(on)))
            proxy.fault = no_fault
            money.moves_on()
            some_pay_otherwise(night_at(on) + timedelta(hours=1))
            account = f"u{number:03d}"
            now = at(night_at(on) + timedelta(hours=6))
            card = DECLINES if dice.random() < 0.2 else GOOD
            if card == GOOD:
                weather.good.add(account)
            save_card(session, patient, proxy, account, card)
            proxy.fault = fault
            services.billing.approve(account, "monthly", "card", now=at(now + timedelta(hours=1)))
            some_pay_otherwise(now + timedelta(hours=2))
            if dice.random() < 0.7:
                proxy.release()
            services.billing.settle_unknown(now=at(now + timedelta(hours=3)))
            told(number + 1)
        proxy.fault = no_fault
        proxy.release()
        services = Services(session, services.rules, quiet)
        for number in range(nights, nights + 3):
            on = FIRST + timedelta(days=number)
            night = run_night(services, on, at(night_at(on)))
            weather.by_people += _people_make_sure(services, at(night_at(on) + timedelta(hours=8)))
        assert (night.certificate, night.differences) == ("ok", ())
        weather.nights, weather.calls = nights, len(proxy.calls)
        _reckon(services, proxy, weather)
    gateway.close()
    quiet.close()
    return weather


@contextmanager
def _wrong_key(engine: sa.Engine, proxy: Proxy, key: str) -> Iterator[StripeGateway]:
    """What a worker has that was begun with another key; it is noticed, and begun anew with ours."""
    gateway = StripeGateway(engine, StripeCalls.to(key, api_base=proxy.url, per_second=1_000, retries=0))
    try:
        yield gateway
    finally:
        gateway.close()


class _Money:
    """What banks do with payouts and charges, a little each day."""

    def __init__(self, proxy: Proxy, dice: random.Random, weather: Weather) -> None:
        self.proxy, self.dice, self.weather = proxy, dice, weather
        self.payouts: dict[str, list[str]] = {}  # what lies ahead of each
        self.last: dict[str, str] = {}
        self.inquired: dict[str, str] = {}

    def moves_on(self) -> None:
        """A payout begins, others go on: in transit, paid, and some of these fail later."""
        for number, ahead in self.payouts.items():
            if ahead:
                self.last[number] = ahead.pop(0)
                self.proxy.act("payout", id=number, status=self.last[number])
        number = self.proxy.pay_out("pending")
        self.payouts[number], self.last[number] = list(self.dice.choice(LIVES_OF_PAYOUTS)), "pending"
        self.weather.payouts = Counter(self.last.values())
        for number, state in list(self.inquired.items()):
            if state != "warning_closed":
                self.inquired[number] = {"warning_needs_response": "warning_under_review"}.get(state, "warning_closed")
                self.proxy.act("dispute", id=number, status=self.inquired[number])
        charged = [each for each in self.proxy.all_of("payment_intents") if each["status"] == "succeeded"]
        if charged and len(self.payouts) % 4 == 2:
            number = self.proxy.dispute(self.dice.choice(charged)["id"], inquiry=True)
            self.inquired[number] = "warning_needs_response"
            self.weather.inquiries += 1


_ATTEMPTS = sa.text("SELECT coalesce(max(id), 0) FROM payment_attempt")
_THEIR_FAULT = {
    "suspended": "SELECT account FROM suspension",
    "demanded interest of": "SELECT account FROM demand",
    "told that it is overdue": "SELECT account FROM user_notice WHERE kind IN ('overdue', 'suspension', 'termination')",
}


def _of_night(session: Session, above: int) -> Counter[str]:
    """What became of the attempts that began above an id."""
    rows = session.execute(sa.text("SELECT outcome FROM payment_attempt WHERE id > :above"), {"above": above})
    return Counter(str(row.outcome) for row in rows)


def _people_make_sure(services: Services, now: datetime) -> int:
    """Of what stayed unknown for too long, people look at the gateway's own page: nothing was charged, or refunded."""
    charges = [int(str(each["attempt"])) for each in unknown_charges(services.session)]
    for attempt in charges:
        services.billing.nothing_charged(attempt, by="keiri", ground="not on the page", now=now)
    refunds = services.session.scalars(
        sa.text("SELECT detail ->> 'key' FROM review_task WHERE kind = 'refund_unknown' AND closed_at IS NULL")
    ).all()
    for key in refunds:
        services.billing.nothing_refunded(key, by="keiri", ground="not on the page", now=now)
    return len(charges) + len(refunds)


def _reckon(services: Services, proxy: Proxy, weather: Weather) -> None:
    """Every invoice: charged once, or not at all with a reason; what was charged beyond went back; the clearing
    account is the gateway's balance."""
    succeeded = [each for each in proxy.all_of("payment_intents") if each["status"] == "succeeded"]
    invoice_of = {each["id"]: int(each["metadata"]["keizoku_invoice"]) for each in succeeded}
    charged = Counter(invoice_of.values())
    given_back = Counter(invoice_of[each["payment_intent"]] for each in proxy.all_of("refunds"))
    rows = services.session.execute(
        sa.text(
            "SELECT invoice.id, state, "
            "EXISTS (SELECT 1 FROM settlement WHERE invoice_id = invoice.id AND kind <> 'card') AS otherwise, "
            "array_agg(outcome) FILTER (WHERE payment_attempt.id IS NOT NULL) AS outcomes "
            "FROM invoice LEFT JOIN payment_attempt ON payment_attempt.invoice_id = invoice.id "
            "GROUP BY invoice.id ORDER BY invoice.id"
        )
    ).all()
    wrong = []
    for row in rows:
        outcomes = Counter(row.outcomes or [])
        weather.attempts += outcomes
        found = (row.state, row.otherwise, charged[row.id], outcomes.pop("succeeded", 0), given_back[row.id])
        end = ENDS.get(found)
        if end is None or not set(outcomes) <= REASONS or (end == "not charged, with a reason" and not outcomes):
            wrong.append((row.id, found, outcomes))
        else:
            weather.invoices[end] += 1
    assert wrong == [], wrong
    for what, query in _THEIR_FAULT.items():
        blamed = set(services.session.scalars(sa.text(query))) & weather.good
        assert blamed == set(), f"{what} by our fault: {sorted(blamed)}"
    for account in sorted(weather.good):
        owed = owed_view(services.session, services.rules, account, proxy.clock())
        assert not owed["interest"], (account, owed)
    balance = sum(each["net"] for each in proxy.all_of("balance_transactions"))
    assert trial_balance(services.session).get("1131", 0) == balance


ENDS = {
    # state, paid otherwise, charged, succeeded attempts, given back
    ("paid", False, 1, 1, 0): "charged once",
    ("paid", True, 0, 0, 0): "paid otherwise, not charged",
    ("paid", True, 1, 1, 1): "paid otherwise, a late success given back",
    ("open", False, 0, 0, 0): "not charged, with a reason",
}
