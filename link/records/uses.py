"""The log of every use of a token: begun and committed before the partner is asked, answered once.

A use without an answer is one whose process died; what it asked for may have happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session, numbers
from keizoku.db.tables.link.grants import link_use
from keizoku.link.partner.port import PartnerError
from keizoku.pacing import awake_or_not

__all__ = ["OUTCOME", "Elapsing", "Use", "answer", "answer_all", "answer_error", "begin", "settle_lost_renewals"]

OUTCOME: Final = {
    "refused": "refused",
    "unauthorized": "unauthorized",
    "too_many": "too_many",
    "unavailable": "unavailable",
    "no_answer": "no_answer",
}


class Elapsing:
    """The clock of a piece of work: the instant that it was given, and the seconds since by the monotonic clock.

    Neither the partner's clock nor a wall clock that is set meanwhile moves it. Whole seconds, rounded down: what lives
    for so many seconds from then on ends a little early, never late.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._since = awake_or_not()

    def at(self) -> datetime:
        """The present instant."""
        return self._now + timedelta(seconds=int(awake_or_not() - self._since))


@dataclass(frozen=True, slots=True)
class Use:
    """What a token is to be used for, by whom."""

    grant_id: int
    token_id: int
    account: str
    purpose: str
    author: str
    kinds: str | None = None


def begin(session: Session, uses: Sequence[Use], at: datetime) -> list[int]:
    """Write that the tokens are about to be used; the ids of the rows, in order. Does not commit."""
    rows = [
        {
            "grant_id": use.grant_id,
            "token_id": use.token_id,
            "account": use.account,
            "purpose": use.purpose,
            "kinds": use.kinds,
            "author": use.author,
            "begun_at": at,
            "recorded_at": at,
        }
        for use in uses
    ]
    added = sa.insert(link_use).returning(link_use.c.id, sort_by_parameter_order=True)
    return list(session.scalars(added, rows).all())


def answer(
    session: Session,
    use_id: int,
    at: datetime,
    outcome: str = "answered",
    code: str | None = None,
    dropped: int | None = None,
) -> None:
    """Write what came of a use. Does not commit."""
    session.execute(
        sa.update(link_use)
        .where(link_use.c.id == use_id, link_use.c.outcome.is_(None))
        .values(answered_at=at, outcome=outcome, code=code, dropped=dropped)
    )


def answer_all(session: Session, use_ids: Sequence[int], at: datetime) -> None:
    """Write that these uses were answered. Does not commit."""
    session.execute(
        sa.update(link_use)
        .where(link_use.c.id == sa.any_(numbers(use_ids)), link_use.c.outcome.is_(None))
        .values(answered_at=at, outcome="answered")
    )


def answer_error(session: Session, use_id: int, error: PartnerError, at: datetime) -> None:
    """Write that the partner did not do it. Does not commit."""
    answer(session, use_id, at, OUTCOME[error.failure], error.code)


def settle_lost_renewals(session: Session, grant_ids: Sequence[int], at: datetime) -> int:
    """Renewals of these grants whose process died have no answer. Whoever calls this holds the grants' locks."""
    return session.execute(
        sa.update(link_use)
        .where(
            link_use.c.grant_id == sa.any_(numbers(grant_ids)),
            link_use.c.purpose == "refresh",
            link_use.c.outcome.is_(None),
        )
        .values(answered_at=at, outcome="no_answer", code="process_died")
    ).rowcount
