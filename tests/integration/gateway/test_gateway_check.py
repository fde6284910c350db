"""`keizoku gateway check`: each right tried and named; what may not be read holds up nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
import stripe

from keizoku.billing.gateway.binding import Identity
from keizoku.billing.gateway.books import Movement
from keizoku.billing.gateway.events import poll
from keizoku.billing.gateway.port import GatewayRefusesUsError, MissingRightError
from keizoku.billing.gateway.simulated_books import SimulatedBooks
from keizoku.billing.gateway.stripe_calls import API_VERSION, StripeCalls
from keizoku.billing.gateway.stripe_check import HAVE, MISSING, NO_ANSWER, RIGHTS, check
from keizoku.db.session import Session
from keizoku.pacing import Pace
from tests.stripe_double.running import running_double
from tests.worlds.stub_stripe import invalid, missing_right

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


class Rights:
    """A client that has some rights: each call is remembered, and refused for those that it lacks."""

    def __init__(self, lacks: dict[str, Exception]) -> None:
        self.lacks, self.asked = lacks, []  # type: ignore[var-annotated]

    def __getattr__(self, service: str) -> Any:
        def of(method: str) -> Any:
            def ask(*_given: Any) -> Any:
                self.asked.append(f"{service}.{method}")
                if service in self.lacks:
                    raise self.lacks[service]
                if service == "accounts":
                    return SimpleNamespace(id="acct_1Ours")
                if method in ("list", "retrieve"):
                    return SimpleNamespace(data=[], has_more=False, livemode=False)
                raise invalid("resource_missing", "No such object", 404)

            return ask

        return type("Service", (), {"__getattr__": lambda _, method: of(method)})()


def calls_of(lacks: dict[str, Exception]) -> tuple[StripeCalls, Rights]:
    v1 = Rights(lacks)
    client = cast("stripe.StripeClient", SimpleNamespace(v1=v1))
    return StripeCalls(client, Pace(1_000_000), sleep=lambda _: None, live=False), v1


def test_each_right_is_tried_without_making_or_changing_anything() -> None:
    calls, client = calls_of({})
    found = check(calls, NOW)
    assert found.ok
    assert found.identity == Identity("acct_1Ours", livemode=False)
    assert [each.state for each in found.rights] == [HAVE] * len(RIGHTS)
    assert sorted(client.asked) == sorted(
        [
            "accounts.retrieve_current",
            *("balance.retrieve", "customers.update", "payment_intents.cancel", "payment_methods.detach"),
            *("refunds.update", "setup_intents.cancel"),
            *(f"{name}.list" for name in ("balance_transactions", "charges", "disputes", "events", "payouts")),
        ]
    )
    assert len(RIGHTS) == 11


def test_a_missing_right_is_named_and_an_answer_that_does_not_come_is_no_missing_right() -> None:
    lacks: dict[str, Exception] = {
        "disputes": missing_right("rak_dispute_read"),
        "accounts": missing_right("rak_accounts_kyc_basic_read"),
        "refunds": stripe.PermissionError("no", http_status=403),
        "payouts": stripe.APIError("500", http_status=500),
    }
    found = check(calls_of(lacks)[0], NOW)
    states = {each.right.name: (each.state, each.named) for each in found.rights}
    assert found.identity == Identity("acct_1", livemode=False)  # the refusal itself says whose key it is
    assert states["Disputes"] == (MISSING, "rak_dispute_read")
    assert states["Refunds"] == (MISSING, None)
    assert states["Payouts"] == (NO_ANSWER, None)
    assert [each.right.name for each in found.missing] == ["Refunds", "Disputes"]
    told = found.to_json("ja")
    assert (told["account"], told["mode"], told["ok"]) == ("acct_1", "test", False)


def test_a_key_that_stripe_does_not_know_ends_in_one_line() -> None:
    unknown = stripe.AuthenticationError("Invalid API Key", http_status=401)
    with pytest.raises(GatewayRefusesUsError, match="refuses the key"):
        check(calls_of({"accounts": unknown})[0], NOW)


def test_news_that_may_not_be_read_hold_up_no_other_part_of_the_books(session: Session) -> None:
    class Books(SimulatedBooks):
        def events(self, since: datetime) -> Any:
            raise MissingRightError("the key has no right rak_event_read", "rak_event_read")

        def movements(self, since: datetime) -> Any:
            yield Movement("txn_1", "stripe_fee", -80, 0, 0, -80, "jpy", None, None, None, NOW, NOW)

    with pytest.raises(MissingRightError, match="rak_event_read"):
        poll(session, Books(session, NOW), NOW)
    assert session.execute(sa.text("SELECT id, net FROM balance_transaction")).all() == [("txn_1", -80)]
    cursors = session.execute(sa.text("SELECT name FROM gateway_cursor ORDER BY 1")).scalars().all()
    assert cursors == ["movements", "payouts"]


def test_the_documented_restricted_key_is_exactly_what_is_needed() -> None:
    rights = [
        *(f"{name}_write" for name in ("customer", "setup_intent", "payment_method", "payment_intent", "refund")),
        *(f"{name}_read" for name in ("charge", "dispute", "event", "balance", "balance_transaction_source", "payout")),
    ]
    with running_double() as double:
        double("key", name="rk_test_all", account="acct_1Restricted", rights=rights)
        calls = StripeCalls.to("rk_test_all", api_base=double.url, per_second=1_000, retries=0)
        found = check(calls, datetime.now(UTC))
        assert (found.ok, found.identity) == (True, Identity("acct_1Restricted", livemode=False))
        assert (found.version, found.clock_ahead_seconds) in {(API_VERSION, seconds) for seconds in (-1, 0, 1)}
        for lost, kept in ((right, [each for each in rights if each != right]) for right in rights):
            double("key", name="rk_test_less", account="acct_1Restricted", rights=kept)
            less = check(StripeCalls.to("rk_test_less", api_base=double.url, per_second=1_000, retries=0), NOW)
            assert [each.named for each in less.missing] == [f"rak_{lost}"]
