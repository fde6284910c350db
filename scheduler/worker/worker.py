"""The worker: starts the night, reads the gateway's events, and leads or waits. Wiring only.

    every few seconds   take or renew the lead; is a night due? (level-triggered: the run log says so)
    every few minutes   the gateway's events; charges without an answer are looked up
    SIGTERM             the running night stops at its next chunk, and waits for no lock and no place for backups
                        any more; a later one finishes it

Jobs only on the worker that leads: checked as a job begins and after every chunk. Each kind has a thread of its own,
so that one that hangs keeps no other from its turn; of a kind one runs at a time. A job is safe without all this:
the night has a lock of its own, and every stage writes only what does not exist yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from threading import Event, Thread
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from keizoku.billing.gateway import events
from keizoku.billing.gateway.port import GatewayRefusesUsError, MissingRightError, UnansweredError
from keizoku.db.standing import check_untouched
from keizoku.scheduler.app import Services
from keizoku.scheduler.fetching import see_published
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.nightly_run import NightBusyError, run_night
from keizoku.scheduler.night.processes import WorkerPool
from keizoku.scheduler.night.schedule import NIGHT_AT, last_night_due
from keizoku.scheduler.worker.job_run import JobRun, StoppedError
from keizoku.scheduler.worker.leadership import Leadership, NotLeadingError
from keizoku.scheduler.worker.telemetry import Health, Numbers
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.terms.calendar import JST
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused

HEARTBEAT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 300.0
RETRY_SECONDS: Final = 60.0
Backup = Callable[[Services, datetime], Mapping[str, object] | None]
"""Makes the day's backup if one is due; returns what it did, or None. Set by the caller, which knows the stores."""
Mail = Callable[[Services, Callable[[], bool]], Mapping[str, object]]
"""Gives letters to the mail server while the worker leads; returns what it did. Set by the caller."""
Documents = Callable[[Services, datetime, bool, Callable[[], bool]], Mapping[str, object]]
"""Stores invoices and credit notes as issued, all or the newest, while it may; returns what it did."""
Collect = Callable[[Services, datetime, Callable[[], bool]], Mapping[str, object]]
"""Asks monitors for counts while it may; returns what it did. Set by the caller, which knows them."""
Links = Callable[[Services, datetime, Callable[[], bool]], Mapping[str, object]]
"""Renews tokens of the linked service that are due and follows its orders while it may; returns what it did."""
ServicesOpener = Callable[[], AbstractContextManager[Services]]
BACKUP_CHECK_SECONDS: Final = 600.0
BREAK_SECONDS: Final = 1.0
NOTICES_SEEN_SECONDS: Final = 3_600.0
BUDGET_SECONDS: Final = 60.0
COLLECT_CHECK_SECONDS: Final = 60.0
LINKS_SECONDS: Final = 60.0
JOBS: Final = ("night", "news", "backup", "notices", "budget", "mail", "documents", "collect", "links", "webhooks")


