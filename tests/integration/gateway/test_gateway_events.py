"""Events, movements, fees and payouts of the gateway: recorded once, booked once, whatever comes how often."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import trial_balance
from keizoku.billing.gateway.books import Movement
from keizoku.billing.gateway.events import movement_postings, poll
from keizoku.billing.gateway.stripe_books import StripeBooks
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import Session
from keizoku.db.tables.gateway import balance_transaction, gateway_event, gateway_payout, payout_movement
from tests.integration.gateway.test_stripe_gateway import NOW, request, save_card
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.stripe_running import running_proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        proxy.clock = lambda: NOW
        yield proxy


def test_news_that_come_twice_and_out_of_order_are_recorded_and_booked_once(
    engine: sa.Engine, session: Session, proxy: Proxy
) -> None:
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=5, retries=0)
    gateway, books = StripeGateway(engine, calls), StripeBooks(calls)
    save_card(session, calls, proxy, "taro")
    proxy.shuffle = random.Random(1)  # noqa: S311
    for key in ("one", "two"):
        list(gateway.charge_many([request("taro", key)], NOW))
    gateway.close()
    first = poll(session, books, NOW + timedelta(minutes=1))
    assert first > 0
    assert poll(session, books, NOW + timedelta(minutes=2)) == 0
    assert session.scalars(sa.select(balance_transaction.c.net)).all() == [482, 482]
    assert trial_balance(session) == {"1131": -36, "6110": 36}
    payout = proxy.pay_out()
    assert poll(session, books, NOW + timedelta(minutes=3)) > 0
    assert trial_balance(session) == {"1110": 964, "1131": -1_000, "6110": 36}
    assert poll(session, books, NOW + timedelta(minutes=4)) == 0
    rows = session.execute(sa.select(gateway_payout.c.payout, gateway_payout.c.amount, gateway_payout.c.state)).all()
    assert [tuple(row) for row in rows] == [(payout, 964, "paid")]
    assert set(session.scalars(sa.select(payout_movement.c.payout))) == {payout}
    kinds = set(session.scalars(sa.select(gateway_event.c.kind)))
    assert {"payment_intent.succeeded", "payout.paid"} <= kinds


def _movement(kind: str, amount: int, fee: int = 0, *, fee_tax: int = 0, currency: str = "jpy") -> Movement:
    at = datetime(2026, 4, 30, 15, 30, tzinfo=UTC)  # 1 May, 00:30 in Japan
    return Movement("txn_1", kind, amount, fee, fee_tax, amount - fee, currency, "ch_1", "pi_1", None, at, at)


def test_a_fee_and_a_payout_are_booked_on_their_own_day_in_japan() -> None:
    may_1 = date(2026, 5, 1)
    exempt = [(p.event, p.posted_on, dict(p.amounts)) for p in movement_postings(_movement("charge", 500, 18))]
    assert exempt == [("processor_fee", may_1, {"exempt_yen": 18, "taxable_yen": 0, "tax_yen": 0})]
    taxed = [(p.event, dict(p.amounts)) for p in movement_postings(_movement("charge", 500, 18, fee_tax=1))]
    assert taxed == [("processor_fee", {"taxable_yen": 18, "tax_yen": 1, "exempt_yen": 0})]
    alone = [(p.event, dict(p.amounts)) for p in movement_postings(_movement("stripe_fee", -200))]
    assert alone == [("processor_fee", {"exempt_yen": 200, "taxable_yen": 0, "tax_yen": 0})]
    paid = [(p.event, p.posted_on, dict(p.amounts)) for p in movement_postings(_movement("payout", -964))]
    assert paid == [("payout", may_1, {"yen": 964})]
    assert movement_postings(_movement("refund", -100)) == []
    # a payout may cost a fee of its own (an instant one): it leaves the balance too
    instant = [(p.event, p.key, dict(p.amounts)) for p in movement_postings(_movement("payout", -964, 9))]
    assert instant == [
        ("payout", "movement:txn_1", {"yen": 964}),
        ("processor_fee", "movement:txn_1:fee", {"exempt_yen": 9, "taxable_yen": 0, "tax_yen": 0}),
    ]


@pytest.mark.parametrize("movement", [_movement("charge", 500, 18, currency="usd"), _movement("reserve_hold", -5)])
def test_what_no_rule_knows_is_booked_by_nobody_but_people(movement: Movement) -> None:
    assert movement_postings(movement) == []
