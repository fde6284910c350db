"""What finance reads of a month: figures, and the tables that each of them is the sum of.

    report = finance_report(session, rules, Month(2026, 4), now)
    report.table("invoices")                  columns, and rows that are read again each time they are asked for

Days are JST; the month is that of the day on which something was issued, granted, posted or written; what is open is as
of the month's end. A figure has that of the month before beside it, worked out by the same rules as of now. Read only.
A table is streamed: a month of any size takes the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Literal

from keizoku.billing.closing.contract_liability import RollForward, contract_liability
from keizoku.billing.closing.month_close import standing
from keizoku.billing.closing.reconciliation_run import Reconciled
from keizoku.db.session import Session
from keizoku.scheduler.reports import finance_members, finance_rows
from keizoku.scheduler.reports.finance_rows import AGES, BESIDES, DUNNING, Row
from keizoku.sla.months.month_facts import NoPopulationError, load_service_month
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.policy import Policy, UncoveredDateError
from keizoku.terms.rules import Rules

Kind = Literal["text", "yen", "number", "count", "day"]
"""What stands in a column; `number` is summed as yen are, `count` is a number of something, as that of an invoice."""
SUMMED = ("yen", "number")
Unit = Literal["yen", ""]


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

    @contextmanager
    def reading(self) -> Iterator[Iterator[Row]]:
        """The rows, for who may not read them to their end."""
        rows = self.rows()
        try:
            yield rows
        finally:
            if isinstance(rows, Generator):
                rows.close()


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and the table (with what it is filtered by) whose column sums to it; without a column: its rows.

    `prior` is the same of the month before; None where it cannot be known now.
    """

    key: str
    ja: str
    en: str
    value: int
    table: str
    column: str
    only: str = ""  # rows that have this in their first column; empty: all
    prior: int | None = None
    unit: Unit = "yen"

    @property
    def change(self) -> int | None:
        """This month less the one before."""
        return None if self.prior is None else self.value - self.prior


@dataclass(frozen=True, slots=True)
class FinanceReport:
    """All that is shown of a month, on the page, in the workbook and in the CSV files."""

    month: Month
    made_at: datetime
    policy: Policy
    service: ServiceMonth
    service_before: ServiceMonth | None  # of the month before; None: no terms cover it
    figures: tuple[Figure, ...]
    revenue: tuple[tuple[str, int], ...]  # by day, net
    members: tuple[Figure, ...]  # start, joined, left, and what they come to
    ages: tuple[Figure, ...]  # they sum to the receivable
    dunning: tuple[Figure, ...]
    tables: tuple[Table, ...]
    closed: bool  # whether the month is closed now
    reconciled: Reconciled | None

    def table(self, key: str) -> Table:
        """One table."""
        return next(each for each in self.tables if each.key == key)

    @property
    def all_figures(self) -> tuple[Figure, ...]:
        """Every figure, once."""
        return (*self.figures, *self.members, *self.ages, *self.dunning)

    def figure(self, key: str) -> Figure:
        """One figure."""
        return next(each for each in self.all_figures if each.key == key)


