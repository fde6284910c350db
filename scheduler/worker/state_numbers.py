"""The state of the services for a monitor, read from the database at each scrape, on a connection of its own.

Always holds: every worker tells the same, whether it leads, waits, or has done nothing yet. What cannot be read now is
absent, and `keizoku_state_read` is 0; no number is ever a default, or yesterday's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import Final

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from keizoku.billing.gateway import restored
from keizoku.db.session import Session
from keizoku.db.tables.books import certificate
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.gateway import gateway_cursor, overpayment_refund
from keizoku.db.tables.money import credit_refund, payment_attempt
from keizoku.db.tables.operations import backup_copy
from keizoku.scheduler.clock import database_now
from keizoku.scheduler.collecting import collected_to
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.schedule import last_night_due
from keizoku.scheduler.reports.work_list import MISSED_NIGHTS, waiting_counts
from keizoku.scheduler.reports.work_seen import NOTHING_SEEN, work_seen
from keizoku.terms.calendar import jst_day

OUTCOMES = ("succeeded", "declined_soft", "declined_hard", "needs_user", "abandoned", "unknown")
_REFUNDS_UNKNOWN = sa.select(
    sa.select(sa.func.count()).where(credit_refund.c.outcome.is_(None)).scalar_subquery()
    + sa.select(sa.func.count()).where(overpayment_refund.c.outcome.is_(None)).scalar_subquery()
)
_FEWEST, _MOST = 1_000, 1_000_000
_ANY_BELOW = sa.text(  # several rows: one may be an old charge that was adopted after a restore
    "SELECT bool_or(started_on >= :today) FROM ("
    "SELECT started_on FROM payment_attempt WHERE id <= :at ORDER BY id DESC LIMIT 100) AS before"
)
"""Whether attempts of today lie at an id or below."""
_IMPATIENT = "SELECT set_config('statement_timeout', '5s', false), set_config('lock_timeout', '2s', false)"
_PATIENT = _IMPATIENT.replace("'5s'", "'30s'")
"""For the first count of a worker, which looks at every document that was ever written."""

COUNTED_HOLDS: Final = 20
"""What waits for people is counted anew after so many times as long as counting took, so that it never takes more than
a twentieth of the time: on a small database it is counted at every scrape."""

Values = Mapping[str, float] | float
"""A number, or one for each value of its label."""

MEANINGS: Final[Mapping[str, tuple[str, str | None]]] = {
    "keizoku_state_read": ("1 if the database told all of these at this scrape", None),
    "keizoku_clock_ahead_seconds": ("How far this worker's clock is ahead of the database's", None),
    "keizoku_nights_behind": ("Nights that are due and not done", None),
    "keizoku_night_wants_a_word": ("1 while more nights were missed than are caught up unasked", None),
    "keizoku_certificate_ok": ("1 if the last certificate names no difference; absent before the first", None),
    "keizoku_attempts_today": ("Card charges begun today, in Japan", "outcome"),
    "keizoku_attempts_unknown": ("Charges without an answer", None),
    "keizoku_attempts_unknown_oldest_seconds": ("Age of the oldest of them", None),
    "keizoku_refunds_unknown": ("Refunds without an answer", None),
    "keizoku_people_tasks_open": ("What waits for people", "kind"),
    "keizoku_restore_waits": ("1 while charges and refunds wait since a restore", None),
    "keizoku_gateway_news_age_seconds": ("Since the gateway's news were read", None),
    "keizoku_collect_behind_seconds": ("Since the last count that a source answered", "source"),
    "keizoku_backup_age_seconds": ("Since the last backup that lies in every place", None),
}


class StateNumbers(Collector):
    """Reads at each scrape; before `connect` is set, every number is absent."""

    def __init__(self) -> None:
        self.connect: Callable[[], Session] | None = None
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.stores: tuple[str, ...] = ()  # the names of the places for backups
        self.sources: tuple[str, ...] = ()  # the names of the monitors that are asked for counts
        self.most_missed: int | None = None
        self._one_at_a_time = Lock()
        self._counted: Mapping[str, int] | None = None
        self._count_again_at = 0.0
        self._seen = NOTHING_SEEN

    def _waiting(self, session: Session, now: datetime) -> Mapping[str, int] | None:
        """What waits for people, by kind. What it took long to count is told again for a while.

        None: it could not be counted within its time; all other numbers are told.
        """
        began = monotonic()
        if began >= self._count_again_at:
            self._counted = None
            most_missed = MISSED_NIGHTS if self.most_missed is None else self.most_missed
            try:
                session.exec_driver_sql(_PATIENT)
                self._seen = work_seen(session, self._seen)
                self._counted = waiting_counts(session, now, most_missed=most_missed, seen=self._seen)
            except sa.exc.DBAPIError:
                session.rollback()
            finally:
                self._count_again_at = monotonic() + COUNTED_HOLDS * (monotonic() - began)
        return self._counted

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each number; without samples where it is not known."""
        with self._one_at_a_time:
            found = self._found()
        for name, (meaning, label) in MEANINGS.items():
            family = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
            values = found.get(name)
            if isinstance(values, Mapping):
                for each, value in values.items():
                    family.add_metric([each], value)
            elif values is not None:
                family.add_metric([], values)
            yield family

    def _found(self) -> Mapping[str, Values]:
        if self.connect is None:
            return {}
        with suppress(Exception):  # whatever keeps the state from being read: it is told as a number
            with self.connect() as session:
                session.exec_driver_sql(_IMPATIENT)
                found = read_state(session, self.clock(), self.stores, self.most_missed, self._waiting, self.sources)
                session.rollback()
            return {"keizoku_state_read": int("keizoku_people_tasks_open" in found), **found}
        return {"keizoku_state_read": 0}


