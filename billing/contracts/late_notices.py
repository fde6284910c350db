"""What a user is owed before a renewal and was not told, written with the renewal: after nights that were missed.

    nights left out      ── terms: renews on 06-10 at 600, no notice of it yet ──> notice, task, then the term
    the night before     ── stage renewal notices: nothing more to tell

The text of 4.3 asks for an announcement by posting and a migration period; the notice to each user is the operator's
own (settings). A renewal at a higher price whose notice was not written on a day before it goes to people, by name and
sum. Loads and saves; what is owed is keizoku.billing.rules.documents.renewal_notice's. Days are JST dates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.documents.notices import save_notices
from keizoku.billing.rules.contract_lifecycle import NewTerm, Renewal, RunningContract
from keizoku.billing.rules.documents.notice_text import Notice
from keizoku.billing.rules.documents.renewal_notice import RenewalNotified, Windows, renewal_notices, unnotified_rise
from keizoku.db.review_tasks import NewTask, open_tasks
from keizoku.db.session import Session, numbers
from keizoku.db.tables.money import user_notice
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class LateNotices:
    """Notices of terms that begin now, each with its occasion, and what people have to know of them."""

    notices: tuple[tuple[NewTerm, str, Notice], ...]
    tasks: tuple[NewTask, ...]


def decide(
    session: Session, rules: Rules, contracts: Sequence[RunningContract], renewals: Sequence[Renewal], today: date
) -> LateNotices:
    """What is owed for the terms of these renewals; most of them owe nothing, and nothing is looked up for those."""
    settings = rules.discretion
    days = {"month": settings.renewal_notice_days_month, "year": settings.renewal_notice_days_year}
    owing = [
        (term, before_yen)
        for term, before_yen in _with_price_before(contracts, renewals)
        if days[term.interval] or (settings.price_notice_days and term.price_yen != before_yen)
    ]
    if not owing:
        return LateNotices((), ())
    notified = _notified(session, sorted({term.contract_id for term, _ in owing}))
    notices: list[tuple[NewTerm, str, Notice]] = []
    tasks: list[NewTask] = []
    for term, before_yen in owing:
        told = notified.get((term.contract_id, term.starts_on), RenewalNotified(False, ()))
        windows = Windows(days[term.interval], settings.price_notice_days, settings.end_of_use_days_before)
        notices += [(term, *each) for each in renewal_notices(term, before_yen, told, windows, today, renews_now=True)]
        if unnotified_rise(term, before_yen, told, windows):
            tasks.append(_task(term, before_yen))
    return LateNotices(tuple(notices), tuple(tasks))


def save(session: Session, late: LateNotices, now: datetime) -> int:
    """Write the documents and the tasks; the rows written. Does not commit: the terms follow."""
    if not late.notices and not late.tasks:
        return 0
    written = save_notices(session, late.notices, now)
    return written + open_tasks(session, "renewed_unnotified", late.tasks, now)


def _with_price_before(
    contracts: Sequence[RunningContract], renewals: Sequence[Renewal]
) -> Iterator[tuple[NewTerm, int]]:
    """Each new term with the price of the term before it; without those that were paid in advance."""
    by_id = {each.contract_id: each for each in contracts}
    for renewal in renewals:
        before_yen: int | None = None
        for term in renewal.terms:
            contract = by_id[term.contract_id]
            if term.seq >= contract.prepaid_terms:
                yield term, contract.last_price_yen if before_yen is None else before_yen
            before_yen = term.price_yen


def _task(term: NewTerm, before_yen: int) -> NewTask:
    return NewTask(
        f"contract {term.contract_id} term {term.starts_on}",
        {
            "account": term.account,
            "term": term.starts_on.isoformat(),
            "before_yen": before_yen,
            "after_yen": term.price_yen,
            "yen": term.price_yen - before_yen,
            "why": f"renewed at {term.price_yen} yen on {term.starts_on}, {before_yen} before, without earlier notice",
        },
    )


def _notified(session: Session, contract_ids: Sequence[int]) -> Mapping[tuple[int, date], RenewalNotified]:
    """(contract, first day of a term) -> the notices written of it."""
    rows = session.execute(
        sa.select(user_notice.c.contract_id, user_notice.c.kind, user_notice.c.occasion)
        .where(
            user_notice.c.contract_id == sa.any_(numbers(contract_ids)),
            user_notice.c.kind.in_(("renewal", "price")),
            user_notice.c.occasion.like("term:%"),
        )
        .order_by(user_notice.c.id)
    ).all()
    found: dict[tuple[int, date], RenewalNotified] = {}
    for row in rows:
        _, on, *rest = row.occasion.split(":")
        key = row.contract_id, date.fromisoformat(on)
        before = found.get(key, RenewalNotified(False, ()))
        found[key] = (
            RenewalNotified(True, before.prices_yen)
            if row.kind == "renewal"
            else RenewalNotified(before.renewal, (*before.prices_yen, int(rest[1])))
        )
    return found
