"""The parts of each stage of the night: what each does, and how it says beforehand that it has nothing to do.

    stage ──> part, part …        ──> due ─> decide ─> save, in committed chunks; rows written, chunk by chunk
              └─ a probe: anything due?    all probes of a night are asked in one statement

A part looks for itself and writes the difference: run twice, it writes nothing the second time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa

from keizoku.billing.cards import charge_stage, disputes, failed_refunds, overpayment_refund_stage
from keizoku.billing.closing import revenue_stage
from keizoku.billing.contracts import key_expiry, renewal_notice_stage, renewal_stage
from keizoku.billing.dunning import delinquency_stage, interest_demand_stage
from keizoku.billing.gateway import events
from keizoku.billing.gateway.port import UnansweredError
from keizoku.billing.receivables import credit_stage, invoice_stage
from keizoku.db.probes import BUSINESS_DATE, FLOOR, MONTH, NOW, TELLS_MONTHLY, TODAY
from keizoku.db.session import PreparedQuery, Session
from keizoku.db.writer import AlternatingSessions, Write
from keizoku.scheduler.app import Services
from keizoku.sla.review_queue import anything_open
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage is given: the business date, the clock, the dates whose month's first night it stands for."""

    services: Services
    on: date
    now: datetime
    dates: tuple[date, ...]
    floor: int  # terms up to this id are covered by a certificate
    within: tuple[int, int] | None = None  # first and last contract of a range; None: all

    @property
    def session(self) -> Session:
        """The session of the house."""
        return self.services.session

    @property
    def rules(self) -> Rules:
        """The rules of the house."""
        return self.services.rules


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What was read, locked and decided on a session, and is still to be written on it."""

    save: Write
    last: int  # the id up to which nothing is left to read
    is_full: bool  # more may be due above it


def _alternating(work: Work, chunk_after: Callable[[Session, int], _Chunk | None], *, after: int) -> Iterator[int]:
    """Chunk by chunk in the order of ids: while one is written, the next is read and decided on another connection.

    `chunk_after` reads what is due above an id, on the session that it is given; None: nothing is. That id goes up even
    where rows are still being written, so no chunk is read twice.
    """
    with AlternatingSessions(work.session, alone=work.within is not None) as turns:
        more = True
        while more and (chunk := chunk_after(turns.free, after)) is not None:
            after, more = chunk.last, chunk.is_full
            yield turns.write(chunk.save, last=not more)
        yield turns.wait()


def _evidence(work: Work) -> Iterator[int]:
    """Evidence of stops is written down by the desk as it comes; the gateway's news are fetched here.

    A gateway that does not answer keeps no night waiting: the next poll asks for the same again.
    """
    books = work.services.gateway.books
    if books is not None:
        try:
            yield events.poll(work.session, books, work.now)
        except UnansweredError:
            work.session.rollback()
    yield 0


def _disputes(work: Work) -> Iterator[int]:
    yield disputes.sync_events(work.session, work.rules, work.services.gateway, work.now)


def _failed_refunds(work: Work) -> Iterator[int]:
    yield failed_refunds.sync_events(work.session, work.services.gateway, work.now)


def _terms(work: Work) -> Iterator[int]:
    def chunk(session: Session, after: int) -> _Chunk | None:
        facts = renewal_stage.due(session, work.rules, work.on, within=work.within, after=after)
        if not facts:
            return None
        renewals = renewal_stage.decide(session, work.rules, facts, work.on, work.now)
        save = partial(renewal_stage.save, renewals=renewals, now=work.now)
        return _Chunk(save, facts[-1].contract.contract_id, is_full=len(facts) == renewal_stage.CHUNK)

    yield from _alternating(work, chunk, after=0)


def _claims(work: Work) -> Iterator[int]:
    from keizoku.sla.claims.claim_stage import (
        adjudicate_due,  # with all that measures a month: most nights have no claim
    )

    yield from adjudicate_due(work.session, work.rules, work.on, work.now)


def _credits(work: Work) -> Iterator[int]:
    while awards := credit_stage.due(work.session):
        yield credit_stage.save(work.session, credit_stage.decide(work.rules, awards), work.now)
    yield credit_stage.refund_leftovers(work.session, work.rules, work.services.gateway, work.now)


def _invoices(work: Work) -> Iterator[int]:
    def chunk(session: Session, above: int) -> _Chunk | None:
        facts = invoice_stage.due(session, above=above, within=work.within)
        if not facts.terms:
            return None
        save = partial(invoice_stage.save, drafts=invoice_stage.decide(work.rules, facts), now=work.now)
        return _Chunk(save, facts.terms[-1].term_id, is_full=len(facts.terms) == invoice_stage.CHUNK)

    yield from _alternating(work, chunk, after=work.floor)


def _payments(work: Work) -> Iterator[int]:
    yield charge_stage.charge_due(work.session, work.rules, work.services.gateway, work.now)


def _overpayments(work: Work) -> Iterator[int]:
    yield overpayment_refund_stage.refund_overpayments(work.session, work.rules, work.services.gateway, work.now)


def _delinquency(work: Work) -> Iterator[int]:
    today = jst_day(work.now)
    cases = delinquency_stage.due(work.session, work.rules, today)
    yield delinquency_stage.save(work.session, work.rules, delinquency_stage.decide(work.rules, cases, today), work.now)


def _demands(work: Work) -> Iterator[int]:
    for each in work.dates:
        yield interest_demand_stage.demand_month(work.session, work.rules, each, work.now)


def _ahead(work: Work) -> Iterator[int]:
    today = jst_day(work.now)
    for chunk in renewal_notice_stage.due(work.session, work.rules, today):
        yield renewal_notice_stage.save(work.session, renewal_notice_stage.decide(work.rules, chunk, today), work.now)


def _revenue(work: Work) -> Iterator[int]:
    yield revenue_stage.save(
        work.session, revenue_stage.due(work.session, work.rules, work.on, above=work.floor), work.now
    )


def _closed_terms(work: Work) -> Iterator[int]:
    yield revenue_stage.close_terms(work.session, work.rules, work.now)


def _used_up_keys(work: Work) -> Iterator[int]:
    yield key_expiry.expire_keys(work.session, work.now)


PARTS: Final[Mapping[str, Mapping[str, Callable[[Work], Iterator[int]]]]] = {
    "evidence": {"evidence": _evidence, "disputes": _disputes, "refunds": _failed_refunds},
    "terms": {"terms": _terms},
    "claims": {"claims": _claims},
    "credits": {"credits": _credits},
    "invoices": {"invoices": _invoices},
    "payments": {"payments": _payments, "overcharges": _overpayments},
    "delinquency": {"delinquency": _delinquency, "demands": _demands, "ahead": _ahead},
    "revenue": {"closed_terms": _closed_terms, "used_up_keys": _used_up_keys, "revenue": _revenue},
}
"""The stages but the audit, and the parts of each, in order.

