"""Files of evidence as people import them into a service with a thousand users, and what came of it."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import incident
from keizoku.sla.claims.claim_views import month_view
from keizoku.sla.evidence.import_log import Imported
from keizoku.sla.review_queue import ask_for_review, months_touched
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import epoch, iso_jst, parse_instant
from tests.worlds.sla_world import APRIL, LONG_AGO, RULES

NOW = parse_instant("2026-05-02 09:00")
LATER = parse_instant("2026-05-03 09:00")


def service_of_thousand(session: Session) -> SlaService:
    """A desk of a service with a thousand users."""
    found = SlaService(session, RULES)
    assert found.population(LONG_AGO, 1_000, now=LONG_AGO) == []
    return found


def written(folder: Path, name: str, *lines: str) -> Path:
    """A file of these lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def numbers(done: Imported) -> tuple[str, int, int, int, int, str, bool]:
    """Kind; rows read, used, new, refused; author; whether it was known."""
    return done.kind, done.rows_read, done.rows_used, done.rows_new, done.rows_refused, done.author, done.again


def told(done: Imported) -> list[tuple[int | None, str, str]]:
    """Line, value and rule of each finding."""
    return [(each.line, each.value, each.rule) for each in done.findings]


def unusable(session: Session, at: datetime = LATER) -> int:
    """Seconds of April in which too many were unable."""
    return int(month_view(session, RULES, APRIL, at).unusable_seconds)


def outage_with_expected_end(session: Session, start: datetime, end: datetime, affected: int, now: datetime) -> None:
    """A row that ends after it was recorded: nothing takes one any more; whatever measures has to hold all the same."""
    row = {"revision": 1, "from_at": start, "to_at": end, "affected": affected, "cause": "fault", "author": "sato"}
    key = f"expected-{iso_jst(start)}-{iso_jst(now)}"
    session.execute(sa.insert(incident).values(incident_id=key, **row, exact=True, recorded_at=now))
    ask_for_review(session, months_touched((epoch(start), epoch(end))), f"stop {key}", now)
    session.commit()
