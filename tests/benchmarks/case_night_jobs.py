"""The worst night by one, two and four processes that share its contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from keizoku.db.session import open_session
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.processes import WorkerPool
from keizoku.scheduler.night.schedule import night_at
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock
from tests.benchmarks.night_world import DUE_ON, copy_of, counted, make_world, services_of


@contextmanager
def services_at(address: str, size: Mapping[str, int]) -> Iterator[Services]:
    """A helper's own."""
    with open_session(address) as session:
        yield services_of(session, size)


def by(processes: int) -> Callable[[Path, Mapping[str, int]], Mapping[str, Any]]:
    """The night with so many processes; they are started within it."""

    def work(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
        clock = Clock()
        with copy_of(folder) as session:
            address = session.engine.url.render_as_string(hide_password=False)
            opened = partial(services_at, address, dict(size))
            with WorkerPool(processes - 1, opened, least=min(2_000, size["due"] // 2)) as pool, clock.running(session):
                night = run_night(services_of(session, size), DUE_ON, night_at(DUE_ON), clock.told, pool=pool)
            assert night.certificate == "ok", night.differences
            answer = counted(session)
        kept = ("seconds_of_terms", "seconds_of_invoices")
        figures = {name: value for name, value in clock.figures().items() if name in kept}
        return {**answer, "figures": {**figures, "seconds_of_the_night": clock.wall}}

    return work


CASE = Case(
    name="night_jobs",
    title="The worst night shared by several processes",
    about=(
        "All contracts renew at once. Terms and invoices are handed out in ranges of contracts through PostgreSQL; "
        "payments, revenue and the audit are the leader's. PostgreSQL runs on the same processors, so that more "
        "processes than half of them only wait for each other."
    ),
    size={"contracts": 200_000, "due": 200_000, "credits": 0, "overdue": 0},
    tiny={"contracts": 60, "due": 60, "credits": 0, "overdue": 0},
    prepare=make_world,
    contenders=[
        Contender("one process", by(1), note="CPU and memory of the leader alone, in every row."),
        Contender("two processes", by(2)),
        Contender("four processes", by(4)),
    ],
)