def finance_report(
    session: Session, rules: Rules, month: Month, now: datetime, reconciled: Reconciled | None = None
) -> FinanceReport:
    """The report of a month as it is known now, with its reconciliation if it was done; to be used inside one snapshot.

    Raises UncoveredDateError, and Refused where the contract liability does not tie.
    """
    policy = policy_of(rules, month)
    liability = contract_liability(session, month, jst_day(now))
    tables = tuple(_tables(session, rules, month, now, reconciled, liability))
    found, before = _sums(tables), _sums(_tables(session, rules, month.previous(), now, None, None))

    def figure(key: str, ja: str, en: str, table: str, column: str, only: str = "", *, unit: Unit = "yen") -> Figure:
        at = (table, column, only)
        prior: int | None = before.get(at, 0)
        if table in ("deferred", "schedule"):
            prior = liability.opening_yen
        elif table == "exceptions":  # what a reconciliation found then is not kept
            prior = None
        return Figure(key, ja, en, found.get(at, 0), table, column, only, prior, unit)

    def number(key: str, ja: str, en: str, table: str, column: str = "", only: str = "") -> Figure:
        return figure(key, ja, en, table, column, only, unit="")

    return FinanceReport(
        month=month,
        made_at=now,
        policy=policy,
        service=_service(session, rules, month, now),
        service_before=_service_before(session, rules, month.previous(), now),
        figures=(
            figure("revenue", "売上(減額控除後、税抜)", "revenue, net of reductions, without tax", "revenue", "net"),
            figure(
                "recurring",
                "月次経常収益(税抜)",
                "monthly recurring revenue, without tax",
                "recurring",
                "net",
            ),
            figure(
                "recurring_with_tax",
                "月次経常収益(税込)",
                "monthly recurring revenue, tax included",
                "recurring",
                "monthly",
            ),
            figure("invoiced", "請求した利用料金(税込)", "fees invoiced, tax included", "invoices", "total"),
            figure("charged", "減額後の請求額", "invoiced after credits", "invoices", "charged"),
            figure("tax", "請求書の消費税", "tax on invoices", "invoices", "tax"),
            figure("receivable", "月末の売掛金", "receivable at the month's end", "receivables", "open"),
            figure(
                "interest_owed",
                "月末の未収遅延損害金",
                "late interest owed at the month's end",
                "trial",
                "closing",
                "1150",
            ),
            figure("deferred", "月末の契約負債", "contract liability at the month's end", "deferred", "yen"),
            figure(
                "scheduled",
                "うち売上になる予定の合計",
                "of which to be earned, by month",
                "schedule",
                "yen",
            ),
            figure("granted", "認めた減額", "credits granted", "credits", "yen", "granted"),
            figure("applied", "請求に充当した減額", "credits applied", "credits", "yen", "applied"),
            figure("refunded", "返金した減額", "credits refunded", "credits", "yen", "refunded"),
            number("claims", "申請", "claims", "claims"),
            number("exceptions", "例外と未決事項", "exceptions, and what waits for people", "exceptions"),
        ),
        revenue=tuple((str(row[0]), int(str(row[3]))) for row in _named(tables, "revenue").rows()),
        members=(
            number("members_start", "月初の会員", "members at the start", "members", "members", "start"),
            number("members_joined", "入会", "joined", "members", "members", "joined"),
            number("members_left", "退会", "left", "members", "members", "left"),
            number("members_end", "月末の会員", "members at the end", "members", "members"),
        ),
        ages=(
            *(figure(f"age{days}", ja, en, "receivables", "open", en) for days, ja, en in AGES),
            figure("age_besides", "仕訳だけにあるもの", BESIDES, "receivables", "open", BESIDES),
        ),
        dunning=tuple(number(f"dunning_{kind}", ja, en, "dunning", "", kind) for kind, ja, en in DUNNING),
        tables=tables,
        closed=any(act.month == str(month) for act in standing(session)),
        reconciled=reconciled,
    )


def _named(tables: Iterable[Table], key: str) -> Table:
    return next(each for each in tables if each.key == key)


def _sums(tables: Iterable[Table]) -> dict[tuple[str, str, str], int]:
    """(table, column, first cell or "" for all) -> the sum; without a column: how many rows. Not of the journal."""
    found: dict[tuple[str, str, str], int] = {}
    for table in tables:
        numbers = [at for at, column in enumerate(table.columns) if column.kind in SUMMED]
        for row in table.rows() if table.key != "ledger" else ():
            for only in ("", str(row[0])):
                for at in numbers:
                    key = (table.key, table.columns[at].key, only)
                    found[key] = found.get(key, 0) + int(str(row[at] or 0))
                counted = (table.key, "", only)
                found[counted] = found.get(counted, 0) + 1
    return found


def _service(session: Session, rules: Rules, month: Month, now: datetime) -> ServiceMonth:
    try:
        return load_service_month(session, rules, month, now)
    except NoPopulationError:
        return service_month(MonthFacts(month, ()), policy_of(rules, month), rules.discretion.resolution_seconds)


def _service_before(session: Session, rules: Rules, month: Month, now: datetime) -> ServiceMonth | None:
    try:
        return _service(session, rules, month, now)
    except UncoveredDateError:
        return None


