"""The books read from the outside in: a balance ─> its entries ─> the event behind each ─> its clause.

Everything as of any JST day and as known at any instant; amounts in whole yen, debit positive. Nothing is written.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.read_models import (
    AccountBook,
    AccountName,
    BookLine,
    EntryClause,
    EntryExplanation,
    EntryLine,
    JournalRule,
    MonthBalance,
    PostedByPeople,
    Reversal,
    RowBehind,
    RuleLeg,
    Trial,
    TrialRow,
)
from keizoku.billing.rules.books.chart import CHART, Account, AccountType
from keizoku.billing.rules.books.journal_rules import rules_table
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_line
from keizoku.db.tables.books import entry, line, revenue_posting
from keizoku.db.tables.closing import manual_entry
from keizoku.db.tables.codes import code_batch
from keizoku.db.tables.contracts import contract, contract_fact, term
from keizoku.db.tables.gateway import balance_transaction, gateway_dispute, overpayment_refund
from keizoku.db.tables.money import credit, credit_refund, demand, deposit_use, invoice, payment_attempt, receipt
from keizoku.terms.calendar import Month
from keizoku.terms.clauses import clauses
from keizoku.terms.refusal import Refused

_ACCOUNTS = {each.code: each for each in CHART}
_RULES = {each.event: each for each in rules_table()}
BY_PEOPLE = {"reversal": "people take an entry back", "by_people": "people post by hand"}
"""Events that no row of ours stands behind but an act of people."""

_BEHIND: dict[str, sa.Column[Any]] = {
    "term": term.c.id,
    "attempt": payment_attempt.c.id,
    "refund": credit_refund.c.id,
    "receipt": receipt.c.id,
    "deposit": deposit_use.c.id,
    "act": contract_fact.c.id,
    "contract": contract.c.id,
    "batch": code_batch.c.id,
    "bank": bank_line.c.id,
    "invoice": invoice.c.id,
    "award": credit.c.award_id,
    "movement": balance_transaction.c.id,
    "overcharge": overpayment_refund.c.id,
    "dispute": gateway_dispute.c.dispute,
}
"""What the first word of an event's key names: the table and the column that the second word is looked for in."""
_LINES_OF_ONE = 20
"""An entry has fewer lines on one account."""
_TOO_LONG_TO_SHOW = ("body_ja", "body_en", "calculation")


def trial(session: Session, as_of: date | None = None, known_at: datetime | None = None) -> Trial:
    """The trial balance through a JST day: every account of the chart that has a line, and the totals."""
    sums = (
        sa.select(
            line.c.code,
            sa.func.coalesce(sa.func.sum(line.c.yen).filter(line.c.yen > 0), 0).label("debit"),
            sa.func.coalesce(-sa.func.sum(line.c.yen).filter(line.c.yen < 0), 0).label("credit"),
        )
        .join(entry, entry.c.id == line.c.entry_id)
        .where(*_seen(as_of, known_at))
        .group_by(line.c.code)
        .order_by(line.c.code)
    )
    rows = tuple(
        TrialRow(*_names(row.code), debit=int(row.debit), credit=int(row.credit), balance=int(row.debit - row.credit))
        for row in session.execute(sums)
    )
    return Trial(as_of, known_at, rows, sum(row.debit for row in rows), sum(row.credit for row in rows))


def account_of(code: str) -> Account:
    """The account of the chart with this code. Refused where there is none."""
    if code not in _ACCOUNTS:
        raise Refused("ledger.account_unknown", f"the chart has no account {code!r}", "(see `keizoku ledger chart`)")
    return _ACCOUNTS[code]


def account_book(
    session: Session,
    code: str,
    *,
    since: date | None = None,
    as_of: date | None = None,
    known_at: datetime | None = None,
    customer: str | None = None,
    limit: int | None = None,
    after_entry: int = 0,
) -> AccountBook:
    """An account's opening balance before `since`, every line through `as_of`, the running and closing balance.

    At most about `limit` lines, those of whole entries, behind the entry `after_entry`; the balances are of all.
    """
    found = account_of(code)
    seen = _lines_of(code, as_of, known_at, customer)
    opening = 0
    if since is not None:
        opening = _sum(session, [*seen, entry.c.posted_on < since])
        seen.append(entry.c.posted_on >= since)
    behind = _behind_entry(after_entry)
    before = opening + _sum(session, [*seen, ~behind]) if after_entry else opening
    rows, _ = _page(_with_balance(session, [*seen, behind] if after_entry else seen, before, limit), limit)
    closing = rows[-1].balance if rows else before
    if limit is not None:
        closing = opening + _sum(session, seen)
    return AccountBook(
        *_names(found.code),
        as_of=as_of,
        known_at=known_at,
        opening=opening,
        lines=rows,
        closing=closing,
    )


