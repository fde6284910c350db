"""The steps of each stage of the night: what each does, and how a probe finds that it has nothing to do.

    stage ──> step, step …        ──> due ─> decide ─> save, in committed chunks; rows written, chunk by chunk
              └─ a probe: anything due?    all probes of a night run in one statement

A step reads what is due and writes the difference: run twice, it writes nothing the second time. What it cannot do for
one item it sets aside (`keizoku.db.fence`), and goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa

from keizoku.billing.cards import charge_stage, disputes, failed_refunds, overpayment_refund_stage, restored_charges
from keizoku.billing.closing import revenue_stage
from keizoku.billing.contracts import key_expiry, renewal_notice_stage, renewal_stage
from keizoku.billing.documents import letter_stage
from keizoku.billing.dunning import delinquency_stage, interest_demand_stage
from keizoku.billing.gateway import events, restored
from keizoku.billing.gateway.port import UnansweredError
from keizoku.billing.receivables import credit_stage, invoice_stage, remedies
from keizoku.db.fence import Fence, fenced, in_halves, is_of_item
from keizoku.db.probes import BUSINESS_DATE, FLOOR, MONTH, NOTIFIES_MONTHLY, NOW, TODAY
from keizoku.db.session import PreparedQuery, Session
from keizoku.db.tables.books import certificate
from keizoku.db.tables.money import review_task
from keizoku.db.writer import AlternatingSessions, Write
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.link_steps import LINK_PROBES, LINK_STEPS
from keizoku.sla.claims.lapsed_remedies import anything_to_lapse, lapse
from keizoku.sla.review_queue import anything_open, anything_to_measure
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Work:
    """The input of a stage: the business date, the clock, and the dates whose nights this run stands in for.

    `fence` takes what the step sets aside: each step of a night has its own.
    """

    services: Services
    on: date
    now: datetime
    dates: tuple[date, ...]
    floor: int  # the last certificate covers terms up to this id
    within: tuple[int, int] | None = None  # first and last contract of a range; None: all
    fence: Fence = field(default_factory=Fence)
    held: frozenset[str] = frozenset()  # the steps before it that have set something aside
    stopped: frozenset[str] = frozenset()  # the steps before it that were set aside whole
    unpaid: frozenset[str] = frozenset()  # accounts to which nothing goes back, as a step before it has found
    any_left: bool = True  # something that a night before set aside may wait
    waits: Refused | None = None  # why no money moves tonight

    @property
    def may_pay_out(self) -> bool:
        """Whether it is known what cardholders dispute and which refunds came back: nothing is refunded before."""
        return self.waits is None and not self.stopped & {"disputes", "refunds"}

    @property
    def session(self) -> Session:
        """The session of the services."""
        return self.services.session

    @property
    def rules(self) -> Rules:
        """The rules of the services."""
        return self.services.rules


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What was read, locked and decided on a session, and has yet to be written on it."""

    save: Write
    last: int  # the id up to which nothing is left to read
    is_full: bool  # more may be due above it


def _alternating(work: Work, chunk_after: Callable[[Session, int], _Chunk | None], *, after: int) -> Iterator[int]:
    """Chunk by chunk in the order of ids: while one is written, the next is read and decided on another connection.

    `chunk_after` reads what is due above an id, on the session passed to it; None: nothing is due. The id goes up even
    while rows are still being written, so no chunk is read twice.
    """
    with AlternatingSessions(work.session, alone=work.within is not None) as sessions:
        more = True
        while more and (chunk := chunk_after(sessions.free, after)) is not None:
            after, more = chunk.last, chunk.is_full
            yield sessions.write(chunk.save, last=not more)
        yield sessions.wait()


def _evidence(work: Work) -> Iterator[int]:
    """Fetch the gateway's events; one that does not answer holds up no night: the next poll fetches the same."""
    books = work.services.gateway.books
    if books is not None:
        try:
            yield events.poll(work.session, books, work.now)
        except UnansweredError:
            work.session.rollback()
    yield 0


