"""Storing every invoice and due credit note as issued: those of a month, or all that are not stored yet.

    rows without their document ──> pages of AT_ONCE, each committed ──> issued_document
        ├─ a name that cannot stand on it: task `addressee_unfit`; credits that do not add up: `document_unissued`
        └─ the directory is silent: task `directory_silent`, and the run ends; the next one goes on

Level-triggered: what is due is a row without its document, so a run that was killed, left out or doubled changes
nothing. While a restored database waits for its gateway, and in a drill's copy, nothing is issued by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from keizoku.billing.documents.issued_documents import Issuing, Kind, issue
from keizoku.billing.gateway import restored
from keizoku.billing.rules.documents.invoice_document import RETURN_INVOICE_FROM_YEN
from keizoku.db.review_tasks import close_task, close_tasks, open_task
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.documents import issued_document
from keizoku.db.tables.money import credit, invoice, review_task
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["NEWEST", "IssueRun", "issue_month", "issue_waiting"]

AT_ONCE: Final = 200
NEWEST: Final = 10_000
"""Among so many newest rows a look in between finds what is new; the first one after a night looks at all rows."""


@dataclass(frozen=True, slots=True)
class IssueRun:
    """What a run stored, whom it told people of, and why it ended early, if it did."""

    issued: int = 0
    unfit: int = 0
    refused: int = 0
    why: str = ""


def issue_month(session: Session, rules: Rules, month: Month, issuing: Issuing) -> int:
    """Store every invoice of a month, and every credit note that is due, that is not stored; how many. Commits.

    Commits as it goes: where the directory is silent meanwhile, what is stored stays, and the next run goes on.
    Refused at the first that cannot be issued.
    """
    want_to_add(session, issued_document)
    added = 0
    for kind, table in _KINDS.items():
        on = _issued_on(table)
        after, during = 0, (on >= month.first_on, on < month.end_on)
        while rows := _due(session, kind, table, after, during):
            _look_up(issuing, [account for _, account in rows])
            added += sum(issue(session, rules, kind, number, issuing) for number, _ in rows)
            session.commit()
            after = rows[-1][0]
    return added


def issue_waiting(
    session: Session,
    rules: Rules,
    issuing: Issuing,
    *,
    newest: int | None = None,
    going: Callable[[], bool] = lambda: True,
) -> IssueRun:
    """Store every invoice and due credit note that is not stored yet, page by page; `newest`: among so many newest.

    One that fails is a task and holds up no other. Between two pages `going` is asked whether to go on. Commits.
    Refused without an issuer or author.
    """
    want_to_add(session, issued_document)
    if restored.is_waiting(session) or restored.is_drill(session):
        session.rollback()
        return IssueRun(why="this database was restored: documents wait until the gateway has been read")
    told = {"addressee_unfit": 0, "document_unissued": 0}
    waiting = set(
        session.scalars(
            sa.select(review_task.c.subject).where(
                review_task.c.closed_at.is_(None), review_task.c.kind.in_(tuple(told))
            )
        )
    )
    issued = 0
    for kind, table in _KINDS.items():
        after = _above(session, table, newest)
        while going() and (rows := _due(session, kind, table, after, ())):
            try:
                _look_up(issuing, [account for _, account in rows])
            except Refused as refused:
                open_task(session, "directory_silent", "directory", {"why": str(refused)}, issuing.now)
                session.commit()
                return IssueRun(issued, told["addressee_unfit"], told["document_unissued"], str(refused))
            if issuing.naming is not None:
                close_task(session, "directory_silent", "directory", issuing.author, "it answers again", issuing.now)
            for number, account in rows:
                done = _one(session, rules, kind, number, account, issuing, told)
                if done and (subject := f"{kind} {number}") in waiting:
                    of_it = review_task.c.kind.in_(tuple(told)), review_task.c.subject == subject
                    close_tasks(session, issuing.author, "issued", issuing.now, *of_it)
                issued += done
            session.commit()
            after = rows[-1][0]
    session.rollback()
    return IssueRun(issued, told["addressee_unfit"], told["document_unissued"])


def _one(
    session: Session, rules: Rules, kind: Kind, number: int, account: str, issuing: Issuing, told: dict[str, int]
) -> bool:
    """Whether it was stored; people are told of one that cannot be. Refused where none can be."""
    subject = f"{kind} {number}"
    try:
        done = issue(session, rules, kind, number, issuing)
    except Refused as refused:
        if refused.code not in _OF_ONE:
            raise
        open_task(session, "document_unissued", subject, {"account": account, "why": str(refused)}, issuing.now)
        told["document_unissued"] += 1
        return False
    if issuing.naming is not None and account in issuing.naming.unfit:
        why = issuing.naming.unfit[account]
        open_task(session, "addressee_unfit", subject, {"account": account, "why": why}, issuing.now)
        told["addressee_unfit"] += 1
        return False
    return done


_KINDS: Final[dict[Kind, sa.Table]] = {"invoice": invoice, "credit_note": credit}
_OF_ONE: Final = frozenset({"invoice.credits_differ"})
"""Refusals that are about one document, not about whoever issues it."""


def _issued_on(table: sa.Table) -> sa.ColumnElement[object]:
    return table.c.issued_on if table is invoice else table.c.granted_on


def _due(
    session: Session, kind: Kind, table: sa.Table, after: int, more: Collection[sa.ColumnElement[bool]]
) -> list[tuple[int, str]]:
    """(number, account) of the next rows without their document, in the order of numbers."""
    stored = sa.exists().where(issued_document.c.kind == kind, issued_document.c.number == table.c.id)
    query = sa.select(table.c.id, table.c.account).where(table.c.id > after, ~stored, *more)
    if table is credit:
        query = query.where(credit.c.granted_yen >= RETURN_INVOICE_FROM_YEN)
    return [(number, account) for number, account in session.execute(query.order_by(table.c.id).limit(AT_ONCE))]


def _above(session: Session, table: sa.Table, newest: int | None) -> int:
    last = session.scalar(sa.select(sa.func.max(table.c.id))) or 0
    return 0 if newest is None else max(0, last - newest)


def _look_up(issuing: Issuing, accounts: list[str]) -> None:
    if issuing.naming is not None:
        issuing.naming.look_up(accounts)
