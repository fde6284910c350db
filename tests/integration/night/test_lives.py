"""Random but legal lives of a few accounts, on the real database, held against invariants after every step.

    acts of users, payers, cards and people ── nights ── acts ── …      years, night by night where something is due

The small profile runs always and is the same each time. `make soak` runs many and longer lives, by a seed of its own:
KEIZOKU_TEST_SOAK=200 pytest -n 0 tests/integration/night/test_lives.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from random import Random, SystemRandom

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view
from keizoku.scheduler.simulator import Simulator
from tests.worlds.life_machine import Lives

SOAK = int(os.environ.get("KEIZOKU_TEST_SOAK", "0"))
"""How many lives; 0: the few of every test run."""
SEED = int(os.environ.get("KEIZOKU_TEST_SEED", "0")) or (SystemRandom().randrange(1, 10**9) if SOAK else 1)
"""The first life is drawn by this, the others by the numbers that follow."""


@pytest.fixture
def lived(engine_with_tables: Callable[[], sa.Engine]) -> Iterator[Lives]:
    """Lives whose acts a test tells one by one; what has to hold is looked at after each of them."""

    class Here(Lives):
        make_engine = staticmethod(engine_with_tables)

    lives = Here()
    try:
        yield lives
    finally:
        lives.teardown()


def test_5_2__interest_is_carried_past_a_payment_too_small_for_it_and_past_a_card_charge(lived: Lives) -> None:
    lived.open("2025-04-29")
    Simulator(lived.services).cards.set_card("hanako", "lost_card")
    lived.ask(0, "approve", "hanako", "yearly", "card")  # due on 28 April

    def owed(days: int) -> tuple[object, object]:
        shown = owed_view(lived.services.session, lived.services.rules, "hanako", lived.after(days * 24 * 60))
        return shown["principal"], shown["interest"]

    assert owed(days=6) == (5_300, 12)  # 12.72
    lived.ask(1, "pay", "hanako", 5)
    assert owed(days=2) == (5_300, 11)  # 7 are left, and 4.24 from the next day on
    lived.registers_another_card("hanako", works=True, passed=1)
    assert owed(days=3) == (0, 11)
    lived.ask(1, "pay", "hanako", 20)
    assert owed(days=0) == (0, 0)


def test_5_2__the_debt_that_the_payer_names_is_paid_before_the_one_due_first(lived: Lives) -> None:
    lived.open("2025-04-29")
    lived.ask(0, "approve", "jiro", "yearly", "other")  # due on 12 May
    lived.leaves("jiro", "leave_service", passed=1)
    lived.ask(2 * 24 * 60, "approve", "jiro", "monthly", "other")  # due on 14 May
    lived.after(20 * 24 * 60)
    lived.ask(1, "pay", "jiro", 18 + 100, term=date(2025, 4, 30))  # interest of 8 and 6 days: 16.96 and 1.2
    left = lived.services.session.execute(sa.text("SELECT open_yen FROM invoice ORDER BY id")).all()
    assert left == [(5_300,), (400,)]
    lived.days_pass_on_which_something_is_due(3)


@pytest.mark.parametrize("how", ["leave_service", "change_method"])
def test_9_2__who_goes_before_a_credit_is_used_gets_it_back_on_the_card(lived: Lives, how: str) -> None:
    lived.open("2025-01-29")
    lived.ask(0, "approve", "jiro", "monthly", "card")
    lived.a_stop_is_claimed_by_who_goes(
        place=0, hours=8, how=how, before=False, remedy="called off", nights=1, passed=800
    )
    found = lived.services.session.execute(
        sa.text(
            "SELECT credit.granted_yen, available_yen, refund.yen, refund.outcome FROM credit "
            "JOIN credit_refund AS refund ON credit_id = credit.id"
        )
    ).all()
    assert found == [(200, 0, 200, "succeeded")]


def test_lives_keep_every_invariant(engine_with_tables: Callable[[], sa.Engine]) -> None:
    class Here(Lives):
        make_engine = staticmethod(engine_with_tables)

    for seed in range(SEED, SEED + (SOAK or 6)):
        lives = Here()
        try:
            lives.live_at_random(Random(seed), steps=40 if SOAK else 14)  # noqa: S311 - by its seed, so that it comes again
        except Exception as error:
            error.add_note(f"KEIZOKU_TEST_SEED={seed} KEIZOKU_TEST_SOAK=1 lives it again")
            raise
        finally:
            lives.teardown()
