"""One database, one account at Stripe, one mode: another key is refused before anything is asked or written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
import stripe

from keizoku.billing.cards.charge_stage import charge_due
from keizoku.billing.gateway.binding import Identity, bound, rebind
from keizoku.billing.gateway.port import GatewayRefusesUsError, UnansweredError
from keizoku.billing.gateway.stripe_calls import Gate, StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import Session
from keizoku.pacing import Pace
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.benchmarks.case_payments import DUE_ON, open_fees
from tests.worlds.stub_stripe import intent, missing_right

RULES = Rules(Terms.load("premium"))
NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def calls_of(account: str | Exception, *, live: bool = False, says_live: bool | None = None) -> tuple[StripeCalls, Any]:
    """Calls with a key of an account (or a key that may not read it), and the charges that were asked for."""
    asked: list[str] = []

    def whose() -> Any:
        if isinstance(account, Exception):
            raise account
        return SimpleNamespace(id=account)

    def create(params: Any, options: Any) -> Any:
        asked.append(params["customer"])
        made = intent("succeeded", id=f"pi_{params['customer']}", livemode=live if says_live is None else says_live)
        return stripe.PaymentIntent.construct_from(made, None)

    v1 = SimpleNamespace(
        accounts=SimpleNamespace(retrieve_current=whose), payment_intents=SimpleNamespace(create=create)
    )
    client = cast("stripe.StripeClient", SimpleNamespace(v1=v1))
    return StripeCalls(client, Pace(1_000_000), sleep=lambda _: None, live=live), asked


def rows(session: Session, table: str) -> int:
    return int(session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_the_first_key_binds_the_database_and_another_is_refused_before_anything_is_written(
    engine: sa.Engine, session: Session
) -> None:
    open_fees(session, 2)
    good, asked = calls_of("acct_1Ours")
    first = StripeGateway(engine, good)
    assert bound(session) is None
    charge_due(session, RULES, first, night_at(DUE_ON))
    assert (bound(session), sorted(asked)) == (Identity("acct_1Ours", livemode=False), ["cus_1", "cus_2"])
    session.execute(sa.text("UPDATE invoice SET state = 'open', open_yen = 500, paid_on = NULL"))  # to be charged anew
    session.execute(sa.text("ALTER TABLE payment_attempt DISABLE TRIGGER ALL"))
    session.execute(sa.text("ALTER TABLE settlement DISABLE TRIGGER ALL"))
    session.execute(sa.text("DELETE FROM settlement"))
    session.execute(sa.text("DELETE FROM payment_attempt"))
    session.commit()
    for account, live, why in (
        ("acct_1Theirs", False, "acct_1Theirs, test mode, and this database is bound to acct_1Ours, test mode"),
        ("acct_1Ours", True, "acct_1Ours, live mode, and this database is bound to acct_1Ours, test mode"),
        (missing_right("rak_accounts_kyc_basic_read"), False, "is of acct_1, test mode"),
    ):
        other, charged = calls_of(account, live=live)
        gateway = StripeGateway(engine, other)
        with pytest.raises(GatewayRefusesUsError, match=why) as refused:
            charge_due(session, RULES, gateway, night_at(DUE_ON))
        session.rollback()
        gateway.close()
        assert "\n" not in str(refused.value)
        assert (charged, rows(session, "payment_attempt"), rows(session, "gateway_binding")) == ([], 0, 1)
    first.close()


def test_an_object_of_the_other_mode_is_refused(engine: sa.Engine, session: Session) -> None:
    open_fees(session, 1)
    calls, _ = calls_of("acct_1Ours", says_live=True)
    gateway = StripeGateway(engine, calls)
    with pytest.raises(GatewayRefusesUsError, match="of the other mode"):
        charge_due(session, RULES, gateway, night_at(DUE_ON))
    gateway.close()


def test_stripe_says_the_mode_before_anything_is_sent(engine: sa.Engine, session: Session) -> None:
    open_fees(session, 1)
    calls, asked = calls_of("acct_1Ours")
    balance = SimpleNamespace(retrieve=lambda: SimpleNamespace(livemode=True))
    cast("Any", calls.client).v1.balance = balance
    gateway = StripeGateway(engine, replace(calls, http=cast("Any", SimpleNamespace(answered=None))))
    with pytest.raises(GatewayRefusesUsError, match="of the other mode"):
        charge_due(session, RULES, gateway, night_at(DUE_ON))
    assert (asked, rows(session, "payment_attempt"), bound(session)) == ([], 0, None)
    gateway.close()


def test_an_account_that_a_key_may_not_read_is_learned_later(engine: sa.Engine, session: Session) -> None:
    unreadable = stripe.InvalidRequestError("Unrecognized request URL", None, http_status=404)  # type: ignore[no-untyped-call]
    for account, held in ((unreadable, None), ("acct_1Ours", "acct_1Ours"), (unreadable, "acct_1Ours")):
        gateway = StripeGateway(engine, calls_of(account)[0])
        gateway.check_account()
        gateway.check_account()
        gateway.close()
        assert bound(session) == Identity(held, livemode=False)
        session.rollback()
    assert rows(session, "gateway_binding") == 2


def test_people_bind_anew_with_a_ground(engine: sa.Engine, session: Session) -> None:
    ours, theirs = Identity("acct_1Ours", livemode=False), Identity("acct_1Theirs", livemode=True)
    gateway = StripeGateway(engine, calls_of("acct_1Ours")[0])
    gateway.check_account()
    gateway.close()
    with pytest.raises(Refused, match="author and a ground"):
        rebind(session, theirs, "keiri", " ", NOW)
    assert rebind(session, theirs, "keiri", "moved to the company's account", NOW) == ours
    assert bound(session) == theirs
    with pytest.raises(Refused, match="bound to acct_1Theirs, live mode already"):
        rebind(session, theirs, "keiri", "once more", NOW)
    gateway = StripeGateway(engine, calls_of("acct_1Ours")[0])
    with pytest.raises(GatewayRefusesUsError, match="bound to acct_1Theirs, live mode"):
        gateway.check_account()
    gateway.close()


def test_while_stripe_does_not_say_whose_the_key_is_nothing_is_sent_and_threads_do_not_wait_one_by_one() -> None:
    calls, _ = calls_of(stripe.APIConnectionError("cut off"))  # type: ignore[no-untyped-call]
    now = [0.0]
    told: list[Identity] = []
    gate = Gate(calls, told.append, clock=lambda: now[0])
    with pytest.raises(UnansweredError, match="APIConnectionError"):
        gate.pass_through()
    with pytest.raises(UnansweredError, match="whose the key is"):
        gate.pass_through()
    now[0] = 11.0
    with pytest.raises(UnansweredError, match="APIConnectionError"):
        gate.pass_through()
    assert told == []