A part is passed over only if a probe under its name says that it has nothing.
"""

PROBES: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "disputes": disputes.anything_due(),
    "refunds": failed_refunds.anything_due(),
    "terms": renewal_stage.anything_due(),
    "claims": anything_open(),
    "credits": credit_stage.anything_due(),
    "invoices": invoice_stage.anything_due(),
    "payments": charge_stage.anything_due(),
    "overcharges": overpayment_refund_stage.anything_due(),
    "delinquency": delinquency_stage.anything_due(),
    "ahead": renewal_notice_stage.anything_due(),
    "closed_terms": revenue_stage.anything_to_close(),
    "used_up_keys": key_expiry.anything_to_expire(),
}
"""For parts that can say beforehand whether they have nothing. A new part needs none, and then runs every night."""

_ASKED: Final = tuple(name for parts in PARTS.values() for name in parts if name in PROBES)
_ANYTHING: Final = {
    first: PreparedQuery(sa.select(*(PROBES[name].label(name) for name in _ASKED[place:])))
    for place, first in enumerate(_ASKED)
}
"""From each part on, the probes that are still to be asked."""


SHARED: Final[Mapping[str, sa.Select[int]]] = {
    "terms": renewal_stage.contracts_due(),
    "invoices": invoice_stage.contracts_due(),
}
"""Parts that several processes do, each a range of contracts at a time; with the contracts that are likely to be due.

Of these alone the work is one contract's; credits and refunds are few, delinquency looks at accounts, claims share one
month's stops, revenue is one entry a day, and the gateway's pace is one for all (docs/how-to/scale.md).
"""


def do_part(name: str, work: Work) -> int:
    """One part of a stage, for the contracts of `work.within`; the rows written."""
    return sum(sum(parts[name](work)) for parts in PARTS.values() if name in parts)


def probe_values(work: Work) -> Mapping[str, object]:
    """What a night's questions are asked with."""
    return {
        BUSINESS_DATE.key: work.on,
        MONTH.key: str(Month.of(work.on)),
        TODAY.key: jst_day(work.now),
        NOW.key: work.now,
        FLOOR.key: work.floor,
        TELLS_MONTHLY.key: bool(work.rules.discretion.renewal_notice_days_month),
    }


def ask(work: Work, first: str) -> Mapping[str, bool]:
    """The probes from this part on in one statement: for each that has one, whether there is anything to do."""
    [said] = _ANYTHING[first].ask(work.session, probe_values(work))
    return said
