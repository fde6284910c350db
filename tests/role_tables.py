"""The tables of docs/explanation/security.md: who may read, add and change what, and which command is for whom.

    db/roles.py, db/tables/changing.py, scheduler/cli/shared/rights.py ──> docs/explanation/security.md

`python -m tests.role_tables` writes them anew; tests/integration/db/test_roles.py fails while they are not the present
ones, and holds the same lists against what the database grants.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from keizoku.db.roles import FINANCE_ADDS, SECRETS, SUPPORT_ADDS, TOKENS_ALONE, privileges
from keizoku.db.tables import metadata
from keizoku.db.tables.changing import CACHES, LOCKED, SET_ONCE
from keizoku.scheduler.cli.shared.rights import ALLOWED, WITHOUT_DATABASE

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "security.md"
BEGIN, END = "<!-- python -m tests.role_tables -->\n", "<!-- end -->\n"
ROLES = {
    ("worker", "finance", "support"): "every role",
    ("worker", "support"): "worker, support",
    ("worker",): "worker",
    ("tokens",): "worker with tokens",
    (): "the owner alone",
}


def tables() -> str:
    """What stands between the marks."""
    given = privileges()
    secret = ", ".join(
        f"`{table}.{column}`" for table, columns in sorted(SECRETS.items()) for column in sorted(columns)
    )
    worker = given["worker"]
    changing = [columns for table, columns in worker["UPDATE"].items() if table not in LOCKED]
    changes = f"{sum(map(len, changing))} columns of {len(changing)} tables"
    of = f"{len(worker['INSERT'])} of {len(metadata.tables)} tables"
    added = f"{of}, not `link_secret`, `restoration` and `schema_release`"
    sealed = ", ".join(f"`{table}`" for table in sorted(TOKENS_ALONE))
    but = f"everything but {sealed}, {secret}"
    own = sum(map(len, given["tokens"]["UPDATE"].values()))
    named = ", ".join(f"`{table}`" for table in sorted(FINANCE_ADDS))
    rows = [
        "| role | reads | adds rows to | changes | removes |",
        "|---|---|---|---|---|",
        f"| `keizoku_worker` | everything but {sealed} | {added} | {changes} | nothing |",
        f"| `keizoku_finance` | {but} | {named} | nothing | nothing |",
        f"| `keizoku_support` | {but} | {len(SUPPORT_ADDS)} of them, below | nothing | nothing |",
        f"| `keizoku_tokens` | {sealed} alone | {sealed} | {own} columns of it | nothing |",
        "| `keizoku_member` | no table; views of the rows of one account | nothing | nothing | nothing |",
        "",
        _wrapped("Support adds rows to " + ", ".join(f"`{table}`" for table in sorted(SUPPORT_ADDS)) + "."),
        "",
        "The columns that may change at all:",
        "",
        "| table | as often as needed | once, by a trigger |",
        "|---|---|---|",
    ]
    for table in sorted({*CACHES, *SET_ONCE}):
        once = "; ".join(", ".join(f"`{column}`" for column in group) for group in SET_ONCE.get(table, ()))
        rows.append(f"| `{table}` | {', '.join(f'`{column}`' for column in CACHES.get(table, ()))} | {once} |")
    rows += ["", "Which command is for whom (`keizoku …`):", "", "| for | commands |", "|---|---|"]
    for roles, named in ROLES.items():
        rows.append(f"| {named} | {_listed(command for command, may in ALLOWED.items() if may == roles)} |")
    rows.append(f"| anybody: without our tables | {_listed(WITHOUT_DATABASE)} |")
    return "\n".join(rows) + "\n"


def _listed(commands: Iterable[str]) -> str:
    return ", ".join(f"`{command}`" for command in sorted(commands))


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False))


def written(page: str) -> str:
    """The page with the present tables in it."""
    return re.sub(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", lambda _: tables(), page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