@dataclass
class Worker:
    """One worker process. `open_services` opens new services for every job; `clock` is the only clock."""

    open_services: ServicesOpener
    leadership: Leadership
    log: structlog.typing.FilteringBoundLogger
    numbers: Numbers = field(default_factory=Numbers)
    health: Health = field(default_factory=Health)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    poll_seconds: float = POLL_SECONDS
    retry_seconds: float = RETRY_SECONDS
    backup: Backup | None = None
    mail: Mail | None = None
    documents: Documents | None = None
    webhooks: Mail | None = None  # sends events to endpoints
    collecting: Collect | None = None
    linking: Links | None = None
    pool: Callable[[], AbstractContextManager[WorkerPool | None]] = nullcontext  # for one night
    notices_url: str = ""  # where our calendar of maintenance stands
    most_missed: int | None = None  # nights that are caught up without a person's word; None: as many as there are
    stopping: Event = field(default_factory=Event)
    _done_to: date | None = None  # the last night known to be done
    _refused_for: date | None = None  # the night that waits for a person's word, and was told
    _issued_for: date | None = None  # the night after which every document was looked at
    _rights_named: bool = False  # what the key may not do was looked at since the start
    _not_before: float = 0.0  # after a failure the job is not tried again at once
    _began: dict[str, float] = field(default_factory=dict)  # the jobs under way

    def __post_init__(self) -> None:
        state = self.numbers.state
        state.connect, state.clock, state.most_missed = self.leadership.connect, self.clock, self.most_missed
        budget = self.numbers.budget
        budget.leads, budget.clock = lambda: self.leadership.leads, self.clock
        self.numbers.leader.set_function(lambda: self.leadership.leads)
        self.numbers.reachable.set_function(lambda: self.leadership.reachable)
        for name in JOBS:
            self.numbers.running.labels(name).set_function(partial(self._running_seconds, name))

    def run(self) -> None:
        """Work until `stop` is called, then let the running job end at its next chunk."""
        scheduler = BackgroundScheduler(
            timezone=JST,
            executors={name: ThreadPoolExecutor(1) for name in ("heart", *JOBS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        beat = IntervalTrigger(seconds=self.heartbeat_seconds, timezone=JST)
        scheduler.add_job(self.beat, beat, executor="heart", next_run_time=datetime.now(JST))
        # at its hour, and whenever one is found due: after a start, a change of leader or a failure
        at_its_hour = CronTrigger(hour=NIGHT_AT.hour, minute=NIGHT_AT.minute, timezone=JST)
        scheduler.add_job(self.night_if_due, at_its_hour, executor="night")
        scheduler.add_job(self.night_if_due, beat, executor="night")
        scheduler.add_job(self.read_events, IntervalTrigger(seconds=self.poll_seconds, timezone=JST), executor="news")
        if self.backup is not None:
            scheduler.add_job(
                self.back_up, IntervalTrigger(seconds=BACKUP_CHECK_SECONDS, timezone=JST), executor="backup"
            )
        if self.mail is not None:
            now_and_then = IntervalTrigger(seconds=self.poll_seconds, timezone=JST)
            scheduler.add_job(self.send_letters, now_and_then, executor="mail")
        if self.documents is not None:
            often = IntervalTrigger(seconds=self.poll_seconds, timezone=JST)
            scheduler.add_job(self.issue_documents, often, executor="documents")
        if self.webhooks is not None:
            scheduler.add_job(self.send_events, beat, executor="webhooks")
        if self.collecting is not None:
            each_minute = IntervalTrigger(seconds=COLLECT_CHECK_SECONDS, timezone=JST)
            scheduler.add_job(self.collect_counts, each_minute, executor="collect", next_run_time=datetime.now(JST))
        if self.linking is not None:
            all_day = IntervalTrigger(seconds=LINKS_SECONDS, timezone=JST)
            scheduler.add_job(self.renew_tokens, all_day, executor="links", next_run_time=datetime.now(JST))
        often = IntervalTrigger(seconds=BUDGET_SECONDS, timezone=JST)
        scheduler.add_job(self.measure_budget, often, executor="budget")
        if self.notices_url:
            hourly = IntervalTrigger(seconds=NOTICES_SEEN_SECONDS, timezone=JST)
            scheduler.add_job(self.see_notices, hourly, executor="notices", next_run_time=datetime.now(JST))
        self.log.info("started")
        scheduler.start()
        try:
            self.stopping.wait()
        finally:
            ended = Event()
            breaker = Thread(target=self._break_waits, args=(ended,), name="break-waits", daemon=True)
            breaker.start()
            scheduler.shutdown(wait=True)
            ended.set()
            breaker.join(5)
            self.leadership.give_up()
            self.log.info("stopped")

    def stop(self) -> None:
        """Request the end; returns at once."""
        self.stopping.set()

    def beat(self) -> bool:
        """Take or renew the lead and record the heartbeat; whether we lead."""
        led, taken = self.leadership.leads, self.leadership.taken
        leads = self.leadership.acquire_or_renew()
        now = self.clock()
        self.health.beat_at, self.health.leads = now, leads
        if self.leadership.reachable:
            self.health.answered_at = now
        if self.leadership.taken > taken:
            self.log.info("leads", cut_off=self.leadership.cut_off)
        elif led and not leads:
            self.log.warning("lost the lead")
        return leads

    def night_if_due(self) -> None:
        """Run the night that is due, after those missed before it; do nothing if all are done."""
        due = last_night_due(self.clock())
        if not self._may_work() or due == self._done_to or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + self.retry_seconds
        with self._job("night") as job, self._services() as services:
            done = run_log.is_done(services.session, due)
            services.session.rollback()
            if done:
                job.outcome, self._refused_for = "nothing_due", None
            else:
                self._run_night(services, due, job)
            if due != self._refused_for and job.outcome != "busy":
                self._done_to, self._not_before = due, 0.0

    def read_events(self) -> None:
        """Read the gateway's events and look up charges without an answer."""
        if not self._may_work():
            return
        with self._job("news") as job, self._services() as services:
            now = self.clock()
            books = services.gateway.books
            self._name_missing_rights(services, now)
            try:
                try:
                    job.about["rows"] = events.poll(services.session, books, now) if books is not None else 0
                except MissingRightError as error:  # what may not be read holds up no charge
                    job.outcome, job.about["why"] = "gateway_refuses", str(error)
                job.about["settled"] = services.billing.settle_unknown(now=now)
            except UnansweredError:
                services.session.rollback()
                job.outcome = "gateway_silent"
            except GatewayRefusesUsError as error:
                services.session.rollback()
                job.outcome, job.about["why"] = "gateway_refuses", str(error)

    def _name_missing_rights(self, services: Services, now: datetime) -> None:
        """Once after a start: each right that the key for Stripe lacks, in the log."""
        calls = getattr(services.gateway, "calls", None)
        if self._rights_named or calls is None:
            return
        from keizoku.billing.gateway.stripe_check import check

        with suppress(GatewayRefusesUsError):  # the poll says so
            found = check(calls, now)
            for each in found.missing:
                self.log.warning("right missing", right=each.right.name, kind=each.right.kind, named=each.named)
            self._rights_named = bool(found.identity)

    def back_up(self) -> None:
        """Make the day's backup from its hour on, if none is in every store yet (premium/10.3)."""
        if self.backup is None or not self._may_work():
            return
        with self._job("backup") as job, self._services() as services:
            made = self.backup(services, self.clock())
            if made is None:
                job.outcome = "nothing_due"
            else:
                job.about |= made
                job.outcome = "incomplete" if made.get("failed") else "done"

    def send_letters(self) -> None:
        """Give the letters that wait to the mail server, while we lead."""
        if self.mail is None or not self._may_work():
            return
        with self._job("mail") as job, self._services() as services:
            job.tell(self.mail(services, self._may_work), "not_sent")

    def issue_documents(self) -> None:
        """Store invoices and credit notes as issued once the night is done: all of them then, the newest in between."""
        if self.documents is None or not self._may_work():
            return
        with self._job("documents") as job, self._services() as services:
            now = self.clock()
            due = last_night_due(now)
            done = run_log.is_done(services.session, due)
            services.session.rollback()
            if not done:  # what it may still correct is not issued before
                job.outcome = "nothing_due"
                return
            made = self.documents(services, now, due != self._issued_for, self._may_work)
            job.tell(made, "not_issued")
            if not made.get("why") and self._may_work():
                self._issued_for = due

    def send_events(self) -> None:
        """Send events to the endpoints that want them, while we lead."""
        if self.webhooks is None or not self._may_work():
            return
        with self._job("webhooks") as job, self._services() as services:
            job.tell(self.webhooks(services, self._may_work), "not_sent")

    def measure_budget(self) -> None:
        """How much of the running month is unusable so far, and how far the tiers are."""
        if not self._may_work():
            return
        with self._job("budget") as job, self._services() as services:
            job.outcome = "nothing_due"
            with suppress(NoPopulationError, UncoveredDateError):
                found = self.numbers.budget.measure(services.session, services.rules, self.clock())
                if found is not None:
                    job.outcome, job.about["unusable_seconds"] = "done", found.unusable
            services.session.rollback()

    def collect_counts(self) -> None:
        """Ask the monitors whose turn it is for their counts; not while a night runs."""

        def going() -> bool:
            return self._may_work() and "night" not in self._began

        if self.collecting is None or not going():
            return
        with self._job("collect") as job, self._services() as services:
            made = self.collecting(services, self.clock(), going)
            job.about |= made
            if made["failed"]:
                job.outcome = "not_answered"
            elif not made["asked"]:
                job.outcome = "nothing_due"

    def renew_tokens(self) -> None:
        """Renew the linked service's tokens that are due, through the day; what is stopped goes on at the next turn."""
        if self.linking is None or not self._may_work():
            return
        with self._job("links") as job, self._services() as services:
            job.tell(self.linking(services, self.clock(), self._may_work), "not_renewed")

    def see_notices(self) -> None:
        """Fetch our calendar of maintenance back from where users read it: a proof of when it stood there."""
        if not self.notices_url or not self._may_work():
            return
        with self._job("notices") as job, self._services() as services:
            try:
                job.about["sha256"] = see_published(services.session, self.notices_url, self.clock(), by="worker")
            except Refused as refused:
                services.session.rollback()
                job.outcome, job.about["why"] = "not_seen", str(refused)

    def _run_night(self, services: Services, due: date, job: JobRun) -> None:
        def progress(on: date, stage: str, rows: int) -> None:
            self.numbers.rows.labels(stage).inc(rows)
            if rows:
                self.log.info("stage", job=job.id, business_date=on.isoformat(), stage=stage, rows=rows)
            if self.stopping.is_set():
                raise StoppedError
            if not self.leadership.leads:
                raise NotLeadingError

        check_untouched(services.session)
        services.session.rollback()
        try:
            with self.pool() as pool:
                result = run_night(services, due, self.clock(), progress, pool=pool, most_missed=self.most_missed)
        except NightBusyError:
            job.outcome = "busy"
            return
        except Refused as refused:
            if refused.code != "night.many_missed":
                raise
            job.outcome = "nothing_due" if self._refused_for == due else "wants_a_word"  # one line, not one a minute
            job.about["words"] = str(refused)
            self._refused_for = due
            return
        self._refused_for = None
        job.about |= {
            "business_date": due.isoformat(),
            "caught_up": len(result.caught_up),
            "rows": result.changes,
            "certificate": result.certificate,
            "differences": len(result.differences),
            "set_aside": len(result.set_aside),
        }
        if result.certificate != "ok":
            job.outcome = "differences"

    @contextmanager
    def _services(self) -> Iterator[Services]:
        """Services whose session ends when another worker takes the lead. Raises NotLeadingError."""
        with self.open_services() as services:
            self.leadership.let_in(services.session)
            if services.clock is not None:
                services.clock.check(self.clock())
            yield services

    def _running_seconds(self, name: str) -> float:
        began = self._began.get(name)
        return 0.0 if began is None else time.monotonic() - began

    def _break_waits(self, ended: Event) -> None:
        """While the jobs end: cancel what waits for a lock, which its holder may keep for hours."""
        while not ended.wait(BREAK_SECONDS):
            with suppress(Exception):  # a database that is gone keeps nobody waiting
                self.leadership.break_waits()

    def _may_work(self) -> bool:
        return self.leadership.leads and not self.stopping.is_set()

    def _job(self, name: str) -> JobRun:
        return JobRun(name, self)
