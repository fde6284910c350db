"""A month's journal into a file: read from the ledger one entry after another, checked against its sums.

    export_month(session, Month(2026, 4), mapping_for("yayoi"), Path("2026-04.csv")) -> Exported(…)

The month is that of the day on which an entry is posted. The file appears whole or not at all; what was written has
to sum to the ledger, else nothing is left and a RuntimeError says where (an error of the program). Read only.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from keizoku.billing.closing.exports.entries import BookEntry
from keizoku.billing.closing.exports.mapping import ExportMapping
from keizoku.billing.closing.exports.packages import HEADERS, ROWS
from keizoku.billing.closing.exports.plain import CSV_HEADER, beancount_entry, beancount_foot, beancount_head, csv_rows
from keizoku.billing.closing.exports.summary import summed
from keizoku.billing.documents.atomic_files import digest, whole_file
from keizoku.billing.rules.books.journal_rules import JournalLine
from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.closing import manual_entry
from keizoku.terms.calendar import Month

Progress = Callable[[int, int], None]
_AT_ONCE = 5_000
"""Rows fetched at a time, so that a month of any size takes the same memory."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    file: Path
    format: str
    month: str
    entries: int
    lines: int
    debit_yen: int
    credit_yen: int
    sha256: str


def export_month(
    session: Session,
    month: Month,
    mapping: ExportMapping,
    file: Path,
    progress: Progress = lambda done, whole: None,
    *,
    summary: str = "entry",
) -> Exported:
    """Write a month's journal in the format of the mapping; `progress` is called as entries are written.

    `summary`: one entry of the file for each of ours, or for each document, day or month (exports/summary.py); for
    the packages only: the plain formats have the journal as it is.

    OSError if it cannot be written, Refused while another run writes the same file.
    """
    with whole_file(file) as partial, one_snapshot(session):
        sums = month_sums(session, month)
        count = session.execute(
            sa.select(sa.func.count()).where(entry.c.posted_on >= month.first_on, entry.c.posted_on < month.end_on)
        ).scalar_one()
        checked = _Checked(month_entries(session, month), count, progress)
        # what a package's encoding has no character for is shown as "?"
        with partial.open("w", encoding=mapping.encoding, errors="replace", newline="") as out:
            if mapping.format == "beancount":
                _write_beancount(session, out, checked, month, mapping)
            else:
                entries = summed(checked, summary) if mapping.format in ROWS else checked
                _write_rows(out, entries, mapping)
        if checked.sums != sums:
            raise RuntimeError(f"the export of {month} does not sum to the ledger: {checked.sums} for {sums}")
        sha256 = digest(partial)
    return Exported(
        file=file,
        format=mapping.format,
        month=str(month),
        entries=checked.entries,
        lines=checked.lines,
        debit_yen=checked.debit_yen,
        credit_yen=checked.debit_yen - sum(sums.values()),
        sha256=sha256,
    )


def month_entries(session: Session, month: Month) -> Iterator[BookEntry]:
    """The entries of a month in order of day and number, streamed."""
    query = (
        sa.select(
            entry.c.id, entry.c.posted_on, entry.c.event, entry.c.clause, entry.c.account, entry.c.belongs_to,
            entry.c.event_key, manual_entry.c.ground, line.c.code, line.c.yen,
        )
        .join(line, line.c.entry_id == entry.c.id)
        .outerjoin(manual_entry, manual_entry.c.entry_id == entry.c.id)
        .where(entry.c.posted_on >= month.first_on, entry.c.posted_on < month.end_on)
        .order_by(entry.c.posted_on, entry.c.id, line.c.seq)
    )  # fmt: skip
    rows = session.execute(query, execution_options={"yield_per": _AT_ONCE})
    for _, grouped in groupby(rows, key=lambda row: row.id):
        lines = list(grouped)
        first = lines[0]
        yield BookEntry(
            id=first.id,
            posted_on=first.posted_on,
            event=first.event,
            clause=first.clause,
            account=first.account,
            lines=tuple(JournalLine(row.code, row.yen) for row in lines),
            belongs_to=first.belongs_to or "",
            ground=first.ground or "",
            key=first.event_key,
        )


def month_sums(session: Session, month: Month) -> dict[str, int]:
    """What each account moved by in a month, debit positive; accounts without lines are left out."""
    return _sums(session, entry.c.posted_on >= month.first_on, entry.c.posted_on < month.end_on)


def balances_before(session: Session, month: Month) -> dict[str, int]:
    """The balance of each account at the start of a month."""
    return _sums(session, entry.c.posted_on < month.first_on)


def _sums(session: Session, *where: sa.ColumnElement[bool]) -> dict[str, int]:
    query = (
        sa.select(line.c.code, sa.cast(sa.func.sum(line.c.yen), sa.BigInteger))
        .join(entry, entry.c.id == line.c.entry_id)
        .where(*where)
        .group_by(line.c.code)
        .order_by(line.c.code)
    )
    return {str(code): int(yen) for code, yen in session.execute(query)}


class _Checked:
    """Entries on their way into the file, counted and summed."""

    def __init__(self, entries: Iterable[BookEntry], whole: int, progress: Progress) -> None:
        self._entries, self._whole, self._progress = entries, whole, progress
        self.entries = self.lines = self.debit_yen = 0
        self.sums: dict[str, int] = {}

    def __iter__(self) -> Iterator[BookEntry]:
        for each in self._entries:
            yield each
            self.entries += 1
            for code, yen in each.lines:
                self.lines += 1
                self.debit_yen += max(yen, 0)
                self.sums[code] = self.sums.get(code, 0) + yen
            if self.entries % 1_000 == 0 or self.entries == self._whole:
                self._progress(self.entries, self._whole)


def _write_rows(out: TextIO, entries: Iterable[BookEntry], mapping: ExportMapping) -> None:
    writer = csv.writer(out)  # CRLF, as all of the packages expect
    rows = ROWS.get(mapping.format, csv_rows)
    header = CSV_HEADER if mapping.format == "csv" else HEADERS.get(mapping.format)
    if header:
        writer.writerow(header)
    for each in entries:
        writer.writerows(rows(each, mapping))


def _write_beancount(
    session: Session, out: TextIO, entries: Iterable[BookEntry], month: Month, mapping: ExportMapping
) -> None:
    opening = balances_before(session, month)
    out.writelines(beancount_head(month.first_on, opening))
    for each in entries:
        out.write(beancount_entry(each, mapping))
    out.writelines(beancount_foot(month.end_on, balances_before(session, month.next())))
