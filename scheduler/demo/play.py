"""Plays the acts of the example, and between them the nights, each at 02:30 JST of its own date."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.files import Act
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused

FIRST_NIGHT = date(2026, 3, 25)
LAST_NIGHT = date(2026, 6, 30)

Progress = Callable[[str, int, int, str], None]
"""Called with "load" or "nights", how much is done, of how much, and the day reached."""


@dataclass(frozen=True, slots=True)
class Played:
    """The result: the nights, and what the services remarked on the acts."""

    nights: tuple[NightResult, ...]
    remarks: tuple[str, ...]


def play(services: Services, acts: Sequence[Act], progress: Progress | None = None) -> Played:
    """Do every act before the last night, and every night from the first to the last.

    What a service refuses or remarks is kept, and the demo goes on; an error of a night is raised.
    """
    progress = progress or _silent
    remarks: list[str] = []
    nights = [FIRST_NIGHT + timedelta(days=day) for day in range((LAST_NIGHT - FIRST_NIGHT).days + 1)]
    waiting = list(acts)[::-1]
    load = sum(act.weight for act in waiting if act.at < night_at(FIRST_NIGHT))
    loaded = 0
    results = []
    for number, business_date in enumerate(nights):
        now = night_at(business_date)
        while waiting and waiting[-1].at < now:
            act = waiting.pop()
            remarks += _do(services, act)
            if business_date == FIRST_NIGHT:
                loaded += act.weight
                progress("load", loaded, load, f"{act.at:%Y-%m-%d}")
        if business_date == FIRST_NIGHT:
            _gather_statistics(services)
        results.append(run_night(services, business_date, now))
        progress("nights", number + 1, len(nights), str(business_date))
    return Played(tuple(results), tuple(remarks))


def played_until() -> datetime:
    """The instant of the last night, at which the results are shown."""
    return night_at(LAST_NIGHT)


def shown_at() -> datetime:
    """The morning after the last night: where the clock of the demo's pages stands."""
    return night_at(LAST_NIGHT) + timedelta(hours=6, minutes=30)


def _do(services: Services, act: Act) -> list[str]:
    """Do one act; what the service refused or found, in words."""
    findings: Iterable[object]
    try:
        findings = act.work(services) or ()
    except Refused as refused:
        services.session.rollback()
        findings = (refused,)
    return [f"{iso_jst(act.at)} {finding}" for finding in findings]


def _gather_statistics(services: Services) -> None:
    """Gather statistics: the database has just been filled, and plans better with them."""
    services.session.execute(sa.text("ANALYZE"))
    services.session.commit()


def _silent(phase: str, done: int, whole: int, words: str) -> None:
    """Show no progress."""
