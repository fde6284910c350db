"""Four sides of a month: every planted fault found and typed, none invented, every row in one place."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from keizoku.billing.closing.reconciliation import (
    ACTIONS,
    BankLine,
    ExceptionType,
    FactsReceived,
    Moved,
    Ours,
    Outcome,
    Payout,
    fill,
    put,
    reconcile,
    workbench,
)
from keizoku.terms.calendar import Month
from tests.unit.billing.generated_month import MONTH, TABLES, TODAY, write_month

ON = date(2026, 4, 10)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = workbench(tmp_path)
    yield connection
    connection.close()


def ours(ref: str, key: str | None, yen: int = 500, kind: str = "charge", on: date = ON) -> Ours:
    return Ours(ref, kind, key, f"pi_{key}", "done", yen, yen, 0, on, None, "hanako")


def moved(ref: str, key: str | None, yen: int = 500, kind: str = "charge", on: date = ON) -> Moved:
    return Moved(ref, kind, key, f"pi_{key}" if key else None, f"src_{ref}", yen, 0, "jpy", on)


def found(outcome: Outcome) -> list[tuple[str, str, str]]:
    return sorted(
        (each.type.value, each.left.ref if each.left else "", each.right.ref if each.right else "")
        for each in outcome.exceptions
    )


@pytest.mark.parametrize(
    ("contracts", "transactions", "faults"), [(60, 700, 140), (50, 300, 14), (40, 200, 0), (1, 1, 1)]
)
def test_every_planted_fault_is_found_typed_right_and_none_is_invented(
    bench: duckdb.DuckDBPyConnection, tmp_path: Path, contracts: int, transactions: int, faults: int
) -> None:
    planted = write_month(tmp_path, contracts, transactions, faults)
    for table in TABLES:
        fill(bench, table, tmp_path / f"{table}.csv")
    outcome = reconcile(bench, MONTH, TODAY)
    assert found(outcome) == planted
    assert len(planted) == faults
    assert outcome.unexplained == ()
    if faults >= len(ExceptionType):
        assert set(outcome.counts) == {each.value for each in ExceptionType}


def test_the_matches_and_the_exceptions_are_all_rows_and_their_sums_the_whole(
    bench: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    write_month(tmp_path, 30, 280, 28)
    for table in TABLES:
        fill(bench, table, tmp_path / f"{table}.csv")
    outcome = reconcile(bench, MONTH, TODAY)
    sides = {"ledger": "ours", "gateway": "gateway", "payout": "payouts", "bank": "bank", "receipt": "receipts"}
    for side, table in sides.items():
        count, yen = bench.execute(
            f"SELECT count(*), sum({'booked_yen' if table == 'ours' else 'yen'}) FROM {table} "
            f"WHERE on_day BETWEEN '2026-04-01' AND '2026-04-30' "
            f"{'AND currency = $$jpy$$' if table == 'gateway' else ''}"
        ).fetchall()[0]
        assert outcome.sums[side] == yen
        if side != "gateway":
            assert outcome.rows[side] == count
    assert reconcile(bench, MONTH, TODAY) == outcome


def test_a_remainder_that_no_type_explains_is_told_as_an_error_of_the_program(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    put(bench, "ours", [ours("attempt:1", "k1")])
    put(bench, "gateway", [moved("t1", "k1")])
    fine = reconcile(bench, MONTH, TODAY, stated={"ledger": 500})
    assert (fine.unexplained, fine.matched) == ((), {"ledger-gateway": 1})
    off = reconcile(bench, MONTH, TODAY, stated={"ledger": 501})
    assert off.unexplained == ("ledger states 501 yen, its rows have 500: an error of the program, not of the books",)
    put(bench, "ours", [ours("attempt:1", "k9")])  # the same row twice ends twice
    assert any(
        "attempt:1" in each and "error of the program" in each for each in reconcile(bench, MONTH, TODAY).unexplained
    )


def test_a_pair_over_the_end_of_a_month_is_a_cutoff_in_both_unless_its_entry_names_the_month(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    late = ours("attempt:1", "k1", on=date(2026, 5, 1))
    put(bench, "ours", [late, ours("attempt:2", "k2", on=date(2026, 5, 1))._replace(belongs_to="2026-04")])
    put(bench, "gateway", [moved("t1", "k1", on=date(2026, 4, 30)), moved("t2", "k2", on=date(2026, 4, 30))])
    for month in (MONTH, MONTH.next()):
        outcome = reconcile(bench, month, date(2026, 6, 1))
        assert found(outcome) == [("cutoff", "attempt:1", "t1")]
        assert (outcome.matched, outcome.unexplained) == ({"ledger-gateway": 1}, ())
        assert outcome.exceptions[0].age_days == 32
    assert reconcile(bench, Month(2026, 6), date(2026, 7, 1)).exceptions == ()


def test_without_metadata_the_payments_id_finds_it_else_the_only_one_of_that_day_and_amount(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    put(
        bench,
        "ours",
        [
            ours("attempt:1", "k1"),
            ours("attempt:2", "k2", 700),
            ours("attempt:3", "k3", 900),
            ours("attempt:4", "k4", 900),
        ],
    )
    nameless = [moved("t1", None)._replace(payment="pi_k1"), moved("t2", None, 700), moved("t3", None, 900)]
    put(bench, "gateway", nameless)
    # of two of 900 yen nobody can say which it is
    assert found(reconcile(bench, MONTH, TODAY)) == [
        ("ledger_only", "attempt:3", ""),
        ("ledger_only", "attempt:4", ""),
        ("metadata_missing", "", "t3"),
        ("metadata_missing", "attempt:1", "t1"),
        ("metadata_missing", "attempt:2", "t2"),
    ]


def test_partial_refunds_and_disputes_that_are_booked_match_and_a_failed_refund_differs(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    put(bench, "ours", [
        ours("attempt:1", "k1"), ours("refund:1", "r1", -100, "refund"), ours("refund:2", "r2", -50, "refund"),
        ours("dispute:dp1:out", "dp1:out", -1_800, "dispute"), ours("dispute:dp1:in", "dp1:in", 500, "dispute"),
    ])  # fmt: skip
    put(bench, "gateway", [
        moved("t1", "k1"), moved("t2", "r1", -100, "refund"), moved("t3", "r2", -50, "refund"),
        moved("t4", None, 50, "refund_failed"), moved("t5", "dp1:out", -1_800, "dispute"),
        moved("t6", "dp1:in", 500, "dispute"),
    ])  # fmt: skip
    outcome = reconcile(bench, MONTH, TODAY)
    assert found(outcome) == [("status_differs", "", "t4")]
    assert outcome.matched == {"ledger-gateway": 5}


def test_a_payout_meets_its_line_some_days_later_and_its_movements_make_it_up(
    bench: duckdb.DuckDBPyConnection,
) -> None:
    put(bench, "payouts", [Payout("po1", 482, 482, ON), Payout("po2", 482, 480, ON), Payout("po3", 900, None, ON)])
    put(bench, "bank", [
        BankLine("bank:1", 482, ON, True, True, None), BankLine("bank:2", 482, date(2026, 4, 13), True, True, None),
        BankLine("bank:3", 700, ON, True, True, None), BankLine("bank:4", 300, ON, False, True, None),
        BankLine("bank:5", 77, date(2026, 4, 20), True, True, None),
        BankLine("bank:6", 300, ON, False, False, "receipt:1"),
    ])  # fmt: skip
    put(bench, "receipts", [FactsReceived("receipt:1", 300, ON, "taro"), FactsReceived("receipt:2", 20, ON, "jiro")])
    outcome = reconcile(bench, MONTH, TODAY)
    assert found(outcome) == [
        ("amount_differs", "po2", "po2:movements"),
        ("ledger_only", "receipt:2", ""),
        ("payout_differs_from_bank", "po3", "bank:3"),
        ("payout_missing", "", "bank:5"),
    ]
    assert outcome.matched == {"bank-booked": 1, "payout-bank": 2, "receipt-bank": 1}
    assert outcome.unexplained == ()
    without = reconcile(bench, MONTH.next(), TODAY, bank_given=False)
    assert (without.exceptions, without.unexplained) == ((), ())


def test_every_type_says_what_to_do_in_both_languages() -> None:
    assert set(ACTIONS) == set(ExceptionType)
    assert all(ja and en for ja, en in ACTIONS.values())
