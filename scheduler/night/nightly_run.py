"""The night: ten stages for one business date, each writing what should exist and does not yet.

    evidence → terms → claims → credits → invoices → payments → delinquency → link → revenue → audit

A *term* here is the billing period that a contract runs or renews into; the contract's own text is in `terms/`.
The audit works out again what should exist and writes a *certificate*: counts, sums, a hash over them, and "ok" or the
differences that it found. One without differences notes *floors*, the highest ids that it covers: the next night
looks only at rows above them. A stage is made of steps (`keizoku.scheduler.night.stages`): a *probe* asks whether a
step has anything to do, and a *fence* collects what the step could not do.

Invariants: a second run of a date changes nothing; a run that was killed is finished by the next; nights that were
missed are caught up first, their terms, invoices and revenue on their proper dates, charges and notices on the day on
which they are done; only one night runs on a database at a time. What fails for one item, or one step, is set aside
as a task for people (`keizoku.scheduler.night.set_aside`): everything else goes on, and the next night tries again.
"""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from keizoku.billing.closing import revenue_stage
from keizoku.billing.closing.integrity_audit import FULL_AUDIT, AuditBaseline
from keizoku.billing.closing.integrity_audit import audit as audit_billing
from keizoku.billing.contracts import renewal_stage
from keizoku.db.fence import Fence, is_of_stage
from keizoku.db.locks import leader_lock
from keizoku.db.session import Session, one_snapshot
from keizoku.scheduler.app import Services
from keizoku.scheduler.clock import check_gateway_clock
from keizoku.scheduler.night import ranges, run_log, set_aside
from keizoku.scheduler.night.figures import Figure, figures_of
from keizoku.scheduler.night.limits import check_not_too_many, rows_ahead
from keizoku.scheduler.night.processes import WorkerPool
from keizoku.scheduler.night.stages import PROBES, SHARED, STEPS, Work, run_probes
from keizoku.scheduler.night.waiting import reason_to_wait
from keizoku.sla.claims import integrity_audit as claim_audit
from keizoku.terms.refusal import Refused

STAGES: Final = (*STEPS, "audit")
_LAST_WRITER: Final = STAGES[-2]
NOT_WHEN_MISSED: Final = ("payments", "delinquency", "link", "audit")
"""Stages that use the day on which they run: a missed night leaves them to the night that catches up."""

MOVES_MONEY: Final = "payments"
"""The step that is set aside whole where money waits for a person; what goes back to members waits with it."""

WHOLE_AUDIT_DAYS: Final = 7
"""The audit checks everything this often; in between, what came since the last certificate."""

Progress = Callable[[date, str, int], None]
"""Called with the business date, the stage, and the number of rows written since the last call."""


