"""A statement taken into the book: every line once, those in yen posted, those whose payer is known settled at once.

in, names a member (reference, or a rule of people's)  ──> a payment of its account, on the bank's day
in or out, booked already from another side            ──> joined, and posted by nobody again
out, the bank's fee                                    ──> 2145 / 1110, 6111 / 2145
anything else in yen                                   ──> 1110 / 2145, or 2145 / 1110: waits for people
not booked yet, cancelled, another currency, left out  ──> in the book, in no account of ours
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final
from zlib import crc32

import sqlalchemy as sa

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
from keizoku.billing.receivables.bank.matching import FreshLine, Matched, RefusedLine, take_fenced, take_matched
from keizoku.billing.receivables.bank.payers import Whose, whose
from keizoku.billing.receivables.bank.reading import read_bank_file
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.receivables.import_log import FindingsInPart, MoneyImport, known_import, note_import
from keizoku.billing.rules.bank.identity import tell_apart
from keizoku.billing.rules.bank.names import is_fee
from keizoku.billing.rules.bank.packed_lines import PackedLines, PackedRows, fields_of, line_of_fields, packed
from keizoku.billing.rules.bank.statement import Direction, Statement, StatementFile, StatementLine
from keizoku.db.locks import leader_lock
from keizoku.db.session import Session
from keizoku.db.writer import BackgroundWriter
from keizoku.gc_pause import collect_young, gc_paused
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.money import tax_included_yen
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

_CHUNK: Final = 5_000
_TOGETHER: Final = 20_000
"""Lines of a file that are told apart at once; a larger one is worked through day by day."""
_NOBODY: Final = Whose(None)
BY_WORDS: Final = "the bank's words"  # who said that a line is a fee


@dataclass(frozen=True, slots=True)
class BankImport:
    """What became of a bank's file, and which of its payments found their account just now, by their ids."""

    logged: MoneyImport
    matched: Matched = field(default_factory=Matched)


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
    with leader_lock(session, "bank") as mine:
        if not mine:
            raise Refused("import.busy", "another bank file is being imported on this database; nothing was done")
        known = known_import(session, "bank", file.sha256, file.digest)
        if known is not None:
            return BankImport(known)
        with gc_paused():
            return _take(session, rules, file, author, now, bank_names)


def _take(
    session: Session, rules: Rules, file: StatementFile, author: str, now: datetime, bank_names: Sequence[str]
) -> BankImport:
    run = _Run(session, rules, file, now, bank_names)
    for batch in batches(file.statements, run.covered):
        run.tell_apart(batch)
    run.take_others(last=True)
    if run.anything_booked:  # those without a name: all lines are there now, so that equals are seen
        join_known(session, now, bank_names)
        session.commit()
    run.take_members()
    if run.lines_new or run.known:
        write_statements(session, file, file.statements, now)
    skipped = sum(each.skipped for each in file.statements)
    findings = run.findings
    logged = note_import(
        session,
        MoneyImport(
            kind="bank",
            source=run.source,
            sha256=file.sha256,
            rows_read=run.usable + skipped + findings.count - run.otherwise - run.refused,
            rows_new=run.received,
            rows_known=run.met,
            rows_passed_over=skipped + run.usable - run.received - run.met - run.otherwise - run.refused,
            rows_refused=findings.count,
            author=author,
            recorded_at=now,
            findings=findings.listed,
            digest=file.digest,
            lines_new=run.lines_new,
        ),
    )
    return BankImport(logged, run.matched)


