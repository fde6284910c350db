"""The payment stage over real HTTP, many calls under way at once: each fee is charged and booked once."""

from collections.abc import Iterator
from random import Random

import pytest
import sqlalchemy as sa

from keizoku.billing.cards import charge_stage
from keizoku.pacing import Pace
from tests.benchmarks.card_server import running_cards, seen
from tests.benchmarks.case_payments import charged, open_fees

FEES = 60


@pytest.fixture
def card_server() -> Iterator[str]:
    with running_cards(latency_ms=10, members=FEES) as url:
        yield url


def test_5_1__fees_charged_many_at_once_are_each_charged_and_booked_once(
    engine: sa.Engine, card_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charge_stage, "CHUNK", 25)
    monkeypatch.setattr(charge_stage, "ANSWERS", 7)
    with engine.connect() as session:
        open_fees(session, FEES)
    whole = FEES * 500
    expected = {
        "attempts": [["succeeded", FEES, whole]],
        "invoices": [["paid", FEES, 0]],
        "settled": [["card", FEES, whole]],
        "journal": [["1131", FEES, whole], ["1140", FEES, -whole]],
    }
    answer = charged(engine, card_server, per_second=1_000)
    del answer["seconds"]
    assert answer == expected
    asked = seen(card_server)
    assert {name: asked[name] for name in ("calls", "charges", "yen", "most_for_one_invoice")} == {
        "calls": FEES,
        "charges": FEES,
        "yen": whole,
        "most_for_one_invoice": 1,
    }
    again = charged(engine, card_server, per_second=1_000)
    del again["seconds"]
    assert (again, seen(card_server)["calls"]) == (expected, 0)


def test_no_second_has_more_calls_than_the_pace_though_threads_wake_late() -> None:
    dice, now = Random(20), [50.0]  # noqa: S311  a test's dice
    went: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds + (0.03 if dice.random() < 0.01 else dice.choice((0, 0.0004, 0.001)))

    pace = Pace(100, clock=lambda: now[0], sleep=sleep)
    for _ in range(2_000):
        pace.wait()
        went.append(now[0])
        now[0] += 0.25 if dice.random() < 0.001 else 0
    assert min(later - first for first, later in zip(went, went[100:], strict=False)) >= 1 - 1e-9
    assert len(went) / (went[-1] - went[0]) > 85
