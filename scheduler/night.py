"""The night: nine stages for one business date, each writing what should exist and does not yet.

    evidence → terms → claims → credits → invoices → payments → delinquency → revenue → audit

Always holds: a second run of a date changes nothing; a run that was killed is finished by the next; nights that were
missed are caught up first, their terms, invoices and revenue on their proper dates, charges and notices on the day
on which they are done; one leader at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa

import sla.audit
import sla.stages
from billing import disputes, late_refunds
from billing.audit import EVERYTHING, Base
from billing.audit import audit as audit_billing
from billing.gateway.port import UnansweredError
from billing.stages import (
    ahead,
    credits,
    delinquency,
    demands,
    gateway_news,
    invoices,
    overcharges,
    payments,
    revenue,
    terms,
)
from db.probes import BUSINESS_DATE, FLOOR, MONTH, NOW, TODAY
from db.session import Question, Session, release_leader_lock, try_leader_lock
from db.writer import Turns
from scheduler import runs, sharing
from scheduler.app import House
from scheduler.helpers import Helpers
from terms.calendar import Month, jst_day
from terms.rules import Rules

STAGES: Final = (
    "evidence",
    "terms",
    "claims",
    "credits",
    "invoices",
    "payments",
    "delinquency",
    "revenue",
    "audit",
)
NOT_WHEN_MISSED: Final = ("payments", "delinquency", "audit")
"""Stages that take the day on which they are done: a missed night leaves them to the one that catches up."""

WHOLE_AUDIT_DAYS: Final = 7
"""So often the audit looks at everything; in between at what came since the last certificate."""

Progress = Callable[[date, str, int], None]
"""Told the business date, the stage, and how many rows more it has written."""


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

    @property
    def changes(self) -> int:
        """Rows written, other than the run log and the certificate."""
        return sum(stage.changes for stage in self.stages)


def run_night(
    house: House,
    business_date: date,
    now: datetime,
    progress: Progress | None = None,
    *,
    ask_first: bool = True,
    helpers: Helpers | None = None,
    whole_audit: bool = False,
) -> NightResult:
    """Run the night of a business date at `now`, after the nights missed before it.

    A stage that has nothing to do, as one statement for all of them says, is passed over; without `ask_first` every
    stage looks for itself, to the same end. `helpers` take over ranges of contracts where many are due. The audit
    builds on the last certificate; with `whole_audit`, once a week and wherever it finds a difference it looks at
    everything. Raises NightBusyError if another night is running, and what a stage raises for an uncovered date.
    """
    session = house.session
    if not try_leader_lock(session, "night"):
        session.rollback()
        raise NightBusyError("another night is running on this database; nothing was done")
    try:
        before = runs.standing(session, business_date)
        if before.left_open:
            sharing.close_leftovers(session)
        missed = before.missed
        first_runs = missed if before.ran_before else (*missed, business_date)
        results: list[StageResult] = []
        floor = before.floor
        for on in missed:
            results += _stages(Work(house, on, now, (), floor), progress, ask_first, helpers, NOT_WHEN_MISSED)
            floor = terms.newest(session)  # the night asked for looks at all since the certificate once more
        results += _stages(Work(house, business_date, now, first_runs, before.floor), progress, ask_first, helpers)
        state, differences = _certify(house, before, now, progress, whole=whole_audit)
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):  # what failed may be the connection; its lock is gone with it
            session.rollback()
            _unlock(session)
        raise
    _unlock(session)
    return NightResult(
        business_date=business_date,
        stages=_summed([*results, StageResult("audit", 0)]),
        certificate=state,
        differences=differences,
        caught_up=missed,
        ran_before=before.ran_before,
    )


def _unlock(session: Session) -> None:
    release_leader_lock(session, "night")
    session.commit()


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage is given: the business date, the clock, the dates whose month's first night it stands for."""

    house: House
    on: date
    now: datetime
    dates: tuple[date, ...]
    floor: int  # terms up to this id are covered by a certificate
    within: tuple[int, int] | None = None  # first and last contract of a range; None: all

    @property
    def session(self) -> Session:
        """The session of the house."""
        return self.house.session

    @property
    def rules(self) -> Rules:
        """The rules of the house."""
        return self.house.rules