class _Run:
    """One file on its way into the book: what is not taken yet, and how many became what."""

    def __init__(
        self, session: Session, rules: Rules, file: StatementFile, now: datetime, bank_names: Sequence[str]
    ) -> None:
        self.session, self.rules, self.file, self.now = session, rules, file, now
        self.source = Path(file.source).name
        self.findings = FindingsInPart(file.all_findings, file.unlisted)
        self.anything_booked = bool(booked_elsewhere(session))
        self.usable = self.known = self.met = self.otherwise = self.refused = self.received = self.lines_new = 0
        self.matched = Matched()
        self._names = bank_names if self.anything_booked else None
        self._whole = whole_accounts(file)
        self._others: list[FreshLine] = []
        self._members: dict[date, PackedRows] = {}
        self._told = Lock()
        self._covered: dict[date, str] = {}  # days, and why no terms cover them; empty: they do

    def covered(self, line: StatementLine) -> bool:
        """Whether terms cover the line's day; a finding where they do not."""
        on = line.booked_on
        why = self._covered.get(on)
        if why is None:
            try:
                self.rules.terms.at(on)
            except UncoveredDateError as error:
                why = str(error)
            self._covered[on] = why = why or ""
        if why:
            self.findings.add(Finding(self.file.source, line.line, str(on), why, "leave the row out"))
        self.usable += not why
        return not why

    def tell_apart(self, lines: Sequence[StatementLine]) -> None:
        """All lines of some days: the new ones go to their desks, as far as these are full they are worked off."""
        session = self.session
        told = tell_apart(lines, known_lines(session, lines), used_numbers(session, lines))
        for line, before in told.otherwise:
            rule = f"this row was taken as money {before.line.direction} of {before.line.amount:,} by another mapping"
            remedy = "take that import back first (`keizoku bank imports`, `keizoku bank take-back`)"
            value = f"{line.direction} {line.amount:,}"
            self.findings.add(Finding(self.file.source, line.line, value, rule, remedy))
        self.otherwise += len(told.otherwise)
        self.known += len(told.known)
        self.met += sum(line.direction is Direction.IN and posts(line, whole=False) for line, _ in told.known)
        found = iter(whose(session, [line for line, _ in told.fresh if line.direction is Direction.IN], self.now))
        for line, nth in told.fresh:
            of = next(found) if line.direction is Direction.IN else _NOBODY
            fresh = FreshLine(line, nth, of, posts(line, line.account in self._whole))
            self._count(fresh, 1)
            if fresh.is_member_s:
                self._members.setdefault(line.booked_on, PackedRows()).append(_packed(fresh))
            else:
                self._others.append(fresh)
        self.take_others()

    def _count(self, fresh: FreshLine, change: int) -> None:
        self.lines_new += change
        self.received += change * (fresh.line.direction is Direction.IN and fresh.posts)

    def take_others(self, *, last: bool = False) -> None:
        """Lines that are no known member's, chunk by chunk; a rest waits for more until the `last` ones are here."""
        others = self._others
        ready = len(others) if last else len(others) - len(others) % _CHUNK
        if ready:
            self._others = others[ready:]
            self._refused(
                take_fenced(
                    self.session,
                    self.file.source,
                    others,
                    (range(start, min(start + _CHUNK, ready)) for start in range(0, ready, _CHUNK)),
                    lambda places: _take_others(
                        self.session, self.rules, self.file, self.source, [others[at] for at in places], self.now,
                        self._names,
                    ),
                )
            )  # fmt: skip

    def take_members(self) -> None:
        """Payments whose accounts are known, day by day; of many, half of the accounts on a second connection.

        An account's lines are all taken by the same one, in the order of their days; the server works on the lines of
        one connection while those of the other are decided.
        """
        taken, planned = 0, 0
        with ExitStack() as opened:
            others: BackgroundWriter | None = None
            if sum(map(len, self._members.values())) > _TOGETHER:
                others = opened.enter_context(BackgroundWriter(self.session))
            for on in sorted(self._members):
                anew = taken >= 2 * planned  # what the database planned for tables that were empty reads them whole
                lines = [_unpacked(each) for each in self._members.pop(on)]
                planned = max(taken, 1) if anew else planned
                taken += len(lines)
                if others is not None:
                    half = [each for each in lines if _is_second(each)]
                    lines = [each for each in lines if not _is_second(each)]
                    others.submit(partial(self._taken, half, anew))
                self._taken(lines, anew, self.session)
            if others is not None:
                others.wait()

    def _taken(self, lines: Sequence[FreshLine], anew: bool, session: Session) -> int:
        """Take some payments of one day; how many. `anew`: the database plans its statements again."""
        if anew:
            session.execute(sa.text("DISCARD PLANS"))
        matched, refused = take_matched(session, self.rules, self.file, self.source, lines, self.now)
        with self._told:
            self.matched.extend(matched)
            self._refused(refused)
        taken = len(matched)
        del matched, refused
        collect_young()
        return taken

    def _refused(self, refused: Sequence[RefusedLine]) -> None:
        for fresh, finding in refused:
            self._count(fresh, -1)
            self.findings.add(finding)
        self.refused += len(refused)


def _is_second(fresh: FreshLine) -> bool:
    """Whether a payment is of the accounts that the second connection takes."""
    return bool(crc32((fresh.whose.account or "").encode()) & 1)


def _packed(fresh: FreshLine) -> tuple[object, ...]:
    of = fresh.whose
    term = None if of.for_term_on is None else of.for_term_on.toordinal()
    return (*fields_of(fresh.line), fresh.nth, of.account, term, of.by, of.ground)


def _unpacked(row: Sequence[Any]) -> FreshLine:
    nth, account, term, by, ground = row[-5:]
    of = Whose(account, None if term is None else date.fromordinal(term), by=by, ground=ground)
    return FreshLine(line_of_fields(row), nth, of, True)


def batches(
    statements: Sequence[Statement], wanted: Callable[[StatementLine], bool]
) -> Iterator[Sequence[StatementLine]]:
    """The wanted lines of a file: all at once, or of a large file some days of an account at a time, all of a day's.

    What tells lines apart never looks beyond an account's day.
    """
    if sum(len(each.lines) for each in statements) <= _TOGETHER:
        if every := [line for each in statements for line in each.lines if wanted(line)]:
            yield every
        return
    accounts: dict[str, list[PackedLines]] = {}
    for each in statements:
        for account, lines in _by_account(each):
            accounts.setdefault(account, []).append(lines)
    for of_account in accounts.values():
        batch: list[StatementLine] = []
        for day in sorted({day for lines in of_account for day in lines.days}):
            batch += [line for lines in of_account for line in lines.of_day(day) if wanted(line)]
            if len(batch) >= _CHUNK:
                yield batch
                batch = []
        if batch:
            yield batch


def _by_account(statement: Statement) -> Iterator[tuple[str, PackedLines]]:
    """The lines of a statement by the account that they name, which is nearly always one."""
    lines = packed(statement.lines)
    if lines.accounts == {statement.account}:
        yield statement.account, lines
        return
    found: dict[str, PackedLines] = {}
    for line in lines:
        found.setdefault(line.account, PackedLines()).append(line)
    yield from found.items()


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
