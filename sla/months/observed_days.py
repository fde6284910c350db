"""When were enough of the users who are observed unable, day by day: a day that is over is read once.

    arrivals of the day ─┐
    who was unable at 0h ─┼─ digest ── known? ──> its windows, and who is unable at 24h, as kept
    how many are enough  ─┘               └ no ─> its rows are read, one scan for all such days in a row

Observations are the one kind of evidence that comes by the hundred million; counts, outages and notices are few and are
worked out anew each time. A kept day holds for exactly what it was worked out from, so nothing is ever thrown away:
late evidence or another number of users make another digest. What began on an earlier day is carried over from midnight
to midnight; days after a changed one are read again only as long as who is unable at midnight has changed, too.

Days are Japan's. A day that is not over is read each time. Observations stream from PostgreSQL into a temporary file
that DuckDB reads where it is: memory stays flat.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import file_digest, sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session, driver_cursor
from keizoku.db.tables.evidence import measured_day, unable_at_midnight
from keizoku.sla.counting.outage_threshold import Population, observed_windows, users_needed
from keizoku.sla.evidence.observation_files import literal
from keizoku.sla.evidence.observations import Observations, open_observations
from keizoku.sla.rules.intervals import Spans, clip, union
from keizoku.terms.calendar import DAY_SECONDS, epoch, epoch_up, from_epoch, jst_day
from keizoku.terms.policy import Policy

__all__ = ["MeasuredDay", "ObservedDays", "keep"]

VERSION: Final = "1"
"""Of what a digest stands for: another one is another way of counting, and every day is read again."""

OF_DAYS: Final = "started_at >= %(from_at)s AND started_at < %(to_at)s"
Reach = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class MeasuredDay:
    """What a day came to; `unable`: the digest of who was unable at its end, None: nobody."""

    on: date
    arrived: str
    sha256: str
    windows: Spans
    unable: str | None


@dataclass(slots=True)
class ObservedDays:
    """What was observed of a reach (whole days of Japan) as known at an instant.

    `any`: whether anything was. `found`: the days that had to be read and are over, to be kept.
    """

    session: Session
    reach: Reach
    at: datetime
    arrived: Mapping[date, str] = field(default_factory=dict)
    kept: Mapping[str, MeasuredDay] = field(default_factory=dict)
    begins: str | None = None  # who was unable at the beginning of the reach
    found: list[MeasuredDay] = field(default_factory=list)
    lines: dict[str, bytes] = field(default_factory=dict)  # by digest: who was unable at a midnight, packed

    @classmethod
    def known(cls, session: Session, reach: Reach, at: datetime) -> ObservedDays:
        """What arrived of the reach by an instant, and what is kept of it; observations are read only later."""
        days = cls(session, reach, at)
        first, beyond = jst_day(reach[0]), jst_day(reach[1])
        rows = session.execute(_ARRIVED, {"first": first, "beyond": beyond, "at": at}).all()
        days.arrived = {row.on: row.arrived for row in rows if row.on is not None}
        before = next((row.arrived for row in rows if row.on is None), None)
        if not rows:
            return days
        table = measured_day.c
        wanted = sa.and_(table.day >= first, table.day < beyond)
        if before is not None:
            wanted = sa.or_(wanted, table.sha256 == _before(first, before))
        query = sa.select(measured_day).where(wanted)
        days.kept = {row.sha256: _measured(row) for row in session.execute(query)}
        if before is not None:
            days.begins = days._carried_in(first, before)
        return days

    @property
    def any(self) -> bool:
        """Whether anybody was seen unable within the reach."""
        return bool(self.arrived) or self.begins is not None

    def windows(self, users: Population, policy: Policy, *, only_over: bool = False) -> Spans:
        """When enough of them were unable, of the reach's seconds; `only_over`: not of the day that is under way."""
        unable, windows = self.begins, list[Spans]()
        measured = frozenset(each.arrived for each in self.kept.values())
        days = list(self._days()) if self.any else []
        while days:
            day = days[0]
            known = self.kept.get(day.digest(unable, users, policy))
            if not day.is_over:  # what is under way is read to the end of the reach
                if not only_over and (unable is not None or any(each.arrived for each in days)):
                    windows.append(self._read(days, unable, users, policy, keep=False))
                break
            if known is not None:
                unable, days = known.unable, days[1:]
                windows.append(known.windows)
            elif unable is None and not day.arrived:
                days = days[1:]  # nobody
            else:
                run = _run(days, measured)
                windows.append(self._read(run, unable, users, policy, keep=True))
                unable, days = self.found[-1].unable, days[len(run) :]
        return union(*windows)

    def _days(self) -> Iterator[_Day]:
        for start in range(epoch(self.reach[0]), epoch(self.reach[1]), DAY_SECONDS):
            on = jst_day(from_epoch(start))
            yield _Day(on, start, start + DAY_SECONDS, self.arrived.get(on, ""), start + DAY_SECONDS <= epoch(self.at))

    def _carried_in(self, first: date, before: str) -> str | None:
        """Who was unable as the reach begins, of all that began before it."""
        known = self.kept.get(_before(first, before))
        if known is not None:
            return known.unable
        start_at, start = self.reach[0], epoch(self.reach[0])
        with open_observations() as observed:
            self._take(observed, "started_at < %(from_at)s", {"from_at": start_at}, "ended_at > %(from_at)s")
            unable = self._unable_at(observed, "observation", start)
        if start <= epoch(self.at):
            self.found.append(MeasuredDay(jst_day(from_epoch(start - 1)), before, _before(first, before), (), unable))
        return unable

    def _read(
        self, days: Sequence[_Day], unable: str | None, users: Population, policy: Policy, *, keep: bool
    ) -> Spans:
        """Days in a row, in one scan of what began on them; `keep`: they are over, and what they came to is found."""
        start, end = days[0].start, days[-1].end
        horizon = end if keep else min(epoch_up(self.at), end)
        with open_observations() as observed:
            if unable is not None:
                self._take_carried(observed, unable, start)
            if any(day.arrived for day in days):
                bounds = {"from_at": from_epoch(start), "to_at": from_epoch(end)}
                self._take(observed, OF_DAYS, bounds)
            windows = clip(observed_windows(observed.table, users, policy, horizon), start, end)
            if keep:
                observed.table.execute(_CROSSING)
                for day in days:
                    digest = day.digest(unable, users, policy)
                    unable = self._unable_at(observed, "crossing", day.end)
                    own = clip(windows, day.start, day.end)
                    self.found.append(MeasuredDay(day.on, day.arrived, digest, own, unable))
        return windows

    def _take(
        self, observed: Observations, where: str, bounds: Mapping[str, object], over: str = "ended_at IS NOT NULL"
    ) -> None:
        file = observed.free_file()
        with (
            file.open("wb") as out,
            driver_cursor(self.session) as cursor,
            cursor.copy(f"COPY ({rows_began(where, over)}) TO STDOUT (FORMAT csv)", {**bounds, "at": self.at}) as copy,
        ):
            for block in copy:
                out.write(block)
            rows = cursor.rowcount
        observed.add_relation(_EXPORTED.format(file=literal(str(file))), rows)

    def _take_carried(self, observed: Observations, unable: str, start: int) -> None:
        """Those who were unable as the first day began, as if it had begun then."""
        lines = self.lines.get(unable)
        if lines is None:
            table = unable_at_midnight.c
            lines = bytes(self.session.execute(sa.select(table.lines).where(table.sha256 == unable)).scalar_one())
        file = observed.free_file()
        written = gzip.decompress(lines)
        file.write_bytes(written)
        observed.add_relation(_CARRIED.format(file=literal(str(file)), start=start), written.count(b"\n"))

    def _unable_at(self, observed: Observations, relation: str, midnight: int) -> str | None:
        """The digest of who was unable at a midnight, and until when: a line for each, in order of users."""
        file = observed.free_file().with_suffix(".unable")
        observed.table.execute(_UNABLE.format(relation=relation, midnight=midnight, file=literal(str(file))))
        with file.open("rb") as lines:
            digest = file_digest(lines, "sha256").hexdigest()
        if file.stat().st_size == 0:
            return None
        if digest not in self.lines:
            self.lines[digest] = gzip.compress(file.read_bytes(), compresslevel=3, mtime=0)
        file.unlink()
        return digest


