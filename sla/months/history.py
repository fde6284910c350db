"""What was known of a month, and when: evidence, rulings, notices and claims in the order in which we learned of them.

Read-only. A fact touches the month when its own time does, or comes so near that the length of a whole outage can
depend on it. Of an outage that was corrected every revision is a row; of observations and counts each import is one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import alternative_consent, alternative_outcome, claim, claim_late_grant, claim_ruling
from keizoku.db.tables.evidence import (
    claim_form_outage,
    environment_ruling,
    evidence_import,
    incident,
    interruption,
    observation,
    outage_count,
    population,
    unknown_ruling,
    unknown_time,
)
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.evidence.notice_store import recorded_notices
from keizoku.sla.months.history_rows import (
    IMPORTED_AS,
    ClaimFacts,
    ConsentFacts,
    EnvironmentFacts,
    Facts,
    HistoryKind,
    HistoryRow,
    IncidentFacts,
    InterruptionFacts,
    LateGrantFacts,
    NoticeFacts,
    PopulationFacts,
    RowsFacts,
    UnknownDecisionFacts,
    UnknownFacts,
    Window,
)
from keizoku.sla.review_queue import policy_of, reach_seconds
from keizoku.sla.rules.unknown_time import UnknownTimeDecision
from keizoku.sla.rules.unusable_time import announced_by, is_announced_in_time
from keizoku.terms.calendar import Month, from_epoch, parse_instant
from keizoku.terms.policy import Policy
from keizoku.terms.rules import Rules

_REMEDY_ENDS: Final[Mapping[str, HistoryKind]] = {
    "performed": "remedy_performed",
    "withdrawn": "remedy_withdrawn",
    "lapsed": "remedy_lapsed",
}


def history_of(session: Session, rules: Rules, month: Month, at: datetime) -> list[HistoryRow]:
    """All that was known of the month by `at`, in the order of recording. Raises UncoveredDateError."""
    policy = policy_of(rules, month)
    reach = timedelta(seconds=reach_seconds(rules, month))
    near = (month.start_at - reach, month.end_at + reach)
    imports = _imports(session)
    found = [
        *_population(session, month),
        *_observations(session, near),
        *_counts(session, near),
        *_unknown_times(session, near),
        *_unknown_rulings(session, near),
        *_incidents(session, near),
        *_notices(session, near, policy),
        *_interruptions(session, near),
        *_environments(session, month, near),
        *_claims(session, month),
        *_form_outages(session, month, policy),
        *_rulings(session, month),
        *_consents(session, month),
        *_late_grants(session, month),
    ]
    known = (_with_import(each, imports) for each in found if each.recorded_at <= at)
    return sorted(known, key=lambda row: row.recorded_at)


def _imports(session: Session) -> dict[tuple[str, datetime], str]:
    """(kind, when) -> file; files of one kind taken at the same instant are named together."""
    files: dict[tuple[str, datetime], list[str]] = {}
    for row in session.execute(sa.select(evidence_import).order_by(evidence_import.c.id)):
        files.setdefault((row.kind, row.recorded_at), []).append(row.source)
    return {key: ", ".join(names) for key, names in files.items()}


def _with_import(row: HistoryRow, imports: Mapping[tuple[str, datetime], str]) -> HistoryRow:
    source = imports.get((IMPORTED_AS.get(row.kind, ""), row.recorded_at), "")
    return replace(row, source=source) if source else row


def _population(session: Session, month: Month) -> Iterator[HistoryRow]:
    table = population.c
    query = sa.select(population).where(table.from_at < month.end_at).order_by(table.id)
    for row in session.execute(query):
        facts = PopulationFacts(row.users, row.from_at)
        yield HistoryRow(row.recorded_at, "population", "", ((row.from_at, None),), facts, row.author)


def _observations(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    table = observation.c
    still_open = sa.func.bool_or(table.ended_at.is_(None))
    rows = session.execute(
        sa.select(
            table.recorded_at,
            sa.func.count().label("rows"),
            sa.func.min(table.started_at).label("start"),
            sa.func.max(table.ended_at).label("end"),
            still_open.label("open"),
        )
        .where(table.started_at < near[1], sa.or_(table.ended_at.is_(None), table.ended_at > near[0]))
        .group_by(table.recorded_at)
        .order_by(table.recorded_at)
    )
    for row in rows:
        window = (row.start, None if row.open else row.end)
        yield HistoryRow(row.recorded_at, "observations", "", (window,), RowsFacts(row.rows))


def _counts(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    table = outage_count.c
    rows = session.execute(
        sa.select(
            table.recorded_at,
            sa.func.count().label("rows"),
            sa.func.min(table.from_at).label("start"),
            sa.func.max(table.to_at).label("end"),
        )
        .where(_overlaps(outage_count, near))
        .group_by(table.recorded_at)
        .order_by(table.recorded_at)
    )
    for row in rows:
        yield HistoryRow(row.recorded_at, "counts", "", ((row.start, row.end),), RowsFacts(row.rows))


def _unknown_times(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    """What a series of counts has no sample for, by import."""
    table = unknown_time.c
    rows = session.execute(
        sa.select(
            table.recorded_at,
            table.source,
            table.author,
            sa.func.sum(sa.extract("epoch", table.to_at - table.from_at)).label("seconds"),
            sa.func.min(table.from_at).label("start"),
            sa.func.max(table.to_at).label("end"),
        )
        .where(_overlaps(unknown_time, near))
        .group_by(table.recorded_at, table.source, table.author)
        .order_by(table.recorded_at, table.source)
    )
    for row in rows:
        yield HistoryRow(
            row.recorded_at, "unknown", "", ((row.start, row.end),), UnknownFacts(int(row.seconds)), row.author,
            source=row.source,
        )  # fmt: skip


def _unknown_rulings(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    query = sa.select(unknown_ruling).where(_overlaps(unknown_ruling, near)).order_by(unknown_ruling.c.id)
    for row in session.execute(query):
        facts = UnknownDecisionFacts(UnknownTimeDecision(row.verdict), row.affected)
        window = ((row.from_at, row.to_at),)
        yield HistoryRow(row.recorded_at, "unknown_ruling", "", window, facts, row.author, row.ground)


def _incidents(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    for row in session.execute(_revisions(near)):
        facts = IncidentFacts(row.revision, row.affected, row.cause, row.exact)
        window = ((row.from_at, row.to_at),)
        yield HistoryRow(row.recorded_at, "incident", row.incident_id, window, facts, row.author, row.ground or "")


def _revisions(near: tuple[datetime, datetime]) -> sa.Select[Any]:
    """Every revision of the outages of which any revision is near."""
    ids = sa.select(incident.c.incident_id).where(_overlaps(incident, near))
    return sa.select(incident).where(incident.c.incident_id.in_(ids)).order_by(incident.c.id)


def _notices(session: Session, near: tuple[datetime, datetime], policy: Policy) -> Iterator[HistoryRow]:
    for each in recorded_notices(session, near):
        notice = each.notice
        facts = NoticeFacts(
            published_at=from_epoch(notice.published_at),
            publish_by_at=from_epoch(announced_by(notice.start, policy)),
            in_time=is_announced_in_time(notice, policy),
            cancelled=notice.cancelled,
            published_from=notice.published_from,
        )
        window = (from_epoch(notice.start), from_epoch(notice.end))
        yield HistoryRow(each.recorded_at, "notice", notice.uid, (window,), facts, each.author)


def _interruptions(session: Session, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    query = sa.select(interruption).where(_overlaps(interruption, near)).order_by(interruption.c.id)
    for row in session.execute(query):
        facts = InterruptionFacts(row.approved_by)
        window = ((row.from_at, row.to_at),)
        yield HistoryRow(row.recorded_at, "interruption", "", window, facts, row.author, row.ground)


def _environments(session: Session, month: Month, near: tuple[datetime, datetime]) -> Iterator[HistoryRow]:
    outages = sa.select(incident.c.incident_id).where(_overlaps(incident, near))
    claims = sa.select(claim.c.id).where(claim.c.month == str(month))
    query = sa.select(environment_ruling, claim.c.account).outerjoin(claim, claim.c.id == environment_ruling.c.claim_id)
    ruled = sa.or_(environment_ruling.c.incident_id.in_(outages), environment_ruling.c.claim_id.in_(claims))
    for row in session.execute(query.where(ruled).order_by(environment_ruling.c.id)):
        on: Literal["claim", "stop"] = "claim" if row.claim_id else "stop"
        yield HistoryRow(
            row.recorded_at,
            "environment",
            row.claim_id or row.incident_id,
            _windows(row.windows),
            EnvironmentFacts(on),
            row.author,
            row.ground,
            account=row.account or "",
        )


def _claims(session: Session, month: Month) -> Iterator[HistoryRow]:
    query = sa.select(claim).where(claim.c.month == str(month)).order_by(claim.c.received_at, claim.c.id)
    for row in session.execute(query):
        facts = ClaimFacts(row.received_at, row.windows is None)
        yield HistoryRow(
            row.recorded_at, "claim", row.id, _windows(row.windows or ()), facts, row.account, account=row.account
        )


def _rulings(session: Session, month: Month) -> Iterator[HistoryRow]:
    query = (
        sa.select(claim_ruling, claim.c.account)
        .join(claim, claim.c.id == claim_ruling.c.claim_id)
        .where(claim.c.month == str(month))
        .order_by(claim_ruling.c.id)
    )
    for row in session.execute(query):
        windows = _windows(row.windows)
        yield HistoryRow(
            row.recorded_at, "recognition", row.claim_id, windows, Facts(), row.author, row.ground, account=row.account
        )


def _consents(session: Session, month: Month) -> Iterator[HistoryRow]:
    query = (
        sa.select(alternative_consent, claim.c.account)
        .join(claim, claim.c.id == alternative_consent.c.claim_id)
        .where(claim.c.month == str(month))
        .order_by(alternative_consent.c.id)
    )
    for row in session.execute(query):
        facts = ConsentFacts(row.what)
        yield HistoryRow(
            row.recorded_at, "consent", row.claim_id, (), facts, row.author, row.ground or "", account=row.account
        )
    ended = (
        sa.select(alternative_outcome, alternative_consent.c.what, claim.c.account, claim.c.id.label("claim_id"))
        .join(alternative_consent, alternative_consent.c.id == alternative_outcome.c.consent_id)
        .join(claim, claim.c.id == alternative_consent.c.claim_id)
        .where(claim.c.month == str(month))
        .order_by(alternative_outcome.c.id)
    )
    for row in session.execute(ended):
        facts = ConsentFacts(row.what)
        kind = _REMEDY_ENDS[row.outcome]
        yield HistoryRow(
            row.recorded_at, kind, row.claim_id, (), facts, row.author, row.ground or "", account=row.account
        )


def _late_grants(session: Session, month: Month) -> Iterator[HistoryRow]:
    query = (
        sa.select(claim_late_grant, claim.c.account)
        .join(claim, claim.c.id == claim_late_grant.c.claim_id)
        .where(claim.c.month == str(month))
        .order_by(claim_late_grant.c.id)
    )
    for row in session.execute(query):
        facts = LateGrantFacts(row.approved_by)
        yield HistoryRow(
            row.recorded_at, "late_grant", row.claim_id, (), facts, row.author, row.ground, account=row.account
        )


def _form_outages(session: Session, month: Month, policy: Policy) -> Iterator[HistoryRow]:
    """Those that a deadline of the month's claims could move with."""
    down = form_outages(session, month, policy)
    if not down:
        return
    near = (from_epoch(down[0][0]), from_epoch(down[-1][1]))
    query = sa.select(claim_form_outage).where(_overlaps(claim_form_outage, near)).order_by(claim_form_outage.c.id)
    for row in session.execute(query):
        window = ((row.from_at, row.to_at),)
        yield HistoryRow(row.recorded_at, "form_down", "", window, Facts(), row.author, row.ground or "")


def _windows(stored: Iterable[Iterable[str]]) -> tuple[Window, ...]:
    return tuple((parse_instant(start), parse_instant(end)) for start, end in stored)


def _overlaps(table: sa.Table, near: tuple[datetime, datetime]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.from_at < near[1], table.c.to_at > near[0])
