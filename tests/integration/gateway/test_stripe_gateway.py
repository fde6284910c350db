"""The real Stripe client over HTTP against the strict double, through a proxy that injects faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from keizoku.billing.cards.saved_cards import begin_card, finish_card
from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult, GatewayRefusesUsError, RefundRequest
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import Session
from keizoku.db.tables.gateway import saved_card
from keizoku.pacing import Pace
from keizoku.scheduler.app import gateway_of
from keizoku.scheduler.settings import Settings
from keizoku.terms.refusal import Refused
from tests.worlds.stripe_proxy import KEY, Proxy, no_fault
from tests.worlds.stripe_running import running_proxy

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
GOOD, DECLINES, WANTS_USER = "4242424242424242", "4000000000000341", "4000002500003155"


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def proxy(stripe_server: Proxy) -> Iterator[Proxy]:
    stripe_server.clock = lambda: NOW
    stripe_server.stall_seconds = 0.8
    yield stripe_server
    stripe_server.fault = no_fault
    stripe_server.calls.clear()


@pytest.fixture
def calls(proxy: Proxy) -> StripeCalls:
    """No retries by the library: what a fault does is seen at once."""
    return StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=0.5, retries=0)


@pytest.fixture
def gateway(engine: sa.Engine, calls: StripeCalls) -> Iterator[StripeGateway]:
    gateway = StripeGateway(engine, calls)
    yield gateway
    gateway.close()


def confirm(proxy: Proxy, setup_id: str, number: str = GOOD) -> str:
    """What the card holder does in the browser; the card's id."""
    card = {
        "type": "card",
        "card[number]": number,
        "card[exp_month]": "12",
        "card[exp_year]": "2030",
        "card[cvc]": "123",
    }
    method = str(proxy.ask("POST", "/v1/payment_methods", card)["id"])
    customer = proxy.ask("GET", f"/v1/setup_intents/{setup_id}")["customer"]
    proxy.ask("POST", f"/v1/payment_methods/{method}/attach", {"customer": customer})
    proxy.ask("POST", f"/v1/setup_intents/{setup_id}/confirm", {"payment_method": method})
    return method


def save_card(session: Session, calls: StripeCalls, proxy: Proxy, account: str, number: str = GOOD) -> str:
    """What a host's page does: the card holder enters a card and confirms it."""
    setup = begin_card(session, calls, account, NOW)
    confirm(proxy, setup.setup_id, number)
    if number == WANTS_USER:
        return setup.setup_id
    assert finish_card(session, calls, account, setup.setup_id, NOW)
    session.commit()
    return setup.setup_id


def request(account: str, key: str = "keizoku-1-1", yen: int = 500) -> ChargeRequest:
    return ChargeRequest(f"{key}-{account}", account, 7, 1, yen, NOW)


def fails_once(kind: str, path: str = "/v1/payment_intents") -> Callable[[str, str], str | None]:
    left = [kind]
    return lambda method, asked: left.pop() if left and method == "POST" and asked == path else None


def charges_of(proxy: Proxy, account: str, session: Session) -> list[int]:
    """What really happened to the account's card."""
    customer = session.execute(sa.select(saved_card.c.customer_id).where(saved_card.c.account == account)).scalar_one()
    found = [each for each in proxy.all_of("charges") if each["customer"] == customer and each["status"] == "succeeded"]
    return [each["amount"] for each in found]


def test_5_1_1_a__a_saved_card_is_charged_once_per_key_with_nothing_personal(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "once")
    [first] = gateway.charge_many([request("once")], NOW)
    [again] = gateway.charge_many([request("once")], NOW)
    assert first == again
    assert (first.answer, first.happened_at) == (Answer.SUCCEEDED, NOW)
    assert charges_of(proxy, "once", session) == [500]
    intent = proxy.ask("GET", f"/v1/payment_intents/{first.gateway_id}")
    ids = {"keizoku_attempt": "7", "keizoku_invoice": "1", "keizoku_account": "once"}
    assert intent["metadata"] == {"keizoku_key": request("once").key, **ids}
    assert gateway.find_charges([request("once")], NOW) == {first.key: first}


