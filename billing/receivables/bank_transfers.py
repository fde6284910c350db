"""Incoming transfers (振込): imported from the bank's file, matched by our reference, else by people.

    line of a file ── our reference in it ──> a payment of its account, on the bank's day (1110 / 1140 …)
          └── none, mistyped, several ──> 2145, listed ── people match it ──> 2145 / 1140 …
                                                     └── nobody is found ──> sent back, 2145 / 1110

Always holds: the n-th equal line of a file is the n-th payment, whichever file shows it, so a line is never counted
twice and two equal payments are two. A match can be taken back with a ground, the newest of an account first; whose
fee it was stands open again as if it had not come.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.bank_acts import note_act, open_line
from keizoku.billing.receivables.cash_application import AppliedMoney
from keizoku.billing.receivables.csv_layout import (
    BadValueError,
    Layout,
    MoneyFile,
    day_of,
    read_money_file,
    text_of,
    yen_of,
)
from keizoku.billing.receivables.import_log import MoneyImport, known_import, note_import
from keizoku.billing.receivables.read_models import PayerReference
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference, references_in
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows, release_leader_lock, try_leader_lock
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import gateway_payout
from keizoku.db.tables.money import invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

COLUMNS = ("date", "amount", "payer", "reference")
NEEDED = ("date", "amount", "payer")
BY_REFERENCE = "reference"  # who matched what the reference matched
_CHUNK = 500
_LINE = ("source", "line", "paid_on", "yen", "payer", "reference", "nth", "doubt", "recorded_at")


@dataclass(frozen=True, slots=True)
class BankLine:
    """One incoming payment of a file; the `nth` of its equals in it."""

    line: int
    paid_on: date
    yen: int
    payer: str
    reference: str
    nth: int

    @property
    def key(self) -> tuple[date, int, str, str, int]:
        """What tells it from every other payment."""
        return self.paid_on, self.yen, self.payer, self.reference, self.nth


@dataclass(frozen=True, slots=True)
class MatchedLine:
    """A payment that found its account: the rows that say so."""

    line_id: int
    act_id: int
    applied: AppliedMoney

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.applied.application.account


@dataclass(frozen=True, slots=True)
class BankImport:
    """What became of a bank's file, and which of its payments found their account just now."""

    logged: MoneyImport
    matched: tuple[MatchedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom a reference names, and which debt; or why nobody was found."""

    account: str | None
    for_term_on: date | None = None
    doubt: str | None = None


def import_bank(session: Session, rules: Rules, path: Path, layout: Layout, author: str, now: datetime) -> BankImport:
    """Take the incoming payments of a bank's file; those that our reference names are matched at once.

    Killed in the middle, the same call takes what is missing. Raises OSError if the file cannot be opened.
    """
    file = read_money_file(path, COLUMNS, NEEDED, layout)
    if not try_leader_lock(session, "bank"):
        session.rollback()
        raise Refused("import.busy", "another bank file is being imported on this database; nothing was done")
    session.commit()
    try:
        known = known_import(session, "bank", file.sha256)
        return _take(session, rules, path, file, author, now) if known is None else BankImport(known)
    finally:
        session.rollback()
        release_leader_lock(session, "bank")
        session.commit()


def _take(session: Session, rules: Rules, path: Path, file: MoneyFile, author: str, now: datetime) -> BankImport:
    lines, findings, outgoing = _lines(str(path), file.rows, rules, jst_day(now))
    known = _known(session, lines)
    fresh = [each for each in lines if each.key not in known]
    whose = [_whose(session, each) for each in fresh]
    open_ones = [(each, found) for each, found in zip(fresh, whose, strict=True) if found.account is None]
    for start in range(0, len(open_ones), _CHUNK):
        _take_unidentified(session, path.name, open_ones[start : start + _CHUNK], now)
    matched = tuple(
        _take_matched(session, rules, path.name, each, found.account, found.for_term_on, now)
        for each, found in zip(fresh, whose, strict=True)
        if found.account is not None
    )
    all_findings = tuple(sorted([*file.findings, *findings], key=lambda finding: finding.line or 0))
    logged = note_import(
        session,
        MoneyImport(
            kind="bank",
            source=path.name,
            sha256=file.sha256,
            rows_read=len(file.rows) + file.passed_over + len(file.findings),
            rows_new=len(fresh),
            rows_known=len(lines) - len(fresh),
            rows_passed_over=file.passed_over + outgoing,
            rows_refused=len(all_findings),
            author=author,
            recorded_at=now,
            findings=all_findings,
        ),
    )
    return BankImport(logged, matched)


@dataclass(frozen=True, slots=True)
class PayerFound:
    """Whose an incoming payment is, who found it out and how; `costs_yen` and the term are as for any payment."""

    line_id: int
    account: str
    by: str
    ground: str
    costs_yen: int = 0
    for_term_on: date | None = None


def match(session: Session, rules: Rules, found: PayerFound, now: datetime) -> MatchedLine:
    """People found whose a payment is: it is the account's, on the bank's day. Commits; what was written for it."""
    line_id, account = found.line_id, found.account
    line = open_line(session, line_id)
    if session.execute(sa.select(account_table.c.id).where(account_table.c.id == account)).first() is None:
        session.rollback()
        raise Refused("account.unknown", f"account {account!r} is not known")
    payment = Payment(
        account,
        line.yen,
        costs_yen=found.costs_yen,
        for_term_on=found.for_term_on,
        received_on=line.paid_on,
        was_unidentified=True,
    )
    try:
        applied = receive(session, rules, payment, now, commit=False)
    except Refused:
        session.rollback()
        raise
    act_id = note_act(session, line_id, "matched", now, found.by, found.ground, account, applied.source_id)
    session.commit()
    return MatchedLine(line_id, act_id, applied)


def send_back(session: Session, line_id: int, by: str, ground: str, now: datetime) -> None:
    """Nobody can be found: the payment went back to where it came from. Commits."""
    line = open_line(session, line_id)
    note_act(session, line_id, "returned", now, by, ground)
    post(session, [Posting("unidentified_returned", f"bank:{line_id}:returned", jst_day(now), {"yen": line.yen})], now)
    session.commit()


def is_payout(session: Session, line_id: int, by: str, ground: str, now: datetime) -> None:
    """A line of the bank is the processor's payout, which its balance has booked already: 2145 is cleared. Commits."""
    line = open_line(session, line_id)
    came_back = gateway_payout.alias("came_back")
    paid = sa.select(sa.func.count(sa.distinct(gateway_payout.c.payout))).where(
        gateway_payout.c.amount == line.yen,
        ~sa.exists().where(
            came_back.c.payout == gateway_payout.c.payout, came_back.c.state.in_(("failed", "canceled"))
        ),
    )
    shown = (
        sa.select(sa.func.count())
        .select_from(bank_act)
        .join(bank_line, bank_line.c.id == bank_act.c.line_id)
        .where(bank_act.c.kind == "payout", bank_line.c.yen == line.yen)
    )
    if session.execute(shown).scalar_one() >= session.execute(paid).scalar_one():
        session.rollback()
        raise Refused(
            "transfer.no_payout",
            f"payment {line_id}: no payout of the processor of {line.yen} yen is left that it could be",
        )
    note_act(session, line_id, "payout", now, by, ground)
    post(session, [Posting("payout_at_bank", f"bank:{line_id}:payout", jst_day(now), {"yen": line.yen})], now)
    session.commit()


def references_of(session: Session, account: str) -> list[PayerReference]:
    """The references that a payer of this account can state: the account's own, and one of each open invoice."""
    number = session.execute(
        sa.select(account_table.c.number).where(account_table.c.id == account)
    ).scalar_one_or_none()
    if number is None:
        raise Refused("account.unknown", f"account {account!r} is not known")
    rows = session.execute(
        sa.select(invoice.c.id, invoice.c.open_yen, term.c.starts_on)
        .join(term, term.c.id == invoice.c.term_id)
        .where(invoice.c.account == account, invoice.c.state == "open")
        .order_by(invoice.c.due_on, invoice.c.id)
    )
    return [
        PayerReference(str(Reference(ACCOUNT, number)), "account", None, None),
        *(PayerReference(str(Reference("2", row.id)), "invoice", row.starts_on, row.open_yen) for row in rows),
    ]


def _lines(
    source: str, rows: Sequence[tuple[int, Any]], rules: Rules, today: date
) -> tuple[list[BankLine], list[Finding], int]:
    """The incoming payments, findings for rows that cannot be used, how many rows are no incoming payments."""
    found: list[BankLine] = []
    findings: list[Finding] = []
    outgoing = 0
    seen: Counter[tuple[date, int, str, str]] = Counter()
    for line, row in rows:
        try:
            yen = yen_of(row["amount"]) if row["amount"] else 0
            if yen <= 0:  # the bank's own column of payments out, or a minus
                outgoing += 1
                continue
            paid_on = day_of(row["date"])
            if paid_on > today:
                raise BadValueError(row["date"], "it lies ahead", "import it when it has arrived")
            rules.terms.at(paid_on)
            facts = (paid_on, yen, text_of(row["payer"]), text_of(row.get("reference", "")))
        except BadValueError as bad:
            findings.append(Finding(source, line, *bad.args))
            continue
        except UncoveredDateError as error:
            findings.append(Finding(source, line, row["date"], str(error), "leave the row out"))
            continue
        seen[facts] += 1
        found.append(BankLine(line, *facts, seen[facts]))
    return found, findings, outgoing


def _known(session: Session, found: Sequence[BankLine]) -> set[tuple[date, int, str, str, int]]:
    if not found:
        return set()
    days = [each.paid_on for each in found]
    rows = session.execute(
        sa.select(
            bank_line.c.paid_on, bank_line.c.yen, bank_line.c.payer, bank_line.c.reference, bank_line.c.nth
        ).where(bank_line.c.paid_on.between(min(days), max(days)))
    )
    return {tuple(row) for row in rows}


def _whose(session: Session, line: BankLine) -> Whose:
    """By the reference as stated, in its own column or in the payer's name."""
    stated, mistyped = references_in(f"{line.reference} {line.payer}")
    found = {each: _account_of(session, each) for each in stated}
    accounts = {each.account for each in found.values() if each.account is not None}
    if len(accounts) > 1:
        return Whose(None, doubt="references of several accounts")
    if not accounts:
        if stated:
            return Whose(None, doubt=f"no account or invoice has the reference {', '.join(map(str, stated))}")
        return Whose(None, doubt="a reference with a typo" if mistyped else "no reference")
    named = {each.for_term_on for each in found.values() if each.for_term_on is not None}
    return Whose(accounts.pop(), named.pop() if len(named) == 1 else None)


def _account_of(session: Session, reference: Reference) -> Whose:
    if reference.kind == ACCOUNT:
        name = session.execute(
            sa.select(account_table.c.id).where(account_table.c.number == reference.number)
        ).scalar_one_or_none()
        return Whose(name)
    row = session.execute(
        sa.select(invoice.c.account, invoice.c.state, term.c.starts_on)
        .join(term, term.c.id == invoice.c.term_id)
        .where(invoice.c.id == reference.number)
    ).one_or_none()
    if row is None:
        return Whose(None)
    return Whose(row.account, row.starts_on if row.state == "open" else None)


def _take_unidentified(session: Session, source: str, chunk: Sequence[tuple[BankLine, Whose]], now: datetime) -> None:
    ids = next_ids(session, bank_line, len(chunk))
    copy_rows(
        session,
        bank_line,
        ("id", *_LINE),
        ((i, source, each.line, *each.key, whose.doubt, now) for i, (each, whose) in zip(ids, chunk, strict=True)),
    )
    post(
        session,
        [
            Posting("unidentified_receipt", f"bank:{i}", each.paid_on, {"yen": each.yen})
            for i, (each, _) in zip(ids, chunk, strict=True)
        ],
        now,
    )
    session.commit()


def _take_matched(
    session: Session, rules: Rules, source: str, line: BankLine, account: str, for_term_on: date | None, now: datetime
) -> MatchedLine:
    """A line, its receipt and what that settles, in one transaction."""
    (line_id,) = next_ids(session, bank_line, 1)
    copy_rows(session, bank_line, ("id", *_LINE), [(line_id, source, line.line, *line.key, None, now)])
    try:
        payment = Payment(account, line.yen, for_term_on=for_term_on, received_on=line.paid_on)
        applied = receive(session, rules, payment, now, commit=False)
    except Refused:  # the debt that it names is paid by an earlier line of this file: the oldest open one, then
        applied = receive(session, rules, Payment(account, line.yen, received_on=line.paid_on), now, commit=False)
    act_id = note_act(session, line_id, "matched", now, BY_REFERENCE, None, account, applied.source_id)
    session.commit()
    return MatchedLine(line_id, act_id, applied)
