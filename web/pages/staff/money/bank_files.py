"""Files of banks, stores and the gateway: sent by a form, shown before they are taken, and what was taken.

a file ── look ──> as which format it is read, its first lines and what would become of each, what cannot be used
└───── do ────> the same, taken; a bank's file may be taken back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keizoku.billing.statements.presets import formats
from keizoku.billing.statements.store_files import STORE_FORMATS
from keizoku.web.calls.values import Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Figure, Figures, Filters, Input, Page, Prose
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.money.bank import about_cell, bank_tabs
from keizoku.web.pages.staff.navigation import staff

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang

__all__ = ["bank_file", "files", "payers", "statement"]


@staff.screen("/bank/statement", command="bank statement", resource="bank")
def statement(view: View) -> Page:
    """Every line of our accounts, and what became of it."""
    say, wanted = view.say, view.query.get("bank_account", "")
    lines = view.rows("bank.statement", table="lines", bank_account=wanted)
    known = [
        each["account"]
        for each in (worked_out(view, "bank.balance").answer or {"accounts": []})["accounts"]
        if each["account"]
    ]
    fields = (Input("bank_account", say("Our account"), "select", wanted, choices=[(each, each) for each in known]),)
    blocks: list[Block] = [
        *([Filters(fields, say("Show"))] if known else []),
        view.acts(say("What may be done"), [view.act("bank.import_file")]),
        _lines(view, say("Lines"), lines.data, lines.next),
    ]
    return Page(say("Bank and matching"), blocks, tabs=bank_tabs(view, "statement"))


@staff.screen("/bank/files", command="bank imports", resource="bank")
def files(view: View) -> Page:
    """The files that were taken, and what may be taken next."""
    say = view.say
    found = view.rows("bank.list_imports", table="imports")
    rows = [
        [
            view.code(each["id"], to("bank", "files", each["id"])),
            view.text(each["source"], to("bank", "files", each["id"])),
            view.at(each["recorded_at"]),
            view.text(each["author"]),
            view.number(each["rows_new"]),
            view.number(each["rows_known"]),
            view.number(each["rows_refused"], to("bank", "files", each["id"]), "bad" if each["rows_refused"] else ""),
            view.text(say("taken back") if each["undone"] else None, tone="warn"),
        ]
        for each in found.data
    ]
    columns = [
        say("Number"), say("File"), say("Taken"), say("By"), say("New rows"), say("Known rows"), say("Refused rows"),
        say("State"),
    ]  # fmt: skip
    names = ("bank.import_file", "stores.import_file", "payments.import_balance")
    blocks: list[Block] = [
        view.acts(say("Take a file in"), [view.act(name) for name in names]),
        view.table(say("Files of the bank"), columns, rows, name="imports", next=found.next,
                   empty=say("No file was taken in. Take the first one with the button above.")),
    ]  # fmt: skip
    return Page(say("Bank and matching"), blocks, tabs=bank_tabs(view, "files"))


@staff.screen("/bank/files/{number}", command="bank imports", resource="bank")
def bank_file(view: View, number: Number) -> Page:
    """One file: its counts, its lines, what of it could not be used."""
    say = view.say
    found = view.ask("bank.show_import", number=number)
    acts = [] if found["undone"] else [view.act("bank.take_back", number=number)]
    state = [Prose(say("This file was taken back: what its lines posted is reversed."), "warn")]
    blocks: list[Block] = [
        *(state if found["undone"] else []),
        *_taken(view, found),
        view.acts(say("What may be done"), acts),
    ]
    return Page(found["source"], blocks, above=[(say("Files"), to("bank", "files"))])


@staff.screen("/bank/payers", command="bank rules", resource="bank")
def payers(view: View) -> Page:
    """What people confirmed of payers: their next payments are matched by it."""
    say = view.say
    rules = view.rows("bank.list_rules", table="rules")

    def forget(row: Mapping[str, Any]) -> str | None:
        return view.act_at("bank.forget", rule=row["id"])

    table = table_of(view, say("Remembered payers"), rules.data, name="rules", next=rules.next,
                     empty=say("No payer is remembered. Tick “remember” when a payment is matched by hand."),
                     hrefs={"id": forget})  # fmt: skip
    return Page(say("Bank and matching"), [table], tabs=bank_tabs(view, "payers"))


def _taken(view: View, found: Mapping[str, Any]) -> list[Block]:
    """A file that was, or would be, taken: figures, lines, findings."""
    say = view.say
    if found.get("again"):
        told = say("This file is in the books already, since {at}: nothing changes.", at=found["recorded_at"][:16])
        return [Prose(told.replace("T", " "), "warn")]
    figures = [
        Figure(say("Rows read"), view.number(found["rows_read"])),
        Figure(say("New lines"), view.number(found["lines_new"] or found["rows_new"])),
        Figure(say("Known rows"), view.number(found["rows_known"])),
        Figure(
            say("Refused rows"),
            view.number(found["rows_refused"], "#table-findings" if found["rows_refused"] else None,
                        "bad" if found["rows_refused"] else "good"),
        ),
    ]  # fmt: skip
    if found.get("preset"):
        figures.insert(0, Figure(say("Read as"), view.text(_format(view, found["preset"])), found["preset"]))
    blocks: list[Block] = [Figures(figures), _findings(view, found["findings"], found["findings_in_all"])]
    if found["kind"] == "bank" and found["id"]:
        lines = view.rows("bank.import_lines", table="lines", number=found["id"])
        seen_only = view.path.startswith(to("acts"))  # before it is taken: no page of a line is there yet
        blocks.append(_lines(view, say("Lines of this file"), lines.data, lines.next, linked=not seen_only))
    return blocks


def _findings(view: View, findings: Sequence[Mapping[str, Any]], in_all: int) -> Block:
    """What could not be used: line, value, rule, remedy."""
    say = view.say
    rows = [
        [
            view.number(each["line"]),
            view.text(each["value"]),
            view.told("finding_said", each["rule"]),
            view.told("finding_said", each["remedy"]),
        ]
        for each in findings
    ]
    note = say("{n} in all; the first {m} are shown", n=f"{in_all:,}", m=len(rows)) if in_all > len(rows) else ""
    columns = [say("Line"), say("Value"), say("Rule"), say("What to do")]
    return view.table(say("What cannot be used"), columns, rows, empty=say("Every row can be used."), name="findings",
                      note=note)  # fmt: skip


def _lines(
    view: View, title: str, found: Sequence[Mapping[str, Any]], following: str | None, *, linked: bool = True
) -> Block:
    """Lines of the bank: what each says, and what it is."""
    say = view.say
    rows = [
        [
            view.code(each["id"], to("bank", each["id"]) if linked else None),
            view.day(each["paid_on"]),
            _amount(view, each, "in"),
            _amount(view, each, "out"),
            view.text(each["payer"]),
            view.text(each["reference"]),
            view.word("state", each["state"]),
            view.account(each["account"]) if each["account"] else about_cell(view, each["about"]),
            view.yen(each["balance"]),
        ]
        for each in found
    ]
    columns = [
        say("Payment"), say("Day"), say("In"), say("Out"), say("Payer"), say("Reference"), say("State"), say("Whose"),
        say("Balance"),
    ]  # fmt: skip
    empty = say("No line was taken in. Take a bank's file in with the button above.")
    return view.table(title, columns, rows, empty=empty, name="lines", next=following)


def _amount(view: View, each: Mapping[str, Any], direction: str) -> Cell:
    if each["direction"] != direction:
        return Cell("", None, kind="number")
    if each["currency"] == "JPY":
        return view.yen(each["amount"])
    return Cell(f"{each['amount']:,} {each['currency']}", each["amount"], kind="number")


def _format(view: View, name: str) -> str:
    return next((each.ja if view.ja else each.en for each in formats() if each.name == name), name)


def _of_bank(lang: Lang) -> Mapping[str, Sequence[tuple[str, str]]]:
    return {"preset": [(each.name, each.ja if lang == "ja" else each.en) for each in formats()]}


def _of_store(lang: Lang) -> Mapping[str, Sequence[tuple[str, str]]]:
    return {"preset": [(name, word("store_format", name, lang)) for name in STORE_FORMATS]}


def _balance_file(view: View, found: Mapping[str, Any]) -> Sequence[Block]:
    say = view.say
    figures = [
        Figure(say("Movements"), view.number(found["movements"])),
        Figure(say("Payouts"), view.number(found["payouts"])),
        Figure(say("Rows written"), view.number(found["rows_written"])),
    ]
    return [Figures(figures), _findings(view, found["findings"], len(found["findings"]))]


staff.previews["bank.import_file"] = _taken
staff.previews["stores.import_file"] = _taken
staff.previews["payments.import_balance"] = _balance_file
staff.offered["bank.import_file"] = _of_bank
staff.offered["stores.import_file"] = _of_store
staff.leads["bank.import_file"] = lambda answer: to("bank", "files", *([answer["id"]] if answer["id"] else []))
