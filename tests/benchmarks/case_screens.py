"""Every screen of the console and of the members' pages over a million contracts: the time to its first byte."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.session import make_engine
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.screens_walk import looks, open_browser
from tests.benchmarks.screens_world import NOW, PREFIX, WORLD, make_screens_world

TIMES: Final = 5
WITHIN_MS: Final = 300
MEMBER: Final = "n01-28"
"""A member of the world, whom support looks up too."""


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Each screen once for nothing and five times for its median; the table goes beside the data and to stderr."""
    rows: list[dict[str, Any]] = []
    account = MEMBER if size["contracts"] >= 10_000 else "n01-1"
    with EmbeddedServer(folder) as server:
        url = server.url.set(database=WORLD)
        with make_engine(url).connect() as session:
            found = looks(session, account, "u01-1")
        with open_browser(url, "public", PREFIX, NOW, account) as browser:
            for at in found:
                seen = browser.look(at, TIMES)
                assert seen.status == 200, (at.address, seen.status)
                rows.append(
                    {"address": at.address, "ms": round(seen.median_ms), "cpu_ms": round(seen.cpu_ms),
                     "statements": len(seen.asked), "bytes": len(seen.body)}
                )  # fmt: skip
    rows.sort(key=lambda row: -row["ms"])
    (folder / "screens.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        sys.stderr.write("{ms:7,} ms {cpu_ms:6,} CPU {statements:4} statements  {address}\n".format(**row))
    slow = [row["address"] for row in rows if row["ms"] >= WITHIN_MS]
    if os.getenv("KEIZOKU_SCREENS_STRICT"):
        assert not slow, slow
    times = sorted(row["ms"] for row in rows)
    figures = {
        "screens": len(rows),
        "median_ms": times[len(times) // 2],
        "slowest_ms": times[-1],
        "screens_over_300_ms": len(slow),
        "most_statements": max(row["statements"] for row in rows),
    }
    return {"screens": len(rows), "seconds": sum(times) / 1000, "figures": figures}


CASE = Case(
    name="screens",
    title="Every screen, first byte",
    about=(
        "Each screen of the console and of the members' pages under the addresses that people ask for, through the "
        "application itself as the right role, after one look for nothing: the middle of five times to the first byte. "
        "A million contracts with three to four months of terms, invoices, charges, entries, letters and documents."
    ),
    size={"contracts": 1_000_000},
    tiny={"contracts": 2_000},
    prepare=make_screens_world,
    contenders=[Contender("Keizoku", keizoku, note="Seconds are the sum of the medians of all screens.")],
    keeps=True,
)