def test_5_2__a_batch_of_a_process_that_stood_still_is_not_sent_any_more(
    session: Session, engine: sa.Engine, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    for account in ("late-1", "late-2"):
        save_card(session, calls, proxy, account)
    seconds = iter((0.0, 3_600.0, 3_600.1))
    stood_still = StripeGateway(engine, calls, concurrent=1, clock=lambda: next(seconds))
    sent, unsent = stood_still.charge_many([request("late-1"), request("late-2")], NOW)
    stood_still.close()
    assert (sent.answer, unsent.answer) == (Answer.SUCCEEDED, Answer.UNKNOWN)
    assert unsent.code == "not sent: the process stood still"
    assert [charges_of(proxy, account, session) for account in ("late-1", "late-2")] == [[500], []]
    assert list(gateway.find_charges([request("late-1"), request("late-2")], NOW)) == [sent.key]


@pytest.mark.parametrize("kind", ["lost", "reset", "error_500", "stall"])
def test_5_2__what_has_no_answer_is_unknown_and_a_resend_charges_once(
    kind: str, session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    account = f"fault-{kind}"
    save_card(session, calls, proxy, account)
    proxy.fault = fails_once(kind)
    [unknown] = gateway.charge_many([request(account)], NOW)
    assert (unknown.answer, unknown.gateway_id) == (Answer.UNKNOWN, None)
    found = gateway.find_charges([request(account)], NOW)
    assert bool(found) is (kind == "lost")
    [resent] = gateway.charge_many([request(account)], NOW)
    assert resent.answer is Answer.SUCCEEDED
    assert not found or found[resent.key] == resent
    assert charges_of(proxy, account, session) == [500]


def test_5_2__a_success_that_shows_only_later_is_not_charged_again(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "late")
    proxy.fault = fails_once("late")
    [unknown] = gateway.charge_many([request("late")], NOW)
    assert unknown.answer is Answer.UNKNOWN
    assert gateway.find_charges([request("late")], NOW) == {}
    [conflict] = gateway.charge_many([request("late")], NOW)  # under way: 409 is still unknown
    assert conflict.answer is Answer.UNKNOWN
    assert proxy.release() == 1
    [answered] = gateway.charge_many([request("late")], NOW)
    assert answered.answer is Answer.SUCCEEDED
    assert charges_of(proxy, "late", session) == [500]


def test_too_many_requests_wait_as_long_as_the_answer_asks(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "busy")
    proxy.fault = fails_once("busy")
    [answered] = gateway.charge_many([request("busy")], NOW)
    assert answered.answer is Answer.SUCCEEDED
    assert charges_of(proxy, "busy", session) == [500]


def test_5_4__a_decline_is_definite_and_names_its_code_and_a_missing_card_is_never_asked_for(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "declined", DECLINES)
    before = len(proxy.calls)
    [none] = gateway.charge_many([request("nobody")], NOW)
    assert (none.answer, none.code, len(proxy.calls)) == (Answer.DECLINED, "no_saved_card", before)
    [no] = gateway.charge_many([request("declined")], NOW)
    assert (no.answer, no.code) == (Answer.DECLINED, "generic_decline")
    assert charges_of(proxy, "declined", session) == []


def test_a_resend_uses_the_card_of_the_first_send(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "changed")
    proxy.fault = fails_once("lost")
    [unknown] = gateway.charge_many([request("changed")], NOW)
    assert unknown.answer is Answer.UNKNOWN
    card = session.execute(sa.select(saved_card).where(saved_card.c.account == "changed")).one()
    newer = {"payment_method_id": "pm_other", "setup_id": "seti_other", "recorded_at": NOW + timedelta(hours=1)}
    session.execute(sa.insert(saved_card).values(account="changed", customer_id=card.customer_id, **newer))
    session.commit()
    [resent] = gateway.charge_many([request("changed")], NOW)
    assert resent.answer is Answer.SUCCEEDED


def test_two_databases_on_one_account_at_stripe_never_share_a_key(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    for account in ("same", "other"):
        save_card(session, calls, proxy, account)
    first, second = (replace(request(account), key="keizoku-1-1") for account in ("same", "other"))
    assert [each.answer for each in gateway.charge_many([first], NOW)] == [Answer.SUCCEEDED]
    assert [each.answer for each in gateway.charge_many([second], NOW)] == [Answer.SUCCEEDED]
    assert charges_of(proxy, "same", session) == charges_of(proxy, "other", session) == [500]


def test_6_3__a_refund_goes_once_to_the_card_and_not_beyond_the_charge(
    session: Session, proxy: Proxy, calls: StripeCalls, gateway: StripeGateway
) -> None:
    save_card(session, calls, proxy, "refunded")
    [charged] = gateway.charge_many([request("refunded")], NOW)
    wanted = RefundRequest("keizoku-refund-1", "refunded", str(charged.gateway_id), 100)
    proxy.fault = fails_once("lost", "/v1/refunds")
    assert gateway.find_refund(wanted, NOW) is None
    assert gateway.refund(wanted, NOW).answer is Answer.UNKNOWN
    done = gateway.refund(wanted, NOW)
    assert gateway.find_refund(wanted, NOW) == done
    assert done.answer is Answer.SUCCEEDED
    charges = [each for each in proxy.all_of("refunds") if each["metadata"].get("keizoku_key") == wanted.key]
    assert [each["amount"] for each in charges] == [100]


def test_8_1__a_card_is_kept_only_when_its_holder_confirmed_it_for_this_account(
    session: Session, proxy: Proxy, calls: StripeCalls
) -> None:
    confirmed = save_card(session, calls, proxy, "holder")
    assert not finish_card(session, calls, "holder", confirmed, NOW)
    waiting = begin_card(session, calls, "holder", NOW)
    with pytest.raises(Refused, match="has not confirmed"):
        finish_card(session, calls, "holder", waiting.setup_id, NOW)
    begin_card(session, calls, "thief", NOW)
    with pytest.raises(Refused, match="begun for another account"):
        finish_card(session, calls, "thief", confirmed, NOW)
    rows = session.execute(sa.select(saved_card.c.account, saved_card.c.setup_id)).all()
    assert [tuple(row) for row in rows] == [("holder", confirmed)]


def test_a_key_that_stripe_refuses_ends_in_one_clear_line(engine: sa.Engine, proxy: Proxy, session: Session) -> None:
    good = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, retries=0)
    save_card(session, good, proxy, "refused")
    gateway = StripeGateway(engine, StripeCalls.to("pk_wrong", api_base=proxy.url, per_second=1_000, retries=0))
    with pytest.raises(GatewayRefusesUsError, match="KEIZOKU_STRIPE_SECRET_KEY"):
        list(gateway.charge_many([request("refused")], NOW))
    gateway.close()


def test_turns_come_at_an_even_pace_and_a_hold_moves_them_all() -> None:
    now = [100.0]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(round(seconds, 3))
        now[0] += seconds

    pace = Pace(4, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
    pace.hold(2)
    pace.wait()
    assert waited == [0.25, 0.25, 2.0]
    with pytest.raises(ValueError, match="positive"):
        Pace(0)


def test_the_settings_hold_pace_calls_at_once_and_the_wait_for_an_answer(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway_of(Settings(gateway="stripe", stripe_secret_key=SecretStr("sk_test_none")), engine) as stripe:
        assert isinstance(stripe, StripeGateway)
        pace = stripe.calls.pace
        assert (round(1 / pace._interval), stripe._pool._max_workers) == (80, 16)
    wanted = Settings(gateway="stripe", stripe_secret_key=SecretStr("sk_test_none"), stripe_calls_at_once=3)
    with gateway_of(wanted, engine) as stripe:
        assert isinstance(stripe, StripeGateway)
        under_way, most, all_three = [0], [0], threading.Barrier(3)
        lock = threading.Lock()

        def charge(request: ChargeRequest, card: object, until: float) -> ChargeResult:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            all_three.wait(20)  # three are let in together, again and again; a fourth never joins them
            with lock:
                under_way[0] -= 1
            return ChargeResult(request.key, Answer.DECLINED)

        monkeypatch.setattr(stripe._charges, "charge", charge)
        answered = list(stripe.charge_many([request("busy", f"key-{number}") for number in range(12)], NOW))
        assert (len(answered), most[0]) == (12, 3)
