"""The service that takes evidence: population, outages, counts, observations, notices, interruptions.

Each method takes one kind of fact and `now`, checks it, records it with both its times, says which months
have to be looked at again, and commits. A fact that cannot be taken is Refused, with its finding, and not recorded.
A method returns doubts about what it has recorded all the same: as a rule none. Of several rows the good ones are
taken, and a bad one is a finding. Nothing is decided here: that is the night's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.claims import claim as claim_table
from keizoku.db.tables.evidence import incident, interruption, maintenance_notice, outage_count, population
from keizoku.sla.evidence.incident_files import CLOCKS_APART, Incident
from keizoku.sla.review_queue import ask_for_review, months_touched, policy_of, reach_seconds
from keizoku.sla.rules.intervals import Span
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import announced_by, is_announced_in_time
from keizoku.sla.services.announced import Announcement
from keizoku.sla.services.fact_checks import (
    at_line,
    finding,
    grounded_cause,
    is_over,
    known_cause,
    known_time,
    nearest_of,
    needed,
    not_negative,
    period,
)
from keizoku.terms.calendar import JST, Month, epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.arguments import check_text, guard_acts
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

if TYPE_CHECKING:
    from keizoku.sla.evidence import observation_store

CountRow = Sequence[Any]  # from, to, affected, total
PEOPLE = "people"  # author of an outage whose reporter gave no name


@guard_acts(sa.exc.DataError)
class EvidenceService:
    """Takes evidence on one session; `rules` say which months it reaches."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self._session = session
        self._rules = rules

    @property
    def session(self) -> Session:
        """The session that it works on."""
        return self._session

    @property
    def rules(self) -> Rules:
        """The rules that it asks."""
        return self._rules

    def population(self, from_at: datetime, users: int, *, now: datetime, by: str = PEOPLE) -> list[Finding]:
        """Registered users of the whole service from an instant on (the first figure: ever since)."""
        if users < 1:
            raise Refused.fact(
                "population.none",
                "population",
                str(users),
                "a service has at least one user",
                "write all registered users",
            )
        not_negative("population", users)
        known_time("population", from_at)
        self._session.execute(sa.insert(population).values(from_at=from_at, users=users, author=by, recorded_at=now))
        months = self._session.execute(sa.select(claim_table.c.month).distinct()).scalars()
        self._commit([Month.parse(month) for month in months], "population", now)
        return []

    def record_outage(
        self,
        from_at: datetime,
        to_at: datetime,
        affected: int,
        *,
        now: datetime,
        cause: str = "fault",
        id: str | None = None,  # noqa: A002
        ground: str | None = None,
        by: str = PEOPLE,
        exact: bool = True,
    ) -> list[Finding]:
        """An outage as people confirmed it, to the second: so many users, one cause."""
        span = self._covered_span("stop", from_at, to_at)
        is_over("stop", from_at, to_at, now)
        not_negative("stop", affected)
        known_cause("stop", cause)
        grounded_cause("stop", cause, ground)
        needed("stop", id=id if id is not None else "to be found", by=by)
        values = {
            "revision": 1,
            "from_at": from_at,
            "to_at": to_at,
            "affected": affected,
            "cause": cause,
            "ground": ground,
            "author": by,
            "exact": exact,
            "recorded_at": now,
        }
        incident_id = id or self._free_outage_id(from_at)
        while not self._add(incident, {"incident_id": incident_id, **values}):
            if id is not None:
                remedy = "correct that one: keizoku sla incident correct"
                raise Refused.fact("outage.duplicate", "stop", incident_id, "an outage of this id is recorded", remedy)
            incident_id = self._free_outage_id(from_at)  # another one took it just now
        self._commit(self._months([span]), f"stop {incident_id}", now)
        return []

    def take_incident(self, stated: Incident, *, now: datetime) -> list[Finding]:
        """An outage as a file states it."""
        return self.record_outage(
            from_epoch(stated.start),
            from_epoch(stated.end),
            stated.affected,
            cause=stated.cause,
            id=stated.id,
            ground=stated.ground or None,
            by=stated.author or PEOPLE,
            exact=stated.exact,
            now=now,
        )

    def correct_outage(
        self,
        id: str,  # noqa: A002
        *,
        now: datetime,
        from_at: datetime | None = None,
        to_at: datetime | None = None,
        affected: int | None = None,
        cause: str | None = None,
        ground: str | None = None,
        by: str = PEOPLE,
    ) -> list[Finding]:
        """What is now known of a recorded outage, as a new revision; 0 affected: it never was."""
        while (last := self._last_outage(id)) is not None:
            starts_at, ends_at = from_at or last.from_at, to_at or last.to_at
            users, why = last.affected if affected is None else affected, cause or last.cause
            span = self._covered_span("correct_stop", starts_at, ends_at)
            if to_at is not None:
                is_over("correct_stop", starts_at, ends_at, now)
            not_negative("correct_stop", users)
            known_cause("correct_stop", why)
            grounded_cause("correct_stop", why, ground if why != last.cause else ground or last.ground)
            values = {
                "incident_id": id,
                "revision": last.revision + 1,
                "from_at": starts_at,
                "to_at": ends_at,
                "affected": users,
                "cause": why,
                "ground": ground or last.ground,
                "author": by,
                "exact": last.exact,
                "recorded_at": now,
            }
            if self._add(incident, values):
                break  # else another correction came first: this one is of what that one says
        if last is None:
            raise self._unknown_outage("correct_stop", id)
        before = (epoch(last.from_at), epoch_up(last.to_at))
        self._commit(self._months([before, span]), f"stop {id} corrected", now)
        return []

    def counts(self, rows: Sequence[CountRow], *, now: datetime) -> list[Finding]:
        """Users unable of all users, by period, as a monitor counted them; good rows are taken."""
        findings, _ = self.take_counts(rows, now)
        self._session.commit()
        return findings

    def take_counts(self, rows: Sequence[CountRow], now: datetime) -> tuple[list[Finding], int]:
        """Findings with the place of their row from 1 on, and how many rows were new; nothing is committed."""
        findings: list[Finding] = []
        good = []
        for line, row in enumerate(rows, start=1):
            try:
                if len(row) != 4:
                    rule = "a count has a beginning, an end, the affected and all"
                    raise Refused.fact("counts.not_a_part", "counts", f"{len(row)} values", rule, "state the four")
                from_at, to_at, affected, total = row
                self._covered_span("counts", from_at, to_at)
                is_over("counts", from_at, to_at, now, CLOCKS_APART)
                not_negative("counts", affected)
                not_negative("counts", total)
                if total < 1 or affected > total:
                    raise Refused.fact(
                        "counts.not_a_part",
                        "counts",
                        f"{affected} of {total}",
                        "the affected are a part of all",
                        "correct it",
                    )
            except Refused as refused:
                findings.append(at_line(refused, line))
                continue
            values = {"from_at": from_at, "to_at": to_at, "affected": affected, "total": total, "recorded_at": now}
            good.append(values)
        if not good:
            return findings, 0
        table = outage_count.c
        adding = insert(outage_count).on_conflict_do_nothing().returning(table.from_at, table.to_at)
        added = self._session.execute(adding, good).all()
        spans = [(epoch(row.from_at), epoch_up(row.to_at)) for row in added]
        ask_for_review(self._session, self._months(spans), "counts", now)
        return findings, len(added)

    def observations(
        self,
        *,
        now: datetime,
        file: Path | None = None,
        rows: Sequence[observation_store.Row] | None = None,
        by: str = PEOPLE,
    ) -> list[Finding]:
        """Who could not do what, when: a file (CSV, NDJSON, Parquet) or rows; known ones are passed over."""
        return list(self.record_observations(file, rows or (), by, now).findings)

    def notice(
        self,
        id: str,  # noqa: A002
        published: datetime,
        from_at: datetime,
        to_at: datetime,
        *,
        now: datetime,
        by: str = PEOPLE,
        ground: str | None = None,
        cancelled: bool = False,
        calendar: str = "",
    ) -> list[Finding]:
        """An update announced at `published`. Published too late it is recorded and excludes nothing.

        A later publication under the same id replaces it from then on; `cancelled`: it is withdrawn from then on.
        `ground`: where it was published.
        """
        announced = Announcement(id, published, from_at, to_at, cancelled, calendar, ground)
        return self.take_notice(announced, now=now, by=by)[1]

    def take_notice(self, announced: Announcement, *, now: datetime, by: str) -> tuple[bool, list[Finding]]:
        """The same: whether it is new, and doubts about one that is taken all the same."""
        uid, published_at = announced.id, announced.published_at
        needed("notice", id=uid, by=by)
        check_text("calendar", announced.calendar)
        known_time("notice", published_at)
        span = self._covered_span("notice", announced.from_at, announced.to_at)
        values = {
            "calendar": announced.calendar,
            "uid": uid,
            "published_at": published_at,
            "from_at": announced.from_at,
            "to_at": announced.to_at,
            "cancelled": announced.cancelled,
            "author": by,
            "ground": announced.ground,
            "recorded_at": now,
        }
        is_new = self._add(maintenance_notice, values)
        if is_new:
            table = maintenance_notice.c
            issues = sa.select(table.from_at, table.to_at).where(table.calendar == announced.calendar, table.uid == uid)
            spans = [(epoch(row.from_at), epoch_up(row.to_at)) for row in self._session.execute(issues)]
            self._commit(self._months(spans), f"notice {uid}", now)
        policy = policy_of(self._rules, Month.of(announced.from_at))
        window = UpdateNotice(uid, epoch_up(published_at), *span)
        if announced.cancelled or is_announced_in_time(window, policy):
            return is_new, []
        until = iso_jst(from_epoch(announced_by(window.start, policy)))
        rule = f"an update on this day has to be announced by {until} (premium/9.4.4)"
        value = f"{uid} published {iso_jst(published_at)}"
        return is_new, [finding("notice", value, rule, "recorded; its window excludes nothing")]

    def interruption(
        self,
        from_at: datetime,
        to_at: datetime,
        ground: str,
        approved_by: str,
        *,
        now: datetime,
        by: str = PEOPLE,
    ) -> list[Finding]:
        """The service interrupted under the terms: with its ground and who approved it."""
        span = self._covered_span("interruption", from_at, to_at)
        needed("interruption", ground=ground, approved_by=approved_by)
        values = {
            "from_at": from_at,
            "to_at": to_at,
            "ground": ground,
            "approved_by": approved_by,
            "author": by,
            "recorded_at": now,
        }
        if self._add(interruption, values):
            self._commit(self._months([span]), "interruption", now)
        return []

    def record_observations(
        self,
        file: Path | None,
        rows: Sequence[observation_store.Row],
        by: str,
        now: datetime,
        reading: observation_store.Reading | None = None,
        source: str = "",
    ) -> observation_store.Recorded:
        """The same, with all that became of it; `reading` and `source`: how the file is read, and its name."""
        from keizoku.sla.evidence import observation_store  # with DuckDB, which no other evidence needs

        needed("observations", by=by)
        recorded = observation_store.record(self._session, file, rows, now, by, reading, source)
        self._commit(self._months(recorded.reach), "observations", now)
        return recorded

    def _covered_span(self, source: str, from_at: datetime, to_at: datetime) -> Span:
        """Whole seconds, outward. Raises Refused for an empty period and one that no terms reach."""
        span = period(source, from_at, to_at)
        for month in months_touched(span):
            self._month_in_terms(source, month)
        return span

    def _month_in_terms(self, source: str, month: Month) -> None:
        try:
            policy_of(self._rules, month)
        except UncoveredDateError as uncovered:
            raise Refused.fact(
                "terms.not_in_force", source, str(month), str(uncovered), "add that version of the terms"
            ) from None

    def _months(self, spans: Iterable[Span]) -> list[Month]:
        """The months whose unusable time these spans bear on, as far as the terms reach: perhaps none."""
        months: list[Month] = []
        for span in spans:
            measured = next(filter(self._is_in_terms, months_touched(span)), None)
            if measured is not None:
                reach = reach_seconds(self._rules, measured)
                months += filter(self._is_in_terms, months_touched(span, reach))
        return months

    def _is_in_terms(self, month: Month) -> bool:
        try:
            self._month_in_terms("", month)
        except Refused:
            return False
        return True

    def _last_outage(self, incident_id: str) -> sa.Row[Any] | None:
        query = sa.select(incident).where(incident.c.incident_id == incident_id)
        return self._session.execute(query.order_by(incident.c.revision.desc()).limit(1)).one_or_none()

    def _unknown_outage(self, source: str, incident_id: str) -> Refused:
        known = self._session.execute(sa.select(incident.c.incident_id).distinct()).scalars()
        return Refused.fact(
            "outage.unknown", source, incident_id, "no outage has this id", nearest_of(incident_id, known)
        )

    def _free_outage_id(self, from_at: datetime) -> str:
        """An id from the time it began, numbered where several began together."""
        stem = from_at.astimezone(JST).strftime("stop-%Y%m%d-%H%M")
        query = sa.select(incident.c.incident_id).where(incident.c.incident_id.startswith(stem))
        used = set(self._session.execute(query).scalars())
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return next(name for name in names if name not in used)

    def _add(self, table: sa.Table, values: dict[str, Any]) -> bool:
        """Record a fact once; False if it was known."""
        done = self._session.execute(insert(table).values(**values).on_conflict_do_nothing().returning(table.c.id))
        return done.one_or_none() is not None

    def _commit(self, months: Iterable[Month], why: str, now: datetime, account: str | None = None) -> None:
        ask_for_review(self._session, months, why, now, account)
        self._session.commit()