def _stages(
    work: Work,
    progress: Progress | None,
    ask_first: bool,
    helpers: Helpers | None = None,
    without: Sequence[str] = (),
) -> Iterator[StageResult]:
    """Run the stages but the audit for one business date; what changed something is noted at once.

    What the probes said holds until this night has written something; what others write after it comes after the
    stage, as it always may.
    """
    waiting: list[runs.StageRun] = []
    anything: Mapping[str, bool] | None = None
    for stage in STAGES[:-1]:
        changes = 0
        for name, part in _PARTS[stage].items() if stage not in without else ():
            if ask_first and anything is None and name in _PROBES:
                anything = _ask(work, name)
            if anything is not None and not anything.get(name, True):
                continue
            due = _SHARED.get(name) if helpers is not None else None
            for written in part(work) if helpers is None or due is None else helpers.share(name, work, due):
                changes += written
                if written:
                    anything = None
                if progress is not None:
                    progress(work.on, stage, written)
        if progress is not None:
            progress(work.on, stage, 0)
        waiting.append(runs.StageRun(work.on, stage, work.now, work.now, changes))
        if changes:
            runs.note(work.session, waiting)
            waiting = []
        yield StageResult(stage, changes)
    runs.note(work.session, waiting)


def _evidence(work: Work) -> Iterator[int]:
    """Evidence of stops is written down by the desk as it comes; the gateway's news are fetched here.

    A gateway that does not answer keeps no night waiting: the next poll asks for the same again.
    """
    books = work.house.gateway.books
    if books is not None:
        try:
            yield gateway_news.poll(work.session, books, work.now)
        except UnansweredError:
            work.session.rollback()
    yield 0


def _disputes(work: Work) -> Iterator[int]:
    yield disputes.take_news(work.session, work.rules, work.house.gateway, work.now)


def _late_refunds(work: Work) -> Iterator[int]:
    yield late_refunds.take_news(work.session, work.house.gateway, work.now)


def _terms(work: Work) -> Iterator[int]:
    with Turns(work.session, alone=work.within is not None) as turns:
        after, more = 0, True
        while more and (facts := terms.due(turns.free, work.rules, work.on, within=work.within, after=after)):
            after, more = facts[-1].contract.contract_id, len(facts) == terms.CHUNK
            renewals = terms.decide(turns.free, work.rules, facts, work.on, work.now)
            yield turns.write(partial(terms.save, renewals=renewals, now=work.now), last=not more)
        yield turns.wait()


def _claims(work: Work) -> Iterator[int]:
    yield from sla.stages.adjudicate_due(work.session, work.rules, work.on, work.now)


def _credits(work: Work) -> Iterator[int]:
    while awards := credits.due(work.session):
        yield credits.save(work.session, credits.decide(work.rules, awards), work.now)
    yield credits.refund_leftovers(work.session, work.rules, work.house.gateway, work.now)


def _invoices(work: Work) -> Iterator[int]:
    with Turns(work.session, alone=work.within is not None) as turns:
        above, more = work.floor, True
        while more and (facts := invoices.due(turns.free, above=above, within=work.within)).terms:
            above, more = facts.terms[-1].term_id, len(facts.terms) == invoices.CHUNK
            drafts = invoices.decide(work.rules, facts)
            yield turns.write(partial(invoices.save, drafts=drafts, now=work.now), last=not more)
        yield turns.wait()


def _payments(work: Work) -> Iterator[int]:
    yield payments.charge_due(work.session, work.rules, work.house.gateway, work.now)


def _overcharges(work: Work) -> Iterator[int]:
    yield overcharges.refund_overcharges(work.session, work.rules, work.house.gateway, work.now)


def _delinquency(work: Work) -> Iterator[int]:
    today = jst_day(work.now)
    cases = delinquency.due(work.session, work.rules, today)
    yield delinquency.save(work.session, work.rules, delinquency.decide(work.rules, cases, today), work.now)


def _demands(work: Work) -> Iterator[int]:
    for each in work.dates:
        yield demands.demand_month(work.session, work.rules, each, work.now)


def _ahead(work: Work) -> Iterator[int]:
    today = jst_day(work.now)
    for chunk in ahead.due(work.session, work.rules, today):
        yield ahead.save(work.session, ahead.decide(work.rules, chunk, today), work.now)


def _revenue(work: Work) -> Iterator[int]:
    yield revenue.save(work.session, revenue.due(work.session, work.rules, work.on, above=work.floor), work.now)


def _closed_terms(work: Work) -> Iterator[int]:
    yield revenue.close_terms(work.session, work.rules, work.now)


def _used_up_keys(work: Work) -> Iterator[int]:
    yield revenue.expire_keys(work.session, work.now)