def read_state(
    session: Session,
    now: datetime,
    stores: tuple[str, ...],
    most_missed: int | None = None,
    count: Callable[[Session, datetime], Mapping[str, int] | None] = waiting_counts,
    sources: tuple[str, ...] = (),
) -> dict[str, Values]:
    """Every number that can be told, by a few small queries; `count` says how much of each kind waits for people."""
    behind, missed = _nights(session, now)
    found: dict[str, Values] = {
        "keizoku_clock_ahead_seconds": (now - database_now(session)).total_seconds(),
        "keizoku_nights_behind": behind,
        "keizoku_night_wants_a_word": int(most_missed is not None and missed > most_missed),
        "keizoku_attempts_today": _attempts_today(session, now),
        "keizoku_refunds_unknown": session.execute(_REFUNDS_UNKNOWN).scalar_one(),
        "keizoku_restore_waits": int(restored.is_waiting(session)),
        "keizoku_backup_age_seconds": _backup_age(session, now, stores),
    }
    if sources:
        reached = {name: collected_to(session, name) for name in sources}
        found["keizoku_collect_behind_seconds"] = {
            name: float("inf") if at is None else (now - at).total_seconds() for name, at in reached.items()
        }
    state = session.execute(
        sa.select(certificate.c.state).order_by(certificate.c.id.desc()).limit(1)
    ).scalar_one_or_none()
    if state is not None:
        found["keizoku_certificate_ok"] = int(state != "differences")
    oldest, waiting = session.execute(
        sa.select(sa.func.min(payment_attempt.c.started_at), sa.func.count()).where(payment_attempt.c.outcome.is_(None))
    ).one()
    found["keizoku_attempts_unknown"] = waiting
    found["keizoku_attempts_unknown_oldest_seconds"] = (now - oldest).total_seconds() if oldest is not None else 0
    seen_to = session.execute(sa.select(sa.func.min(gateway_cursor.c.seen_to))).scalar_one()
    if seen_to is not None:
        found["keizoku_gateway_news_age_seconds"] = (now - seen_to).total_seconds()
    waiting_now = count(session, now)  # last: it may take its time, and where it takes too much the rest is told
    if waiting_now is not None:
        found["keizoku_people_tasks_open"] = waiting_now
    return found


def _nights(session: Session, now: datetime) -> tuple[int, int]:
    """Nights that are due and not done, and how many of them were missed before the one that is due now."""
    last = run_log.last_night(session)
    if last is not None:
        behind = max((last_night_due(now) - last).days, 0)
        return behind, max(behind - 1, 0)
    applied = session.execute(sa.select(sa.func.min(contract.c.applied_at))).scalar_one()
    return (0 if applied is None else max((last_night_due(now) - jst_day(applied)).days, 0)), 0


def _attempts_today(session: Session, now: datetime) -> dict[str, float]:
    """Attempts begun today by outcome; reads the newest rows only, by their ids, up to the beginning of the day."""
    newest: int = session.execute(sa.select(sa.func.coalesce(sa.func.max(payment_attempt.c.id), 0))).scalar_one()
    width = _FEWEST
    while width < _MOST and session.execute(_ANY_BELOW, {"at": newest - width, "today": jst_day(now)}).scalar():
        width *= 4
    rows = session.execute(
        sa.select(
            sa.func.coalesce(payment_attempt.c.outcome, "unknown").label("outcome"), sa.func.count().label("number")
        )
        .where(payment_attempt.c.id > newest - width, payment_attempt.c.started_on == jst_day(now))
        .group_by(payment_attempt.c.outcome)
    )
    return {**dict.fromkeys(OUTCOMES, 0), **{row.outcome: row.number for row in rows}}


def _backup_age(session: Session, now: datetime, stores: tuple[str, ...]) -> float:
    """Seconds since the newest backup that went into every place; infinite where there is none, or no place."""
    whole = (
        sa.select(backup_copy.c.taken_at)
        .where(backup_copy.c.outcome == "stored", backup_copy.c.store.in_(stores))
        .group_by(backup_copy.c.backup, backup_copy.c.taken_at)
        .having(sa.func.count(sa.distinct(backup_copy.c.store)) >= len(set(stores)))
        .order_by(backup_copy.c.taken_at.desc())
        .limit(1)
    )
    last = session.execute(whole).scalar_one_or_none() if stores else None
    return float("inf") if last is None else (now - last).total_seconds()
