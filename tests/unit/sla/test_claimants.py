"""The claimants' part of the waterfall as one relation: on random months it says what `claimant_month` says."""

from random import Random

import duckdb
import pytest

from keizoku.sla.counting.claimants import (
    ClaimantRow,
    UnusableRow,
    claimant_rows,
    claimant_seconds,
    recognised_counts,
    take_claimants,
)
from keizoku.sla.rules.intervals import length
from keizoku.sla.rules.unusable_time import CLAIMANT_BUCKETS, SERVICE_BUCKETS, claimant_month, service_month
from keizoku.terms.calendar import epoch
from tests.integration.sla.test_article_9_in_sql import POLICY, a_month

MONTHS = 400
OWN_BUCKETS = ("environment", *(bucket for bucket in CLAIMANT_BUCKETS if bucket not in SERVICE_BUCKETS))


def months_with_claimants(
    count: int,
) -> tuple[list[UnusableRow], list[ClaimantRow], list[tuple[str, str, str, int]]]:
    """Unusable windows and claimants of random months, and what each bucket takes of each by `claimant_month`."""
    chance = Random(99)  # noqa: S311
    unusable: list[UnusableRow] = []
    claimants: list[ClaimantRow] = []
    expected: list[tuple[str, str, str, int]] = []
    for number in range(count):
        facts, claimant = a_month(chance)
        month, account = f"{facts.month}/{number}", f"u{number % 7}"
        service = service_month(facts, POLICY, 0)
        whole = (epoch(facts.month.start_at), epoch(facts.month.end_at))
        unusable += [(month, *span) for span in service.unusable]
        claimants += claimant_rows(account, month, claimant, whole)
        own = {bucket: length(spans) for bucket, spans in claimant_month(service, claimant).items()}
        own["environment"] -= length(service.buckets["environment"])
        expected += [(account, month, bucket, own[bucket]) for bucket in OWN_BUCKETS if own[bucket]]
    return unusable, claimants, sorted(expected)


def test_9_2__what_is_a_claimants_own_agrees_with_the_waterfall_on_random_months() -> None:
    unusable, claimants, expected = months_with_claimants(MONTHS)
    with duckdb.connect() as table:
        take_claimants(table, unusable, claimants)
        assert claimant_seconds(table) == expected
        recognised = {
            (account, month): seconds for account, month, bucket, seconds in expected if bucket == "recognised"
        }
        counted = recognised_counts(table)
    assert {bucket for _, _, bucket, _ in expected} == set(OWN_BUCKETS)
    of_months = {(account, month) for account, month, *_ in claimants}
    each = sorted((month, recognised.get((account, month), 0), 1) for account, month in of_months)
    assert counted == each


@pytest.mark.parametrize("unusable", [[], [("2026-04", 100, 200)]])
def test_9_2__nobody_claims_and_nothing_was_unusable(unusable: list[UnusableRow]) -> None:
    with duckdb.connect() as table:
        take_claimants(table, unusable, [])
        assert (claimant_seconds(table), recognised_counts(table)) == ([], [])
        table.execute("INSERT INTO claimant VALUES ('hanako', '2026-04', 'member', 0, 1000)")
        lost = [("hanako", "2026-04", "not_card", 100)] if unusable else []
        assert (claimant_seconds(table), recognised_counts(table)) == (lost, [("2026-04", 0, 1)])
