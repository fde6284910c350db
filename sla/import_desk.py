"""The desk for whole files: observations, counts, incidents, notices, numbers of users, claims.

A file is checked row by row; bad rows come back as findings with file and line, good ones are recorded, and the
import itself is: bytes, rows, author. The same bytes again change nothing, rows that are known are passed over.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from db.session import copy_rows
from db.tables.claims import claim as claim_table
from db.tables.contracts import account as account_table
from db.tables.evidence import population as population_table
from sla.claim_files import ClaimRow, read_claims
from sla.desk import SlaDesk
from sla.evidence import Incident, UserFigure, read_counts, read_incidents, read_population
from sla.imports import Imported, known_import, note_import, sha256_of
from sla.intervals import as_iso
from sla.notices import read_notices
from sla.observation_store import KIND as OBSERVATIONS
from sla.review import ask_for_reviews, policy_of
from sla.unusable import UpdateNotice, is_announced_in_time
from terms.calendar import Month, from_epoch
from terms.decision import Finding

CHUNK_CLAIMS = 5_000

Told = Callable[[int, int], None]
"""Told how many rows are done, of how many."""
Row = TypeVar("Row")
Verdict = tuple[bool, list[Finding]]  # whether the row is new; what was wrong with it, which refuses it


class ImportDesk:
    """Takes files at an SLA desk."""

    def __init__(self, desk: SlaDesk) -> None:
        self._desk = desk
        self._session = desk.session

    def observations(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Who could not do what, when (CSV, NDJSON, Parquet)."""
        before = known_import(self._session, OBSERVATIONS, sha256_of(file))
        if before is not None:
            return before
        imported = self._desk.record_observations(file, (), author, now).imported
        if imported is None:
            raise AssertionError("a file that was read has its import")
        return imported

    def counts(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Users unable of all users, by period (CSV)."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, "counts", sha256):
            return before
        read = read_counts(file)
        rows = [(from_epoch(each.start), from_epoch(each.end), each.affected, each.total) for each in read.rows]
        refused, rows_new = self._desk.take_counts(rows, now)
        findings = [replace(each, source=str(file), line=read.lines[(each.line or 1) - 1]) for each in refused]
        return self._note(
            "counts", file, sha256, author, now, len(rows) - len(refused), rows_new, [*read.findings, *findings]
        )

    def incidents(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Stops as people confirmed them (CSV). One that is recorded otherwise is corrected by hand, not by a file."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, "incidents", sha256):
            return before
        read = read_incidents(file)

        def take(incident: Incident) -> Verdict:
            if self._desk.is_known_stop(incident):
                return False, []
            named = replace(incident, author=incident.author or author)
            return True, self._desk.take_incident(named, now=now)

        rows_new, findings = self._take_rows(file, read.rows, read.lines, take)
        return self._note(
            "incidents",
            file,
            sha256,
            author,
            now,
            len(read.rows) - len(findings),
            rows_new,
            [*read.findings, *findings],
        )

    def population(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Registered users of the whole service, as a dated series (CSV)."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, "population", sha256):
            return before
        read = read_population(file)
        newest = sa.select(population_table.c.from_at, population_table.c.users).order_by(population_table.c.id)
        known = {row.from_at: row.users for row in self._session.execute(newest)}

        def take(figure: UserFigure) -> Verdict:
            if known.get(figure.from_at) == figure.users:
                return False, []
            return True, self._desk.population(figure.from_at, figure.users, now=now, by=author)

        rows_new, findings = self._take_rows(file, read.rows, read.lines, take)
        return self._note(
            "population",
            file,
            sha256,
            author,
            now,
            len(read.rows) - len(findings),
            rows_new,
            [*read.findings, *findings],
        )

    def notices(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Announced maintenance (iCalendar). One that came too late is recorded, told, and excludes nothing."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, "notices", sha256):
            return before
        policy = policy_of(self._desk.rules, Month.of(now))
        read = read_notices(file, policy)
        late = sum(not is_announced_in_time(each, policy) for each in read.rows)

        def take(notice: UpdateNotice) -> Verdict:
            at = map(from_epoch, (notice.published_at, notice.start, notice.end))
            is_new, refused, _ = self._desk.take_notice(notice.uid, *at, now=now, by=author)
            return is_new, refused

        rows_new, findings = self._take_rows(file, read.rows, (), take)
        return self._note(
            "notices",
            file,
            sha256,
            author,
            now,
            len(read.rows) - len(findings),
            rows_new,
            [*read.findings, *findings],
            rows_refused=len(read.findings) - late + len(findings),
        )

    def claims(self, file: Path, *, author: str, now: datetime, told: Told | None = None) -> Imported:
        """Users' claims (CSV: id, account, month, received_at, windows), in committed chunks."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, "claims", sha256):
            return before
        read = read_claims(file, self._desk.rules, now)
        findings, rows_new, refused = list(read.findings), 0, 0
        numbered = list(zip(read.lines, read.rows, strict=True))
        for start in range(0, len(numbered), CHUNK_CLAIMS):
            chunk = numbered[start : start + CHUNK_CLAIMS]
            taken, wrong, doubts = self._take_claims(file, chunk, now)
            rows_new, refused = rows_new + taken, refused + len(wrong)
            findings += [*wrong, *doubts]
            if start + CHUNK_CLAIMS < len(numbered):
                self._session.commit()
            if told is not None:
                told(min(start + CHUNK_CLAIMS, len(numbered)), len(numbered))
        findings.sort(key=lambda finding: finding.line or 0)
        rows_refused = len(read.findings) + refused
        used = len(numbered) - refused
        return self._note("claims", file, sha256, author, now, used, rows_new, findings, rows_refused=rows_refused)

    def _take_claims(
        self, file: Path, chunk: Sequence[tuple[int, ClaimRow]], now: datetime
    ) -> tuple[int, list[Finding], list[Finding]]:
        """How many are new, the findings that refuse a row, and doubts about rows that are taken all the same."""
        ids = sa.literal([row.id for _, row in chunk], sa.ARRAY(sa.Text))
        accounts = sa.literal(sorted({row.account for _, row in chunk}), sa.ARRAY(sa.Text))
        found = self._session.execute(sa.select(claim_table).where(claim_table.c.id == sa.any_(ids)))
        recorded = {each.id: (each.account, each.month, each.received_at, each.windows) for each in found}
        before = set(recorded)
        members = sa.select(account_table.c.id).where(account_table.c.id == sa.any_(accounts))
        known_accounts = set(self._session.execute(members).scalars())
        wrong, doubts = [], []
        fresh: dict[str, tuple[ClaimRow, tuple[object, ...]]] = {}
        for line, row in chunk:
            windows = as_iso(row.windows) if row.windows is not None else None
            values = (row.account, str(row.month), row.received_at, windows)
            if recorded.setdefault(row.id, values) != values:
                rule = "a claim of this id is recorded with other values"
                wrong.append(Finding(str(file), line, row.id, rule, "give the new one an id of its own"))
            elif row.id not in before and row.id not in fresh:
                fresh[row.id] = (row, values)
                if row.account not in known_accounts:
                    rule = "no account has this id; the claim is recorded and will be rejected"
                    doubts.append(Finding(str(file), line, row.account, rule, "claim again under the right account"))
        columns = ("id", "account", "month", "received_at", "windows", "recorded_at")
        copy_rows(self._session, claim_table, columns, ((key, *values, now) for key, (_, values) in fresh.items()))
        asked = [(row.month, row.account, f"claim {key}") for key, (row, _) in fresh.items()]
        ask_for_reviews(self._session, asked, now)
        return len(fresh), wrong, doubts

    def _take_rows(
        self, file: Path, rows: Sequence[Row], lines: Sequence[int], take: Callable[[Row], Verdict]
    ) -> tuple[int, list[Finding]]:
        """How many rows are new, and the first finding of each that was refused."""
        rows_new, findings = 0, []
        for place, row in enumerate(rows):
            is_new, wrong = take(row)
            if wrong:
                findings.append(replace(wrong[0], source=str(file), line=lines[place] if lines else None))
            else:
                rows_new += is_new
        return rows_new, findings

    def _note(
        self,
        kind: str,
        file: Path,
        sha256: str,
        author: str,
        now: datetime,
        rows_used: int,
        rows_new: int,
        findings: Iterable[Finding],
        rows_refused: int | None = None,
    ) -> Imported:
        told = tuple(findings)
        imported = note_import(
            self._session,
            kind,
            file,
            sha256,
            author,
            now,
            rows_used=rows_used,
            rows_new=rows_new,
            rows_refused=len(told) if rows_refused is None else rows_refused,
            findings=told,
        )
        self._session.commit()
        return imported