def _observed(work: Work) -> Iterator[int]:
    """Measure the days that are over, each once: what is kept is no fact and no decision, so it counts as no row."""
    from keizoku.sla.months.month_facts import keep_recent_days  # with all that measures a month

    keep_recent_days(work.session, work.rules, Month.of(work.on), work.now)
    yield 0


def _disputes(work: Work) -> Iterator[int]:
    yield disputes.sync_events(work.session, work.rules, work.services.gateway, work.now, work.fence)


def _failed_refunds(work: Work) -> Iterator[int]:
    yield failed_refunds.sync_events(work.session, work.services.gateway, work.now, work.fence)


def _terms(work: Work) -> Iterator[int]:
    def decided(session: Session, facts: Sequence[renewal_stage.DueContract]) -> Write:
        renewals = renewal_stage.decide(session, work.rules, facts, work.on, work.now, work.fence)
        late = renewal_stage.late_notices_of(session, work.rules, facts, renewals, work.on)
        return partial(renewal_stage.save, renewals=renewals, now=work.now, late=late)

    def again(session: Session, ids: Sequence[int]) -> int:
        return decided(session, renewal_stage.due(session, work.rules, work.on, contract_ids=ids))(session)

    def chunk(session: Session, after: int) -> _Chunk | None:
        try:
            facts = renewal_stage.due(session, work.rules, work.on, within=work.within, after=after)
            if not facts:
                return None
            ids, save = [each.contract.contract_id for each in facts], decided(session, facts)
        except Exception as error:
            session.rollback()
            if not is_of_item(error):
                raise
            ids = renewal_stage.due_ids(session, work.on, within=work.within, after=after)
            if not ids:
                return None
            save = partial(in_halves, fence=work.fence, subject="contract", keys=ids, redo=again)
        else:
            save = fenced(work.fence, "contract", ids, save, again)
        return _Chunk(save, ids[-1], is_full=len(ids) == renewal_stage.CHUNK)

    yield from _alternating(work, chunk, after=0)


def _claims(work: Work) -> Iterator[int]:
    from keizoku.sla.claims.claim_stage import (
        adjudicate_due,  # with all that measures a month: most nights have no claim
    )

    yield from adjudicate_due(work.session, work.rules, work.on, work.now, fence=work.fence)


def _credits(work: Work) -> Iterator[int]:
    def of_some(session: Session, ids: Sequence[int]) -> int:
        awards = credit_stage.due(session, award_ids=ids)
        return credit_stage.save(session, credit_stage.decide(work.rules, awards), work.now)

    try:
        while awards := credit_stage.due(work.session):
            yield credit_stage.save(work.session, credit_stage.decide(work.rules, awards), work.now)
    except Exception as error:
        work.session.rollback()
        if not is_of_item(error):
            raise
        for award_id in credit_stage.due_ids(work.session):
            if not credit_stage.waits_for(work.session, award_id, work.fence.keys("award")):
                yield in_halves(work.session, work.fence, "award", [award_id], of_some)
    if work.may_pay_out:
        yield credit_stage.refund_leftovers(
            work.session, work.rules, work.services.gateway, work.now, work.fence, work.unpaid
        )


def _lapsed_remedies(work: Work) -> Iterator[int]:
    yield lapse(work.session, work.on, work.now)


def _performed_remedies(work: Work) -> Iterator[int]:
    def of_some(session: Session, ids: Sequence[int]) -> int:
        return remedies.extinguish(session, work.rules, ids, work.now)

    if ids := remedies.due_ids(work.session):
        yield in_halves(work.session, work.fence, "credit", ids, of_some)


def _invoices(work: Work) -> Iterator[int]:
    def decided(facts: invoice_stage.DueTerms) -> Write:
        return partial(invoice_stage.save, drafts=invoice_stage.decide(work.rules, facts, work.fence), now=work.now)

    def again(session: Session, ids: Sequence[int]) -> int:
        return decided(invoice_stage.due(session, above=work.floor, term_ids=ids))(session)

    def chunk(session: Session, above: int) -> _Chunk | None:
        facts = invoice_stage.due(session, above=above, within=work.within)
        if not facts.terms:
            return None
        ids = [each.term_id for each in facts.terms]
        save = fenced(work.fence, "term", ids, decided(facts), again)
        return _Chunk(save, ids[-1], is_full=len(ids) == invoice_stage.CHUNK)

    yield from _alternating(work, chunk, after=work.floor)