class NightBusyError(Exception):
    """Another night is running on this database; nothing was done. Wait for it, then run this one again."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """A stage of a night and the rows it wrote."""

    stage: str
    changes: int


@dataclass(frozen=True, slots=True)
class NightResult:
    """What a run of a night did."""

    business_date: date
    stages: tuple[StageResult, ...]
    certificate: str
    differences: tuple[str, ...]
    caught_up: tuple[date, ...]
    ran_before: bool
    set_aside: tuple[str, ...] = ()  # what was left to people and to the next night: "terms: contract 7"

    @property
    def changes(self) -> int:
        """Rows written, other than the run log and the certificate."""
        return sum(stage.changes for stage in self.stages)


def run_night(
    services: Services,
    business_date: date,
    now: datetime,
    progress: Progress | None = None,
    *,
    ask_first: bool = True,
    pool: WorkerPool | None = None,
    whole_audit: bool = False,
    most_missed: int | None = None,
) -> NightResult:
    """Run the night of a business date at `now`, after the nights missed before it.

    One statement finds the steps with nothing to do, which are skipped; without `ask_first` every step runs, with the
    same result. The processes of `pool` take ranges of contracts where many are due. The audit builds on the last
    certificate; it checks everything with `whole_audit`, once a week, and wherever it finds a difference. Raises
    NightBusyError if another night is running, Refused where more than `most_missed` nights were missed (None: as
    many as there are) or `now` is ahead of the database's or the gateway's clock, and what the database raises when
    it cannot be used.
    """
    session = services.session
    if services.clock is not None:
        services.clock.check(now)
        check_gateway_clock(services.gateway, now, services.clock.most_ahead)
    with leader_lock(session, "night") as alone:
        if not alone:
            raise NightBusyError("another night is running on this database; nothing was done")
        unnoted: list[run_log.StageRun] = []
        try:
            before = run_log.run_log_state(session, business_date)
            if most_missed is not None:
                check_not_too_many(before, most_missed)
            if before.left_open:
                ranges.close_leftovers(session)
            missed = before.missed
            waits = reason_to_wait(services, before, now)
            results, held = write_all(services, before, now, unnoted.extend, progress, ask_first, pool, waits=waits)
            wrote = figures_of(session, before.marks, now) if any(each.changes for each in results) else []
            state, differences = _certify(services, before, now, unnoted, progress, held, wrote, whole=whole_audit)
        except BaseException:
            with suppress(sa.exc.SQLAlchemyError):  # what failed may be the connection
                session.rollback()
                if unnoted:  # their rows are committed; the certificate would have noted them
                    run_log.note(session, unnoted)
            raise
    return NightResult(
        business_date=business_date,
        stages=_summed([*results, StageResult("audit", 0)]),
        certificate=state,
        differences=differences,
        caught_up=missed,
        ran_before=before.ran_before,
        set_aside=held,
    )


def write_all(
    services: Services,
    before: run_log.RunLogState,
    now: datetime,
    unnoted: Callable[[Sequence[run_log.StageRun]], None],
    progress: Progress | None = None,
    ask_first: bool = True,
    pool: WorkerPool | None = None,
    *,
    waits: Refused | None = None,
    leaves: Collection[str] = (),
) -> tuple[list[StageResult], tuple[str, ...]]:
    """Run all stages but the audit, for the nights that were missed and for this one; what they wrote and set aside.

    `waits`: why no money moves; `leaves`: steps that are left out. The lock on nights is the caller's.
    """
    session, missed, on = services.session, before.missed, before.business_date
    first_runs = missed if before.ran_before else (*missed, on)
    results: list[StageResult] = []
    floor = before.floor
    for each in missed:
        missed_night = Work(services, each, now, (), floor, any_left=before.any_set_aside, waits=waits)
        results += _stages(missed_night, run_log.note, progress, ask_first, pool, (*NOT_WHEN_MISSED, *leaves))
        floor = renewal_stage.newest(session)  # this business date checks everything since the certificate again
    night = Work(services, on, now, first_runs, before.floor, any_left=before.any_set_aside, waits=waits)
    aside: set_aside.Fences = {}
    results += _stages(night, lambda _, left: unnoted(left), progress, ask_first, pool, leaves, aside)
    return results, set_aside.save(session, aside, on, now, any_open=before.any_set_aside)


def _stages(
    work: Work,
    note_last: Callable[[Session, Sequence[run_log.StageRun]], None],
    progress: Progress | None,
    ask_first: bool,
    pool: WorkerPool | None = None,
    without: Collection[str] = (),
    fences: set_aside.Fences | None = None,
) -> Iterator[StageResult]:
    """Run the stages except the audit for one business date; a stage that changed something is logged at once.

    `without`: stages and steps that are left out.

    The last stage, with the stages before it that changed nothing, goes to `note_last`: the certificate logs them with
    itself. The result of the probes holds until this night writes something; what others write meanwhile is left
    to the next night. What the steps set aside is in `fences`, by step; a step that fails is set aside whole.
    """
    fences = {} if fences is None else fences
    waiting: list[run_log.StageRun] = []
    anything: Mapping[str, bool] | None = None
    for stage, steps in STEPS.items():
        changes = 0
        for name, step in steps.items() if stage not in without else ():
            if name in without:
                continue
            if work.waits is not None and name == MOVES_MONEY:  # what follows sees that no card was asked
                fences[name] = Fence()
                fences[name].aside("stage", name, work.waits)
                continue
            if ask_first and anything is None and name in PROBES:
                anything = run_probes(work, name)
            if anything is not None and not anything.get(name, True):
                continue
            held = frozenset(each for each, done in fences.items() if done.items)
            stopped = frozenset(each for each, done in fences.items() if done.keys("stage"))
            unpaid = frozenset[str]().union(*(done.unpaid for done in fences.values()))
            fence = fences[name] = Fence()
            told = replace(work, fence=fence, held=held, stopped=stopped, unpaid=unpaid)
            with closing(_fenced_step(name, step, told, pool)) as chunks:  # one that is stopped ends what is under way
                for written in chunks:
                    if written is None:
                        anything = None
                        continue
                    changes += written
                    if written:
                        anything = None
                    if progress is not None:
                        progress(work.on, stage, written)
        if progress is not None:
            progress(work.on, stage, 0)
        waiting.append(run_log.StageRun(work.on, stage, work.now, work.now, changes))
        if changes and stage != _LAST_WRITER:
            run_log.note(work.session, waiting)
            waiting = []
        yield StageResult(stage, changes)
    note_last(work.session, waiting)


def _fenced_step(
    name: str, step: Callable[[Work], Iterator[int]], work: Work, pool: WorkerPool | None
) -> Generator[int | None]:
    """The rows written, chunk by chunk; None: the step has failed and is set aside.

    What the processes of a pool set aside is not known here: the step runs once more, over what is left.
    """
    due = SHARED.get(name) if pool is not None else None
    try:
        if pool is not None and due is not None:
            yield from pool.share(name, work, due)
        yield from step(work)
    except Exception as error:
        if not is_of_stage(error):
            raise
        work.session.rollback()
        if due is not None:
            ranges.close_leftovers(work.session)  # the stages after it wait for what others still work on
        work.fence.aside("stage", name, error)
        yield None


_REVENUE_ASIDE: Final = "revenue: stage revenue"


def _certify(
    services: Services,
    before: run_log.RunLogState,
    now: datetime,
    unnoted: Sequence[run_log.StageRun],
    progress: Progress | None,
    held: Sequence[str],
    wrote: Sequence[Figure],
    *,
    whole: bool,
) -> tuple[str, tuple[str, ...]]:
    """Derive again what should exist; write the certificate, with any differences, and the run log."""
    session = services.session
    on, last = before.business_date, before.last_night
    recognised_to = max(on, last or on)
    if _REVENUE_ASIDE in held:  # as far as it got: the rest is known to wait
        recognised_to = revenue_stage.recognised_to(session) or recognised_to
    base, whole_on = (FULL_AUDIT, on) if whole else _base(before)
    session.commit()  # a rollback would take the driver's prepared statements with it
    with one_snapshot(session):  # for all queries: what people do meanwhile is seen whole or not at all
        found = audit_billing(session, on, recognised_to=recognised_to, base=base)
        if found.differences and base is not FULL_AUDIT:
            # a row may have come in below a floor while the last audit ran: checking everything settles it
            found, whole_on = audit_billing(session, on, recognised_to=recognised_to), on
        also = claim_audit.differences(session, on, now)
        if services.clock is not None:
            also += rows_ahead(session, services.clock.most_ahead, whole=base is FULL_AUDIT)
    state = run_log.certify(
        session, on, found, also, now, unnoted, held, whole_on=whole_on, without=before.missed, wrote=wrote
    )
    if progress is not None:
        progress(on, "audit", 0)
    return state, (*found.differences, *also)


def _base(before: run_log.RunLogState) -> tuple[AuditBaseline, date]:
    """The baseline of this night's audit, and the business date on which everything was last checked."""
    on, whole_on = before.business_date, before.audited_whole_on
    if not before.base.whole or whole_on is None or not 0 <= (on - whole_on).days < WHOLE_AUDIT_DAYS:
        return FULL_AUDIT, on
    return before.base, whole_on


def _summed(results: Sequence[StageResult]) -> tuple[StageResult, ...]:
    totals = dict.fromkeys(STAGES, 0)
    for result in results:
        totals[result.stage] += result.changes
    return tuple(StageResult(stage, changes) for stage, changes in totals.items())
