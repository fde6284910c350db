"""What finance reads of a month: figures, and the tables that each of them is the sum of.

    report = finance_report(session, rules, Month(2026, 4), now)
    report.table("invoices")                  columns, and rows that are read again each time they are asked for

Days are JST; the month is that of the day on which something was issued, granted, posted or written; what is open is as
of the month's end. Read only. A table is streamed: a month of any size takes the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from billing.deferred import contract_liability
from billing.exports.writing import balances_before, month_entries
from billing.ledger import CHART
from db.session import Session
from db.tables.books import entry, line
from db.tables.contracts import term
from db.tables.money import (
    credit,
    credit_application,
    credit_refund,
    demand,
    invoice,
    people_task,
    settlement,
    user_notice,
)
from sla.month_store import NoPopulation, load_service_month
from sla.review import policy_of
from sla.unusable import MonthFacts, ServiceMonth, service_month
from sla.views import claim_list
from terms.calendar import Month, jst_day
from terms.policy import Policy
from terms.rules import Rules

Kind = Literal["text", "yen", "count", "day"]
Row = tuple[object, ...]
_STREAMED = {"yield_per": 5_000}
AGES: tuple[tuple[int, str, str], ...] = (
    (0, "期日前", "not due"),
    (30, "1〜30日", "1–30 days"),
    (60, "31〜60日", "31–60 days"),
    (90, "61〜90日", "61–90 days"),
    (10**9, "91日以上", "over 90 days"),
)
"""Age classes of receivables: days overdue at the month's end, up to and including."""
DUNNING: tuple[tuple[str, str, str], ...] = (
    ("overdue", "支払遅滞の通知", "told that they are overdue"),
    ("demand", "遅延損害金の請求", "late interest demanded"),
    ("suspension", "停止", "suspended"),
    ("termination", "解除", "terminated"),
    ("write_off", "債権放棄", "written off"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key, its names, what stands in it."""

    key: str
    ja: str
    en: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table behind a figure; `rows` reads it."""

    key: str
    ja: str
    en: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and the table (with what it is filtered by) whose column sums to it."""

    key: str
    ja: str
    en: str
    value: int
    table: str
    column: str
    only: str = ""  # rows that have this in their first column; empty: all


@dataclass(frozen=True, slots=True)
class FinanceReport:
    """All that is shown of a month, on the page, in the workbook and in the CSV files."""

    month: Month
    made_at: datetime
    policy: Policy
    service: ServiceMonth
    figures: tuple[Figure, ...]
    revenue: tuple[tuple[str, int], ...]  # by day, net
    ages: tuple[Figure, ...]
    dunning: tuple[Figure, ...]
    tables: tuple[Table, ...]

    def table(self, key: str) -> Table:
        """One table."""
        return next(each for each in self.tables if each.key == key)

    def figure(self, key: str) -> Figure:
        """One figure."""
        return next(each for each in (*self.figures, *self.ages, *self.dunning) if each.key == key)


def finance_report(session: Session, rules: Rules, month: Month, now: datetime) -> FinanceReport:
    """The report of a month as it is known now; to be used inside one snapshot. Raises UncoveredDate."""
    policy = policy_of(rules, month)
    try:
        service = load_service_month(session, rules, month, now)
    except NoPopulation:
        service = service_month(MonthFacts(month, ()), policy, rules.discretion.resolution_seconds)
    tables = tuple(_tables(session, rules, month, now))
    by_key = {table.key: table for table in tables}
    found: dict[tuple[str, str, str], int] = {}
    for table in tables:
        numbers = [at for at, column in enumerate(table.columns) if column.kind == "yen"]
        for row in table.rows() if table.key != "ledger" else ():
            for only in ("", str(row[0])):
                for at in numbers:
                    key = (table.key, table.columns[at].key, only)
                    found[key] = found.get(key, 0) + int(str(row[at] or 0))
                counted = (table.key, "", only)
                found[counted] = found.get(counted, 0) + 1

    def figure(key: str, ja: str, en: str, table: str, column: str, only: str = "") -> Figure:
        return Figure(key, ja, en, found.get((table, column, only), 0), table, column, only)

    return FinanceReport(
        month=month,
        made_at=now,
        policy=policy,
        service=service,
        figures=(
            figure("revenue", "売上(減額控除後、税抜)", "revenue, net of reductions, without tax", "revenue", "net"),
            figure("invoiced", "請求額", "invoiced", "invoices", "total"),
            figure("charged", "減額後の請求額", "invoiced after credits", "invoices", "charged"),
            figure("tax", "請求書の消費税", "tax on invoices", "invoices", "tax"),
            figure("receivable", "月末の売掛金", "receivable at the month's end", "receivables", "open"),
            figure("deferred", "月末の契約負債", "contract liability at the month's end", "deferred", "yen"),
            figure("granted", "認めた減額", "credits granted", "credits", "yen", "granted"),
            figure("applied", "請求に充当した減額", "credits applied", "credits", "yen", "applied"),
            figure("refunded", "返金した減額", "credits refunded", "credits", "yen", "refunded"),
            figure("claims", "申請", "claims", "claims", ""),
            figure("exceptions", "人の判断を待つもの", "waiting for people", "exceptions", ""),
        ),
        revenue=tuple((str(row[0]), int(str(row[3]))) for row in by_key["revenue"].rows()),
        ages=tuple(figure(f"age{days}", ja, en, "receivables", "open", en) for days, ja, en in AGES),
        dunning=tuple(figure(f"dunning_{kind}", ja, en, "dunning", "", kind) for kind, ja, en in DUNNING),
        tables=tables,
    )


def _tables(session: Session, rules: Rules, month: Month, now: datetime) -> Iterable[Table]:
    yen: Kind = "yen"
    account = Column("account", "アカウント", "account")
    yield Table(
        "revenue", "日ごとの売上", "Revenue by day",
        (Column("day", "日", "day", "day"), Column("sales", "利用料売上", "sales", yen),
         Column("reductions", "売上値引", "SLA reductions", yen), Column("net", "差引", "net", yen)),
        lambda: _revenue(session, month),
    )  # fmt: skip
    yield Table(
        "deferred", "契約負債の増減", "Contract liability, from opening to closing",
        (Column("event", "事由", "event"), Column("yen", "円", "yen", yen)),
        lambda: iter(contract_liability(session, month).rows()),
    )  # fmt: skip
    yield Table(
        "trial", "試算表", "Trial balance",
        (Column("code", "科目", "code"), Column("name", "名称", "name"), Column("opening", "月初", "opening", yen),
         Column("debit", "借方", "debit", yen), Column("credit", "貸方", "credit", yen),
         Column("closing", "月末", "closing", yen)),
        lambda: _trial(session, month),
    )  # fmt: skip
    yield Table(
        "receivables", "月末に未収の請求", "Open invoices at the month's end",
        (Column("age", "年齢", "age"), Column("invoice", "請求", "invoice", "count"), account,
         Column("due_on", "支払期日", "due on", "day"), Column("days", "遅延日数", "days overdue", "count"),
         Column("open", "未収", "open", yen)),
        lambda: _receivables(session, month),
    )  # fmt: skip
    yield Table(
        "invoices", "今月の請求", "Invoices of the month",
        (Column("invoice", "請求", "invoice", "count"), account, Column("plan", "プラン", "plan"),
         Column("issued_on", "発行日", "issued on", "day"), Column("due_on", "支払期日", "due on", "day"),
         Column("total", "利用料金", "fee", yen), Column("credit", "減額", "credit", yen),
         Column("charged", "請求額", "charged", yen), Column("tax", "消費税", "tax", yen),
         Column("state", "状態", "state")),
        lambda: _invoices(session, month),
    )  # fmt: skip
    yield Table(
        "credits", "減額", "Credits",
        (Column("what", "区分", "what"), Column("day", "日", "day", "day"), account,
         Column("month", "停止の月", "month of the stops"), Column("credit", "減額番号", "credit", "count"),
         Column("yen", "円", "yen", yen)),
        lambda: _credits(session, month),
    )  # fmt: skip
    yield Table(
        "claims", "今月の停止についての申請", "Claims for the stops of the month",
        (Column("outcome", "結果", "outcome"), Column("claim", "申請", "claim"), account,
         Column("received_on", "受付日", "received on", "day"), Column("reason", "理由", "reason"),
         Column("seconds", "認定秒", "recognised seconds", "count"), Column("rate", "率", "rate")),
        lambda: _claims(session, rules, month, now),
    )  # fmt: skip
    yield Table(
        "dunning", "督促の経過", "Dunning",
        (Column("kind", "区分", "kind"), Column("day", "日", "day", "day"), account),
        lambda: _dunning(session, month),
    )  # fmt: skip
    yield Table(
        "exceptions", "例外と未決事項", "Exceptions and what waits for people",
        (Column("kind", "区分", "kind"), Column("since", "いつから", "since", "day"),
         Column("subject", "対象", "subject"), Column("yen", "円", "yen", yen)),
        lambda: _exceptions(session, month),
    )  # fmt: skip
    yield Table(
        "ledger", "仕訳", "Journal",
        (Column("entry", "仕訳", "entry", "count"), Column("day", "日", "day", "day"), Column("event", "事由", "event"),
         Column("clause", "条項", "clause"), account, Column("code", "科目", "code"),
         Column("debit", "借方", "debit", yen), Column("credit", "貸方", "credit", yen)),
        lambda: _ledger(session, month),
    )  # fmt: skip


def _in(column: sa.ColumnElement[date], month: Month) -> sa.ColumnElement[bool]:
    return sa.and_(column >= month.first_on, column < month.end_on)


def _revenue(session: Session, month: Month) -> Iterator[Row]:
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


def _trial(session: Session, month: Month) -> Iterator[Row]:
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


def _receivables(session: Session, month: Month) -> Iterator[Row]:
    last_on = month.end_on - timedelta(days=1)
    settled = (
        sa.select(settlement.c.invoice_id, sa.func.sum(settlement.c.yen).label("yen"))
        .where(settlement.c.settled_on <= last_on)
        .group_by(settlement.c.invoice_id)
        .subquery()
    )
    open_yen = invoice.c.total_yen - sa.func.coalesce(settled.c.yen, 0)
    rows = session.execute(
        sa.select(invoice.c.id, invoice.c.account, invoice.c.due_on, open_yen.label("open_yen"))
        .outerjoin(settled, settled.c.invoice_id == invoice.c.id)
        .where(invoice.c.issued_on <= last_on, invoice.c.state != "void", open_yen > 0)
        .order_by(invoice.c.due_on, invoice.c.id),
        execution_options=_STREAMED,
    )
    for row in rows:
        days = max(0, (last_on - row.due_on).days)
        age = next(en for until, _, en in AGES if days <= until)
        yield age, row.id, row.account, row.due_on, days, int(row.open_yen)


def _invoices(session: Session, month: Month) -> Iterator[Row]:
    rows = session.execute(
        sa.select(invoice, term.c.plan)
        .join(term, term.c.id == invoice.c.term_id)
        .where(_in(invoice.c.issued_on, month), invoice.c.state != "void")
        .order_by(invoice.c.id),
        execution_options=_STREAMED,
    )
    for row in rows:
        yield (
            row.id, row.account, row.plan, row.issued_on, row.due_on, row.total_yen, row.credit_yen,
            row.total_yen - row.credit_yen, row.tax_yen, row.state,
        )  # fmt: skip


def _credits(session: Session, month: Month) -> Iterator[Row]:
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
    ):
        rows = session.execute(
            query.add_columns(credit.c.account, credit.c.month, credit.c.id).order_by(sa.text('"on"'), credit.c.id),
            execution_options=_STREAMED,
        )
        for row in rows:
            yield what, row.on, row.account, row.month, row.id, int(row.yen)


def _claims(session: Session, rules: Rules, month: Month, now: datetime) -> Iterator[Row]:
    for each in claim_list(session, rules, now, month):
        yield (
            each["outcome"], each["id"], each["account"], jst_day(each["received_at"]), each["reason"] or "",
            each["seconds"], each["rate"] or "",
        )  # fmt: skip


def _dunning(session: Session, month: Month) -> Iterator[Row]:
    kinds = [kind for kind, _, _ in DUNNING]
    notices = sa.select(
        user_notice.c.kind, user_notice.c.written_on.label("on"), user_notice.c.account, user_notice.c.id
    ).where(user_notice.c.kind.in_(kinds), _in(user_notice.c.written_on, month))
    demands = sa.select(
        sa.literal("demand").label("kind"), demand.c.demanded_on.label("on"), demand.c.account, demand.c.id
    ).where(_in(demand.c.demanded_on, month))
    both = notices.union_all(demands).subquery()
    rows = session.execute(sa.select(both).order_by(both.c.on, both.c.kind, both.c.id), execution_options=_STREAMED)
    for row in rows:
        yield row.kind, row.on, row.account


def _exceptions(session: Session, month: Month) -> Iterator[Row]:
    tasks = session.execute(
        sa.select(people_task)
        .where(people_task.c.opened_at < month.end_at)
        .where(sa.or_(people_task.c.closed_at.is_(None), people_task.c.closed_at >= month.end_at))
        .order_by(people_task.c.id)
    )
    for row in tasks:
        amount = row.detail.get("yen") if isinstance(row.detail, dict) else None
        yield row.kind, jst_day(row.opened_at), row.subject, amount if type(amount) is int else 0


def _ledger(session: Session, month: Month) -> Iterator[Row]:
    for each in month_entries(session, month):
        for code, yen in each.lines:
            yield (
                each.id, each.posted_on, each.event, each.clause, each.account or "", code, max(yen, 0), max(-yen, 0),
            )  # fmt: skip
