"""What a night has set aside, as tasks for people: who or what, why, which clause, and what to do.

    step "terms", contract 7 failed  ──> task set_aside "terms: contract 7"   open as long as every night fails for it
    the next night gets it through   ──> closed by keizoku

There is one open task for each subject, however many nights fail for it; the certificate names them all.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from keizoku.db.fence import Fence, Item, Subject
from keizoku.db.review_tasks import NewTask, close_tasks, open_tasks
from keizoku.db.session import Session, numbers
from keizoku.db.tables.claims import award
from keizoku.db.tables.contracts import contract, term
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import RECURRING_TASKS, credit, credit_refund, payment_attempt, review_task

Fences = dict[str, Fence]
"""What each step that ran has set aside, by the step's name."""

CLAUSES: Final[Mapping[str, str]] = {
    "disputes": "premium/5.4",
    "refunds": "premium/9.2",
    "terms": "premium/3.3",
    "claims": "premium/9.2",
    "credits": "premium/9.2",
    "invoices": "premium/5.1",
    "payments": "premium/5.4",
    "overpayment_refunds": "premium/5.4",
    "delinquency": "premium/7.1",
    "demands": "premium/5.2",
    "renewal_notices": "premium/4.3",
    "letters": "premium/9.2",
    "link_ends": "api_link/12.2",
    "link_notices": "api_link/4.2",
    "link_tokens": "api_link/1.1",
    "link_orders": "api_link/6.5",
    "link_figures": "api_link/9.2",
}
"""The clause that a step carries out."""

_TABLES: Final[Mapping[Subject, sa.Table]] = {
    "contract": contract,
    "term": term,
    "award": award,
    "credit": credit,
    "refund": credit_refund,
    "attempt": payment_attempt,
    "overcharge": overpayment_refund,
}
"""Of which table an item's key is the id; a row of each has an account."""

_REMEDIES: Final[Mapping[Subject, str]] = {
    "contract": "correct what is recorded of the contract: `keizoku contract void-fact` takes a wrong fact back",
    "account": "correct what is recorded of the account; `keizoku claim withdraw` takes back a claim not yet decided",
    "version": "record its announcement, `keizoku terms announce`, or let it begin later",
    "month": "record what is missing for the month; `keizoku sla months` shows it",
}
_REMEDY: Final = "mend what the reason names"
_AFTERWARDS: Final = "the next night tries again, or `keizoku night` now"


def save(session: Session, fences: Fences, business_date: date, now: datetime, *, any_open: bool) -> tuple[str, ...]:
    """Open a task for each item set aside, close those of items that got through; the subjects that wait. Commits.

    `any_open`: whether such a task was open before. Where nothing was and nothing is, no statement runs.
    """
    found = [(step, item) for step, fence in fences.items() for item in fence.items.values()]
    if not found and not any_open:
        return ()
    accounts = _accounts(session, [item for _, item in found])
    waiting: list[tuple[str, str]] = []
    for step, item in found:
        subject = f"{step}: {item.name}" if item.kind == "set_aside" else item.name
        waiting.append((item.kind, subject))
        detail = dict(_detail(step, item, business_date, item.account or accounts.get((item.subject, item.key))))
        open_tasks(session, item.kind, [NewTask(subject, detail)], now)
    done: sa.ColumnElement[bool] = review_task.c.kind.in_(RECURRING_TASKS)
    if waiting:
        done = sa.and_(done, sa.tuple_(review_task.c.kind, review_task.c.subject).not_in(waiting))
    for step in {step for step, item in found if item.subject == "stage"}:
        done = sa.and_(done, sa.not_(review_task.c.subject.startswith(f"{step}: ", autoescape=True)))  # never reached
        if step == "terms":
            done = sa.and_(done, review_task.c.kind == "set_aside")
    close_tasks(session, "keizoku", f"the night of {business_date} got it through", now, done)
    session.commit()
    return tuple(sorted(subject if kind == "set_aside" else f"{kind}: {subject}" for kind, subject in waiting))


def _detail(step: str, item: Item, business_date: date, account: str | None) -> Iterator[tuple[str, object]]:
    if account is not None:
        yield "account", account
    yield "step", step
    yield item.subject, item.key
    if item.month:
        yield "month", item.month
    yield "why", item.why
    if step in CLAUSES:
        yield "clause", "premium/2.3" if item.subject == "version" else CLAUSES[step]
    yield "remedy", f"{_REMEDIES.get(item.subject, _REMEDY)}; {_AFTERWARDS}"
    yield "failed_at", item.failed_at
    yield "business_date", business_date.isoformat()


def _accounts(session: Session, items: list[Item]) -> dict[tuple[Subject, str], str]:
    """Whose the items are that are rows of a table with an account."""
    found: dict[tuple[Subject, str], str] = {}
    for subject, table in _TABLES.items():
        ids = [int(each.key) for each in items if each.subject == subject]
        if ids:
            rows = session.execute(sa.select(table.c.id, table.c.account).where(table.c.id == sa.any_(numbers(ids))))
            found |= {(subject, str(row.id)): row.account for row in rows}
    return found
