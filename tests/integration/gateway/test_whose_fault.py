"""Whose fault a charge that was not made is: the card's, ours, or nobody's yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import stripe

from keizoku.billing.cards.charge_stage import charge_due, settle_in_flight
from keizoku.billing.gateway.port import (
    REPLAYED,
    Answer,
    ChargeRequest,
    ChargeResult,
    GatewayRefusesUsError,
    MissingRightError,
)
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.billing.receivables.open_items import load_open_items
from keizoku.db.fence import Fence
from keizoku.db.session import Session
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.case_payments import DUE_ON, open_fees
from tests.worlds.stub_stripe import CREATED, card_error, intent, invalid, missing_right, stub_calls

NOW = datetime(2026, 4, 9, 17, 30, tzinfo=UTC)
AT = datetime.fromtimestamp(CREATED, UTC)
DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
RULES = Rules(Terms.load("premium"))


def charged(engine: sa.Engine, session: Session, *answers: Any) -> list[ChargeResult]:
    """Charge as many accounts as there are answers, one after the other."""
    open_fees(session, len(answers))
    left = list(answers)
    calls, _ = stub_calls(lambda name, _: left.pop(0) if name.endswith("create") else intent("canceled"))
    gateway = StripeGateway(engine, calls, concurrent=1)
    wanted = [ChargeRequest(f"k-{n}", f"member-{n}", n, n, 500) for n in range(1, len(answers) + 1)]
    results: list[ChargeResult] = []
    try:
        results += gateway.charge_many(wanted, NOW)
    finally:
        gateway.close()
    return sorted(results, key=lambda each: each.key)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (intent("succeeded"), (Answer.SUCCEEDED, None)),
        (intent("requires_payment_method", last_payment_error=DECLINED), (Answer.DECLINED, "insufficient_funds")),
        (intent("canceled", last_payment_error=DECLINED), (Answer.DECLINED, "insufficient_funds")),
        (intent("canceled", cancellation_reason="abandoned"), (Answer.NEEDS_USER, "authentication_required")),
        (intent("canceled"), (Answer.OURS, "canceled")),
        (intent("requires_action"), (Answer.NEEDS_USER, "authentication_required")),
        (card_error("lost_card"), (Answer.DECLINED, "lost_card")),
        (card_error("authentication_required"), (Answer.NEEDS_USER, "authentication_required")),
        (intent("requires_payment_method", last_payment_error=None), (Answer.UNKNOWN, "requires_payment_method")),
        (intent("requires_payment_method"), (Answer.UNKNOWN, "requires_payment_method")),
        (intent("requires_confirmation"), (Answer.UNKNOWN, "requires_confirmation")),
        (intent("processing"), (Answer.UNKNOWN, "processing")),
        (intent("requires_capture"), (Answer.UNKNOWN, "requires_capture")),
        (intent("requires_something_new"), (Answer.UNKNOWN, "requires_something_new")),
        (stripe.APIError("500", http_status=500), (Answer.UNKNOWN, "APIError")),
        (stripe.APIError("500", http_status=500, headers={"idempotent-replayed": "true"}), (Answer.UNKNOWN, REPLAYED)),
    ],
)
def test_5_2__a_definite_answer_is_one_of_three_and_all_else_is_unknown(
    answer: Any, expected: tuple[Answer, str | None], engine: sa.Engine, session: Session
) -> None:
    # beside a charge that succeeds: what is wrong with one account holds nobody else
    [_, said] = charged(engine, session, intent("succeeded"), answer)
    assert (said.answer, said.code) == expected


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (invalid("resource_missing", "No such customer: 'cus_1'", 404), "takes none of our charges"),
        (invalid(None, "Received unknown parameter: payment_method_types"), "takes none of our charges"),
        (
            invalid("resource_missing", "No such customer: 'cus_1'; a similar object exists in test mode, but", 404),
            "of the other mode",
        ),
        (missing_right("rak_payment_intent_write"), "has no right rak_payment_intent_write"),
        (stripe.AuthenticationError("Invalid API Key provided", http_status=401), "refuses the key"),
    ],
)
def test_5_2__what_is_our_own_fault_ends_the_stage_in_one_line_and_declines_nobody(
    answer: Exception, raised: str, engine: sa.Engine, session: Session
) -> None:
    open_fees(session, 40)
    calls, asked = stub_calls(lambda name, _: answer)
    gateway = StripeGateway(engine, calls, concurrent=2)
    with pytest.raises(GatewayRefusesUsError, match=raised) as refused:
        charge_due(session, RULES, gateway, night_at(DUE_ON))
    assert isinstance(refused.value, MissingRightError) == isinstance(answer, stripe.PermissionError)
    assert "\n" not in str(refused.value)
    assert len(asked) <= 23  # no more are sent once it is clear that none gets through
    outcomes = session.execute(sa.text("SELECT outcome, count(*) FROM payment_attempt GROUP BY 1")).all()
    assert [tuple(row) for row in outcomes] == [("abandoned", 40)]
    # three weeks later nothing has accrued, no day counts, and the fee is still to be charged
    today = DUE_ON + timedelta(days=21)
    items = load_open_items(session, RULES, today)
    assert {each.wanted_on for each in items} == {DUE_ON}
    assert {each.excluded for each in items} == {((DUE_ON + timedelta(days=1), today + timedelta(days=1)),)}
    # mended, the same fees are charged
    calls, _ = stub_calls(lambda name, given: intent("succeeded", id=f"pi_{given[0]['metadata']['keizoku_invoice']}"))
    mended = StripeGateway(engine, calls)
    charge_due(session, RULES, mended, night_at(today))
    paid = session.execute(sa.text("SELECT state, count(*), sum(open_yen) FROM invoice GROUP BY 1")).all()
    assert [tuple(row) for row in paid] == [("paid", 40, 0)]
    gateway.close()
    mended.close()


def test_5_2__one_customer_whom_stripe_does_not_know_holds_nobody_else(engine: sa.Engine, session: Session) -> None:
    open_fees(session, 9)

    def answer(name: str, given: tuple[Any, ...]) -> Any:
        if given[0]["customer"] == "cus_4":
            return invalid("resource_missing", "No such PaymentMethod: 'pm_4'", 404)
        return intent("succeeded", id=f"pi_{given[0]['customer']}")

    calls, _ = stub_calls(answer)
    gateway = StripeGateway(engine, calls)
    fence = Fence()
    charge_due(session, RULES, gateway, night_at(DUE_ON), fence=fence)
    gateway.close()
    assert list(fence.items) == ["account member-4"]
    assert "resource_missing" in fence.items["account member-4"].why
    outcomes = session.execute(sa.text("SELECT outcome, code, count(*) FROM payment_attempt GROUP BY 1, 2 ORDER BY 1"))
    assert [tuple(row) for row in outcomes] == [("abandoned", "resource_missing", 1), ("succeeded", None, 8)]


def test_5_2__a_failure_that_stripe_keeps_under_the_key_is_looked_up_and_never_sent_again(
    engine: sa.Engine, session: Session
) -> None:
    open_fees(session, 1)
    sent: list[str] = []
    found: list[dict[str, Any]] = []

    def answer(name: str, given: tuple[Any, ...]) -> Any:
        if name.endswith("list"):
            return {"object": "list", "data": found, "has_more": False}
        sent.append(name)
        headers = {"idempotent-replayed": "true"} if len(sent) > 1 else {}
        return stripe.APIError("500", http_status=500, headers=headers)

    calls, asked = stub_calls(answer)
    gateway = StripeGateway(engine, calls)
    at = night_at(DUE_ON)
    charge_due(session, RULES, gateway, at)
    assert len(sent) == 2  # sent, looked up, sent again: the same failure, from the key's memory
    for hours in (1, 5, 22, 40):
        settle_in_flight(session, RULES, gateway, at + timedelta(hours=hours))
    assert len(sent) == 2
    assert asked.count("payment_intents.list") == 5
    tasks = session.execute(sa.text("SELECT kind, subject, closed_at FROM review_task")).all()
    [(kind, subject, closed_at)] = tasks
    assert (kind, subject.split()[0], closed_at) == ("attempt_unknown", "attempt", None)
    key = session.execute(sa.text("SELECT key FROM payment_attempt")).scalar_one()
    found.append(intent("succeeded", metadata={"keizoku_key": key}))
    settle_in_flight(session, RULES, gateway, at + timedelta(hours=41))
    gateway.close()
    state = session.execute(sa.text("SELECT outcome FROM payment_attempt")).scalar_one()
    closed = session.execute(sa.text("SELECT closed_by FROM review_task")).scalar_one()
    assert (state, closed) == ("succeeded", "keizoku")


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        (missing_right("rak_payment_intent_write"), [(None, None, 40)]),
        (invalid(None, "Received unknown parameter"), [("abandoned", "invalid_request", 20), (None, None, 20)]),
    ],
)
def test_5_2__what_was_sent_before_and_is_not_sent_this_time_keeps_its_attempt(
    answer: Exception, made: list[tuple[object, ...]], engine: sa.Engine, session: Session
) -> None:
    # sent, no answer, nothing found: the money may yet have moved, so no new attempt with a new key may begin
    open_fees(session, 40)
    said: list[Any] = [stripe.APIError("500", http_status=500)]

    def answered(name: str, given: tuple[Any, ...]) -> Any:
        return {"object": "list", "data": [], "has_more": False} if name.endswith("list") else said[0]

    calls, _ = stub_calls(answered)
    gateway = StripeGateway(engine, calls, concurrent=1)
    charge_due(session, RULES, gateway, night_at(DUE_ON))
    said[0] = answer
    with pytest.raises(GatewayRefusesUsError):
        settle_in_flight(session, RULES, gateway, night_at(DUE_ON) + timedelta(hours=2))
    session.rollback()
    gateway.close()
    outcomes = session.execute(sa.text("SELECT outcome, code, count(*) FROM payment_attempt GROUP BY 1, 2 ORDER BY 1"))
    assert [tuple(row) for row in outcomes] == made


@pytest.mark.parametrize(
    ("code", "advice", "outcome"),
    [
        ("insufficient_funds", None, "declined_soft"),
        ("insufficient_funds", "try_again_later", "declined_soft"),
        ("insufficient_funds", "do_not_try_again", "declined_hard"),
        ("generic_decline", "confirm_card_data", "needs_user"),
        ("do_not_honor", None, "declined_soft"),
        ("incorrect_number", None, "declined_hard"),
        ("revocation_of_all_authorizations", "try_again_later", "declined_hard"),
        ("stop_payment_order", None, "declined_hard"),
        ("authentication_required", None, "needs_user"),
    ],
)
def test_5_4__a_decline_waits_for_what_stripe_says_it_waits_for(
    code: str, advice: str | None, outcome: str, engine: sa.Engine, session: Session
) -> None:
    open_fees(session, 1)
    calls, _ = stub_calls(lambda *_: card_error(code, **({"advice_code": advice} if advice else {})))
    gateway = StripeGateway(engine, calls)
    charge_due(session, RULES, gateway, night_at(DUE_ON))
    row = session.execute(sa.text("SELECT outcome, code, advice FROM payment_attempt")).one()
    assert tuple(row) == (outcome, code, advice)
    for day in range(1, 9):  # the schedule asks again after 3, 5 and 7 days; the others wait
        charge_due(session, RULES, gateway, night_at(DUE_ON + timedelta(days=day)))
    gateway.close()
    tries = session.execute(sa.text("SELECT count(*) FROM payment_attempt")).scalar_one()
    assert tries == (4 if outcome == "declined_soft" else 1)


def test_the_day_of_a_refusal_chooses_the_list() -> None:
    from keizoku.billing.gateway.refusal_words import refusal_words

    assert refusal_words(date(2026, 11, 30)) == refusal_words(date(2020, 1, 1))
    assert "lost_card" in refusal_words(date(2026, 11, 30)).new_card
