"""Which file of a bank or store was taken when, by whom, with how many rows.

A file of which every row could be used is taken once under one mapping. One with rows that were refused may come again,
say with another mapping: rows that are known are passed by.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.bank import money_import, money_import_undone
from keizoku.limits import MOST_LISTED
from keizoku.terms.calendar import iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused


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
    digest: str = ""  # of the file and its mapping
    id: int = 0
    lines_new: int = 0  # of the bank's book, in and out, whatever the currency
    undone: bool = False
    preset: str = ""  # as which format a bank's file was read just now

    def listed(self) -> dict[str, object]:
        """As a row of the list of imports."""
        return {
            "id": self.id,
            "source": self.source,
            "rows_new": self.rows_new,
            "rows_known": self.rows_known,
            "rows_passed_over": self.rows_passed_over,
            "rows_refused": self.rows_refused,
            "author": self.author,
            "recorded_at": iso_jst(self.recorded_at),
            "undone": self.undone,
        }


class FindingsInPart:
    """What cannot be used in a file: the first ones as they are, all counted."""

    def __init__(self, first: Iterable[Finding] = (), unlisted: int = 0) -> None:
        self.count = unlisted
        self._kept: list[Finding] = []
        for each in first:
            self.add(each)

    def add(self, finding: Finding) -> None:
        """One more."""
        self.count += 1
        if len(self._kept) < MOST_LISTED:
            self._kept.append(finding)

    @property
    def listed(self) -> tuple[Finding, ...]:
        """Those kept, by line, and how many there are beside them."""
        found = sorted(self._kept, key=lambda finding: finding.line or 0)
        if found and (more := self.count - len(found)):
            rule = f"{MOST_LISTED:,} rows that cannot be used are listed, these are not"
            found.append(
                Finding(found[0].source, None, f"{more:,} more", rule, "mend those above, and import it again")
            )
        return tuple(found)


def known_import(session: Session, kind: str, sha256: str, digest: str = "") -> MoneyImport | None:
    """The import of the same bytes by the same mapping, if there was one in which every row could be used.

    One that was taken back does not count.
    """
    row = session.execute(
        sa.select(money_import).where(
            money_import.c.kind == kind,
            money_import.c.sha256 == sha256,
            money_import.c.digest == digest,
            money_import.c.rows_refused == 0,
            ~_UNDONE,
        )
    ).one_or_none()
    return None if row is None else _of(row, again=True)


_UNDONE: Final = sa.exists().where(money_import_undone.c.import_id == money_import.c.id)
_NOT_STORED: Final = ("again", "id", "lines_new", "undone", "preset")


def note_import(session: Session, done: MoneyImport) -> MoneyImport:
    """Write down what became of a file, and commit. Somebody else may have taken the same bytes at once."""
    values = {
        field.name: getattr(done, field.name) for field in dataclasses.fields(done) if field.name not in _NOT_STORED
    }
    values["findings"] = [dataclasses.asdict(each) for each in done.findings]
    before = sa.select(sa.func.count() + 1).where(
        money_import.c.kind == done.kind, money_import.c.sha256 == done.sha256, money_import.c.digest == done.digest,
        _UNDONE,
    )  # fmt: skip
    values["round"] = before.scalar_subquery()
    made = insert(money_import).values(values).on_conflict_do_nothing().returning(money_import.c.id)
    import_id = session.execute(made).scalar_one_or_none()
    session.commit()
    return dataclasses.replace(done, id=import_id or 0)


def import_list(session: Session, kind: str) -> list[MoneyImport]:
    """Every import of a kind, oldest first."""
    rows: Sequence[sa.Row[Any]] = session.execute(
        sa.select(money_import, _UNDONE.label("undone")).where(money_import.c.kind == kind).order_by(money_import.c.id)
    ).all()
    return [_of(row) for row in rows]


def import_of(session: Session, kind: str, import_id: int) -> MoneyImport:
    """One import by its id. Refused where there is none."""
    row = session.execute(
        sa.select(money_import, _UNDONE.label("undone")).where(
            money_import.c.kind == kind, money_import.c.id == import_id
        )
    ).one_or_none()
    if row is None:
        session.rollback()
        raise Refused("import.unknown", f"there is no import {import_id}", "(see `keizoku bank imports`)")
    return _of(row)


def note_undone(session: Session, digest: str, by: str, ground: str, now: datetime) -> None:
    """Note that every import of a file under a mapping was taken back; does not commit."""
    standing = sa.select(money_import.c.id).where(money_import.c.digest == digest, ~_UNDONE)
    values = [
        {"import_id": import_id, "author": by, "ground": ground, "recorded_at": now}
        for import_id in session.scalars(standing).all()
    ]
    session.execute(sa.insert(money_import_undone), values)


def _of(row: sa.Row[Any], *, again: bool = False) -> MoneyImport:
    values = {name: value for name, value in row._mapping.items() if name not in ("findings", "round")}
    return MoneyImport(**values, again=again, findings=tuple(Finding(**each) for each in row.findings))