def account_lines(
    session: Session,
    code: str,
    *,
    since: date | None = None,
    as_of: date | None = None,
    known_at: datetime | None = None,
    customer: str | None = None,
    limit: int,
    after_entry: int = 0,
) -> dict[str, Any]:
    """A page of `account_book` without any balance, which would be a sum over all that was posted before."""
    seen = _lines_of(code, as_of, known_at, customer)
    if since is not None:
        seen.append(entry.c.posted_on >= since)
    if after_entry:
        seen.append(_behind_entry(after_entry))
    rows, more = _page(_with_balance(session, seen, 0, limit + 1), limit)
    names = dict(zip(("code", "ja", "en", "type"), _names(account_of(code).code), strict=True))
    lines = [{**each.to_json(), "balance": None} for each in rows]
    return {**names, "lines": lines, "next_after_entry": rows[-1].entry if more else None}


def _lines_of(
    code: str, as_of: date | None, known_at: datetime | None, customer: str | None
) -> list[sa.ColumnElement[bool]]:
    seen = [line.c.code == code, *_seen(as_of, known_at)]
    return seen if customer is None else [*seen, entry.c.account == customer]


def _behind_entry(entry_id: int) -> sa.ColumnElement[bool]:
    """In the order of an account's lines: those of the entries behind this one."""
    last = entry.alias("last")
    place = sa.select(last.c.posted_on, last.c.id).where(last.c.id == entry_id).scalar_subquery()
    return sa.tuple_(entry.c.posted_on, entry.c.id) > place


def _sum(session: Session, seen: list[sa.ColumnElement[bool]]) -> int:
    summed = sa.select(sa.func.coalesce(sa.func.sum(line.c.yen), 0)).join(entry, entry.c.id == line.c.entry_id)
    return int(session.execute(summed.where(*seen)).scalar_one())


def _page(lines: Iterator[BookLine], limit: int | None) -> tuple[tuple[BookLine, ...], bool]:
    """The first lines, up to the end of the entry with which they are `limit`; whether there are more."""
    rows: list[BookLine] = []
    for each in lines:
        if limit is not None and len(rows) >= limit and each.entry != rows[-1].entry:
            return tuple(rows), True
        rows.append(each)
    return tuple(rows), False


def explain_entry(session: Session, entry_id: int) -> EntryExplanation:
    """One entry: its lines, the rule that made it, the row of the event behind it, its clause, who reversed it."""
    row = session.execute(sa.select(entry).where(entry.c.id == entry_id)).one_or_none()
    if row is None:
        raise Refused("entry.unknown", f"there is no entry {entry_id}", "(see `keizoku ledger account CODE`)")
    lines = session.execute(
        sa.select(line.c.code, line.c.yen).where(line.c.entry_id == entry_id).order_by(line.c.seq)
    ).all()
    rule = _RULES.get(row.event)
    by_people, reversed_by = None, None
    for act in session.execute(
        sa.select(manual_entry).where(sa.or_(manual_entry.c.entry_id == entry_id, manual_entry.c.reverses == entry_id))
    ):
        if act.entry_id == entry_id:
            by_people = PostedByPeople(act.author, act.ground, act.reverses)
        else:
            reversed_by = Reversal(act.entry_id, act.author, act.ground)
    return EntryExplanation(
        **{**row._mapping, "clause": _clause(row.clause)},
        occasion=rule.occasion if rule else BY_PEOPLE.get(row.event, ""),
        lines=tuple(EntryLine(*_names(each.code), yen=int(each.yen)) for each in lines),
        behind=_behind(session, row.event_key),
        by_people=by_people,
        reversed_by=reversed_by,
    )


def chart_rows() -> list[AccountName]:
    """The chart of accounts."""
    return [AccountName(*_names(each.code)) for each in CHART]


