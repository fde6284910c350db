"""The worst night: every contract renews at once. The limit beside it: plain COPY of the rows that the night wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock, copy_in, newest, run_nights, write_out
from tests.benchmarks.night_world import DUE_ON, copy_of, counted, make_world


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The whole night, with its certificate."""
    clock = Clock()
    with copy_of(folder) as session:
        before = newest(session)
        run_nights(session, size, [DUE_ON], clock)
        write_out(session, folder, before)
        answer = counted(session)
    figures = clock.figures() | {"renewals_per_second": size["due"] / clock.wall}
    return {**answer, "seconds": clock.wall, "figures": figures}


def plain_copy(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The same rows, final as they are: nothing is decided, looked up or changed afterwards."""
    clock = Clock()
    with copy_of(folder) as session:
        copy_in(session, folder, clock)
        answer = counted(session)
    figures = clock.figures() | {"renewals_per_second": size["due"] / clock.wall}
    return {**answer, "seconds": clock.wall, "figures": figures}


CASE = Case(
    name="night",
    title="The worst night: all contracts renew at once",
    about=(
        "Terms, invoices, entries, attempts with their answers, settlements, revenue and the audit, on the embedded "
        "PostgreSQL with its ordinary settings; the gateway answers at once. The limit is plain COPY of the rows that "
        "the night of the same round wrote, into the same tables with all constraints and indexes. Both begin on a "
        "fresh copy of the database: in the system's cache, not yet in the server's own."
    ),
    size={"contracts": 200_000, "due": 200_000, "credits": 0, "overdue": 0},
    tiny={"contracts": 60, "due": 60, "credits": 0, "overdue": 0},
    prepare=make_world,
    contenders=[
        Contender("Keizoku", keizoku, note="without the time of PostgreSQL's own start; memory of the engine alone."),
        Contender("plain COPY", plain_copy, note="one COPY and one commit for each table."),
    ],
)
