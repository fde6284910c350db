"""Unknown time in the database: recorded with the counts it comes from, decided by people, read as of an instant."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.evidence import outage_count, unknown_ruling, unknown_time
from keizoku.sla.evidence.incident_files import Incident
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, clip, normalise
from keizoku.sla.rules.outages import Cause
from keizoku.sla.rules.unknown_time import UnknownRuling, UnknownTimeDecision, holding, still_unknown
from keizoku.terms.calendar import Month, epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.read_model import JapanInstant, Key, Shown


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """Time that waits for people's decision; `source`: the files that have no sample of it."""

    start: int
    end: int
    source: str

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        return {
            "from": iso_jst(from_epoch(self.start)),
            "to": iso_jst(from_epoch(self.end)),
            "seconds": self.end - self.start,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class UnknownDecisionRow(Shown):
    """What people decided about unknown time; `affected` only with down."""

    from_at: Annotated[JapanInstant, Key("from")]
    to_at: Annotated[JapanInstant, Key("to")]
    decision: Annotated[UnknownTimeDecision, Key("verdict")]
    affected: int | None
    author: str
    ground: str
    recorded_at: JapanInstant


def add_unknown(session: Session, spans: Iterable[Span], source: str, author: str, now: datetime) -> list[Span]:
    """Record time for which a series has no sample; the spans that are new. The caller commits."""
    rows = [
        {"from_at": from_epoch(start), "to_at": from_epoch(end), "source": source, "author": author, "recorded_at": now}
        for start, end in spans
    ]
    if not rows:
        return []
    table = unknown_time.c
    adding = insert(unknown_time).on_conflict_do_nothing().returning(table.from_at, table.to_at)
    return [(epoch(row.from_at), epoch(row.to_at)) for row in session.execute(adding, rows)]


def load_unknown(session: Session, reach: tuple[datetime, datetime], at: datetime) -> Spans:
    """What is unknown of a period as known at an instant: no count knows it and nobody has decided."""
    missing = _spans(session, unknown_time, reach, at)
    if not missing:
        return NOTHING
    left = still_unknown(missing, _joined(session, outage_count, reach, at), _rulings(session, reach, at))
    return clip(left, epoch(reach[0]), epoch_up(reach[1]))


def recorded_unknown(session: Session, reach: tuple[datetime, datetime], at: datetime) -> Spans:
    """What was recorded as missing of a period, decided or not."""
    return normalise(_spans(session, unknown_time, reach, at))


def ruled_down(session: Session, reach: tuple[datetime, datetime], at: datetime) -> list[Incident]:
    """What people decided to have been down, each like an outage that they confirmed."""
    return [
        Incident(
            "", start, end, ruling.affected or 0, Cause.FAULT, "", "", named=f"unknown time, decision {ruling.number}"
        )
        for ruling, spans in holding(_rulings(session, reach, at))
        if ruling.decision is UnknownTimeDecision.DOWN
        for start, end in spans
    ]


def unknown_list(session: Session, month: Month | None, at: datetime) -> list[UnknownRow]:
    """What waits for people, in order of time."""
    whole = session.execute(sa.select(sa.func.min(unknown_time.c.from_at), sa.func.max(unknown_time.c.to_at))).one()
    if whole[0] is None:
        return []
    reach = (month.start_at, month.end_at) if month is not None else (whole[0], whole[1])
    sources = session.execute(
        sa.select(unknown_time.c.from_at, unknown_time.c.to_at, unknown_time.c.source).order_by(unknown_time.c.id)
    ).all()
    return [
        UnknownRow(
            start,
            end,
            ", ".join(
                dict.fromkeys(row.source for row in sources if epoch(row.from_at) < end and epoch(row.to_at) > start)
            ),
        )
        for start, end in load_unknown(session, reach, at)
    ]


def unknown_decisions(session: Session, month: Month | None, at: datetime) -> list[UnknownDecisionRow]:
    """What people decided about unknown time, newest first."""
    query = sa.select(unknown_ruling).where(unknown_ruling.c.recorded_at <= at)
    if month is not None:
        query = query.where(unknown_ruling.c.from_at < month.end_at, unknown_ruling.c.to_at > month.start_at)
    return [
        UnknownDecisionRow(
            row.from_at,
            row.to_at,
            UnknownTimeDecision(row.verdict),
            row.affected,
            row.author,
            row.ground,
            row.recorded_at,
        )
        for row in session.execute(query.order_by(unknown_ruling.c.id.desc()))
    ]


def _rulings(session: Session, reach: tuple[datetime, datetime], at: datetime) -> list[UnknownRuling]:
    table = unknown_ruling.c
    rows = session.execute(
        sa.select(unknown_ruling)
        .where(table.from_at < reach[1], table.to_at > reach[0], table.recorded_at <= at)
        .order_by(table.id)
    )
    return [
        UnknownRuling(row.id, epoch(row.from_at), epoch_up(row.to_at), UnknownTimeDecision(row.verdict), row.affected)
        for row in rows
    ]


def _joined(session: Session, table: sa.Table, reach: tuple[datetime, datetime], at: datetime) -> list[Span]:
    """The same seconds, joined where they are stored: of a month's samples a few spans are left."""
    columns = table.c
    seconds = sa.func.tstzrange(sa.func.date_trunc("second", columns.from_at), columns.to_at)
    rows = session.execute(
        sa.select(sa.func.unnest(sa.func.range_agg(seconds)).label("one")).where(
            columns.from_at < reach[1], columns.to_at > reach[0], columns.recorded_at <= at
        )
    )
    return [(epoch(row.one.lower), epoch_up(row.one.upper)) for row in rows]


def _spans(session: Session, table: sa.Table, reach: tuple[datetime, datetime], at: datetime) -> list[Span]:
    columns = table.c
    rows = session.execute(
        sa.select(columns.from_at, columns.to_at).where(
            columns.from_at < reach[1], columns.to_at > reach[0], columns.recorded_at <= at
        )
    )
    return [(epoch(row.from_at), epoch_up(row.to_at)) for row in rows]
