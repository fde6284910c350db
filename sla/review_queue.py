"""Which months have to be looked at again, and up to where a night has done so.

    a service records a fact ─> month_to_review(month, account | every claim)      same transaction
    the night, month over   ──> decides, then month_review(month, up to that row)

So a night on which nothing became known costs one small query, however many claims there ever were.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from keizoku.db.locks import take_turn
from keizoku.db.probes import BUSINESS_DATE, NOW
from keizoku.db.session import Session
from keizoku.db.tables.evidence import measured_day, month_review, month_to_review, observation_arrival
from keizoku.sla.rules.intervals import Span
from keizoku.terms.calendar import Month, from_epoch, jst_day
from keizoku.terms.policy import Policy
from keizoku.terms.rules import Rules

# one probe of the index per month, not a scan: rows of months long decided stay for ever
_OPEN_REVIEWS = sa.text(
    """
    WITH RECURSIVE known (month) AS (
        (SELECT month FROM month_to_review ORDER BY month LIMIT 1)
        UNION ALL
        SELECT (SELECT later.month FROM month_to_review later
                WHERE later.month > known.month ORDER BY later.month LIMIT 1)
        FROM known WHERE known.month IS NOT NULL
    )
    SELECT known.month, newest.id AS up_to_id, coalesce(done.up_to_id, 0) AS after_id
    FROM known
    LEFT JOIN LATERAL (SELECT max(d.up_to_id) AS up_to_id FROM month_review d
                       WHERE d.month = known.month) done ON true
    CROSS JOIN LATERAL (SELECT r.id FROM month_to_review r
                        WHERE r.month = known.month AND r.id > coalesce(done.up_to_id, 0) AND r.recorded_at <= :now
                        ORDER BY r.id DESC LIMIT 1) newest
    WHERE known.month < :month
    ORDER BY known.month
    """
)

RECENT_DAYS = 62
"""How far back a night looks for days to measure: the running month and the one whose claims are due."""

_OPEN_MONTHS = _OPEN_REVIEWS.columns(sa.column("month")).subquery("open_months")


def anything_open() -> sa.ColumnElement[bool]:
    """Whether `open_reviews` would find a month."""
    return sa.exists(sa.select(_OPEN_MONTHS.c.month))


def anything_to_measure() -> sa.ColumnElement[bool]:
    """Whether a recent day has observations, and nothing was measured of it since they came."""
    came, kept = observation_arrival.c, measured_day.c
    since = sa.select(kept.id).where(kept.day == came.day, kept.recorded_at >= came.recorded_at).exists()
    recent = came.day.between(BUSINESS_DATE - RECENT_DAYS, BUSINESS_DATE)
    return sa.exists(sa.select(came.id).where(recent, came.recorded_at <= NOW, ~since))


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A month to look at again, for the rows of `month_to_review` in (after_id, up_to_id] recorded by `known_at`."""

    month: Month
    after_id: int
    up_to_id: int
    known_at: datetime


def policy_of(rules: Rules, month: Month) -> Policy:
    """The policy that measures a month (`Terms.of_month`). Raises UncoveredDateError: no version reaches it."""
    return rules.terms.of_month(month)


def months_touched(span: Span, reach_seconds: int = 0) -> Iterator[Month]:
    """The months that a span reaches, widened on both sides by `reach_seconds`."""
    first = Month.of(from_epoch(span[0] - reach_seconds))
    yield from first.through(Month.of(from_epoch(span[1] + reach_seconds - 1)))


def reach_seconds(rules: Rules, month: Month) -> int:
    """How far from a changed outage the length of another whole outage can depend on it."""
    return policy_of(rules, month).sla.minimum_outage_seconds + rules.discretion.resolution_seconds


def ask_for_review(
    session: Session, months: Iterable[Month], why: str, now: datetime, account: str | None = None
) -> None:
    """Say that claims of these months have to be decided again; to be committed with the fact itself.

    The lock makes the rows appear in the order of their ids, so that no night passes one over. It is no lock of the
    table: that would want more of the database than the right to add rows.
    """
    ask_for_reviews(session, [(month, account, why) for month in sorted(set(months))], now)


def ask_for_reviews(session: Session, asked: Sequence[tuple[Month, str | None, str]], now: datetime) -> None:
    """The same for many: (month, account or None for every claim, why)."""
    rows = [{"month": str(month), "account": account, "why": why, "recorded_at": now} for month, account, why in asked]
    if rows:
        take_turn(session, "reviews")
        session.execute(sa.insert(month_to_review), rows)


def open_reviews(session: Session, before: Month, now: datetime) -> list[OpenReview]:
    """Each month before `before` with something recorded that no night has looked at yet, oldest first.

    What was recorded after `now`, while the night runs or by a clock that was ahead, is not in its evidence: it is
    left to a later one, and holds nothing else back.
    """
    rows = session.execute(_OPEN_REVIEWS, {"month": str(before), "now": now})
    return [OpenReview(Month.parse(row.month), row.after_id, row.up_to_id, now) for row in rows]


def close_review(session: Session, review: OpenReview, now: datetime) -> None:
    """Say that all claims of the month are decided as of its last row; to be committed after the last chunk.

    Rows among them that are not known yet are asked for again, behind it: their own time will come.
    """
    session.execute(
        sa.insert(month_review).values(
            month=str(review.month),
            up_to_id=review.up_to_id,
            decided_on=jst_day(now),
            decided_at=now,
        )
    )
    ahead = session.execute(
        sa.select(month_to_review.c.account, month_to_review.c.why, month_to_review.c.recorded_at)
        .where(*_rows_of(review), month_to_review.c.recorded_at > review.known_at)
        .distinct()
    ).all()
    for row in ahead:
        ask_for_reviews(session, [(review.month, row.account, row.why)], row.recorded_at)


def rows_known(review: OpenReview) -> tuple[sa.ColumnElement[bool], ...]:
    """The rows of `month_to_review` that a review is for."""
    return (*_rows_of(review), month_to_review.c.recorded_at <= review.known_at)


def _rows_of(review: OpenReview) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        month_to_review.c.month == str(review.month),
        month_to_review.c.id > review.after_id,
        month_to_review.c.id <= review.up_to_id,
    )
