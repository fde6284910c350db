"""The rows of the tables of a month's report, streamed from the database one after another.

What happened in the month counts by its JST day; what is open is as of the month's end. Yen; read only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.export_files import balances_before
from keizoku.billing.closing.reconciliation_run import Reconciled
from keizoku.billing.rules.books.chart import CHART
from keizoku.db.session import Session
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import (
    credit,
    credit_application,
    credit_refund,
    demand,
    deposit_use,
    invoice,
    review_task,
    settlement,
    user_notice,
)
from keizoku.sla.claims.claim_views import claim_list
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.rules import Rules

Row = tuple[object, ...]
_AT_ONCE = 5_000
"""Rows that are fetched at once: a month of any size takes the same memory."""
AGES: tuple[tuple[int, str, str], ...] = (
    (0, "期日前", "not due"),
    (30, "1〜30日", "1–30 days"),
    (60, "31〜60日", "31–60 days"),
    (90, "61〜90日", "61–90 days"),
    (10**9, "91日以上", "over 90 days"),
)
"""Age classes of receivables: days overdue at the month's end, up to and including."""
BESIDES = "in the journal alone"
"""What 1140 has beside open invoices: entries by hand, and what was settled on a closed month's day since."""
DUNNING: tuple[tuple[str, str, str], ...] = (
    ("overdue", "支払遅滞の通知", "told that they are overdue"),
    ("demand", "遅延損害金の請求", "late interest demanded"),
    ("suspension", "停止", "suspended"),
    ("termination", "解除", "terminated"),
    ("write_off", "債権放棄", "written off"),
)


