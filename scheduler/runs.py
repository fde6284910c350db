"""The run log: which stage of which business date was run, when, and what it changed; and the certificates.

One row per stage and business date; a rerun counts up and leaves what the first run changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from billing.audit import Audit
from db.session import Session
from db.tables.books import certificate, stage_run

LAST_STAGE = "audit"


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage that went through: when it began and ended, and the rows it wrote."""

    business_date: date
    stage: str
    started_at: datetime
    finished_at: datetime
    changes: int


def note(session: Session, stages: Sequence[StageRun]) -> None:
    """Write stages into the run log; a rerun counts up and adds its changes. Commits."""
    if not stages:
        return
    row = insert(stage_run)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["business_date", "stage"],
            set_={
                "runs": stage_run.c.runs + 1,
                "changes": stage_run.c.changes + row.excluded.changes,
                "started_at": row.excluded.started_at,
                "finished_at": row.excluded.finished_at,
            },
        ),
        [
            {
                "business_date": each.business_date,
                "stage": each.stage,
                "started_at": each.started_at,
                "finished_at": each.finished_at,
                "changes": each.changes,
                "runs": 1,
            }
            for each in stages
        ],
    )
    session.commit()


def last_night(session: Session) -> date | None:
    """The latest business date whose night went through to its certificate."""
    latest: date | None = session.execute(
        sa.select(sa.func.max(stage_run.c.business_date)).where(
            stage_run.c.stage == LAST_STAGE, stage_run.c.finished_at.is_not(None)
        )
    ).scalar_one()
    return latest


def is_done(session: Session, business_date: date) -> bool:
    """Whether the night of this date went through before."""
    query = sa.select(stage_run.c.runs).where(
        stage_run.c.business_date == business_date,
        stage_run.c.stage == LAST_STAGE,
        stage_run.c.finished_at.is_not(None),
    )
    return session.execute(query).first() is not None


def missed(session: Session, business_date: date) -> list[date]:
    """Business dates between the last night that went through and this one."""
    last = last_night(session)
    if last is None:
        return []
    return [last + timedelta(days=day) for day in range(1, (business_date - last).days)]


def certified_floor(session: Session) -> int:
    """The highest term id that the last certificate covers; 0 where there is none or it found differences."""
    row = session.execute(
        sa.select(certificate.c.state, certificate.c.floors["term"].as_integer().label("term"))
        .order_by(certificate.c.id.desc())
        .limit(1)
    ).first()
    return row.term if row is not None and row.state == "ok" else 0


def certify(session: Session, business_date: date, found: Audit, also: Sequence[str], at: datetime) -> str:
    """Write the certificate unless the last one of this date says the same; returns its state. Commits."""
    differences = [*found.differences, *also]
    state = "differences" if differences else "ok"
    floors: Mapping[str, int] = {"term": found.last_term_id}
    content = {
        "business_date": business_date.isoformat(),
        "counts": found.counts,
        "sums": found.sums,
        "differences": differences,
        "floors": floors,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    before = session.execute(
        sa.select(certificate.c.hash)
        .where(certificate.c.business_date == business_date)
        .order_by(certificate.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if before != digest:
        session.execute(
            sa.insert(certificate).values(
                business_date=business_date,
                issued_at=at,
                state=state,
                counts=found.counts,
                sums=found.sums,
                differences=differences,
                floors=floors,
                hash=digest,
            )
        )
    session.commit()
    return state