def _after_restore(work: Work) -> Iterator[int]:
    yield restored_charges.take_over(work.session, work.rules, work.services.gateway, work.now)


def _payments(work: Work) -> Iterator[int]:
    yield charge_stage.charge_due(work.session, work.rules, work.services.gateway, work.now, fence=work.fence)


def _overpayments(work: Work) -> Iterator[int]:
    if work.may_pay_out:
        yield overpayment_refund_stage.refund_overpayments(
            work.session, work.rules, work.services.gateway, work.now, work.fence, work.unpaid
        )


def _delinquency(work: Work) -> Iterator[int]:
    today = jst_day(work.now)

    def of_some(session: Session, ids: Sequence[int] | None) -> int:
        cases = delinquency_stage.due(session, work.rules, today, contract_ids=ids)
        if "payments" in work.held:  # whose card could not be asked tonight is not suspended for it
            cases = [each for each in cases if not each.waits_for_charge(today)]
        rulings = delinquency_stage.decide(work.rules, cases, today)
        return delinquency_stage.save(session, work.rules, rulings, work.now, work.fence)

    try:
        yield of_some(work.session, None)
    except Exception as error:
        work.session.rollback()
        if not is_of_item(error):
            raise
        ids = delinquency_stage.due_ids(work.session, today)
        yield in_halves(work.session, work.fence, "contract", ids, of_some)


def _demands(work: Work) -> Iterator[int]:
    for each in work.dates:
        yield interest_demand_stage.demand_month(work.session, work.rules, each, work.now, work.fence)
    first = work.on.replace(day=1)
    if work.any_left and first not in work.dates:  # what the night of the first set aside is demanded by this one
        left = _demands_left(work.session, first)
        yield interest_demand_stage.demand_left(work.session, work.rules, first, left, work.now, work.fence)


def _demands_left(session: Session, first: date) -> Sequence[str] | None:
    """The accounts that demands of the first were set aside for; None: the step failed, so nobody was asked.

    A step that fails after a certified night of the month has left nothing: the first was done before.
    """
    opened = sa.select(review_task.c.subject, review_task.c.opened_at).where(
        review_task.c.kind == "set_aside",
        review_task.c.closed_at.is_(None),
        review_task.c.subject.startswith("demands: ", autoescape=True),
    )
    accounts = []
    for subject, opened_at in session.execute(opened).all():
        of, _, key = subject.removeprefix("demands: ").partition(" ")
        done = sa.exists().where(certificate.c.business_date >= first, certificate.c.issued_at < opened_at)
        if of == "account":
            accounts.append(key)
        elif not session.scalar(sa.select(done)):
            return None
    return accounts


def _renewal_notices(work: Work) -> Iterator[int]:
    today = jst_day(work.now)
    for chunk in renewal_notice_stage.due(work.session, work.rules, today, work.fence):
        notices = renewal_notice_stage.decide(work.rules, chunk, today)
        yield renewal_notice_stage.save(work.session, notices, work.now, work.fence)


def _letters(work: Work) -> Iterator[int]:
    yield letter_stage.save(work.session, work.rules, work.now, work.fence)


def _revenue(work: Work) -> Iterator[int]:
    yield revenue_stage.save(
        work.session, revenue_stage.due(work.session, work.rules, work.on, above=work.floor), work.now
    )


def _closed_terms(work: Work) -> Iterator[int]:
    yield revenue_stage.close_terms(work.session, work.rules, work.now)


def _used_up_keys(work: Work) -> Iterator[int]:
    yield key_expiry.expire_keys(work.session, work.now)


