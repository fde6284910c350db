"""A month of 200,000 contracts and 1,000,000 movements, 500 faults of every type planted: what does not tie?

Ours twice: from the database, and on the files with its facts, as the peer has them. All planted faults have to be
found with type, sides and amount, and none invented, else it does not answer. The peer, pandas and datacompy, merges
ledger and gateway by kind and key and compares the columns of both; what it can find has to be the same.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from keizoku.billing.closing.reconciliation import ExceptionType, Outcome, fill, reconcile, workbench
from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.terms.calendar import jst_day
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.month import MONTH, NOW
from tests.benchmarks.month_server import check, check_exceptions, opened, prepare

TABLES = ("ours", "gateway", "payouts", "bank", "receipts")
OURS = ["ref", "kind", "key", "gateway_id", "state", "yen", "booked", "tax", "on", "belongs_to", "account"]
GATEWAY = ["ref", "kind", "key", "payment", "source", "yen", "tax", "currency", "on"]
BOTH_SIDES = {
    ExceptionType.AMOUNT_DIFFERS,
    ExceptionType.STATUS_DIFFERS,
    ExceptionType.FEE_CLASS,
    ExceptionType.CUTOFF,
    ExceptionType.FOREIGN_CURRENCY,
}


def on_files(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The files into the workbench, and everything that comes of them."""
    with closing(workbench(folder)) as connection:
        for table in TABLES:
            fill(connection, table, folder / f"{table}.csv")
        outcome = reconcile(connection, MONTH, jst_day(NOW))
        check_exceptions(outcome, folder)
        keyed = {ref for (ref,) in connection.execute("SELECT ref FROM gateway WHERE key IS NOT NULL").fetchall()}
    return _answer(outcome, keyed)


def from_database(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """`keizoku reconcile`: facts out of the tables of PostgreSQL, streamed into the workbench."""
    with opened(folder) as (services, server):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        found = reconcile_month(services.session, services.gateway, MONTH, NOW)
        figures = {
            "seconds_of_the_reconciliation": time.perf_counter() - begun,
            "CPU_seconds_of_the_engine": time.process_time() - begun_cpu,
            "CPU_seconds_of_PostgreSQL": server.seconds(),
            "peak_MB_of_PostgreSQL,_with_shared_buffers": server.peak_mb(),
        }
        check(found, folder)
        keyed = services.session.exec_driver_sql(
            "SELECT id FROM balance_transaction WHERE our_key IS NOT NULL OR kind IN ('adjustment', 'stripe_fee')"
        )
        return _answer(found.outcome, set(keyed.scalars())) | {"figures": figures}


def _answer(outcome: Outcome, keyed: Collection[str]) -> dict[str, Any]:
    """What the peer can find too: pairs that tie, pairs that differ, rows with a key that have no counterpart."""
    ends = [(each.type, each.left, each.right) for each in outcome.exceptions]
    pairs = [
        f"{left.ref}|{right.ref}"
        for kind, left, right in ends
        if left and right and (left.where, right.where) == ("ledger", "gateway") and kind in BOTH_SIDES
    ]
    booked = [
        left.ref
        for kind, left, right in ends
        if left and left.ref.startswith(("attempt", "refund")) and (not right or kind is ExceptionType.METADATA_MISSING)
    ]
    moved = [right.ref for _, left, right in ends if right and not left and right.ref in keyed]
    return _told(outcome.matched["ledger-gateway"], pairs, booked, moved)


def _told(ties: int, pairs: Iterable[str], booked: Iterable[str], moved: Iterable[str]) -> dict[str, Any]:
    found = {"pairs that differ": pairs, "booked only": booked, "moved only": moved}
    listed = {name: sorted(refs) for name, refs in found.items()}
    digest = hashlib.sha256(repr(listed).encode()).hexdigest()
    return {"pairs that tie": ties, **{name: len(refs) for name, refs in listed.items()}, "sha256": digest}


def pandas_datacompy(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """An outer merge by kind and key says what stands alone, datacompy which columns of the rest differ."""
    import datacompy
    import pandas as pd

    ours = pd.read_csv(folder / "ours.csv", names=OURS, usecols=[*OURS[:9]], low_memory=False)
    moved = pd.read_csv(folder / "gateway.csv", names=GATEWAY, low_memory=False)
    ours = ours[ours["key"].notna() & ((ours["state"] == "done") | ours["kind"].eq("charge"))]
    moved = moved[moved["key"].notna()].sort_values(["kind", "key", "on", "ref"])
    twice = moved.duplicated(["kind", "key"])
    again, moved = moved[twice], moved[~twice]
    merged = ours[["kind", "key", "ref", "state", "on"]].merge(
        moved[["kind", "key", "ref", "on"]], on=["kind", "key"], how="outer", suffixes=("", "_moved"), indicator=True
    )
    first, last = MONTH.first_on.isoformat(), MONTH.end_on.isoformat()
    in_month = merged["on"].between(first, last, inclusive="left")
    moved_in_month = merged["on_moved"].between(first, last, inclusive="left")
    booked_only = merged[(merged["_merge"] == "left_only") & (merged["state"] == "done") & in_month]["ref"]
    moved_only = merged[(merged["_merge"] == "right_only") & moved_in_month]["ref_moved"]
    both = merged[(merged["_merge"] == "both") & (in_month | moved_in_month)][["kind", "key", "ref", "ref_moved"]]
    left = ours.assign(currency="jpy", month=ours["on"].str[:7], moved_yen=ours["booked"])
    right = moved.assign(state="done", month=moved["on"].str[:7], moved_yen=moved["yen"])
    columns = ["kind", "key", "state", "moved_yen", "tax", "currency", "month"]
    compared = datacompy.Compare(
        left[columns].merge(both[["kind", "key"]], on=["kind", "key"]),
        right[columns].merge(both[["kind", "key"]], on=["kind", "key"]),
        join_columns=["kind", "key"],
        df1_name="ledger",
        df2_name="gateway",
    )
    rows = compared.intersect_rows
    equal = rows[[f"{name}_match" for name in columns[2:]]].all(axis=1)
    differ = rows[~equal][["kind", "key"]].merge(both, on=["kind", "key"])
    return _told(
        int(equal.sum()),
        list(differ["ref"] + "|" + differ["ref_moved"]),
        list(booked_only),
        [*moved_only, *again[again["on"].between(first, last, inclusive="left")]["ref"]],
    )


CASE = Case(
    name="reconciliation",
    title="Reconciliation of a month",
    about=(
        "A whole month in the real tables: card, bank and store contracts, every charge with its fees, refunds, "
        "disputes, payouts, bank lines; 500 faults of all fourteen types in 31 kinds. Ours types and values every "
        "difference on four sides and proves that each row ended in one place; the peer compares ledger and gateway "
        "where both have a key, and finds the same there."
    ),
    size={"contracts": 200_000, "transactions": 1_000_000, "faults": 500},
    tiny={"contracts": 400, "transactions": 2_100, "faults": 28},
    prepare=prepare,
    contenders=[
        Contender("Keizoku, on the files", on_files, note="all sides, types and amounts, on the files of the peer."),
        Contender(
            "Keizoku, from the database",
            from_database,
            note="wall with the start of PostgreSQL, CPU and peak of the engine's process; PostgreSQL's stand beside.",
        ),
        Contender(
            "pandas merge + datacompy",
            pandas_datacompy,
            needs=("pandas", "datacompy"),
            note="two of the five tables, no types, no rows without a key, no payouts, no bank.",
        ),
    ],
)
