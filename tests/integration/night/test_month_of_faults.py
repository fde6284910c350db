"""A whole month in the real tables, with faults of every type and kind: found, typed, valued, resolved, closed."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from keizoku.billing.closing.month_close import close_month, verify
from keizoku.billing.closing.reconciliation import ExceptionType
from keizoku.billing.closing.reconciliation_run import reconcile_month, resolve
from keizoku.scheduler.app import Services
from tests.benchmarks.month import MONTH, NOW, write_month
from tests.benchmarks.month_faults import VARIANTS, Expected
from tests.worlds.world import services_on

CONTRACTS, TRANSACTIONS, FAULTS = 2_000, 10_000, 84

MOVEMENTS = sa.text("SELECT count(*) FROM balance_transaction WHERE happened_at >= :first AND happened_at < :past")
ENTRIES = sa.text("SELECT count(*) FROM entry WHERE posted_on < :past")


@pytest.fixture
def world(engine: sa.Engine) -> Iterator[tuple[Services, list[Expected]]]:
    with services_on(engine) as services:
        yield services, write_month(services.session, services.rules, CONTRACTS, TRANSACTIONS, FAULTS)


def test_every_planted_fault_is_found_as_it_is_none_is_invented_and_resolved_they_let_the_month_be_closed(
    world: tuple[Services, list[Expected]],
) -> None:
    services, planted = world
    found = reconcile_month(services.session, services.gateway, MONTH, NOW)
    assert sorted((each.type.value, each.key, each.yen) for each in found.outcome.exceptions) == planted
    assert found.unexplained == ()
    assert len(planted) == FAULTS == 6 * len(ExceptionType)  # every type six times, so each of its kinds twice or more
    assert set(VARIANTS) == set(ExceptionType)
    assert (
        services.session.execute(MOVEMENTS, {"first": MONTH.start_at, "past": MONTH.end_at}).scalar_one()
        == TRANSACTIONS
    )

    for each in found.open:
        resolve(services.session, found, each.key, "kato", "as planted", NOW)
    closed = close_month(services.session, services.gateway, MONTH, "kato", NOW)
    assert [each.name for each in closed.checks if not each.ok] == []
    assert closed.entries == services.session.execute(ENTRIES, {"past": MONTH.end_on}).scalar_one()
    assert verify(services.session) == []
