"""Nights that somebody asks for, by a command or over HTTP: one way to run them, with the same checks and limits.

The worker's own night is due by the clock (`keizoku.scheduler.worker`); it has the lease to watch besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from keizoku.db.session import Session
from keizoku.db.standing import check_untouched
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.limits import check_not_too_early, check_not_too_many
from keizoku.scheduler.night.nightly_run import NightResult, Progress, run_night
from keizoku.scheduler.night.processes import WorkerPool
from keizoku.scheduler.night.run_log import run_log_state
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.rules import Rules

__all__ = ["Wish", "check_may_run", "run_asked"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: business dates in order; `most_missed` nights are caught up unasked (None: all there are)."""

    dates: Sequence[date]
    most_missed: int | None
    whole_audit: bool = False


def check_may_run(session: Session, rules: Rules, wish: Wish) -> None:
    """What is wrong with a wish is said before anything is done; leaves no transaction behind.

    Raises DatabaseError where people changed the tables, Refused for a day that is too early, or where more nights
    were missed than are caught up without a person's word.
    """
    check_untouched(session)
    check_not_too_early(session, rules, wish.dates[0])
    if wish.most_missed is not None:
        check_not_too_many(run_log_state(session, wish.dates[0]), wish.most_missed)
    session.rollback()


def run_asked(
    services: Services, wish: Wish, now: datetime | None, progress: Progress | None, pool: WorkerPool | None
) -> list[NightResult]:
    """Run the nights of a wish; `now` None: each at 02:30 JST of its own date.

    Raises what `check_may_run` and `run_night` raise.
    """
    check_may_run(services.session, services.rules, wish)
    return [
        run_night(
            services,
            each,
            now or night_at(each),
            progress,
            whole_audit=wish.whole_audit,
            pool=pool,
            most_missed=wish.most_missed,
        )
        for each in wish.dates
    ]
