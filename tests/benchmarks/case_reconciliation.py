"""A month of 1,000,000 charges of 200,000 contracts, 500 faults of every type planted: what does not tie?

Both read the same CSV files. Ours ends every row of five tables in one match or exception and types it; all planted
faults have to be found, typed right, and none invented, else it does not answer. The peer does the core of it only: a
merge of ledger and gateway by kind and key, and which pairs are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from billing.reconciliation import fill, reconcile, workbench
from tests.benchmarks.harness import PEER_RUNS, Case, Contender
from tests.unit.billing.generated_month import MONTH, TABLES, TODAY, write_month

OURS = ["ref", "kind", "key", "gateway_id", "state", "yen", "booked", "tax", "on", "belongs_to", "account"]
GATEWAY = ["ref", "kind", "key", "payment", "source", "yen", "tax", "currency", "on"]


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The files, and what is planted in them."""
    planted = write_month(folder, size["contracts"], size["transactions"], size["faults"])
    (folder / "planted.txt").write_text("\n".join("|".join(each) for each in planted), encoding="utf-8")


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Everything; the rows of ledger and gateway that tie are the answer."""
    with closing(workbench(folder)) as connection:
        for table in TABLES:
            fill(connection, table, folder / f"{table}.csv")
        outcome = reconcile(connection, MONTH, TODAY)
    planted = (folder / "planted.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(each.key for each in outcome.exceptions) == sorted(planted)
    assert outcome.unexplained == ()
    return {"pairs": outcome.matched["ledger-gateway"]}


def pandas_merge(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """A merge by kind and key, then comparisons of columns."""
    import pandas as pd

    ours = pd.read_csv(folder / "ours.csv", names=OURS, dtype={"belongs_to": "string"})
    moved = pd.read_csv(folder / "gateway.csv", names=GATEWAY)
    moved = moved[moved["key"].notna()].drop_duplicates(["kind", "key"])
    both = ours.merge(moved, on=["kind", "key"], suffixes=("", "_moved"))
    ties = both[
        (both["state"] == "done")
        & (both["currency"] == "jpy")
        & (both["booked"] == both["yen_moved"])
        & (both["tax"] == both["tax_moved"])
        & (both["on"].str[:7] == both["on_moved"].str[:7])
    ]
    return {"pairs": len(ties)}


CASE = Case(
    name="reconciliation",
    title="Reconciliation of a month",
    about=(
        "Charges with a fee each, partial refunds, daily payouts, bank lines; 500 faults of all fourteen types. Ours "
        "types every difference and proves that each row ended in one place; the peer merges two of the five tables."
    ),
    size={"contracts": 200_000, "transactions": 1_000_000, "faults": 500},
    tiny={"contracts": 60, "transactions": 700, "faults": 70},
    prepare=prepare,
    contenders=[
        Contender("Keizoku", keizoku),
        Contender("pandas merge", pandas_merge, runs=PEER_RUNS, needs=("pandas",), note="no types, no bank"),
    ],
)
