"""A member's own data as CSV (premium/10.4): every row that names the account, one file a table.

It is what the services hold of this account; none of these rows contains ids of other members.
Cells that a spreadsheet would take for a formula are disarmed with a leading apostrophe. Folder and files are the
caller's alone (0700, 0600).
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.scheduler.files import whole_file
from keizoku.terms.cells import cell_text
from keizoku.terms.decision import decides

NOT_THEIRS = frozenset({"simulated_card", "simulated_charge", "simulated_refund", "saved_card", "gateway_customer"})
"""Ids that only the gateway understands."""


@decides("premium/10.4")
def tables_of_members() -> Mapping[str, sa.Column[str]]:
    """The tables whose rows belong to an account, and the column that names it."""
    found = {table.name: table.c["account"] for table in metadata.sorted_tables if "account" in table.c}
    return {"account": metadata.tables["account"].c.id, **found}


def write_member(session: Session, account: str, folder: Path) -> dict[str, int]:
    """Write the account's rows into `folder`, one CSV a table; rows per file, empty tables left out."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written: dict[str, int] = {}
    for name, column in tables_of_members().items():
        table = metadata.tables[name]
        if name in NOT_THEIRS:
            continue
        key = list(table.primary_key.columns)
        rows = session.execute(sa.select(table).where(column == account).order_by(*key)).all()
        if rows:
            with (
                whole_file(folder / f"{name}.csv") as partial,
                open(partial, "w", encoding="utf-8", newline="", opener=_private) as out,
            ):
                lines = csv.writer(out)
                lines.writerow(table.c.keys())
                lines.writerows([_cell(value) for value in row] for row in rows)
            written[name] = len(rows)
    session.rollback()
    return written


def _private(name: str, flags: int) -> int:
    """Open a file that nobody else may read, whatever the umask; one that is there becomes so before it is written."""
    opened = os.open(name, flags, 0o600)
    os.fchmod(opened, 0o600)
    return opened


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else cell_text(value)
