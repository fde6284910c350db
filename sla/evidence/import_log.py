"""Imports of evidence: which file was taken when, by whom, with how many rows; the same file is taken once.

A file is known by its bytes, its kind, and how people said it is to be read: what was read wrongly can be read again
as it is meant. What was refused of it can be mended and imported again as another
file: rows that are known already are passed over, so nothing counts twice.
"""

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import evidence_import
from keizoku.terms.calendar import iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import regular_file
from keizoku.terms.read_model import JapanInstant, Key, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Shown):
    """What became of a file: its rows, what was wrong, whether it had been imported before (`again`)."""

    kind: str
    source: str
    sha256: str
    read_as: str = ""  # what people or the file's folder said that it means
    rows_read: int
    rows_used: int  # good rows, whether or not they were known
    rows_new: int
    rows_refused: int
    author: str
    recorded_at: JapanInstant
    again: Annotated[bool, Key("imported_before")] = False
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """One line for people."""
        rows = f"{self.rows_read:,} rows read, {self.rows_used:,} used ({self.rows_new:,} new), {self.rows_refused:,}"
        if self.again:
            when = f"{iso_jst(self.recorded_at)} by {self.author}"
            return f"{self.source}: the same file was imported {when} ({rows} refused); nothing was changed"
        return f"{self.source}: {rows} refused"


def sha256_of(file: Path) -> str:
    """The digest of a file's bytes. OSError if it cannot be opened, or is a pipe or device, which may never end."""
    regular_file(file)
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def known_import(session: Session, kind: str, sha256: str, read_as: str = "") -> Imported | None:
    """The import of the same bytes as the same kind, read the same way, if there was one."""
    own = evidence_import.c
    same = (own.sha256 == sha256, own.kind == kind, own.read_as == read_as)
    row = session.execute(sa.select(evidence_import).where(*same)).one_or_none()
    return None if row is None else _import_of(row, again=True)


def note_import(session: Session, imported: Imported) -> Imported:
    """Write down what became of a file, in the transaction of its last rows."""
    names = (column.name for column in evidence_import.columns if column.name != "id")
    session.execute(sa.insert(evidence_import).values({name: getattr(imported, name) for name in names}))
    return imported


def import_list(session: Session, kind: str | None = None) -> list[Imported]:
    """Every import, oldest first."""
    query = sa.select(evidence_import).order_by(evidence_import.c.id)
    if kind is not None:
        query = query.where(evidence_import.c.kind == kind)
    return [_import_of(row) for row in session.execute(query)]


def _import_of(row: sa.Row[Any], *, again: bool = False) -> Imported:
    values = {name: value for name, value in row._mapping.items() if name != "id"}
    return Imported(**values, again=again)
