"""Which file of a bank or store was taken when, by whom, with how many rows.

A file of which every row could be used is taken once. One with rows that were refused may come again, say with
another mapping: rows that are known are passed by.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.bank import money_import
from keizoku.terms.decision import Finding


@dataclass(frozen=True, slots=True)
class MoneyImport:
    """What became of a file. `again`: its bytes had been taken before, and nothing was changed."""

    kind: str
    source: str
    sha256: str
    rows_read: int
    rows_new: int
    rows_known: int
    rows_passed_over: int
    rows_refused: int
    author: str
    recorded_at: datetime
    again: bool = False
    findings: tuple[Finding, ...] = ()


def known_import(session: Session, kind: str, sha256: str) -> MoneyImport | None:
    """The import of the same bytes as the same kind, if there was one in which every row could be used."""
    row = session.execute(
        sa.select(money_import).where(
            money_import.c.kind == kind, money_import.c.sha256 == sha256, money_import.c.rows_refused == 0
        )
    ).one_or_none()
    return None if row is None else _of(row, again=True)


def note_import(session: Session, done: MoneyImport) -> MoneyImport:
    """Write down what became of a file, and commit. Somebody else may have taken the same bytes at once."""
    values = {field.name: getattr(done, field.name) for field in dataclasses.fields(done) if field.name != "again"}
    values["findings"] = [dataclasses.asdict(each) for each in done.findings]
    session.execute(insert(money_import).values(values).on_conflict_do_nothing())
    session.commit()
    return done


def import_list(session: Session, kind: str) -> list[MoneyImport]:
    """Every import of a kind, oldest first."""
    rows: Sequence[sa.Row[Any]] = session.execute(
        sa.select(money_import).where(money_import.c.kind == kind).order_by(money_import.c.id)
    ).all()
    return [_of(row) for row in rows]


def _of(row: sa.Row[Any], *, again: bool = False) -> MoneyImport:
    values = {name: value for name, value in row._mapping.items() if name not in ("id", "findings")}
    return MoneyImport(**values, again=again, findings=tuple(Finding(**each) for each in row.findings))