_PARTS: Final[Mapping[str, Mapping[str, Callable[[Work], Iterator[int]]]]] = {
    "evidence": {"evidence": _evidence, "disputes": _disputes, "refunds": _late_refunds},
    "terms": {"terms": _terms},
    "claims": {"claims": _claims},
    "credits": {"credits": _credits},
    "invoices": {"invoices": _invoices},
    "payments": {"payments": _payments, "overcharges": _overcharges},
    "delinquency": {"delinquency": _delinquency, "demands": _demands, "ahead": _ahead},
    "revenue": {"closed_terms": _closed_terms, "used_up_keys": _used_up_keys, "revenue": _revenue},
}
"""The parts of each stage, in order. A part is passed over only if a probe under its name says that it has nothing."""

_PROBES: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "disputes": disputes.anything_due(),
    "refunds": late_refunds.anything_due(),
    "terms": terms.anything_due(),
    "claims": sla.stages.anything_due(),
    "credits": credits.anything_due(),
    "invoices": invoices.anything_due(),
    "payments": payments.anything_due(),
    "overcharges": overcharges.anything_due(),
    "delinquency": delinquency.anything_due(),
    "closed_terms": revenue.anything_to_close(),
    "used_up_keys": revenue.anything_to_expire(),
}
"""For parts that can say beforehand whether they have nothing. A new part needs none, and then runs every night."""

_ASKED: Final = tuple(name for stage in STAGES[:-1] for name in _PARTS[stage] if name in _PROBES)
_ANYTHING: Final = {
    first: Question(sa.select(*(_PROBES[name].label(name) for name in _ASKED[place:])))
    for place, first in enumerate(_ASKED)
}
"""From each part on, the probes that are still to be asked."""


_SHARED: Final[Mapping[str, sa.Select[int]]] = {
    "terms": terms.contracts_due(),
    "invoices": invoices.contracts_due(),
}
"""Parts that several processes do, each a range of contracts at a time; with the contracts that are likely to be due.

Of these alone the work is one contract's; credits and refunds are few, delinquency looks at accounts, claims share one
month's stops, revenue is one entry a day, and the gateway's pace is one for all (docs/how-to/scale.md).
"""


def do_part(name: str, work: Work) -> int:
    """One part of a stage, for the contracts of `work.within`; the rows written."""
    return sum(sum(parts[name](work)) for parts in _PARTS.values() if name in parts)


def probe_values(work: Work) -> Mapping[str, object]:
    """What a night's questions are asked with."""
    return {
        BUSINESS_DATE.key: work.on,
        MONTH.key: str(Month.of(work.on)),
        TODAY.key: jst_day(work.now),
        NOW.key: work.now,
        FLOOR.key: work.floor,
    }


def _ask(work: Work, first: str) -> Mapping[str, bool]:
    """The probes from this part on in one statement: for each that has one, whether there is anything to do."""
    [said] = _ANYTHING[first].ask(work.session, probe_values(work))
    return said


_ONE_SNAPSHOT: Final = Question(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


def _certify(
    house: House, before: runs.Standing, now: datetime, progress: Progress | None, *, whole: bool
) -> tuple[str, tuple[str, ...]]:
    """Derive again what should exist, and write the certificate or the differences."""
    session = house.session
    on, last = before.business_date, before.last_night
    recognised_to = max(on, last or on)
    base, whole_on = (EVERYTHING, on) if whole else _base(before)
    session.commit()  # a rollback would take the driver's prepared statements with it
    # one snapshot for all questions: what people do meanwhile is seen whole or not at all
    _ONE_SNAPSHOT.ask(session)
    found = audit_billing(session, on, recognised_to=recognised_to, base=base)
    if found.differences and base is not EVERYTHING:
        # it may be of a row that came in below a floor while the last one looked: everything knows
        found, whole_on = audit_billing(session, on, recognised_to=recognised_to), on
    also = sla.audit.differences(session, on, now)
    session.commit()
    state = runs.certify(session, on, found, also, now, whole_on=whole_on, without=before.missed)
    if progress is not None:
        progress(on, "audit", 0)
    return state, (*found.differences, *also)


def _base(before: runs.Standing) -> tuple[Base, date]:
    """What this night's audit builds on, and the business date when everything was looked at last."""
    on, whole_on = before.business_date, before.audited_whole_on
    if not before.base.whole or whole_on is None or not 0 <= (on - whole_on).days < WHOLE_AUDIT_DAYS:
        return EVERYTHING, on
    return before.base, whole_on


def _summed(results: Sequence[StageResult]) -> tuple[StageResult, ...]:
    totals = dict.fromkeys(STAGES, 0)
    for result in results:
        totals[result.stage] += result.changes
    return tuple(StageResult(stage, changes) for stage, changes in totals.items())