def rule_rows() -> list[JournalRule]:
    """The journal rules: what each event posts, and by which clause."""
    return [
        JournalRule(each.event, each.occasion, _legs(each.debit), _legs(each.credit), each.clause)
        for each in rules_table()
    ]


def month_balances(session: Session, month: Month) -> dict[str, MonthBalance]:
    """Opening, movement and closing of every account over a JST month."""
    in_month = entry.c.posted_on >= month.first_on
    rows = session.execute(
        sa.select(
            line.c.code,
            sa.func.coalesce(sa.func.sum(line.c.yen).filter(~in_month), 0).label("opening"),
            sa.func.coalesce(sa.func.sum(line.c.yen).filter(in_month), 0).label("moved"),
        )
        .join(entry, entry.c.id == line.c.entry_id)
        .where(entry.c.posted_on < month.end_on)
        .group_by(line.c.code)
        .order_by(line.c.code)
    )
    return {row.code: MonthBalance(int(row.opening), int(row.moved), int(row.opening + row.moved)) for row in rows}


def _seen(as_of: date | None, known_at: datetime | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if as_of is not None:
        conditions.append(entry.c.posted_on <= as_of)
    if known_at is not None:
        conditions.append(entry.c.recorded_at <= known_at)
    return conditions


def _with_balance(
    session: Session, seen: list[sa.ColumnElement[bool]], opening: int, limit: int | None
) -> Iterator[BookLine]:
    balance = opening
    query = (
        sa.select(entry, line.c.yen)
        .join(line, line.c.entry_id == entry.c.id)
        .where(*seen)
        .order_by(entry.c.posted_on, entry.c.id, line.c.seq)
        .limit(None if limit is None else limit + _LINES_OF_ONE)
    )
    for row in session.execute(query):
        balance += row.yen
        yield BookLine(
            date=row.posted_on,
            entry=row.id,
            event=row.event,
            key=row.event_key,
            account=row.account,
            belongs_to=row.belongs_to,
            yen=int(row.yen),
            balance=int(balance),
        )


def _names(code: str) -> tuple[str, str, str, str]:
    """An account's code, names and type, as `AccountName` takes them."""
    found = _ACCOUNTS.get(code, Account(code, "", "", AccountType.ASSET))
    return code, found.ja, found.en, found.type.value


def _legs(side: Iterable[tuple[Account, str]]) -> tuple[RuleLeg, ...]:
    return tuple(RuleLeg(*_names(account.code), amounts=amounts) for account, amounts in side)


def _clause(clause_id: str) -> EntryClause | None:
    if not clause_id:
        return None
    found = clauses().get(clause_id)
    return EntryClause(clause_id, found.gist_ja if found else "", found.gist_en if found else "")


def _behind(session: Session, key: str) -> RowBehind | None:
    """The row that an event's key names, without what is too long for a table."""
    word, _, rest = key.partition(":")
    query: sa.Select[Any]
    if word == "revenue":
        day, plan, revision = _ends(rest)
        query = sa.select(revenue_posting).where(
            revenue_posting.c.day == sa.cast(day, sa.Date),
            revenue_posting.c.plan == plan,
            revenue_posting.c.revision == int(revision),
        )
        return _row(session, "revenue_posting", query)
    if word == "demand":
        parts = rest.split(":")  # an account may have colons too
        whose = [(":".join(parts[:at]), ":".join(parts[at:])) for at in range(1, len(parts))]
        return _row(
            session, "demand", sa.select(demand).where(sa.tuple_(demand.c.account, demand.c.occasion).in_(whose))
        )
    column = _BEHIND.get(word)
    if column is None:
        return None
    wanted = rest.split(":")[0]
    whole = isinstance(column.type, sa.BigInteger)
    if whole and not wanted.isdecimal():
        return None
    query = sa.select(column.table).where(column == (int(wanted) if whole else wanted)).limit(1)
    return _row(session, column.table.name, query)


def _ends(rest: str) -> tuple[str, str, str]:
    """DAY, PLAN, REVISION of "DAY:PLAN:REVISION"; a plan's code may have colons."""
    day, _, more = rest.partition(":")
    plan, _, revision = more.rpartition(":")
    return day, plan, revision


def _row(session: Session, table: str, query: sa.Select[Any]) -> RowBehind | None:
    found = session.execute(query).first()
    if found is None:
        return None
    return RowBehind(table, {k: v for k, v in found._mapping.items() if k not in _TOO_LONG_TO_SHOW})
