"""A restored database and Stripe over HTTP: nothing is charged before it was read; what was charged is adopted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from keizoku.billing.gateway import restored
from keizoku.billing.gateway.port import GatewayRefusesUsError
from keizoku.db.session import make_engine
from keizoku.scheduler import app
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.settings import Settings
from keizoku.scheduler.worker.state_numbers import read_state
from keizoku.terms.refusal import Refused
from tests.worlds.restored_lives import Databases
from tests.worlds.restored_over_http import FIRST, Lost, restored_over_http
from tests.worlds.stripe_proxy import Proxy, no_fault
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world

RENEWED = date(2026, 5, 8)
LIVES = int(os.environ.get("KEIZOKU_TEST_RESTORES", "4"))


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def lost(
    stripe_server: Proxy, database_url: sa.URL | str, run_alone: Callable[[str], object], database_with_tables: str
) -> Iterator[Lost]:
    url = sa.make_url(database_url)
    databases = Databases(url, run_alone, database_with_tables)
    yield Lost(databases, url, stripe_server)
    stripe_server.fault = no_fault
    databases.drop()


def _number(services: Services, query: str) -> int:
    return int(services.session.execute(sa.text(query)).scalar_one())


def _renewed_since_the_backup(lost: Lost) -> None:
    """Three customers, charged for their second month after the backup; somebody registered meanwhile."""
    with lost.services() as services:
        open_world(services)
        for number in range(3):
            lost.comes(services, f"u{number}", night_at(FIRST) + timedelta(hours=1 + number))
        lost.night(services, RENEWED - timedelta(days=4))
    backup = lost.databases.copy(lost.name)
    with lost.services() as services:
        lost.comes(services, "late", night_at(RENEWED - timedelta(days=3)))
        lost.night(services, RENEWED)
    assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}
    lost.restore(backup, RENEWED - timedelta(days=4), night_at(RENEWED) + timedelta(hours=9))


def test_nothing_is_charged_before_stripe_was_read_and_then_what_it_charged_is_adopted(lost: Lost) -> None:
    _renewed_since_the_backup(lost)
    lost.proxy.fault = lambda method, path: "error_500" if path == "/v1/payment_intents" else None
    with lost.services() as services:
        waits = lost.night(services, RENEWED + timedelta(days=1))
        assert waits.certificate == "ok"
        assert restored.is_waiting(services.session)
        assert _number(services, "SELECT count(*) FROM review_task WHERE kind = 'restored_database'") == 1
        assert read_state(services.session, night_at(RENEWED + timedelta(days=1)), ())["keizoku_restore_waits"] == 1
        services.billing.settle_unknown(now=night_at(RENEWED + timedelta(days=1)))
        assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}

        lost.proxy.fault = no_fault
        assert lost.night(services, RENEWED + timedelta(days=2)).certificate == "ok"
        assert not restored.is_waiting(services.session)
        assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}
        assert _number(services, "SELECT count(*) FROM payment_attempt WHERE outcome = 'succeeded'") == 6
        assert _number(services, "SELECT count(*) FROM invoice WHERE state = 'open'") == 0
        told = "SELECT count(*) FROM review_task WHERE closed_at IS NULL AND kind = "
        assert _number(services, f"{told}'restored_database'") == 0
        assert _number(services, f"{told}'restored_act'") == 1  # whose card was saved since the backup: people
        [act] = restored.held(services.session)
        assert (act["what"], act["account"], act["yen"]) == ("charge", "late", 500)
        restored.release_act(services.session, str(act["id"]), "kato", "registered again", night_at(RENEWED))
        assert restored.held(services.session) == []
        assert lost.night(services, RENEWED + timedelta(days=32)).certificate == "ok"  # and the next month is charged
        assert lost.charged() == {"u0": 3, "u1": 3, "u2": 3, "late": 1}


def test_who_registers_again_after_the_restore_is_not_charged_before_people_have_seen_the_first_charge(
    lost: Lost,
) -> None:
    """What was charged names the account, so it is held although no restored row knows the customer."""
    _renewed_since_the_backup(lost)
    with lost.services() as services:
        lost.comes(services, "late", night_at(RENEWED) + timedelta(hours=10))  # a customer anew, with a new card
        assert lost.night(services, RENEWED + timedelta(days=1)).certificate == "ok"
        assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}
        [act] = restored.held(services.session)
        assert (act["account"], restored.held_accounts(services.session)) == ("late", {"late"})
        restored.release_act(services.session, str(act["id"]), "kato", "given back", night_at(RENEWED))
        assert lost.night(services, RENEWED + timedelta(days=2)).certificate == "ok"
        assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 2}


def test_people_release_what_waits_and_say_why(lost: Lost) -> None:
    _renewed_since_the_backup(lost)
    with lost.services() as services:
        with pytest.raises(Refused, match="author and a ground"):
            restored.release(services.session, "kato", " ", night_at(RENEWED))
        assert restored.release(services.session, "kato", "compared by hand", night_at(RENEWED)) == 1
        with pytest.raises(Refused, match="no restore waits"):
            restored.release(services.session, "kato", "again", night_at(RENEWED))


def test_an_account_with_a_charge_that_nothing_explains_is_not_charged(lost: Lost) -> None:
    _renewed_since_the_backup(lost)
    with lost.services() as services:
        # the fee is another now, so that the charge is no longer that of the invoice
        lost.at(night_at(RENEWED))
        renewal = date(2026, 5, 1)
        services.billing.price(
            "monthly", 700, announced=renewal, for_new_from=renewal, for_renewals_from=renewal,
            cohort=["u1"], initial=True, now=night_at(RENEWED),
        )  # fmt: skip
        assert lost.night(services, RENEWED + timedelta(days=1)).certificate == "ok"
        assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}
        held = [each for each in restored.held(services.session) if each["account"] == "u1"]
        restored.release_act(services.session, str(held[0]["id"]), "kato", "given back", night_at(RENEWED))
        lost.night(services, RENEWED + timedelta(days=2))
        assert lost.charged()["u1"] == 3


def test_the_copy_of_a_drill_charges_nothing_and_asks_the_live_account_nothing(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    _renewed_since_the_backup(lost)
    backup = lost.databases.copy(lost.name)
    lost.restore(backup, RENEWED - timedelta(days=4), night_at(RENEWED) + timedelta(hours=9), drill=True)
    with lost.services() as services:
        assert lost.night(services, RENEWED + timedelta(days=1)).certificate == "ok"
        with pytest.raises(Refused, match="copy of a drill"):
            restored.release(services.session, "kato", "really", night_at(RENEWED))
    assert lost.charged() == {"u0": 2, "u1": 2, "u2": 2, "late": 1}
    lost.proxy.calls.clear()
    engine = make_engine(lost.url.set(database=lost.name), "public")
    monkeypatch.setattr(app, "check_current", lambda *_: None)  # made by create_all, not by a release
    live = Settings(gateway="stripe", stripe_secret_key=SecretStr("sk_live_1"), stripe_api_base=lost.proxy.url)
    with app.services_on(engine, live) as services, pytest.raises(GatewayRefusesUsError, match="restore drill"):
        list(services.gateway.acts_since(night_at(FIRST)))
    assert lost.proxy.calls == []


@pytest.mark.parametrize("seed", range(3, 3 + LIVES))
def test_restored_at_a_random_moment_each_term_is_charged_once(lost: Lost, seed: int) -> None:
    life = restored_over_http(lost, seed)
    assert (life.certificates, life.differences) == ({"ok"}, [])
    assert life.charges
