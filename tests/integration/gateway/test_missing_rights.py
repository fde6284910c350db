"""A key without a right: what needs it waits as a task that names the right, everything else of the night goes on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.stripe_proxy import KEY
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world

START = datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
RENEWED = date(2026, 5, 2)
ALL = (
    *(f"{name}_write" for name in ("customer", "setup_intent", "payment_method", "payment_intent", "refund")),
    *(f"{name}_read" for name in ("charge", "dispute", "event", "balance", "balance_transaction_source", "payout")),
)


@pytest.mark.parametrize(
    ("lost", "aside"),
    [
        ("dispute_read", {"disputes: stage disputes"}),
        ("event_read", {"evidence: stage evidence"}),
        ("payout_read", {"evidence: stage evidence"}),
        ("balance_read", set()),
        ("payment_intent_write", {"payments: stage payments"}),
    ],
)
def test_5_2__a_right_that_is_missing_stops_only_what_needs_it(lost: str, aside: set[str], engine: sa.Engine) -> None:
    with running_proxy() as proxy, engine.connect() as session:
        proxy.clock = lambda: START
        account = proxy.ask("GET", "/v1/account")["id"]
        proxy.act("key", name="rk_test_less", account=account, rights=[each for each in ALL if each != lost])
        good = StripeGateway(engine, StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, retries=0))
        rules = Rules(Terms.load("premium"))
        services = Services(session, rules, good)
        open_world(services)
        for name in ("one", "two"):
            save_card(session, good.calls, proxy, name)
            services.billing.approve(name, "monthly", "card", now=START)
        proxy.clock = lambda: night_at(RENEWED)
        less = StripeGateway(engine, StripeCalls.to("rk_test_less", api_base=proxy.url, per_second=1_000, retries=0))
        done = run_night(Services(session, rules, less), RENEWED, night_at(RENEWED))
        less.close()
        assert (done.certificate, set(done.set_aside)) == ("ok", aside)
        why = session.execute(sa.text("SELECT detail ->> 'why' FROM review_task WHERE kind = 'set_aside'")).scalars()
        assert all(f"no right rak_{lost}" in each for each in why)
        states = session.execute(sa.text("SELECT state FROM invoice ORDER BY id")).scalars().all()
        charged = lost != "payment_intent_write"
        assert sorted(states) == sorted(["paid"] * 2 + ["paid" if charged else "open"] * 2)
        session.rollback()
        on = RENEWED + timedelta(days=1)
        proxy.clock = lambda: night_at(on)
        mended = run_night(services, on, night_at(on))
        assert (mended.certificate, mended.set_aside) == ("ok", ())
        ends = session.execute(sa.text("SELECT state, count(*) FROM invoice GROUP BY 1")).all()
        assert [tuple(row) for row in ends] == [("paid", 4)]
        blamed = session.execute(sa.text("SELECT count(*) FROM payment_attempt WHERE outcome LIKE 'declined%'"))
        assert blamed.scalar_one() == 0
        good.close()
