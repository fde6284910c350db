"""Lists of what is recorded about outages, for people to look through. Read-only; `to_json` has times as JST text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.db.session import Session
from keizoku.db.tables.evidence import incident, interruption, population
from keizoku.sla.evidence.notice_store import recorded_notices
from keizoku.sla.months.notice_publishing import proofs_of
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import is_announced_in_time
from keizoku.terms.calendar import Month, from_epoch
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.read_model import JapanInstant, Key, Shown
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class IncidentRow(Shown):
    """A revision of an outage as people confirmed it."""

    id: str
    revision: int
    from_at: Annotated[JapanInstant, Key("from")]
    to_at: Annotated[JapanInstant, Key("to")]
    affected: int
    cause: str
    ground: str | None
    author: str
    recorded_at: JapanInstant


@dataclass(frozen=True, slots=True)
class NoticeRow(Shown):
    """A publication of announced maintenance. `in_time` None: no version of the terms reaches it."""

    id: str
    published_at: Annotated[JapanInstant, Key("published")]
    from_at: Annotated[JapanInstant, Key("from")]
    to_at: Annotated[JapanInstant, Key("to")]
    in_time: bool | None
    cancelled: bool
    calendar: str
    ground: str | None
    author: str
    recorded_at: JapanInstant
    published_from: str = ""
    proof_seen: JapanInstant | None = None  # when our calendar with this window was first fetched back
    proof_url: str | None = None
    proof_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class InterruptionRow(Shown):
    """The service interrupted under the terms."""

    from_at: Annotated[JapanInstant, Key("from")]
    to_at: Annotated[JapanInstant, Key("to")]
    ground: str
    approved_by: Annotated[str, Key("approver")]
    author: str
    recorded_at: JapanInstant


@dataclass(frozen=True, slots=True)
class PopulationRow(Shown):
    """Registered users of the whole service from an instant on."""

    from_at: Annotated[JapanInstant, Key("from")]
    users: int
    author: str
    recorded_at: JapanInstant


def incident_list(session: Session, month: Month | None = None, *, every_revision: bool = False) -> list[IncidentRow]:
    """Stops of people by their start, the newest revision of each or all."""
    table = incident.c
    query = sa.select(incident).order_by(table.from_at, table.incident_id, table.revision)
    if not every_revision:
        newest = (
            sa.select(table.id).ext(distinct_on(table.incident_id)).order_by(table.incident_id, table.revision.desc())
        )
        query = query.where(table.id.in_(newest))
    return [
        IncidentRow(
            id=row.incident_id,
            revision=row.revision,
            from_at=row.from_at,
            to_at=row.to_at,
            affected=row.affected,
            cause=row.cause,
            ground=row.ground,
            author=row.author,
            recorded_at=row.recorded_at,
        )
        for row in session.execute(_of_month(query, incident, month))
    ]


def notice_list(session: Session, rules: Rules, month: Month | None = None) -> list[NoticeRow]:
    """Notices by their start, and whether each was published in time to cover."""
    reach = (month.start_at, month.end_at) if month is not None else None
    recorded = recorded_notices(session, reach)
    proofs = proofs_of(session, [each.notice for each in recorded])
    found = [(each, proofs.get((each.notice.uid, each.notice.start, each.notice.end))) for each in recorded]
    return [
        NoticeRow(
            id=each.notice.uid,
            published_at=from_epoch(each.notice.published_at),
            from_at=from_epoch(each.notice.start),
            to_at=from_epoch(each.notice.end),
            in_time=_in_time(rules, each.notice),
            cancelled=each.notice.cancelled,
            calendar=each.notice.calendar,
            ground=each.ground,
            author=each.author,
            recorded_at=each.recorded_at,
            published_from=each.notice.published_from,
            proof_seen=proof.seen_at if proof is not None else None,
            proof_url=proof.url if proof is not None else None,
            proof_sha256=proof.sha256 if proof is not None else None,
        )
        for each, proof in found
    ]


def interruption_list(session: Session, month: Month | None = None) -> list[InterruptionRow]:
    """Interruptions by their start."""
    return [
        InterruptionRow(row.from_at, row.to_at, row.ground, row.approved_by, row.author, row.recorded_at)
        for row in _by_start(session, interruption, month)
    ]


def population_list(session: Session) -> list[PopulationRow]:
    """The figures that hold, in order; one recorded later for the same instant replaces the earlier one."""
    newest = {row.from_at: row for row in session.execute(sa.select(population).order_by(population.c.id))}
    return [PopulationRow(from_at, row.users, row.author, row.recorded_at) for from_at, row in sorted(newest.items())]


def _by_start(session: Session, table: sa.Table, month: Month | None) -> Iterator[sa.Row[Any]]:
    yield from session.execute(_of_month(sa.select(table), table, month).order_by(table.c.from_at, table.c.id))


def _of_month(query: sa.Select[Any], table: sa.Table, month: Month | None) -> sa.Select[Any]:
    if month is None:
        return query
    return query.where(table.c.from_at < month.end_at, table.c.to_at > month.start_at)


def _in_time(rules: Rules, notice: UpdateNotice) -> bool | None:
    """None: no version of the terms reaches it."""
    try:
        policy = policy_of(rules, Month.of(from_epoch(notice.start)))
    except UncoveredDateError:
        return None
    return is_announced_in_time(notice, policy)