STEPS: Final[Mapping[str, Mapping[str, Callable[[Work], Iterator[int]]]]] = {
    "evidence": {
        "evidence": _evidence,
        "observed": _observed,
        "disputes": _disputes,
        "refunds": _failed_refunds,
    },
    "terms": {"terms": _terms},
    "claims": {"lapsed_remedies": _lapsed_remedies, "claims": _claims},
    "credits": {"credits": _credits, "performed_remedies": _performed_remedies},
    "invoices": {"invoices": _invoices},
    "payments": {"after_restore": _after_restore, "payments": _payments, "overpayment_refunds": _overpayments},
    "delinquency": {
        "delinquency": _delinquency,
        "demands": _demands,
        "renewal_notices": _renewal_notices,
        "letters": _letters,
    },
    "link": LINK_STEPS,
    "revenue": {"closed_terms": _closed_terms, "used_up_keys": _used_up_keys, "revenue": _revenue},
}
"""The stages except the audit, and the steps of each, in order; a step is skipped only if its probe finds nothing due.

Beside the step that a stage is named after: `observed` measures days that are over; `after_restore` compares the
gateway with a database that was restored; `overpayment_refunds` sends back what a card paid too much; `demands` asks
for late interest; `lapsed_remedies` releases credits whose other remedy did not come, `performed_remedies` ends
those it replaced; `renewal_notices` tells users of renewals and prices in time, `letters` of what was decided;
`closed_terms` and `used_up_keys` book what ends early; `link` is in link_steps.py.
"""

PROBES: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "observed": anything_to_measure(),
    "disputes": disputes.anything_due(),
    "refunds": failed_refunds.anything_due(),
    "terms": renewal_stage.anything_due(),
    "claims": anything_open(),
    "lapsed_remedies": anything_to_lapse(),
    "credits": credit_stage.anything_due(),
    "performed_remedies": remedies.anything_due(),
    "invoices": invoice_stage.anything_due(),
    "after_restore": restored.anything_due(),
    "payments": charge_stage.anything_due(),
    "overpayment_refunds": overpayment_refund_stage.anything_due(),
    "delinquency": delinquency_stage.anything_due(),
    "renewal_notices": renewal_notice_stage.anything_due(),
    "letters": letter_stage.anything_due(),
    **LINK_PROBES,
    "closed_terms": revenue_stage.anything_to_close(),
    "used_up_keys": key_expiry.anything_to_expire(),
}
"""Whether a step would find anything, by its name. A new step needs no probe; without one it runs every night."""

_PROBED: Final = tuple(name for steps in STEPS.values() for name in steps if name in PROBES)
_ANYTHING: Final = {
    first: PreparedQuery(sa.select(*(PROBES[name].label(name) for name in _PROBED[place:])))
    for place, first in enumerate(_PROBED)
}
"""For each step with a probe: one statement with its probe and those of the steps after it."""


SHARED: Final[Mapping[str, sa.Select[int]]] = {
    "terms": renewal_stage.contracts_due(),
    "invoices": invoice_stage.contracts_due(),
}
"""Steps that several processes share by ranges of contracts, with a query of the contracts likely to be due.

Only these work contract by contract. Credits and refunds are few, delinquency goes by account, claims share one
month's outages, revenue is one entry a day, and the gateway's rate limit is one for all (docs/how-to/scale.md).
"""


def do_step(name: str, work: Work) -> int:
    """Run one step for the contracts of `work.within`; returns the rows written.

    What it sets aside stays due: the night's own process looks at it again when the ranges are done.
    """
    return sum(sum(steps[name](work)) for steps in STEPS.values() if name in steps)


def probe_values(work: Work) -> Mapping[str, object]:
    """The parameters of a night's probes."""
    return {
        BUSINESS_DATE.key: work.on,
        MONTH.key: str(Month.of(work.on)),
        TODAY.key: jst_day(work.now),
        NOW.key: work.now,
        FLOOR.key: work.floor,
        NOTIFIES_MONTHLY.key: bool(work.rules.discretion.renewal_notice_days_month),
    }


def run_probes(work: Work, first: str) -> Mapping[str, bool]:
    """Run the probes from this step on in one statement: for each step with a probe, whether anything is due."""
    [found] = _ANYTHING[first].rows(work.session, probe_values(work))
    return found
