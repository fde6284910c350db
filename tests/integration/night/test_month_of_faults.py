"""A whole month in the real tables, with faults of every type and kind: found, typed, valued, resolved, closed."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.month_close import close_month, verify
from keizoku.billing.closing.reconciliation import ExceptionType
from keizoku.billing.closing.reconciliation_run import reconcile_month, resolve
from keizoku.scheduler.app import House
from tests.benchmarks.month import MONTH, NOW, write_month
from tests.benchmarks.month_faults import VARIANTS, Expected
from tests.worlds.world import house_on

CONTRACTS, TRANSACTIONS, FAULTS = 2_000, 10_000, 84

MOVEMENTS = sa.text("SELECT count(*) FROM balance_transaction WHERE happened_at >= :first AND happened_at < :past")
ENTRIES = sa.text("SELECT count(*) FROM entry WHERE posted_on < :past")


@pytest.fixture
def world(engine: sa.Engine) -> Iterator[tuple[House, list[Expected]]]:
    with house_on(engine) as house:
        yield house, write_month(house.session, house.rules, CONTRACTS, TRANSACTIONS, FAULTS)


def test_every_planted_fault_is_found_as_it_is_none_is_invented_and_resolved_they_let_the_month_be_closed(
    world: tuple[House, list[Expected]],
) -> None:
    house, planted = world
    found = reconcile_month(house.session, house.gateway, MONTH, NOW)
    assert sorted((each.type.value, each.key, each.yen) for each in found.outcome.exceptions) == planted
    assert found.unexplained == ()
    assert len(planted) == FAULTS == 6 * len(ExceptionType)  # every type six times, so each of its kinds twice or more
    assert set(VARIANTS) == set(ExceptionType)
    assert (
        house.session.execute(MOVEMENTS, {"first": MONTH.start_at, "past": MONTH.end_at}).scalar_one() == TRANSACTIONS
    )

    for each in found.open:
        resolve(house.session, found, each.key, "kato", "as planted", NOW)
    closed = close_month(house.session, house.gateway, MONTH, "kato", NOW)
    assert [each.name for each in closed.checks if not each.ok] == []
    assert closed.entries == house.session.execute(ENTRIES, {"past": MONTH.end_on}).scalar_one()
    assert verify(house.session) == []
