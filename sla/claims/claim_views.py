"""What support and the scenarios see of a claim and of a month, as known at an instant.

Read-only; `at` leaves out whatever was recorded later.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.selectable import LateralFromClause

from keizoku.db.session import Session
from keizoku.db.tables.claims import award, claim, claim_decision, claim_reasoning, claim_withdrawal
from keizoku.db.tables.money import credit
from keizoku.sla.claims.decision_json import whole_decision
from keizoku.sla.claims.read_models import (
    AwardRow,
    ClaimExplanation,
    ClaimRevision,
    ClaimRow,
    ClaimStatus,
    MonthView,
    SubmittedClaim,
    Window,
)
from keizoku.sla.months.month_facts import is_unknown_within_reach, load_service_month, read_spans
from keizoku.sla.rules.intervals import NOTHING, Spans, length
from keizoku.sla.rules.unusable_time import CLAIMANT_BUCKETS
from keizoku.terms.calendar import Month, from_epoch
from keizoku.terms.decision import Decision
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

_REASONING = (
    claim_reasoning.c.grounds,
    claim_reasoning.c.facts,
    claim_reasoning.c.arrival,
    claim_reasoning.c.steps,
)


def claim_status(session: Session, claim_id: str, at: datetime) -> ClaimStatus:
    """Where the claim was at an instant. Raises Refused for an unknown id."""
    return _status(session, _claim_row(session, claim_id, at), at)


def _status(session: Session, row: sa.Row[Any], at: datetime) -> ClaimStatus:
    credit_yen = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(credit.c.granted_yen), 0)).where(
            credit.c.account == row.account, credit.c.month == row.month, credit.c.recorded_at <= at
        )
    ).scalar_one()
    decided = last_decision(session, row.id, at)
    if decided is None and session.execute(sa.select(claim.c.id).where(claim.c.id == row.id, withdrawn(at))).first():
        return ClaimStatus(outcome="withdrawn", credit_yen=int(credit_yen))
    if decided is None:
        return ClaimStatus(
            outcome="pending", credit_yen=int(credit_yen), waits_for=waits_for(session, Month.parse(row.month), at)
        )
    return ClaimStatus(
        outcome=decided.outcome,
        credit_yen=int(credit_yen),
        reason=decided.reason,
        seconds=decided.seconds,
        rate=decided.rate,
        waterfall={bucket: decided.waterfall[bucket] for bucket in CLAIMANT_BUCKETS},
    )


def month_view(session: Session, rules: Rules, month: Month, at: datetime) -> MonthView:
    """The month for everyone, as known at an instant. Raises NoPopulationError, UncoveredDateError."""
    service = load_service_month(session, rules, month, at)
    return MonthView(
        stop_seconds=length(service.gross),
        unusable_seconds=length(service.unusable),
        windows=_windows(service.unusable),
        unknown=_windows(service.unknown),
    )


def _windows(spans: Spans) -> tuple[Window, ...]:
    return tuple((from_epoch(start), from_epoch(end)) for start, end in spans)


def waits_for(session: Session, month: Month, at: datetime) -> str:
    """Why a claim of the month has no decision yet."""
    if is_unknown_within_reach(session, month, at):
        return "people's decision on unknown time: keizoku sla unknown list"
    return "the first night after the end of its month"


def withdrawn(at: datetime | None) -> sa.ColumnElement[bool]:
    """Whether people had taken a claim back by an instant (None: by now), as recorded by mistake."""
    found = sa.exists().where(claim_withdrawal.c.claim_id == claim.c.id)
    return found if at is None else found.where(claim_withdrawal.c.recorded_at <= at)


def newest_decisions(at: datetime) -> LateralFromClause:
    """The decision on each claim of the statement around that held at an instant."""
    return (
        sa.select(claim_decision)
        .where(claim_decision.c.claim_id == claim.c.id, claim_decision.c.decided_at <= at)
        .order_by(claim_decision.c.revision.desc())
        .limit(1)
        .lateral("newest")
    )


def claim_count(session: Session, at: datetime, month: Month | None = None, account: str | None = None) -> int:
    """How many claims `claim_list` has in all."""
    query = _of(sa.select(claim.c.id).where(claim.c.recorded_at <= at), month, account)
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _of(query: sa.Select[*tuple[Any, ...]], month: Month | None, account: str | None) -> sa.Select[*tuple[Any, ...]]:
    if month is not None:
        query = query.where(claim.c.month == str(month))
    if account is not None:
        query = query.where(claim.c.account == account)
    return query


def claim_list(
    session: Session,
    at: datetime,
    month: Month | None = None,
    account: str | None = None,
    *,
    limit: int | None = None,
    after: str = "",
) -> list[ClaimRow]:
    """Claims in the order of receipt, each with its newest decision; at most `limit`, behind the claim `after`."""
    newest = newest_decisions(at)
    query: sa.Select[*tuple[Any, ...]] = (
        sa.select(
            claim.c.id,
            claim.c.account,
            claim.c.month,
            claim.c.received_at,
            sa.func.coalesce(newest.c.outcome, sa.case((withdrawn(at), "withdrawn"), else_="pending")).label("outcome"),
            newest.c.reason,
            newest.c.seconds,
            newest.c.rate,
        )
        .outerjoin(newest, newest.c.claim_id == claim.c.id)
        .where(claim.c.recorded_at <= at)
        .order_by(claim.c.received_at, claim.c.id)
        .limit(limit)
    )
    query = _of(query, month, account)
    if after:
        last = claim.alias("last")
        place = sa.select(last.c.received_at, last.c.id).where(last.c.id == after).scalar_subquery()
        query = query.where(sa.tuple_(claim.c.received_at, claim.c.id) > place)
    return [ClaimRow(*row) for row in session.execute(query)]


def claim_explanation(session: Session, claim_id: str, at: datetime) -> ClaimExplanation:
    """All that explains a claim, as known at an instant. Raises Refused for an unknown id."""
    row = _claim_row(session, claim_id, at)
    decisions = session.execute(
        sa.select(claim_decision, *_REASONING)
        .join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
        .where(claim_decision.c.claim_id == claim_id, claim_decision.c.decided_at <= at)
        .order_by(claim_decision.c.revision)
    ).all()
    awards = session.execute(
        sa.select(award, claim_reasoning.c.recognised.label("windows"), credit.c.total_yen, credit.c.granted_yen)
        .join(claim_decision, is_of_award())
        .join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
        .outerjoin(credit, credit.c.award_id == award.c.id)
        .where(award.c.account == row.account, award.c.month == row.month, award.c.decided_at <= at)
        .order_by(award.c.revision)
    ).all()
    return ClaimExplanation(
        claim=SubmittedClaim(row.id, row.account, row.month, row.received_at, row.windows),
        status=_status(session, row, at),
        decisions=tuple(
            ClaimRevision(
                each.revision,
                each.decided_at,
                whole_decision(each, row.id, row.account, row.received_at, each.term_ids, each.united),
            )
            for each in decisions
        ),
        awards=tuple(AwardRow.of_row(each._asdict()) for each in awards),
    )


def decided_buckets(decision: Decision) -> dict[str, Spans]:
    """The claimant's month as it was decided: from the steps of the decision that was saved."""
    found: dict[str, Spans] = dict.fromkeys(CLAIMANT_BUCKETS, NOTHING)
    for step in decision.steps:
        if "excluded_windows" in step.facts:
            bucket = step.key.removeprefix("claim.excluded.").partition(".")[0]
            found[bucket] = read_spans(step.facts["excluded_windows"])
        elif "recognised_windows" in step.facts:
            found["recognised"] = read_spans(step.facts["recognised_windows"])
    return found


def last_decision(session: Session, claim_id: str, at: datetime) -> sa.Row[Any] | None:
    """The decision of the claim that holds at an instant, or None while it is pending."""
    return session.execute(
        sa.select(claim_decision, claim_reasoning.c.waterfall)
        .join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
        .where(claim_decision.c.claim_id == claim_id, claim_decision.c.decided_at <= at)
        .order_by(claim_decision.c.revision.desc())
        .limit(1)
    ).one_or_none()


def is_of_award() -> sa.ColumnElement[bool]:
    """Whether a decision is the one that an award rests on."""
    return sa.and_(
        claim_decision.c.claim_id == award.c.claim_id, claim_decision.c.revision == award.c.decision_revision
    )


def _claim_row(session: Session, claim_id: str, at: datetime) -> sa.Row[Any]:
    row = session.execute(sa.select(claim).where(claim.c.id == claim_id, claim.c.recorded_at <= at)).one_or_none()
    if row is None:
        raise Refused("claim.unknown", f"no claim has the id {claim_id!r}", "`keizoku claim list` shows them")
    return row
