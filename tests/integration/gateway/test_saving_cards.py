"""Saving cards over real HTTP: the how-to page as it is printed, the commands, what is refused, what stays ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from keizoku.billing.gateway.port import Answer
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.scheduler.app import Services
from keizoku.scheduler.cli.contracts.card import app
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import DECLINES, confirm, fails_once, request
from tests.worlds.pages import database_of_the_settings, python_blocks
from tests.worlds.stripe_proxy import KEY, Proxy, no_fault
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world, services_on

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "cards.md"
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def proxy(stripe_server: Proxy) -> Iterator[Proxy]:
    yield stripe_server
    stripe_server.fault = no_fault


def test_5_1_1_a__the_page_runs_and_its_commands_do_the_same(
    engine_for_schema: Callable[[], sa.Engine], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = python_blocks(PAGE)
    database_of_the_settings(engine_for_schema, monkeypatch)
    monkeypatch.setenv("KEIZOKU_GATEWAY", "stripe")
    monkeypatch.setenv("KEIZOKU_STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("KEIZOKU_STRIPE_API_BASE", proxy.url)
    page: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), page)  # noqa: S102

    begun = page["begin"]("u1")
    assert begun["client_secret"].startswith(begun["setup"])
    assert page["finish"]("u1", begun["setup"]) == "again"
    first = confirm(proxy, begun["setup"])
    assert [page["finish"]("u2", begun["setup"]), page["finish"]("u1", begun["setup"])] == ["again", "saved"]
    setup = proxy.ask("GET", f"/v1/setup_intents/{begun['setup']}")
    assert (setup["usage"], setup["metadata"]) == ("off_session", {"keizoku_account": "u1"})
    customer = proxy.ask("GET", f"/v1/customers/{setup['customer']}")
    assert (customer["metadata"], customer["email"], customer["name"]) == ({"keizoku_account": "u1"}, None, None)

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"] if words[0] != "detach" else words)
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout) if words[0] != "detach" else done.stdout

    by_hand = run("begin", "u1")
    second = confirm(proxy, by_hand["setup"])
    assert run("finish", "u1", by_hand["setup"]) == {"account": "u1", "kept": True, "charges": []}
    assert run("finish", "u1", by_hand["setup"])["kept"] is False
    assert [(each["card"], each["charged"]) for each in run("list", "u1")] == [(second, True), (first, False)]
    assert run("detach", "u1", second) == f"{second} is no longer charged\n"
    assert [(each["card"], each["charged"]) for each in run("list", "u1")] == [(second, False), (first, True)]
    page["forget"]("u1")
    assert [each["ended_at"] is None or each["charged"] for each in run("list", "u1")] == [False, False]
    assert proxy.ask("GET", f"/v1/payment_methods/{first}")["customer"] is None
    page["engine"].dispose()


def test_5_4__a_new_card_is_charged_what_is_open_and_one_that_ended_never_again(
    engine: sa.Engine, proxy: Proxy
) -> None:
    proxy.clock = lambda: NOW
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=5, retries=0)
    gateway = StripeGateway(engine, calls)
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        service = services.billing
        refused = confirm(proxy, (setup := service.begin_card("hanako", now=NOW)).setup_id, DECLINES)
        assert service.finish_card("hanako", setup.setup_id, now=NOW)
        service.approve("hanako", "monthly", "card", now=NOW)
        later = NOW + timedelta(hours=1)
        good = confirm(proxy, (setup := service.begin_card("hanako", now=later)).setup_id)
        proxy.fault = fails_once("lost")
        assert service.finish_card("hanako", setup.setup_id, now=later)
        outcomes = sa.text("SELECT outcome FROM payment_attempt ORDER BY id")
        assert session.scalars(outcomes).all() == ["declined_soft", "succeeded"]  # looked up at once
        assert [service.detach_card("hanako", refused, now=later) for _ in range(2)] == [True, False]
        ended = later + timedelta(hours=1)
        proxy.fault = lambda method, path: "reset" if path.endswith("/detach") else None
        with pytest.raises(Refused, match="did not let go"):
            service.detach_card("hanako", good, now=ended)
        proxy.fault = no_fault
        assert service.detach_card("hanako", good, now=ended)
        with pytest.raises(Refused, match="has no saved card pm_other"):
            service.detach_card("hanako", "pm_other", now=ended)
        # an attempt that was first sent before goes to the same card again; a later one to none
        requests = [request("hanako"), request("hanako", "keizoku-9-1")]
        before = replace(requests[0], first_sent_at=ended - timedelta(minutes=1))
        sent = [before, replace(requests[1], first_sent_at=ended)]
        assert [card.payment_method_id for card in gateway._cards(sent).values()] == [good]
        assert [each.answer for each in gateway.charge_many([sent[1]], ended)] == [Answer.DECLINED]
    gateway.close()


def test_cards_are_saved_at_stripe_only_and_not_while_a_charge_is_open(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        for act in (
            lambda: services.billing.begin_card("hanako", now=NOW),
            lambda: services.billing.finish_card("hanako", "seti_1", now=NOW),
            lambda: services.billing.detach_card("hanako", "pm_1", now=NOW),
        ):
            with pytest.raises(Refused, match="cards are saved at Stripe, and the gateway here is simulated"):
                act()
        assert services.billing.cards("hanako") == []
