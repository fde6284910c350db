"""A typical night of a million contracts, and the same night once more with nothing to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock, run_nights
from tests.benchmarks.night_world import DUE_ON, copy_of, counted, make_world


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The night, then its rerun; their certificates say the same."""
    clock, again = Clock(), Clock()
    with copy_of(folder) as session:
        first = run_nights(session, size, [DUE_ON], clock)
        answer = counted(session)
        second = run_nights(session, size, [DUE_ON], again)
        assert (first[0].changes > 0, second[0].changes) == (True, 0)
        assert counted(session) == answer
    figures = clock.figures() | {
        "renewals_per_second": size["due"] / clock.wall,
        "seconds_of_the_rerun": again.wall,
        "seconds_of_the_rerun's_audit": again.stages["audit"],
    }
    return {**answer, "seconds": clock.wall, "figures": figures}


CASE = Case(
    name="night_typical",
    title="A typical night, and its rerun",
    about=(
        "A million running contracts: some renew, some awards become credits that their invoices take, some fees are "
        "overdue. Then the same night again, which finds nothing to do. The gateway answers at once."
    ),
    size={"contracts": 1_000_000, "due": 33_000, "credits": 1_000, "overdue": 500},
    tiny={"contracts": 200, "due": 40, "credits": 5, "overdue": 13},
    prepare=make_world,
    contenders=[
        Contender("Keizoku", keizoku, note="the first night; memory of the engine alone, PostgreSQL's is its own.")
    ],
)
