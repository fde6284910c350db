"""A scenario of one contract and a year of nights: what a lawyer who writes a test waits for.

The diary is made for a number of days; what it costs is mostly the nights of which nothing is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from keizoku.db.embedded import EmbeddedServer
from keizoku.scheduler.scenario.run import run_file
from tests.benchmarks.harness import Case, Contender

FIRST_DAY = date(2025, 1, 10)
DIARY = """\
title: One contract, night by night
plans: {{monthly: {{interval: month, prices: [{{yen: 500, from: 2024-12-02}}]}}}}
timeline:
  - {{at: {first} 09:00, approve: {{account: jiro, plan: monthly, method: card}}}}
expect:
  - {{at: {last}, contract: {{account: jiro, state: active, renews: true}}}}
"""


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The diary, and a server that has been started before."""
    last = FIRST_DAY + timedelta(days=size["nights"])
    (folder / "diary.yaml").write_text(DIARY.format(first=FIRST_DAY, last=last), encoding="utf-8")
    with EmbeddedServer(folder):
        pass


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Runs the file as `keizoku scenario run` does."""
    nights = 0

    def on_moment(_done: int, moments: int) -> None:
        nonlocal nights
        nights = moments - 2  # all but the step and the expectation

    with EmbeddedServer(folder) as server:
        outcome = run_file(folder / "diary.yaml", server.url, on_moment=on_moment)
    return {"passed": outcome.passed, "nights": nights}


CASE = Case(
    name="scenario",
    title="A scenario of a year",
    about=(
        "One contract, from its first day through the nights of a year, on the embedded PostgreSQL with its ordinary "
        "settings, which is started and stopped for it and whose own processor time is not in the figures. The tables "
        "are made by the cold run and emptied at the end of each."
    ),
    size={"nights": 365},
    tiny={"nights": 3},
    prepare=prepare,
    contenders=[Contender("Keizoku", keizoku, note="`keizoku scenario run`, without the start of the command.")],
)
