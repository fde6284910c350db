"""The service that takes whole files: observations, counts, incidents, notices, numbers of users, claims.

A file is checked row by row; bad rows come back as findings with file and line, good ones are recorded, and the
import itself is: bytes, rows, author. The same bytes again change nothing, rows that are known are passed over.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from keizoku.db.session import copy_rows, texts
from keizoku.db.tables.claims import claim as claim_table
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.evidence import population as population_table
from keizoku.sla.counting.outage_threshold import outage_rule_of
from keizoku.sla.evidence.calendars.ics_times import Stated
from keizoku.sla.evidence.claim_files import ClaimRow, read_claims
from keizoku.sla.evidence.count_files import CountSeries, read_counts, unknown_time
from keizoku.sla.evidence.import_log import Imported, known_import, note_import, sha256_of
from keizoku.sla.evidence.incident_files import (
    CLOCKS_APART,
    FIRST_SECOND,
    Incident,
    Read,
    UserFigure,
    only_past,
    read_incidents,
    read_population,
)
from keizoku.sla.evidence.observation_store import KIND as OBSERVATIONS
from keizoku.sla.evidence.observation_store import Reading
from keizoku.sla.evidence.outage_formats.formats import AskedOutages
from keizoku.sla.review_queue import ask_for_reviews, policy_of
from keizoku.sla.rules.intervals import as_iso, clip, normalise
from keizoku.sla.services.notice_imports import TakenImport, take_notices
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.arguments import guard_texts
from keizoku.terms.refusal import Refused

CHUNK_CLAIMS = 5_000

Progress = Callable[[int, int], None]
"""Called with how many rows are done, of how many."""
Row = TypeVar("Row")


@guard_texts
class ImportService:
    """Takes files for the SLA service."""

    def __init__(self, service: SlaService) -> None:
        self._service = service
        self._session = service.session

    def observations(
        self, file: Path, *, author: str, now: datetime, reading: Reading | None = None, source: str = ""
    ) -> Imported:
        """Who could not do what, when (CSV, NDJSON, Parquet); `source`: its name, where it is one of a folder."""
        reading = reading or Reading()
        before = known_import(self._session, OBSERVATIONS, sha256_of(file), reading.description_of(file))
        if before is not None:
            return before
        imported = self._service.record_observations(file, (), author, now, reading, source).imported
        if imported is None:
            raise AssertionError("a file that was read has its import")
        return imported

    def counts(self, file: Path, *, author: str, now: datetime, series: CountSeries | None = None) -> Imported:
        """Users unable of all users, by period (CSV, or a range query's JSON), and when nobody knows.

        Time without a sample is recorded as unknown: claims that it could decide wait until people say what it was.
        """

        def take() -> TakenImport:
            read = read_counts(file, series, outage_rule_of(policy_of(self._service.rules, Month.of(now))), now)
            rows = [(from_epoch(each.start), from_epoch(each.end), each.affected, each.total) for each in read.rows]
            refused, new = self._service.take_counts(rows, now)
            taken = _left(read.rows, refused)
            spans = [span for _, span in read.blank_rows]
            unreached = self._service.refused_spans(spans, "counts")
            blank = _left(spans, unreached)
            refused_until_now = clip(normalise(read.refused), FIRST_SECOND, epoch(now))
            unknown = unknown_time(taken, normalise(blank) if spans else read.blank, series, refused_until_now)
            unknown = clip(unknown, FIRST_SECOND, epoch_up(now) + CLOCKS_APART)
            added = self._service.take_unknown(unknown, file.name, now=now, by=author)
            new += sum(bool(clip(added, *span)) for span in blank)
            lines = [line for line, _ in read.blank_rows]
            findings = [*read.findings, *_at_lines(file, refused, read.lines), *_at_lines(file, unreached, lines)]
            findings.sort(key=lambda each: each.line or 0)
            told = read.told + len(refused) + len(unreached)
            return TakenImport(len(taken) + len(blank), new, told, findings)

        return self._once("counts", file, author, now, take, series.description() if series else "")

    def incidents(self, file: Path, *, author: str, now: datetime, outages: AskedOutages | None = None) -> Imported:
        """Stops as people confirmed them (CSV). One that is recorded otherwise is corrected by hand, not by a file.

        `outages`: the file is a monitor's, in its own form; what was open when it was imported before gets its end, and
        neither an older export nor people's corrections are undone by it.
        """

        def take(incident: Incident) -> bool:
            stated = replace(incident, author=incident.author or author)
            if outages is not None:
                return self._service.take_monitored(stated, file.name, by=author, now=now)
            if self._service.is_known_outage(stated):
                return False
            self._service.take_incident(stated, now=now)
            return True

        def read() -> Read[Incident]:
            return (
                only_past(read_incidents(file), str(file), epoch(now)) if outages is None else outages.read(file, now)
            )

        read_as = outages.description() if outages is not None else ""
        return self._once("incidents", file, author, now, lambda: self._each(file, read(), take), read_as)

    def population(self, file: Path, *, author: str, now: datetime) -> Imported:
        """Registered users of the whole service, as a dated series (CSV)."""
        figures = sa.select(population_table.c.from_at, population_table.c.users).order_by(population_table.c.id)
        known = {row.from_at: row.users for row in self._session.execute(figures)}

        def take(figure: UserFigure) -> bool:
            if known.get(figure.from_at) == figure.users:
                return False
            self._service.population(figure.from_at, figure.users, now=now, by=author)
            return True

        return self._once("population", file, author, now, lambda: self._each(file, read_population(file), take))

    def notices(self, file: Path, *, author: str, now: datetime, published_at: datetime | None = None) -> Imported:
        """Announced maintenance (iCalendar). One that came too late is recorded with a finding and excludes nothing.

        What an event announced before and its newest issue no longer has is withdrawn with that issue, whichever of
        them is imported first. `published_at`: when people say that the file was published, for what does not say it
        itself; an event of which nothing says it was published when it is recorded here.
        """
        stated = Stated(published_at=published_at, seen_at=now, now=now)
        read_as = f"published={iso_jst(published_at)}" if published_at is not None else ""
        return self._once(
            "notices", file, author, now, lambda: take_notices(self._service, file, stated, author=author), read_as
        )

    def claims(self, file: Path, *, author: str, now: datetime, progress: Progress | None = None) -> Imported:
        """Users' claims (CSV: id, account, month, received_at, windows), in committed chunks."""

        def take() -> TakenImport:
            read = read_claims(file, self._service.rules, now)
            findings, new, refused = list(read.findings), 0, 0
            numbered = list(zip(read.lines, read.rows, strict=True))
            for start in range(0, len(numbered), CHUNK_CLAIMS):
                chunk = numbered[start : start + CHUNK_CLAIMS]
                taken, wrong, doubts = self._take_claims(file, chunk, author, now)
                new, refused = new + taken, refused + len(wrong)
                findings += [*wrong, *doubts]
                if start + CHUNK_CLAIMS < len(numbered):
                    self._session.commit()
                if progress is not None:
                    progress(min(start + CHUNK_CLAIMS, len(numbered)), len(numbered))
            findings.sort(key=lambda finding: finding.line or 0)
            return TakenImport(len(numbered) - refused, new, len(read.findings) + refused, findings)

        return self._once("claims", file, author, now, take)

    def _once(
        self, kind: str, file: Path, author: str, now: datetime, take: Callable[[], TakenImport], read_as: str = ""
    ) -> Imported:
        """Take a file and write down what became of it; the same bytes, read the same way, change nothing again."""
        sha256 = sha256_of(file)
        if before := known_import(self._session, kind, sha256, read_as):
            return before
        taken = take()
        imported = Imported(
            kind=kind,
            source=file.name,
            sha256=sha256,
            rows_read=taken.used + taken.refused,
            rows_used=taken.used,
            rows_new=taken.new,
            rows_refused=taken.refused,
            author=author,
            recorded_at=now,
            read_as=read_as,
            findings=tuple(taken.findings),
        )
        note_import(self._session, imported)
        self._session.commit()
        return imported

    def _each(self, file: Path, read: Read[Row], take: Callable[[Row], bool]) -> TakenImport:
        """Take row by row; `take` says whether one is new. A refused one is a finding with its line."""
        new, findings = 0, list(read.findings)
        refused = 0
        for place, row in enumerate(read.rows):
            try:
                new += take(row)
            except Refused as why:
                refused += 1
                line = read.lines[place] if read.lines else None
                findings.append(replace(why.findings[0], source=str(file), line=line))
        of_file = len(read.findings) if read.refused is None else read.refused
        return TakenImport(len(read.rows) - refused, new, of_file + refused, findings)

    def _take_claims(
        self, file: Path, chunk: Sequence[tuple[int, ClaimRow]], author: str, now: datetime
    ) -> tuple[int, list[Finding], list[Finding]]:
        """How many are new, the findings that refuse a row, and doubts about rows that are taken all the same."""
        ids = texts([row.id for _, row in chunk])
        accounts = texts({row.account for _, row in chunk})
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
        columns = ("id", "account", "month", "received_at", "windows", "author", "recorded_at")
        rows = ((key, *values, author, now) for key, (_, values) in fresh.items())
        copy_rows(self._session, claim_table, columns, rows)
        asked = [(row.month, row.account, f"claim {key}") for key, (row, _) in fresh.items()]
        ask_for_reviews(self._session, asked, now)
        return len(fresh), wrong, doubts


def _left(rows: Sequence[Row], refused: Sequence[Finding]) -> list[Row]:
    """The rows whose place, from 1 on, no finding names."""
    wrong = {each.line for each in refused}
    return [row for place, row in enumerate(rows, start=1) if place not in wrong]


def _at_lines(file: Path, findings: Sequence[Finding], lines: Sequence[int]) -> list[Finding]:
    """Findings that name the place of their row from 1 on, by the lines of those rows; of no lines, none has one."""
    return [replace(each, source=str(file), line=lines[(each.line or 1) - 1] if lines else None) for each in findings]
