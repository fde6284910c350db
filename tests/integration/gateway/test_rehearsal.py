"""`keizoku gateway rehearse` walks through a test-mode account, here the strict double; a live key is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_rehearsal import rehearse
from keizoku.scheduler.cli import app
from keizoku.terms.refusal import Refused
from tests.stripe_double.access import LIVE, SECRET
from tests.stripe_double.running import Controls, running_double


@pytest.fixture(scope="module")
def double() -> Iterator[Controls]:
    with running_double() as double:
        yield double


def calls_of(double: Controls, key: str = SECRET) -> StripeCalls:
    return StripeCalls.to(key, api_base=double.url, per_second=1_000, retries=0)


def test_every_step_brings_what_is_expected(double: Controls) -> None:
    steps = list(rehearse(calls_of(double), datetime.now(UTC), sleep=lambda _: double("clock", advance=3_600)))
    assert {each.name: each.found for each in steps if not each.ok} == {}
    assert len(steps) == 14


def test_the_documented_key_needs_no_right_to_make_payouts(double: Controls) -> None:
    double("forget")
    rights = [
        *(f"{name}_write" for name in ("customer", "setup_intent", "payment_method", "payment_intent", "refund")),
        *(f"{name}_read" for name in ("charge", "dispute", "event", "balance", "balance_transaction_source", "payout")),
    ]
    double("key", name="rk_test_all", rights=rights)
    steps = list(
        rehearse(calls_of(double, "rk_test_all"), datetime.now(UTC), sleep=lambda _: double("clock", advance=3_600))
    )
    assert {each.name: (each.ok, each.found) for each in steps if each.ok is not True} == {
        "payout": (None, "no right rak_payout_write")
    }
    double("key", name="rk_test_less", rights=[each for each in rights if each != "refund_write"])
    less = {each.name: each for each in rehearse(calls_of(double, "rk_test_less"), datetime.now(UTC), patience=1)}
    assert (less["refund"].ok, less["refund"].found) == (False, "no right rak_refund_write")
    assert less["charge"].ok


def test_a_live_key_is_refused_before_anything_is_asked(double: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    double("requests", forget=True)
    with pytest.raises(Refused, match="live"):
        list(rehearse(calls_of(double, LIVE), datetime.now(UTC)))
    monkeypatch.setenv("KEIZOKU_GATEWAY", "stripe")
    monkeypatch.setenv("KEIZOKU_STRIPE_API_BASE", double.url)
    monkeypatch.setenv("KEIZOKU_STRIPE_SECRET_KEY", LIVE)
    done = CliRunner().invoke(app, ["gateway", "rehearse", "--json"])
    assert isinstance(done.exception, Refused)
    assert done.exception.code == "gateway.live_key"
    assert double("requests") == []
    monkeypatch.setenv("KEIZOKU_STRIPE_SECRET_KEY", SECRET)
    monkeypatch.setattr("keizoku.billing.gateway.stripe_rehearsal.PATIENCE_SECONDS", 1.0)
    done = CliRunner().invoke(app, ["gateway", "rehearse", "--json"])
    assert len(json.loads(done.stdout)) == 14
    monkeypatch.setenv("KEIZOKU_GATEWAY", "simulated")
    assert CliRunner().invoke(app, ["gateway", "rehearse"]).exit_code == 1
