"""Faults that are planted in a quarter: each of a named kind, each to be found and typed, none to be invented.

Of a file      a row that lacks, is turned, doubled, cut, spoilt; a wrong balance; two days changed; broken letters; …
Of the money   a payer who pays for another, a typo, an older payment found later, a payout less a fee, …
Of the stores  an order that nobody knows, a refund of what was never sold, a product without a plan, another price

A fault of a file is planted only where the file itself contradicts it: two equal amounts whose days are changed are no
fault that anybody could see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Final

from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.terms.decision import Finding
from tests.quarter.company import PROCESSOR, Company
from tests.quarter.truth import PLAIN, Account, Line, Paper, Row, Week

ROW: Final = (
    "missing_line", "wrong_sign", "wrong_balance", "swapped_days", "doubled_row", "spoilt_amount", "cut_row",
)  # fmt: skip
FILE: Final = ("broken_letters", "doubled_file", "other_format", "missing_file", "changed_mapping")
MONEY: Final = (
    "pays_for_another", "typo", "unknown_reference", "two_references", "older_found_later", "nobody_s", "income",
    "unnamed_fee", "equal_lines", "payout_less_fee", "dollars", "foreign_account", "refund_a_day_later",
    "strange_charge",
)  # fmt: skip
STORE: Final = ("unknown_order", "refund_without_sale", "product_without_plan", "units_differ", "price_differs",
                "doubled_report", "store_less_fee")  # fmt: skip
TYPES: Final = {
    "file_not_whole": r"trailer counts|end record counts|closing balance is",
    "wrong_sign": r"^the balance (falls|rises) by",
    "cut_row": r"^the header has \d+ columns, this row",
    "spoilt_amount": r"it is no amount",
    "broken_letters": r"file is (not )?UTF-8 or cp932|^a field is JIS or cp932",
    "foreign_account": r"none of our accounts",
    "changed_mapping": r"was taken as money (in|out) of .* by another mapping",
    "unknown_order": r"no account is known for the order",
    "refund_without_sale": r"the store has reported no term",
    "totals_differ": r"terms of the plan .* began",
}
"""What each type of finding says, whatever the row."""


def typed(finding: Finding) -> str:
    """The type of a finding, by its rule; the sentence itself where it has none: that is an invention."""
    said = f"{finding.rule}"
    return next((name for name, pattern in TYPES.items() if re.search(pattern, said)), f"untyped: {said}")


def deck(kinds: Iterable[str], rng: Random) -> Iterator[str]:
    """Kinds for ever, each once before any comes again."""
    every = list(kinds)
    while True:
        rng.shuffle(every)
        yield from every


def plant_in_paper(paper: Paper, kind: str, rng: Random, used: set[int]) -> bool:
    """Spoil a row of a file; whether there was a place where the file shows it. Places are two rows apart."""
    if paper.format in PLAIN:
        return _plant_in_sums(paper, kind, rng, used)
    places = [at for at in range(1, len(paper.rows) - 2) if not {at - 2, at - 1, at, at + 1, at + 2} & used]
    rng.shuffle(places)
    before, rows = breaks_of(paper, 0), list(paper.rows)
    for at in places:
        here, after = rows[at], rows[at + 1]
        last_of_day = here.movement.on != after.movement.on
        there = paper.strange.get(here.movement.on)
        if there == "wrong_balance" or (there and kind == "wrong_balance"):
            continue  # two ways to explain one day
        changed = list(rows)
        if kind == "missing_line":
            del changed[at]
        elif kind == "wrong_sign":
            changed[at] = here._replace(movement=here.movement._replace(yen=-here.movement.yen))
        elif kind == "wrong_balance" and last_of_day:
            changed[at] = here._replace(balance=here.balance + 90_000)
        elif kind == "swapped_days" and last_of_day:
            first, second = here.movement, after.movement
            changed[at] = here._replace(movement=first._replace(on=second.on))
            changed[at + 1] = after._replace(movement=second._replace(on=first.on))
        elif kind == "doubled_row":
            changed.insert(at, here)
        elif kind in ("spoilt_amount", "cut_row"):
            changed[at] = here._replace(spoilt={"spoilt_amount": "amount", "cut_row": "cut"}[kind])
        else:
            continue
        paper.rows = changed
        if breaks_of(paper, 0) != before:
            shift = {"missing_line": -1, "doubled_row": 1}.get(kind, 0)
            moved = {each + shift if each > at else each for each in used}
            used.clear()
            used.update(moved | {at, at + 1} - ({at} if kind == "missing_line" else set()))
            paper.strange |= {here.movement.on: kind} | ({after.movement.on: kind} if kind == "swapped_days" else {})
            return True
        paper.rows = rows
    return False


def _plant_in_sums(paper: Paper, kind: str, rng: Random, used: set[int]) -> bool:
    """A file with sums of its own takes one fault: an entry that lacks or is turned."""
    if used or len(paper.truth) < 3 or kind not in ("missing_line", "wrong_sign"):
        return False
    if kind == "wrong_sign" and paper.format != "zengin":
        return False
    if paper.format == "ofx" and len(paper.truth) == len(paper.account.lines):
        return False  # the first file tells only what the account held after it: nothing contradicts it
    at = rng.randrange(1, len(paper.truth) - 1)
    (paper.left_out if kind == "missing_line" else paper.turned).add(paper.truth[at].id)
    used.add(at)
    return True


def taken_rows(paper: Paper) -> list[Row]:
    """The rows of a table that can be used: those that are whole and that their balance does not contradict."""
    kept: list[Row] = []
    before: Row | None = None
    for row in paper.rows:
        if row.spoilt:
            continue
        if before is None or before.balance - row.movement.yen != row.balance:
            kept.append(row)
        before = row
    return kept


def breaks_of(paper: Paper, off: int) -> list[tuple[date, int]]:
    """On which days what lines make and what the file states come to differ; `off`: what lacked before the file."""
    told: list[tuple[date, int, list[int]]] = []
    held = paper.opening - off
    if paper.format in PLAIN:
        told.append((paper.week.first_on - timedelta(days=1), held, [paper.opening]))
        true = sum(each.yen for each in paper.truth)
        lacks = sum(each.yen for each in paper.truth if each.id in paper.left_out)
        turned = sum(2 * each.yen for each in paper.truth if each.id in paper.turned)
        told.append((paper.week.last_on, held + true - lacks - turned, [paper.opening + true]))
    else:
        rows = taken_rows(paper)
        for on in sorted({row.movement.on for row in rows}):
            of_day = [row for row in rows if row.movement.on == on]
            held += sum(row.movement.yen for row in of_day)
            told.append((on, held, [row.balance for row in of_day]))
    found, known = [], 0
    for on, makes, stated in told:
        if makes + known in stated:
            continue
        found.append((on, stated[-1] - makes - known))
        known = stated[-1] - makes
    return found


def plant_in_money(company: Company, lines: list[tuple[str, Line]], kind: str, week: Week) -> bool:
    """Make one line of a week strange, or add one; whether there was a line for it."""
    rng = company.rng
    own = [at for at, (_, each) in enumerate(lines) if each.kind == "member" and not each.fault]
    rng.shuffle(own)
    planters: dict[str, Callable[[Line], Line]] = {
        "pays_for_another": lambda one: replace(one, name="ｽｽﾞｷ ｲﾁﾛｳ", doubt="no reference"),
        "older_found_later": lambda one: replace(one, name=company.names[one.about], doubt="no reference"),
        "typo": lambda one: replace(one, name=_mistyped(one.name), doubt="a reference with a typo"),
        "unknown_reference": lambda one: _unknown(one, company),
        "two_references": lambda one: _two(one, company),
    }
    if kind in planters:
        if not own or (kind == "older_found_later" and week.last_on >= date(2026, 6, 1)):
            return False
        home, one = lines[own[0]]
        lines[own[0]] = (home, replace(planters[kind](one), fault=kind))
        return True
    if kind == "equal_lines":
        if not own:
            return False
        home, one = lines[own[0]]
        lines[own[0]] = (home, replace(one, fault="equal"))
        lines.append((home, replace(one, id=company.number(), fault=kind)))
        return True
    on = week.first_on + timedelta(days=rng.randrange(2, 6))
    added = {
        "nobody_s": Line(on, 7_000 + company.number(), "ﾎﾝﾀﾞ ｻﾌﾞﾛｳ", company.number(), "nobody", doubt="no reference"),
        "income": Line(on, 3_000 + company.number(), "ﾎｼﾞﾖｷﾝ", company.number(), "income", doubt="no reference"),
        "unnamed_fee": Line(on, -(100 + company.number() % 90), "ﾂｷｷﾞﾒ", company.number(), "odd fee"),
    }
    if kind in added:
        lines.append((rng.choice("AB"), replace(added[kind], fault=kind)))
        return True
    if kind == "payout_less_fee":
        for at, (home, one) in enumerate(lines):
            if one.name == PROCESSOR and one.yen > 500 and not one.fault:
                lines[at] = (home, replace(one, yen=one.yen - 220, fault=kind, doubt="no reference"))
                return True
        return False
    if kind == "refund_a_day_later":
        for at, (home, one) in enumerate(lines):
            if one.kind == "refund" and not one.fault:
                lines[at] = (home, replace(one, on=one.on + timedelta(days=1), fault=kind))
                return True
    return False


def _mistyped(name: str) -> str:
    last = int(name[8])
    return f"{name[:8]}{(last + 1) % 10}{name[9:]}"


def _unknown(one: Line, company: Company) -> Line:
    reference = Reference(ACCOUNT, 800_000 + company.number())
    doubt = f"no account or invoice has the reference {reference}"
    return replace(one, name=f"{reference}{company.names[one.about]}", doubt=doubt)


def _two(one: Line, company: Company) -> Line:
    other = next(each for each in company.references if each != one.about)
    name = f"{company.references[one.about]} {company.references[other]}"
    return replace(one, name=name, doubt="references of several accounts")


def dollars(week: Week, number: int) -> bytes:
    """A balance in dollars, as Wise writes it."""
    head = "TransferWise ID,Date,Amount,Currency,Description,Payment Reference,Running Balance,Payer Name\n"
    row = (
        f"TRANSFER-{number},{week.first_on:%d-%m-%Y},5.00,USD,Received money,INV {number},{100 + number}.00,Jane Roe\n"
    )
    return (head + row).encode()


def foreign(week: Week) -> Paper:
    """The file of an account that is none of ours."""
    other = Account("0005-001-1-7654321", ("zengin",), 77_000)
    return Paper(other, week, "zengin", other.opening, [Line(week.first_on, 900, "ﾀﾆﾝ", 1, "member")])
