"""Disputes: each state is recorded and booked once, whatever comes; people choose what a loss means."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import invoices_view, owed_view, trial_balance
from keizoku.billing.accounts.liability_explanation import explain_liability
from keizoku.billing.cards.dispute_choices import disputes
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world, services_on

LOST = date(2026, 5, 12)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    """A first term, 26 March to 26 April, whose charge was disputed on 8 May and lost on 12 May."""
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        run_night(services, date(2026, 4, 26), night_at(date(2026, 4, 26)))
        now = parse_instant("2026-05-08 10:00")
        Simulator(services).dispute("hanako", date(2026, 3, 26), "lost", decided_on=LOST, now=now)
        yield services


def _balances(services: Services, *codes: str) -> dict[str, int]:
    found = trial_balance(services.session)
    return {code: found.get(code, 0) for code in codes}


def test_5_2__people_void_the_sale_of_a_term_that_is_over_after_the_loss(services: Services) -> None:
    night = run_night(services, LOST, night_at(LOST))
    assert (night.certificate, night.differences) == ("ok", ())
    assert _balances(services, "1131", "1132", "1140") == {"1131": 500, "1132": 0, "1140": 500}
    (lost,) = disputes(services.session)
    assert (lost["dispute"], lost["state"], lost["choice"]) == ("sim_dp_1", "lost", None)
    before = _balances(services, "2120", "2170", "4110")
    now = parse_instant("2026-06-20 10:00")  # 39 days late: 7.8 yen of interest
    assert owed_view(services.session, services.rules, "hanako", now)["interest"] == 7
    services.billing.dispute_lost("sim_dp_1", "sale_void", by="keiri", ground="the card was stolen", now=now)
    after = _balances(services, "2120", "2170", "4110")
    assert {code: after[code] - before[code] for code in after} == {"2120": 0, "2170": 45, "4110": 455}
    assert _balances(services, "1132", "1140", "1150") == {"1132": 0, "1140": 0, "1150": 0}
    assert owed_view(services.session, services.rules, "hanako", now)["total"] == 0
    assert [each["state"] for each in invoices_view(services.session, "hanako")] == ["void", "paid"]
    with pytest.raises(Refused, match="void already"):
        services.billing.dispute_lost("sim_dp_1", "claim_stays", by="keiri", ground="no", now=now)
    on = date(2026, 6, 21)
    assert run_night(services, on, night_at(on)).certificate == "ok"


def test_5_2__what_people_chose_before_the_loss_holds_and_the_other_terms_go_on(services: Services) -> None:
    now = parse_instant("2026-05-09 10:00")
    services.billing.dispute_lost("sim_dp_1", "claim_stays", by="keiri", ground="first thought", now=now)
    services.billing.dispute_lost("sim_dp_1", "sale_void", by="keiri", ground="second thought", now=now)
    assert run_night(services, LOST, night_at(LOST)).certificate == "ok"
    assert [each["state"] for each in invoices_view(services.session, "hanako")] == ["void", "paid"]
    assert run_night(services, LOST, night_at(LOST)).changes == 0
    ended = services.session.execute(sa.text("SELECT ended_on FROM contract")).scalar_one()
    assert ended is None  # the term that runs was paid: only the disputed one is void
    # premium/12.2: what the dispute took back was never received
    assert (
        explain_liability(services.session, services.rules, "hanako", parse_instant("2026-05-13 09:00")).cap.yen == 500
    )
    with pytest.raises(Refused, match="no charge of ours"):
        services.billing.dispute_lost("dp_9", "sale_void", by="keiri", ground="?", now=now)


def test_5_2__a_payment_after_the_loss_settles_the_fee_and_the_sale_stands(services: Services) -> None:
    run_night(services, LOST, night_at(LOST))
    now = parse_instant("2026-05-14 10:00")
    services.billing.pay("hanako", 500, now=now)
    assert owed_view(services.session, services.rules, "hanako", now)["total"] == 0  # two days: 0.4 yen
    with pytest.raises(Refused, match="paid since"):
        services.billing.dispute_lost("sim_dp_1", "sale_void", by="keiri", ground="?", now=now)
    on = date(2026, 5, 15)
    assert run_night(services, on, night_at(on)).certificate == "ok"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


def test_5_2__disputes_of_real_cards_are_fetched_booked_once_and_the_clearing_account_is_the_balance(
    engine: sa.Engine, proxy: Proxy
) -> None:
    start = datetime(2026, 3, 26, 1, 0, tzinfo=UTC)
    proxy.clock = lambda: start
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=5, retries=0)
    gateway = StripeGateway(engine, calls)
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        intents = {}
        for account in ("won", "lost"):
            save_card(session, calls, proxy, account)
            services.billing.approve(account, "monthly", "card", now=start + timedelta(days=7))
            query = sa.text("SELECT gateway_id FROM payment_attempt WHERE account = :account")
            intents[account] = session.execute(query, {"account": account}).scalar_one()
        numbers = {account: proxy.dispute(intent) for account, intent in intents.items()}

        def night(day: int, decide: str | None = None) -> int:
            at = night_at(date(2026, 4, day))
            proxy.clock = lambda: at - timedelta(hours=1)
            if decide is not None:
                proxy.close_dispute(numbers[decide], won=decide == "won")
            done = run_night(services, date(2026, 4, day), at)
            assert (done.certificate, done.differences) == ("ok", ())
            assert trial_balance(session).get("1131", 0) == sum(
                each["net"] for each in proxy.all_of("balance_transactions")
            )
            return done.changes

        night(3)
        assert _balances(services, "1132", "6110", "6112") == {"1132": 1_000, "6110": 36, "6112": 3_000}
        night(4, "won")
        night(5, "lost")
        assert _balances(services, "1132", "1140", "6112") == {"1132": 0, "1140": 500, "6112": 3_000}
        assert run_night(services, date(2026, 4, 5), night_at(date(2026, 4, 5))).changes == 0
        assert {each["account"]: each["state"] for each in disputes(session)} == {"won": "won", "lost": "lost"}
    gateway.close()
