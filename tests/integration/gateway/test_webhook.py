"""What Stripe tells a host: verified, recorded once, fetched anew; the how-to page runs as it is printed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import stripe
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.cards import charge_stage
from keizoku.billing.cards.webhook import Answer, WebhookAnswer, handle, refusal
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.db.session import Session
from keizoku.db.tables.gateway import gateway_event
from keizoku.db.tables.money import payment_attempt
from keizoku.scheduler.app import Services
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import save_card
from tests.worlds.pages import database_of_the_settings, python_blocks
from tests.worlds.stripe_proxy import KEY, Proxy
from tests.worlds.stripe_running import running_proxy
from tests.worlds.world import open_world, services_on

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md"
SECRET = "whsec_of_a_test"  # noqa: S105
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


def event(kind: str, about: dict[str, Any], number: int = 1) -> bytes:
    created = int((NOW - timedelta(minutes=1)).timestamp())
    return json.dumps({"id": f"evt_{number}", "type": kind, "created": created, "data": {"object": about}}).encode()


def signed(payload: bytes, at: datetime = NOW, secret: str = SECRET) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(payload.decode(), secret, int(at.timestamp()))
    return header


Tell = Callable[..., WebhookAnswer]


@pytest.fixture
def tell(engine: sa.Engine) -> Iterator[Tell]:
    with services_on(engine) as services:

        def told(payload: bytes, signature: str | None = None) -> WebhookAnswer:
            header = signed(payload) if signature is None else signature
            return handle(services.session, services.rules, services.gateway, payload, header, SECRET, NOW)

        yield told


def test_what_is_not_from_stripe_or_is_old_writes_nothing(tell: Tell, session: Session) -> None:
    payload = event("payout.paid", {"id": "po_1"})
    edge = timedelta(seconds=300)
    refused = {
        "": Answer.BAD_SIGNATURE,
        "t=x,v1=y": Answer.BAD_SIGNATURE,
        signed(payload, secret="another"): Answer.BAD_SIGNATURE,  # noqa: S106
        signed(payload + b" "): Answer.BAD_SIGNATURE,
        signed(payload, NOW - edge - timedelta(seconds=1)): Answer.REPLAYED,
        signed(payload, NOW + edge + timedelta(seconds=1)): Answer.REPLAYED,
    }
    assert {header: tell(payload, header) for header in refused} == {
        header: WebhookAnswer(answer) for header, answer in refused.items()
    }
    for body in (
        b"[]",
        b"nonsense",
        b'{"id": 1, "type": "x", "created": "y", "data": {"object": {}}}',
        b"x" * 2_000_000,
    ):
        assert tell(body) == WebhookAnswer(Answer.BAD_PAYLOAD)
    assert tell(b"\xff", signed(b"x")) == WebhookAnswer(Answer.BAD_SIGNATURE)
    assert {WebhookAnswer(answer).status for answer in refused.values()} == {400}
    assert session.execute(sa.select(sa.func.count()).select_from(gateway_event)).scalar_one() == 0
    assert tell(payload, signed(payload, NOW - edge)).answer is Answer.TAKEN


NO_EVENTS = {
    b"[" * 100_000: "nested too deep",
    b"{}": "not an event",
    b'"text"': "not an event",
    b"null": "not an event",
    b'{"id": "evt_1", "type": "a.b", "created": 1e400, "data": {"object": {}}}': "not an event",
    b'{"id": "evt_1", "type": "a.b", "created": 99999999999999, "data": {"object": {}}}': "not an event",
    b'{"id": "evt_1", "type": "a.b", "created": "x", "data": {"object": {}}}': "not an event",
    b'{"id": "evt_1", "type": "a.b", "created": 1, "data": {"object": []}}': "not an event",
    b'{"id": "evt_\\u0000", "type": "a.b", "created": 1, "data": {"object": {}}}': "event's id",
    b'{"id": "evt_\\ud800", "type": "a.b", "created": 1, "data": {"object": {}}}': "event's id",
    b'{"id": "", "type": "a.b", "created": 1, "data": {"object": {}}}': "event's id",
    b'{"id": ["evt"], "type": "a.b", "created": 1, "data": {"object": {}}}': "event's id",
    b'{"id": "evt_1", "type": "a b", "created": 1, "data": {"object": {}}}': "event's kind",
    b'{"id": "evt_1", "type": "a.b", "created": 1, "data": {"object": {"id": 1}}}': "event's about",
    b'{"id": "%s", "type": "a.b", "created": 1, "data": {"object": {}}}' % (b"e" * 500_000): "event's id",
}


@pytest.mark.parametrize("payload", NO_EVENTS, ids=lambda payload: payload[:40].decode())
def test_signed_nonsense_is_refused_with_its_reason_and_writes_nothing(
    tell: Tell, session: Session, payload: bytes
) -> None:
    answer = tell(payload)
    assert answer == WebhookAnswer(Answer.BAD_PAYLOAD, reason=answer.reason)
    assert NO_EVENTS[payload] in answer.reason
    assert session.scalar(sa.select(sa.func.count()).select_from(gateway_event)) == 0


def test_any_of_several_signatures_is_enough_and_two_times_are_one_too_many(tell: Tell) -> None:
    payload = event("payout.paid", {"id": "po_1"})
    good, other = signed(payload), signed(payload, secret="another")  # noqa: S106
    time, fits = good.split(",", 1)
    rolled = f"{time},{other.split(',', 1)[1]},{fits},v0=ab"  # while a secret is rolled, both sign
    assert tell(payload, rolled).answer is Answer.TAKEN
    old = signed(payload, NOW - timedelta(days=2))
    for header in (f"{time},{old}", f"{old},{time}"):  # a copy of an old call with a fresh time beside its own
        assert tell(payload, header).answer is Answer.BAD_SIGNATURE
    for header in (
        "v1",
        "t",
        "=",
        ",",
        "t=1,v1",
        "v1=a",
        "t=1=2,v1=a",
        "t=99999999999999999999,v1=a",
        "t=,v1=",
        "t= 1",
    ):
        assert tell(payload, header).status == 400


def test_a_thin_event_says_what_the_endpoint_needs(tell: Tell) -> None:
    thin = {
        "id": "evt_1", "object": "v2.core.event", "type": "v1.payout.paid", "created": "2026-04-01T03:00:00Z",
        "livemode": False, "related_object": {"id": "po_1", "type": "payout", "url": "/v1/payouts/po_1"},
    }  # fmt: skip
    answer = tell(json.dumps(thin).encode())
    assert (answer.answer, answer.status) == (Answer.BAD_PAYLOAD, 400)
    assert "snapshot events" in answer.reason


@given(st.binary(max_size=200), st.text(max_size=200))
def test_any_unsigned_bytes_are_refused_without_a_database(payload: bytes, signature: str) -> None:
    answer = refusal(payload, signature, SECRET, NOW)
    assert answer is not None
    assert (answer.answer, answer.status) == (Answer.BAD_SIGNATURE, 400)


def test_an_event_counts_once_and_what_nobody_knows_is_kept(tell: Tell) -> None:
    payload = event("customer.created", {"id": "cus_1"})
    assert tell(payload) == WebhookAnswer(Answer.UNKNOWN_TYPE, "evt_1", 1)
    assert tell(payload) == WebhookAnswer(Answer.DUPLICATE, "evt_1")
    unknown = event("charge.dispute.created", {"id": "dp_unheard"}, 2)
    assert tell(unknown) == WebhookAnswer(Answer.TAKEN, "evt_2", 1)  # asked for, and not there: nothing is booked
    assert tell(unknown).status == 200


def test_without_a_secret_nobody_is_believed(session: Session) -> None:
    with pytest.raises(ValueError, match="signing secret"):
        handle(session, None, None, b"{}", "", "", NOW)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        proxy.clock = lambda: NOW
        yield proxy


def test_5_2__a_success_is_booked_when_stripe_says_it_again_not_because_an_event_does(
    engine: sa.Engine, proxy: Proxy
) -> None:
    calls = StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=0.4, retries=0)
    gateway = StripeGateway(engine, calls)
    proxy.stall_seconds = 0.6
    with engine.connect() as session:
        services = Services(session, Rules(Terms.load("premium")), gateway)
        open_world(services)
        save_card(session, calls, proxy, "late")
        proxy.fault = lambda method, path: "late" if (method, path) == ("POST", "/v1/payment_intents") else None
        services.billing.approve("late", "monthly", "card", now=NOW)
        waiting = sa.text("SELECT id, outcome FROM payment_attempt")
        attempt_id, outcome = session.execute(waiting).one()
        assert outcome is None
        proxy.fault = lambda method, path: None
        lie = event("payment_intent.succeeded", {"id": "pi_x", "metadata": {"keizoku_attempt": str(attempt_id)}}, 7)

        def told(payload: bytes) -> WebhookAnswer:
            return handle(session, services.rules, gateway, payload, signed(payload), SECRET, NOW)

        assert told(lie) == WebhookAnswer(
            Answer.TAKEN, "evt_7", 1
        )  # Stripe knows of none: nothing is booked, nothing is sent
        assert session.execute(waiting).one().outcome is None
        assert proxy.release() == 1
        true = event("payment_intent.succeeded", {"id": "pi_x", "metadata": {"keizoku_attempt": str(attempt_id)}}, 8)
        assert told(true) == WebhookAnswer(Answer.TAKEN, "evt_8", 3)
        assert session.execute(waiting).one().outcome == "succeeded"
        assert charge_stage.look_up(session, services.rules, gateway, attempt_id, NOW) == 0
        # of many that wait for an answer, only the one that the event speaks of is read
        row = {"invoice_id": 1, "account": "late", "yen": 500, "wanted_on": NOW.date(), "started_on": NOW.date()}
        session.execute(sa.text("DROP INDEX uq_payment_attempt_in_flight"))
        waiting_rows = [row | {"key": f"k{number}", "started_at": NOW} for number in range(3)]
        made = session.execute(sa.insert(payment_attempt).returning(payment_attempt.c.id), waiting_rows).scalars().all()
        read: list[int] = []
        sa.event.listen(session, "after_cursor_execute", lambda *given: read.append(given[1].rowcount))
        assert charge_stage.look_up(session, services.rules, gateway, made[1], NOW) == 0
        assert max(read) == 1
    gateway.close()


def test_the_page_runs(
    engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (block,) = python_blocks(PAGE)
    database_of_the_settings(engine_for_schema, monkeypatch)
    monkeypatch.setenv("SHOP_STRIPE_ENDPOINT_SECRET", SECRET)
    page: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), page)  # noqa: S102
    payload = event("customer.created", {"id": "cus_1"})
    begun: list[str] = []

    def post(signature: str, length: str = str(len(payload))) -> bytes:
        environ = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(payload)}
        environ["HTTP_STRIPE_SIGNATURE"] = signature
        return b"".join(page["application"](environ, lambda status, headers: begun.append(status)))

    now = datetime.now(UTC)
    assert [post(signed(payload, now)), post(signed(payload, now)), post("t=1,v1=0")] == [
        b"unknown_type",
        b"duplicate",
        b"bad_signature",
    ]
    assert begun == ["200 unknown_type", "200 duplicate", "400 bad_signature"]
    page["engine"].dispose()
    page["engine"] = None  # from here on nothing may be asked of the database
    for signature in ("t=1,v1=0", "é", "t=1,v1=é", "", "t=x,v1=0", f"t={'9' * 5_000},v1=0", "t=1" * 5_000):
        assert post(signature) == b"bad_signature"
    for length in ("-1", "x", "1e3", "٣", "9" * 40):
        assert post("t=1,v1=0", length) == b"bad_payload"
