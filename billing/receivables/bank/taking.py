"""A statement taken into the book: every line once, those in yen posted, those whose payer is known settled at once.

in, names a member (reference, or a rule of people's)  ──> a payment of its account, on the bank's day
in or out, booked already from another side            ──> joined, and posted by nobody again
out, the bank's fee                                    ──> 2145 / 1110, 6111 / 2145
anything else in yen                                   ──> 1110 / 2145, or 2145 / 1110: waits for people
not booked yet, cancelled, another currency, left out  ──> in the book, in no account of ours
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from keizoku.billing.gateway.port import BANK_NAMES
from keizoku.billing.ledger.bank_acts import note_act
from keizoku.billing.ledger.bank_joins import booked_elsewhere, join_known
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.bank.line_store import (
    known_lines,
    posts,
    used_numbers,
    whole_accounts,
    write_lines,
    write_statements,
)
from keizoku.billing.receivables.bank.matching import FreshLine, MatchedLine, take_fenced, take_matched
from keizoku.billing.receivables.bank.payers import Whose, whose
from keizoku.billing.receivables.bank.reading import read_bank_file
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import MoneyImport, known_import, note_import
from keizoku.billing.rules.bank_identity import tell_apart
from keizoku.billing.rules.bank_names import is_fee
from keizoku.billing.rules.bank_statement import Direction, StatementFile, StatementLine
from keizoku.db.session import Session, release_leader_lock, try_leader_lock
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.money import tax_included_yen
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

_CHUNK: Final = 5_000
BY_WORDS: Final = "the bank's words"  # who said that a line is a fee


@dataclass(frozen=True, slots=True)
class BankImport:
    """What became of a bank's file, and which of its payments found their account just now."""

    logged: MoneyImport
    matched: tuple[MatchedLine, ...] = ()


def import_bank(
    session: Session,
    rules: Rules,
    path: Path,
    layout: Layout,
    author: str,
    now: datetime,
    *,
    account: str = "",
    bank_names: Sequence[str] = BANK_NAMES,
    preset: str = "",
    ours: Collection[str] = (),
) -> BankImport:
    """Take a bank's file, in any format that is known, or under a mapping; what our reference names is matched at once.

    `ours`: our accounts at banks, where only files of these are to be taken.

    Killed in the middle, the same call takes what is missing. Raises OSError if the file cannot be opened.
    """
    file, read_as = read_bank_file(path, layout, jst_day(now), account, preset, ours)
    done = take_statement(session, rules, file, author, now, bank_names)
    return replace(done, logged=replace(done.logged, preset=read_as))


def take_statement(
    session: Session,
    rules: Rules,
    file: StatementFile,
    author: str,
    now: datetime,
    bank_names: Sequence[str] = BANK_NAMES,
) -> BankImport:
    """Take a statement, however it was read. A file is taken once under one mapping, until it is taken back."""
    if not try_leader_lock(session, "bank"):
        session.rollback()
        raise Refused("import.busy", "another bank file is being imported on this database; nothing was done")
    session.commit()
    try:
        known = known_import(session, "bank", file.sha256, file.digest)
        return _take(session, rules, file, author, now, bank_names) if known is None else BankImport(known)
    finally:
        session.rollback()
        release_leader_lock(session, "bank")
        session.commit()


