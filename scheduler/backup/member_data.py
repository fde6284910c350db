"""What is held about a member: every row of an account, and of each other table why it has none.

    member_rows      all of it: rows that name the account, rows of those rows, and what they were decided from
    write_member     as CSV (premium/10.4): the rows that name the account, one file a table

None of these rows contains ids of other members.
Cells that a spreadsheet would take for a formula are disarmed with a leading apostrophe. Folder and files are the
caller's alone (0700, 0600).
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.db.members.rows import of_member
from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.scheduler.files import whole_file
from keizoku.terms.cells import cell_text
from keizoku.terms.decision import decides

NOT_THEIRS = frozenset({
    "simulated_card", "simulated_charge", "simulated_refund", "saved_card", "gateway_customer",
    "sign_in_link", "web_session",
})  # fmt: skip
"""Ids that only the gateway understands, and how somebody signed in."""


@decides("premium/10.4")
def tables_of_members() -> Mapping[str, sa.Column[str]]:
    """The tables whose rows belong to an account, and the column that names it."""
    found = {table.name: table.c["account"] for table in metadata.sorted_tables if "account" in table.c}
    return {"account": metadata.tables["account"].c.id, **found}


def member_rows(session: Session, account: str) -> Iterator[tuple[sa.Table, Sequence[sa.Row[Any]]]]:
    """Every table with rows of the account, with those rows in the order of their keys."""
    for name, theirs in of_member().items():
        table = metadata.tables[name]
        query = sa.select(table).where(theirs).order_by(*table.primary_key.columns)
        if rows := session.execute(query, {"account": account}).all():
            yield table, rows


def write_csv(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows as NAME.csv, for its owner alone."""
    with (
        whole_file(folder / f"{name}.csv") as partial,
        open(partial, "w", encoding="utf-8", newline="", opener=_private) as out,
    ):
        lines = csv.writer(out)
        lines.writerow(columns)
        lines.writerows([_cell(value) for value in row] for row in rows)


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
            write_csv(folder, name, table.c.keys(), rows)
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