def _tables(
    session: Session,
    rules: Rules,
    month: Month,
    now: datetime,
    reconciled: Reconciled | None,
    liability: RollForward | None,
) -> Iterable[Table]:
    yen: Kind = "yen"
    account = Column("account", "アカウント", "account")
    yield Table(
        "revenue", "日ごとの売上", "Revenue by day",
        (Column("day", "日", "day", "day"), Column("sales", "利用料売上", "sales", yen),
         Column("reductions", "売上値引", "SLA reductions", yen), Column("net", "差引", "net", yen)),
        lambda: finance_rows.revenue(session, month),
    )  # fmt: skip
    if liability is not None:
        yield Table(
            "deferred", "契約負債の増減", "Contract liability, from opening to closing",
            (Column("event", "事由", "event"), Column("plan", "プラン", "plan"), Column("yen", "円", "yen", yen)),
            lambda: iter(liability.rows()),
        )  # fmt: skip
        yield Table(
            "schedule", "契約負債が売上になる月", "When the contract liability will be earned",
            (Column("when", "月", "when"), Column("plan", "プラン", "plan"), Column("yen", "円", "yen", yen)),
            lambda: iter(sorted((each.when, each.plan, each.yen) for each in liability.schedule)),
        )  # fmt: skip
    yield Table(
        "trial", "試算表", "Trial balance",
        (Column("code", "科目", "code"), Column("name", "名称", "name"), Column("opening", "月初", "opening", yen),
         Column("debit", "借方", "debit", yen), Column("credit", "貸方", "credit", yen),
         Column("closing", "月末", "closing", yen)),
        lambda: finance_rows.trial(session, month),
    )  # fmt: skip
    yield Table(
        "members", "会員の増減", "Members, from start to end",
        (Column("what", "区分", "what"), Column("day", "日", "day", "day"), account,
         Column("plan", "プラン", "plan"), Column("reason", "理由", "reason"),
         Column("members", "人数", "members", "number")),
        lambda: finance_members.members(session, month),
    )  # fmt: skip
    last_on = min(month.end_on - timedelta(days=1), max(jst_day(now), month.first_on))
    yield Table(
        "recurring", "月次経常収益の内訳", "What recurring revenue is made of",
        (Column("plan", "プラン", "plan"), Column("method", "支払方法", "method"),
         Column("interval", "間隔", "interval"), Column("price", "料金(税込)", "price, tax included", yen),
         Column("terms", "期間の数", "terms", "number"), Column("monthly", "月額(税込)", "by the month", yen),
         Column("tax", "消費税", "tax", yen), Column("net", "税抜", "without tax", yen)),
        lambda: finance_members.recurring(session, last_on, _tax_rate(rules, last_on)),
    )  # fmt: skip
    yield Table(
        "receivables", "月末に未収の請求", "Open invoices at the month's end",
        (Column("age", "年齢", "age"), Column("invoice", "請求", "invoice", "count"), account,
         Column("due_on", "支払期日", "due on", "day"), Column("days", "遅延日数", "days overdue", "count"),
         Column("open", "未収", "open", yen)),
        lambda: finance_rows.receivables(session, month),
    )  # fmt: skip
    yield Table(
        "invoices", "今月の請求", "Invoices of the month",
        (Column("invoice", "請求", "invoice", "count"), account, Column("plan", "プラン", "plan"),
         Column("issued_on", "発行日", "issued on", "day"), Column("due_on", "支払期日", "due on", "day"),
         Column("total", "利用料金", "fee", yen), Column("credit", "減額", "credit", yen),
         Column("charged", "請求額", "charged", yen), Column("tax", "消費税", "tax", yen),
         Column("state", "状態", "state")),
        lambda: finance_rows.invoices(session, month),
    )  # fmt: skip
    yield Table(
        "credits", "減額", "Credits",
        (Column("what", "区分", "what"), Column("day", "日", "day", "day"), account,
         Column("month", "停止の月", "month of the outages"), Column("credit", "減額番号", "credit", "count"),
         Column("yen", "円", "yen", yen)),
        lambda: finance_rows.credits(session, month),
    )  # fmt: skip
    yield Table(
        "claims", "今月の停止についての申請", "Claims for the outages of the month",
        (Column("outcome", "結果", "outcome"), Column("claim", "申請", "claim"), account,
         Column("received_on", "受付日", "received on", "day"), Column("reason", "理由", "reason"),
         Column("seconds", "認定秒", "recognised seconds", "number"), Column("rate", "率", "rate")),
        lambda: finance_rows.claims(session, rules, month, now),
    )  # fmt: skip
    yield Table(
        "dunning", "督促の経過", "Dunning",
        (Column("kind", "区分", "kind"), Column("day", "日", "day", "day"), account),
        lambda: finance_rows.dunning(session, month),
    )  # fmt: skip
    yield Table(
        "exceptions", "例外と未決事項", "Exceptions and what waits for people",
        (Column("kind", "区分", "kind"), Column("since", "いつから", "since", "day"),
         Column("subject", "対象", "subject"), Column("yen", "円", "yen", yen), Column("state", "状態", "state")),
        lambda: finance_rows.exceptions(session, month, reconciled),
    )  # fmt: skip
    yield Table(
        "ledger", "仕訳", "Journal",
        (Column("entry", "仕訳", "entry", "count"), Column("day", "日", "day", "day"), Column("event", "事由", "event"),
         Column("clause", "条項", "clause"), account, Column("code", "科目", "code"),
         Column("debit", "借方", "debit", yen), Column("credit", "貸方", "credit", yen)),
        lambda: finance_rows.journal(session, month),
    )  # fmt: skip


def _tax_rate(rules: Rules, on: date) -> Fraction:
    """Without a tax where no terms cover the day: then there are no terms under way either."""
    try:
        return rules.terms.at(on).tax.rate
    except UncoveredDateError:
        return Fraction(0)