def _take(
    session: Session, rules: Rules, file: StatementFile, author: str, now: datetime, bank_names: Sequence[str]
) -> BankImport:
    findings = list(file.all_findings)
    usable = _covered(file, rules, findings)
    told = tell_apart(usable, known_lines(session, usable), used_numbers(session, usable))
    for line, before in told.otherwise:
        rule = f"this row was taken as money {before.line.direction} of {before.line.amount:,} by another mapping"
        remedy = "take that import back first (`keizoku bank imports`, `keizoku bank take-back`)"
        findings.append(Finding(file.source, line.line, f"{line.direction} {line.amount:,}", rule, remedy))
    source = Path(file.source).name
    incoming = [line for line, _ in told.fresh if line.direction is Direction.IN]
    found = iter(whose(session, incoming))
    nobody, whole = Whose(None), whole_accounts(file)
    fresh = [
        FreshLine(
            line, nth, next(found) if line.direction is Direction.IN else nobody, posts(line, line.account in whole)
        )
        for line, nth in told.fresh
    ]
    others = [each for each in fresh if not each.is_member_s]
    anything_booked = bool(booked_elsewhere(session))
    names = bank_names if anything_booked else None
    refused = take_fenced(
        session,
        file.source,
        others,
        (range(start, min(start + _CHUNK, len(others))) for start in range(0, len(others), _CHUNK)),
        lambda places: _take_others(session, rules, file, source, [others[at] for at in places], now, names),
    )
    if anything_booked:  # those without a name: all lines are there now, so that equals are seen
        join_known(session, now, bank_names)
        session.commit()
    of_members = sorted((each for each in fresh if each.is_member_s), key=lambda each: each.line.booked_on)
    matched, of_those = take_matched(session, rules, file, source, of_members, now)
    refused += of_those
    findings += (finding for _, finding in refused)
    left = {id(each) for each, _ in refused}
    fresh = [each for each in fresh if id(each) not in left]
    if fresh or told.known:
        write_statements(session, file, file.statements, now)
    skipped = sum(each.skipped for each in file.statements)
    received = [each for each in fresh if each.line.direction is Direction.IN and each.posts]
    met = [line for line, _ in told.known if line.direction is Direction.IN and posts(line, whole=False)]
    logged = note_import(
        session,
        MoneyImport(
            kind="bank",
            source=source,
            sha256=file.sha256,
            rows_read=len(usable) + skipped + len(findings) - len(told.otherwise) - len(refused),
            rows_new=len(received),
            rows_known=len(met),
            rows_passed_over=skipped + len(usable) - len(received) - len(met) - len(told.otherwise) - len(refused),
            rows_refused=len(findings),
            author=author,
            recorded_at=now,
            findings=tuple(sorted(findings, key=lambda finding: finding.line or 0)),
            digest=file.digest,
            lines_new=len(fresh),
        ),
    )
    return BankImport(logged, matched)


def _covered(file: StatementFile, rules: Rules, findings: list[Finding]) -> list[StatementLine]:
    """The lines of days that terms cover; a finding for each other."""
    kept = []
    for statement in file.statements:
        for line in statement.lines:
            try:
                rules.terms.at(line.booked_on)
            except UncoveredDateError as error:
                findings.append(Finding(file.source, line.line, str(line.booked_on), str(error), "leave the row out"))
            else:
                kept.append(line)
    return kept


def _take_others(
    session: Session,
    rules: Rules,
    file: StatementFile,
    source: str,
    chunk: Sequence[FreshLine],
    now: datetime,
    bank_names: Sequence[str] | None,
) -> None:
    """Lines that are no known member's: joined to what is booked, or posted on their day; commits.

    `bank_names` None: nothing is booked elsewhere that a line could be.
    """
    ids = write_lines(session, file, (each.row for each in chunk), source, now)
    joined = frozenset() if bank_names is None else join_known(session, now, bank_names, just_written=ids)
    postings: list[Posting] = []
    fees: list[tuple[int, Posting]] = []
    for line_id, each in zip(ids, chunk, strict=True):
        if line_id in joined or not each.posts:
            continue
        line = each.line
        event = "unidentified_receipt" if line.direction is Direction.IN else "unidentified_payment"
        postings.append(Posting(event, f"bank:{line_id}", line.booked_on, {"yen": line.amount}))
        if line.direction is Direction.OUT and is_fee(line.payer, line.kind_text, line.amount):
            tax_yen = tax_included_yen(line.amount, rules.terms.at(line.booked_on).tax.rate)
            amounts = {"yen": line.amount, "tax_yen": tax_yen}
            fees.append((line_id, Posting("bank_fee", f"bank:{line_id}:fee", line.booked_on, amounts)))
    post(session, [*postings, *(posting for _, posting in fees)], now)
    for line_id, _ in fees:
        note_act(session, line_id, "fee", now, BY_WORDS, None)
    session.commit()