def rows_began(where: str, over: str = "ended_at IS NOT NULL") -> str:
    """SQL: the observations that began then, whole seconds outward; one still open only until its end is known.

    What is over and what is open are asked for apart: in one condition they would hide from PostgreSQL that few are
    open, and for the rows of a day it would walk the index of every row that there ever was.
    """
    return f"""
        SELECT user_id, extract(epoch FROM started_at)::bigint, extract(epoch FROM ended_at)::bigint
        FROM observation WHERE {where} AND {over} AND recorded_at <= %(at)s
        UNION ALL
        SELECT user_id, extract(epoch FROM started_at)::bigint, NULL
        FROM observation o WHERE {where} AND ended_at IS NULL AND recorded_at <= %(at)s
          AND NOT EXISTS (
              SELECT 1 FROM observation closed
              WHERE closed.user_id = o.user_id AND closed.symptom = o.symptom
                AND closed.started_at = o.started_at AND closed.ended_at IS NOT NULL AND closed.recorded_at <= %(at)s)
    """  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of Japan; `arrived`: the digest of the observations that begin on it, "" where there are none."""

    on: date
    start: int
    end: int
    arrived: str
    is_over: bool

    def digest(self, unable: str | None, users: Population, policy: Policy) -> str:
        """Of all that decides what the day comes to."""
        needed = [
            (max(start, self.start), users_needed(registered, policy.sla.quorum_share))
            for start, end, registered in users.periods()
            if start < self.end and end > self.start
        ]
        return _digest(VERSION, self.on, self.arrived, unable or "", needed)


def keep(session: Session, days: ObservedDays, now: datetime) -> int:
    """Keep the days that had to be read; the rows that are new. The caller commits."""
    if not days.found:
        return 0
    needed = {each.unable for each in days.found if each.unable is not None}
    carried = [{"sha256": digest, "lines": days.lines[digest]} for digest in sorted(needed & days.lines.keys())]
    if carried:
        session.execute(insert(unable_at_midnight).on_conflict_do_nothing(), carried)
    rows = [
        {
            "day": each.on,
            "arrived": each.arrived,
            "sha256": each.sha256,
            "windows": [list(span) for span in each.windows],
            "unable_sha256": each.unable,
            "recorded_at": now,
        }
        for each in days.found
    ]
    adding = insert(measured_day).on_conflict_do_nothing().returning(measured_day.c.id)
    return len(session.execute(adding, rows).all())


def _run(days: Sequence[_Day], measured: Iterable[str]) -> Sequence[_Day]:
    """The first day and those after it of which nothing was measured: one scan reads them all."""
    known = frozenset(measured)
    length = 1
    while length < len(days) and days[length].is_over and days[length].arrived and days[length].arrived not in known:
        length += 1
    return days[:length]


def _before(first: date, arrived: str) -> str:
    """The digest of all that began before a day."""
    return _digest(VERSION, "before", first, arrived)


def _digest(*parts: object) -> str:
    return sha256("|".join(map(str, parts)).encode()).hexdigest()


def _measured(row: sa.Row[Any]) -> MeasuredDay:
    windows = tuple((int(start), int(end)) for start, end in row.windows)
    return MeasuredDay(row.day, row.arrived, row.sha256, windows, row.unable_sha256)


_ARRIVED = sa.text(
    """
    SELECT day AS "on",
        encode(sha256(convert_to(string_agg(concat(id, ':', observations), ',' ORDER BY id), 'UTF8')), 'hex') AS arrived
    FROM observation_arrival WHERE day >= :first AND day < :beyond AND recorded_at <= :at GROUP BY day
    UNION ALL
    SELECT NULL, concat(count(*), ':', sum(hashtextextended(concat(id, ':', observations), 0)::numeric))
    FROM observation_arrival WHERE day < :first AND recorded_at <= :at HAVING count(*) > 0
    """
)
_EXPORTED = """
    SELECT user_id, started, ended, NULL AS symptom FROM read_csv({file}, header = false, auto_detect = false,
        delim = ',', quote = '"', escape = '"',
        columns = {{'user_id': 'VARCHAR', 'started': 'BIGINT', 'ended': 'BIGINT'}})
"""
_CARRIED = """
    SELECT user_id, {start}::BIGINT AS started, ended, NULL AS symptom FROM read_csv({file}, header = false,
        auto_detect = false, delim = ',', quote = '"', escape = '"',
        columns = {{'user_id': 'VARCHAR', 'ended': 'BIGINT'}})
"""
_JST = 9 * 3_600
_CROSSING = f"""
    CREATE OR REPLACE TEMP TABLE crossing AS SELECT user_id::VARCHAR AS user_id, started, ended FROM observation
    WHERE ended IS NULL OR (ended - 1 + {_JST}) // {DAY_SECONDS} > (started + {_JST}) // {DAY_SECONDS}
"""  # noqa: S608
_UNABLE = """
    COPY (
        SELECT user_id, max(ended) AS ended FROM {relation} WHERE started < {midnight} AND ended > {midnight}
        GROUP BY user_id
        UNION ALL
        SELECT DISTINCT user_id, NULL FROM {relation} WHERE started < {midnight} AND ended IS NULL
        ORDER BY user_id, ended NULLS LAST
    ) TO {file} (FORMAT csv, HEADER false, FORCE_QUOTE (user_id))
"""
