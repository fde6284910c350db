"""A bank's CSV under a mapping of people's, as a statement: the reader behind `bank import FILE --mapping`.

A mapping names what it must (date, amount, payer); columns whose names say what they are (payments out, balance, the
bank's own number, currency, direction, not yet cleared) are read without being named. A row that a column contradicts,
or whose direction nobody can tell, is a finding: an amount without a sign is never simply received.

    [columns] amount = "預り金額"         amount_out, balance, bank_id, currency, direction, state, kind, value_on
    [constants] account = "mufg-1234567"  which of our accounts the file is of, where it does not say
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from keizoku.billing.receivables.csv_layout import (
    BadValueError,
    Layout,
    MoneyRow,
    day_of,
    open_money_file,
    text_of,
    yen_of,
)
from keizoku.billing.rules.bank.packed_lines import PackedLines, packed
from keizoku.billing.rules.bank.statement import (
    YEN,
    Balance,
    Direction,
    LineState,
    Statement,
    StatementFile,
    StatementLine,
    digest_of,
    file_digest,
)
from keizoku.billing.statements.lines import minor_units
from keizoku.billing.statements.presets import folded_name
from keizoku.billing.statements.table import contradictions, in_order
from keizoku.billing.statements.values import amount_of, direction_of, is_blank
from keizoku.limits import LONGEST_ID, MOST_LISTED
from keizoku.terms.decision import Finding

COLUMNS: Final = (
    *("date", "amount", "payer", "reference", "amount_out", "balance", "bank_id", "currency", "direction", "state"),
    *("kind", "value_on", "account"),
)
NEEDED: Final = ("date", "amount", "payer")

KNOWN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "amount_out": (
        *("支払い金額", "支払金額", "お支払金額", "お支払い金額", "お引出し", "お引出金額", "お引き出し金額"),
        *("引出金額", "出金金額(円)", "出金金額", "出金額", "出金(円)", "出金", "払出金額", "お払出金額", "Paid Out"),
    ),
    "balance": (*("差引残高", "残高", "残高(円)", "現在高", "取引後残高", "お預り残高", "Running Balance", "Balance"),),
    # 明細通番 is no number of the bank: it counts the rows of one file
    "bank_id": ("照会番号", "入出金明細ID", "取引番号", "TransferWise ID", "FITID", "Transaction ID"),
    "currency": ("Currency", "通貨", "通貨コード", "取引通貨"),
    "direction": ("入払区分", "入出金区分", "入出区分", "貸借区分", "Direction"),
    "state": ("未資金化区分", "取消区分"),
    "kind": ("摘要", "取引区分", "取引名", "お取引区分"),
    "value_on": ("起算日", "Value Date"),
}
"""How banks name columns that a mapping need not name; compared whatever the width and case."""


def read_bank_csv(path: Path, layout: Layout, today: date, account: str = "") -> StatementFile:
    """The statement in a CSV file, as far as `today`. Raises OSError if the file cannot be opened.

    `account`: which of our accounts it is of, where neither the file nor the mapping says.
    """
    source = str(path)
    file = open_money_file(path, COLUMNS, NEEDED, layout, KNOWN_NAMES)
    digest = file_digest(file.sha256, layout.model_dump_json() + account)
    if twice := _twice(source, layout):
        return StatementFile(source, file.sha256, digest, (), (twice,))
    findings: list[Finding] = []
    unlisted = 0
    lines: dict[tuple[str, str], PackedLines] = {}
    skipped = 0
    for row in file:
        try:
            found = _line(row, layout, today, account)
        except BadValueError as bad:
            if len(findings) < MOST_LISTED:
                findings.append(Finding(source, row.line, *bad.args))
            else:
                unlisted += 1
            continue
        if found is None:
            skipped += 1
            continue
        key = found.account, found.currency
        of_account = lines.get(key)
        if of_account is None:
            of_account = lines[key] = PackedLines()
        of_account.append(found)
    skipped += file.notes
    findings = [*file.findings, *findings]
    statements = tuple(
        _statement(source, of, currency, read, "mapping" if layout.columns else "")
        for (of, currency), read in lines.items()
    )
    kept = tuple(_without_contradicted(each) for each in statements)
    if skipped and kept:
        kept = (replace(kept[0], skipped=skipped), *kept[1:])
    elif skipped:
        kept = (Statement(account, (), skipped=skipped),)
    return StatementFile(source, file.sha256, digest, kept, tuple(findings), unlisted + file.unlisted)


def _twice(source: str, layout: Layout) -> Finding | None:
    """One column for money in and out is no mapping: a column of payments out was named as the amount."""
    stated = layout.columns.get("amount", "")
    if (
        isinstance(stated, str)
        and stated
        and folded_name(stated) in {folded_name(n) for n in KNOWN_NAMES["amount_out"]}
    ):
        rule = "this column is of payments out, and the mapping takes it for money received"
        return Finding(source, None, stated, rule, "name the column of money received; this one is amount_out")
    return None


def _line(row: MoneyRow, layout: Layout, today: date, account: str) -> StatementLine | None:
    """A row as a line; None: it has no amount. Raises BadValueError."""
    stands = row.values.get
    currency = (stands("currency") or YEN).strip().upper()
    if currency != YEN and not re.fullmatch(r"[A-Z]{3}", currency):
        raise BadValueError(_of(row, "currency"), "it is no currency", "name it by its three letters, as JPY")
    received, paid = _amount(stands("amount", ""), currency), _amount(stands("amount_out", ""), currency)
    if received and paid:
        raise BadValueError(row.raw[:80], "it has money in and out", "say by the mapping which column is which")
    if paid < 0 and not stands("balance"):
        rule = "a payment out below zero, and no balance tells whether it went out or came back"
        raise BadValueError(_of(row, "amount_out"), rule, "correct the row, or name the column as the amount")
    if paid:
        received = -paid
    elif received and "direction" in row.values:
        received = _directed(row, received)
    if not received:
        return None
    booked_on = day_of(stands("date", ""))
    if booked_on > today:
        raise BadValueError(_of(row, "date"), "it lies ahead", "import it when it has arrived")
    named = stands("account") or account
    if len(named) > LONGEST_ID:
        raise BadValueError(named[:40], "it is too long for the key of an account", "shorten it")
    value_on, balance = stands("value_on"), stands("balance")
    return StatementLine(
        named,
        row.line,
        booked_on,
        Direction.IN if received > 0 else Direction.OUT,
        abs(received),
        currency,
        _day_if(value_on) if value_on else None,
        text_of(stands("kind", "")),
        text_of(stands("payer", "")),
        text_of(stands("reference", "")),
        text_of(stands("bank_id", "")),
        _balance(balance, currency) if balance else None,
        _state(stands("state", "")),
        digest_of(row.raw),
        row.ignored,
    )


def _of(row: MoneyRow, name: str) -> str:
    return row.values.get(name, "")


def _directed(row: MoneyRow, amount: int) -> int:
    """An amount with the sign of its direction: the column that says so, where there is one."""
    said = _of(row, "direction")
    way = direction_of(said)
    if is_blank(said) or way == "in":
        return amount
    if way == "out":
        return -abs(amount)
    if "amount_out" in row.values:
        return amount  # the column of the amount has said it already: what stands here is a kind
    rule = "whether it is money in or out cannot be told"
    raise BadValueError(_of(row, "direction"), rule, "name the columns of money in and out")


@lru_cache(maxsize=65_536)
def _amount(written: str, currency: str) -> int:
    """Minor units of the currency; 0 where nothing is written. Raises BadValueError."""
    if is_blank(written):
        return 0
    return yen_of(written) if currency == YEN else minor_units(amount_of(written), currency)


def _balance(written: str, currency: str) -> int | None:
    try:
        return _amount(written, currency) if written else None
    except BadValueError:
        return None


def _day_if(written: str) -> date | None:
    try:
        return day_of(written) if written else None
    except BadValueError:
        return None


@lru_cache(maxsize=1_024)
def _state(written: str) -> LineState:
    """Not cleared yet, or taken back, where the bank marks it."""
    said = unicodedata.normalize("NFKC", written).strip()
    if said in ("", "0", "-"):
        return LineState.BOOKED
    return LineState.CANCELLED if "取消" in said else LineState.PENDING


def _statement(source: str, account: str, currency: str, read: PackedLines, preset: str) -> Statement:
    """The lines in the order in which they happened, and the balances before and after them."""
    lines = in_order(read)
    findings = tuple(contradictions(source, lines, "mapping"))
    opening = closing = None
    if lines and lines[0].balance is not None:
        opening = Balance(lines[0].booked_on, lines[0].balance - lines[0].signed)
    if lines and lines[-1].balance is not None:
        closing = Balance(lines[-1].booked_on, lines[-1].balance)
    return Statement(account, lines, currency, opening, closing, findings, preset)


def _without_contradicted(statement: Statement) -> Statement:
    wrong = {finding.line for finding in statement.findings}
    if not wrong:
        return statement
    kept = packed(each for each in statement.lines if each.line not in wrong)
    return replace(statement, lines=kept, opening=None, closing=None)