def _stream(session: Session, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    """The rows of a query from a cursor of the server, which is closed with this generator, read to the end or not."""
    with session.execute(query, execution_options={"yield_per": _AT_ONCE}) as rows:
        yield from rows


def _in(column: sa.ColumnElement[date], month: Month) -> sa.ColumnElement[bool]:
    return sa.and_(column >= month.first_on, column < month.end_on)


def revenue(session: Session, month: Month) -> Iterator[Row]:
    """Sales, reductions and what is left of them, by day."""
    sums: dict[date, list[int]] = {}
    rows = session.execute(
        sa.select(entry.c.posted_on, line.c.code, -sa.func.sum(line.c.yen))
        .join(line, line.c.entry_id == entry.c.id)
        .where(_in(entry.c.posted_on, month), line.c.code.in_(("4110", "4190")))
        .group_by(entry.c.posted_on, line.c.code)
    )
    for on, code, yen in rows:
        sums.setdefault(on, [0, 0])[code == "4190"] = int(yen)
    for on, (sales, reductions) in sorted(sums.items()):
        yield on, sales, reductions, sales + reductions


def trial(session: Session, month: Month) -> Iterator[Row]:
    """Each account from opening to closing."""
    opening = balances_before(session, month)
    moved: Mapping[str, tuple[int, int]] = {
        code: (int(debit or 0), int(credited or 0))
        for code, debit, credited in session.execute(
            sa.select(
                line.c.code,
                sa.func.sum(line.c.yen).filter(line.c.yen > 0),
                -sa.func.sum(line.c.yen).filter(line.c.yen < 0),
            )
            .join(entry, entry.c.id == line.c.entry_id)
            .where(_in(entry.c.posted_on, month))
            .group_by(line.c.code)
        )
    }
    for account in CHART:
        debit, credited = moved.get(account.code, (0, 0))
        before = opening.get(account.code, 0)
        if before or debit or credited:
            yield account.code, account.ja, before, debit, credited, before + debit - credited


def receivables(session: Session, month: Month) -> Iterator[Row]:
    """What was open at the month's end, with its age class; what was given up later was open then.

    The rows sum to 1140 of the trial balance: what the journal has besides, by hand or on another day, is a row of its
    own.
    """
    last_on = month.end_on - timedelta(days=1)
    settled = (
        sa.select(settlement.c.invoice_id, sa.func.sum(settlement.c.yen).label("yen"))
        .where(settlement.c.settled_on <= last_on)
        .group_by(settlement.c.invoice_id)
        .subquery()
    )
    open_yen = invoice.c.total_yen - sa.func.coalesce(settled.c.yen, 0)
    rows = _stream(
        session,
        sa.select(invoice.c.id, invoice.c.account, invoice.c.due_on, open_yen.label("open_yen"))
        .outerjoin(settled, settled.c.invoice_id == invoice.c.id)
        .where(invoice.c.issued_on <= last_on, open_yen > 0)
        .order_by(invoice.c.due_on, invoice.c.id),
    )
    shown_yen = 0
    for row in rows:
        days = max(0, (last_on - row.due_on).days)
        age = next(en for until, _, en in AGES if days <= until)
        shown_yen += int(row.open_yen)
        yield age, row.id, row.account, row.due_on, days, int(row.open_yen)
    besides_yen = balances_before(session, month.next()).get("1140", 0) - shown_yen
    if besides_yen:
        yield BESIDES, 0, "", last_on, 0, besides_yen


def invoices(session: Session, month: Month) -> Iterator[Row]:
    """Every invoice issued in the month, also those given up since."""
    rows = _stream(
        session,
        sa.select(invoice, term.c.plan)
        .join(term, term.c.id == invoice.c.term_id)
        .where(_in(invoice.c.issued_on, month))
        .order_by(invoice.c.id),
    )
    for row in rows:
        yield (
            row.id, row.account, row.plan, row.issued_on, row.due_on, row.total_yen, row.credit_yen,
            row.total_yen - row.credit_yen, row.tax_yen, row.state,
        )  # fmt: skip


def credits(session: Session, month: Month) -> Iterator[Row]:
    """Granted, applied, refunded, kept as deposits, in this order."""
    refunded = (credit_refund.c.outcome == "succeeded", _in(credit_refund.c.settled_on, month))
    for what, query in (
        (
            "granted",
            sa.select(credit.c.granted_on.label("on"), credit.c.granted_yen.label("yen"))
            .select_from(credit)
            .where(_in(credit.c.granted_on, month)),
        ),
        (
            "applied",
            sa.select(credit_application.c.applied_on.label("on"), credit_application.c.yen)
            .join(credit, credit.c.id == credit_application.c.credit_id)
            .where(_in(credit_application.c.applied_on, month)),
        ),
        (
            "refunded",
            sa.select(credit_refund.c.settled_on.label("on"), credit_refund.c.yen)
            .join(credit, credit.c.id == credit_refund.c.credit_id)
            .where(*refunded),
        ),
        (
            "refunded",  # less what came back from the card
            sa.select(credit_refund.c.failed_on.label("on"), (-credit_refund.c.yen).label("yen"))
            .join(credit, credit.c.id == credit_refund.c.credit_id)
            .where(_in(credit_refund.c.failed_on, month)),
        ),
        (
            "kept",  # as a deposit, to be sent by bank
            sa.select(deposit_use.c.used_on.label("on"), (-deposit_use.c.yen).label("yen"))
            .join(credit, credit.c.id == deposit_use.c.credit_id)
            .where(_in(deposit_use.c.used_on, month)),
        ),
    ):
        rows = _stream(
            session,
            query.add_columns(credit.c.account, credit.c.month, credit.c.id).order_by(sa.text('"on"'), credit.c.id),
        )
        for row in rows:
            yield what, row.on, row.account, row.month, row.id, int(row.yen)


def claims(session: Session, rules: Rules, month: Month, now: datetime) -> Iterator[Row]:
    """Claims for the outages of the month."""
    for each in claim_list(session, now, month):
        yield (
            each.outcome, each.id, each.account, jst_day(each.received_at), each.reason or "",
            each.seconds, each.rate or "",
        )  # fmt: skip


def dunning(session: Session, month: Month) -> Iterator[Row]:
    """Notices and demands of the month."""
    kinds = [kind for kind, _, _ in DUNNING]
    notices = sa.select(
        user_notice.c.kind, user_notice.c.written_on.label("on"), user_notice.c.account, user_notice.c.id
    ).where(user_notice.c.kind.in_(kinds), _in(user_notice.c.written_on, month))
    demands = sa.select(
        sa.literal("demand").label("kind"), demand.c.demanded_on.label("on"), demand.c.account, demand.c.id
    ).where(_in(demand.c.demanded_on, month))
    both = notices.union_all(demands).subquery()
    rows = _stream(session, sa.select(both).order_by(both.c.on, both.c.kind, both.c.id))
    for row in rows:
        yield row.kind, row.on, row.account


def exceptions(session: Session, month: Month, reconciled: Reconciled | None) -> Iterator[Row]:
    """Tasks of people that were open at the month's end, and what the reconciliation found."""
    tasks = session.execute(
        sa.select(review_task)
        .where(review_task.c.opened_at < month.end_at)
        .where(sa.or_(review_task.c.closed_at.is_(None), review_task.c.closed_at >= month.end_at))
        .order_by(review_task.c.id)
    )
    for row in tasks:
        amount = row.detail.get("yen") if isinstance(row.detail, dict) else None
        yield row.kind, jst_day(row.opened_at), row.subject, amount if type(amount) is int else 0, "open"
    if reconciled is None:
        return
    for each in reconciled.outcome.exceptions:
        since = min(side.on for side in (each.left, each.right) if side is not None)
        state = "resolved" if each.key in reconciled.resolved else "open"
        yield each.type.value, since, each.key, each.yen, state
    for sentence in reconciled.unexplained:
        yield "unexplained", month.first_on, sentence, 0, "open"


def journal(session: Session, month: Month) -> Iterator[Row]:
    """Every line of the month's entries, as the database gives them: it has more rows than all other tables."""
    rows = _stream(
        session,
        sa.select(
            entry.c.id, entry.c.posted_on, entry.c.event, entry.c.clause, sa.func.coalesce(entry.c.account, ""),
            line.c.code, sa.func.greatest(line.c.yen, 0), sa.func.greatest(-line.c.yen, 0),
        )
        .join(line, line.c.entry_id == entry.c.id)
        .where(_in(entry.c.posted_on, month))
        .order_by(entry.c.posted_on, entry.c.id, line.c.seq),
    )  # fmt: skip
    for row in rows:
        yield tuple(row)
