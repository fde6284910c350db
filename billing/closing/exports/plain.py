"""The journal as it is: a CSV of every line, and a beancount file that `bean-check` proves.

Tax stays in lines of its own. The beancount file opens the month with the balances before it, and asserts the balance
of every account at its end. Pure: entries in, text out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date

from keizoku.billing.closing.exports.entries import BookEntry
from keizoku.billing.closing.exports.mapping import ExportMapping
from keizoku.billing.rules.books.chart import CHART, Account, AccountType
from keizoku.terms.cells import cell_text

CSV_HEADER = (
    "entry", "posted_on", "belongs_to", "event", "clause", "user", "line", "code", "name", "debit", "credit", "memo",
)  # fmt: skip
_ROOTS = {
    AccountType.ASSET: "Assets",
    AccountType.CONTRA_ASSET: "Assets",
    AccountType.LIABILITY: "Liabilities",
    AccountType.REVENUE: "Income",
    AccountType.CONTRA_REVENUE: "Income",
    AccountType.EXPENSE: "Expenses",
}


def csv_rows(entry: BookEntry, mapping: ExportMapping) -> Iterator[list[str]]:
    """Each line of an entry."""
    for number, line in enumerate(entry.lines, start=1):
        account = mapping.accounts[line.account]
        debit, credit = (str(line.yen), "") if line.yen > 0 else ("", str(-line.yen))
        yield [
            str(entry.id),
            entry.posted_on.isoformat(),
            entry.belongs_to,
            entry.event,
            entry.clause,
            cell_text(entry.account),
            str(number),
            cell_text(account.code),
            cell_text(account.name),
            debit,
            credit,
            cell_text(mapping.memo(entry)),
        ]


def beancount_head(first_on: date, opening: Mapping[str, int]) -> Iterator[str]:
    """Options, the chart, and what every account stood at before the month."""
    yield 'option "title" "Keizoku"\noption "operating_currency" "JPY"\n\n'
    yield f"{first_on} commodity JPY\n"
    for account in CHART:
        yield f"{first_on} open {beancount_name(account)} JPY\n  name-ja: {_quoted(account.ja)}\n"
    if any(opening.values()):
        yield f'\n{first_on} * "opening balances"\n'
        for account in CHART:
            if opening.get(account.code):
                yield f"  {beancount_name(account)}  {opening[account.code]} JPY\n"


def beancount_entry(entry: BookEntry, mapping: ExportMapping) -> str:
    """An entry as a transaction."""
    facts = [f"  entry: {entry.id}\n", f"  event: {_quoted(entry.event)}\n"]
    if entry.clause:
        facts.append(f"  clause: {_quoted(entry.clause)}\n")
    if entry.belongs_to:
        facts.append(f"  belongs-to: {_quoted(entry.belongs_to)}\n")
    postings = [f"  {_NAMES[line.account]}  {line.yen} JPY\n" for line in entry.lines]
    return "".join((f"\n{entry.posted_on} * {_quoted(mapping.memo(entry))}\n", *facts, *postings))


def beancount_foot(after_on: date, closing: Mapping[str, int]) -> Iterator[str]:
    """What every account has to stand at when the day `after_on` begins."""
    yield "\n"
    for account in CHART:
        yield f"{after_on} balance {beancount_name(account)}  {closing.get(account.code, 0)} JPY\n"


def beancount_name(account: Account) -> str:
    """An account's name in beancount: Assets:1140-Accounts-receivable."""
    words = "".join(letter if letter.isalnum() else " " for letter in account.en.partition("(")[0]).split()
    return f"{_ROOTS[account.type]}:{account.code}-{'-'.join(words)}"


def _quoted(text: str) -> str:
    """A string of beancount: one line, quotes and backslashes escaped."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


_NAMES = {account.code: beancount_name(account) for account in CHART}
