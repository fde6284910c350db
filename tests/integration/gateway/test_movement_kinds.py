"""Every kind of movement and state that the SDK declares: booked, held back, or for people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Literal, get_args, get_origin

import pytest
import stripe

from keizoku.billing.gateway.books import Movement
from keizoku.billing.gateway.events import (
    BOOKED_ELSEWHERE,
    FEES,
    HELD_BACK,
    PAYOUTS,
    is_for_people,
    movement_postings,
)
from keizoku.billing.gateway.stripe_books import dispute_now
from keizoku.billing.rules.books.journal_rules import journal
from keizoku.terms.calendar import parse_instant
from tests.stripe_double.sdk.parameters import hints

NOW = parse_instant("2026-04-20 10:00")
START = datetime(2026, 4, 2, 1, 0, tzinfo=UTC)
MOVED = {"id": "txn_1", "currency": "jpy", "created": 1_775_000_000, "fee": 0}


def test_the_tax_that_stripe_takes_by_itself_is_input_tax() -> None:
    [posting] = movement_postings(_movement("tax_fee", -18))
    assert (posting.event, posting.posted_on, dict(posting.amounts)) == ("processor_tax", date(2026, 5, 1), {"yen": 18})
    lines = journal(posting.event, **posting.amounts).lines
    assert [(each.account, each.yen) for each in lines] == [("1180", 18), ("1131", -18)]
    [fee] = movement_postings(_movement("stripe_fee", -198, fee_tax=18))
    assert [(each.account, each.yen) for each in journal(fee.event, **fee.amounts).lines] == [
        ("6111", 180), ("1180", 18), ("1131", -198),
    ]  # fmt: skip


def _words(made: type, name: str) -> tuple[str, ...]:
    """The words of a field, as the pinned library declares them."""
    return next(get_args(each) for each in get_args(hints(made)[name]) if get_origin(each) is Literal)


def _movement(kind: str, amount: int, **more: Any) -> Movement:
    at = datetime(2026, 4, 30, 15, 30, tzinfo=UTC)
    values: dict[str, Any] = {"fee": 0, "fee_tax": 0, "currency": "jpy", "source": "ch_1", **more}
    return Movement(
        "txn_1", kind, amount, values["fee"], values["fee_tax"], amount - values["fee"], values["currency"],
        values["source"], "pi_1", None, at, at,
    )  # fmt: skip


def test_every_kind_of_movement_that_stripe_declares_is_booked_held_back_or_for_people() -> None:
    kinds = _words(stripe.BalanceTransaction, "type")
    assert len(kinds) == 52
    ruled = {*BOOKED_ELSEWHERE, *FEES, *PAYOUTS, *HELD_BACK}
    assert ruled <= set(kinds)
    assert [each for each in kinds if not is_for_people(_movement(each, 100, source="dp_1"))] == [
        each for each in kinds if each in ruled
    ]
    assert all(is_for_people(_movement(each, 100, source="dp_1", currency="usd")) for each in kinds)
    assert is_for_people(_movement("a_kind_of_tomorrow", -7))
    assert [movement_postings(_movement(each, -100)) for each in HELD_BACK] == [[]] * len(HELD_BACK)


@pytest.mark.parametrize("status", _words(stripe.Dispute, "status"))
def test_every_state_of_a_dispute_is_read_by_its_money(status: str) -> None:
    def state(*moved: dict[str, int]) -> str:
        found = {"id": "dp_1", "payment_intent": "pi_1", "amount": 500, "created": 1, "status": status}
        return dispute_now(found | {"balance_transactions": [MOVED | each for each in moved]}).state

    over = {"won": "closed", "lost": "closed", "warning_closed": "closed", "prevented": "prevented"}
    assert state() == over.get(status, "inquiry")
    assert state({"amount": -500}) == ("lost" if status in ("lost", "prevented") else "open")
    assert state({"amount": -500}, {"amount": 500}) == "won"
