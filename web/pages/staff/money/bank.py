"""Bank and matching: what waits, whose it may be and why, one click to match it, and the way to undo it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Figure, Figures, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import MOST_IN_A_FILE, ROWS, View
from keizoku.web.pages.shared.words import named, word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["about_cell", "bank", "bank_tabs", "reasons_of", "transfers", "unmet_table"]

for _act in ("match", "payout", "fee", "transfer", "other"):
    staff.undone_by[f"bank.{_act}"] = "bank.unmatch"


_NOT_YET: Final[dict[str, Any]] = {
    "ledger_yen": None, "lines_yen": None, "rest_yen": None, "unmet": [], "accounts": [],
}  # fmt: skip


@staff.screen("/bank", command="bank list", resource="bank")
def bank(view: View) -> Page:
    """What waits to be matched."""
    say = view.say
    waiting = view.rows("bank.list_payments", open_only=True, table="waiting")
    compared, control = worked_out(view, "bank.suggest"), worked_out(view, "bank.balance")
    suggested = compared.page(view, "suggestions", "id")
    balance: dict[str, Any] = control.answer or _NOT_YET
    explained = balance["ledger_yen"] - balance["lines_yen"] - balance["rest_yen"] if control.answer else None
    may = view.may("bank.match")
    rows = [
        [
            view.code(each["id"], to("bank", each["id"])),
            view.day(each["paid_on"]),
            view.yen(each["yen"]),
            view.text(each["payer"]),
            view.account(each["account"]),
            view.text(reasons_of(view, each)),
            *([_matched(view, each)] if may else []),
        ]
        for each in suggested.data
    ]
    columns = [say("Payment"), say("Day"), say("Sum"), say("Payer"), say("Account"), say("Why")]
    off = [each for each in balance["accounts"] if each["broken_since"]]
    blocks: list[Block] = [
        Figures(
            [
                Figure(
                    say("Waits to be matched"),
                    view.counted(waiting, "#table-waiting", "warn" if waiting.data else "good"),
                    say("the oldest since {day}", day=waiting.data[0]["paid_on"]) if waiting.data else "",
                ),
                Figure(say("In the books (1110)"), view.yen(balance["ledger_yen"], to("ledger", "accounts", "1110"))),
                Figure(say("Lines of the bank"), view.yen(balance["lines_yen"], to("bank", "statement"))),
                Figure(
                    say("Explained by what is under way"),
                    view.yen(explained, "#table-unmet"),
                    control.note(view),
                ),
                Figure(
                    say("Not explained"),
                    view.yen(balance["rest_yen"], "#table-balances", "bad" if balance["rest_yen"] else "good"),
                    say("the bank states another balance since {day}", day=min(each["broken_since"] for each in off))
                    if off
                    else "",
                ),
            ]
        ),
        view.acts(say("What may be done"), [view.act("bank.import_file"), view.act("bank.propose")]),
        view.table(
            say("Whose they may be"),
            [*columns, *([say("Match")] if may else [])],
            rows,
            empty=compared.note(view) or say("Nothing is suggested."),
            name="suggestions",
            next=suggested.next,
            note=say("A click matches at once; the page then offers to undo it.") if may and rows else "",
        ),
        _waiting(view, waiting.data, waiting.next),
        _balances(view, balance),
        unmet_table(view, balance["unmet"], control.note(view)),
    ]
    return Page(say("Bank and matching"), blocks, tabs=bank_tabs(view, ""))


@staff.screen("/bank/transfers", command="transfer list", resource="bank")
def transfers(view: View) -> Page:
    """Transfers that we send: proposed, approved, in a file, sent back."""
    say = view.say
    found = view.rows("bank.list_transfers")

    def decide(row: Mapping[str, Any]) -> str | None:
        waits = str(row.get("state")) == "proposed"
        return view.act_at("bank.approve_transfer", transfer=row["id"]) if waits else None

    table = table_of(
        view, "", found.data, next=found.next,
        empty=say("No transfer was proposed. A deposit is sent back from here, or from its account's page."),
        hrefs={"id": decide},
    )  # fmt: skip
    acts = [view.act(name) for name in ("bank.propose", "bank.transfer_file")]
    return Page(
        say("Bank and matching"), [view.acts(say("What may be done"), acts), table], tabs=bank_tabs(view, "transfers")
    )


def _waiting(view: View, found: Any, following: str | None) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["id"], to("bank", each["id"])),
            view.day(each["paid_on"]),
            view.age(each["paid_on"]),
            view.yen(each["yen"]),
            view.text(each["payer"]),
            view.text(each["reference"]),
            view.text(_reason(view, each["why"] or "")),
        ]
        for each in found
    ]
    columns = [say("Payment"), say("Day"), say("Age"), say("Sum"), say("Payer"), say("Reference"), say("Why")]
    return view.table(say("Waiting"), columns, rows, empty=say("Nothing waits to be matched."), name="waiting",
                      next=following)  # fmt: skip


def _balances(view: View, balance: Mapping[str, Any]) -> Block:
    """Each account of ours at the bank: what its lines make, what the bank states, since when they differ."""
    say = view.say
    rows = []
    for each in balance["accounts"]:
        off = sum(other["yen"] for other in each["breaks"])
        where = to("bank", "statement", bank_account=each["account"])
        rows.append(
            [
                view.text(each["account"] or say("(not named)"), where),
                view.day(each["last_on"]),
                view.yen(each["opening_yen"]),
                view.yen(each["lines_yen"], where),
                view.yen(each["stated_yen"]),
                view.yen(off, tone="bad" if off else "good"),
                view.day(each["broken_since"], tone="bad"),
            ]
        )
    columns = [
        say("Our account"), say("Statements until"), say("Before the first line"), say("Lines since"),
        say("The bank states"), say("Off by"), say("Since"),
    ]  # fmt: skip
    empty = say("No statement tells a balance yet. Take a bank's file in, and it is held against 1110 here.")
    return view.table(say("Balances at the bank"), columns, rows, empty=empty, name="balances")


def unmet_table(view: View, unmet: Any, note: str = "") -> Block:
    """What one side has and the other not, with its age and what to do; a page of it, or all for a file."""
    say, start = view.say, view.whole_number("unmet.after") or 0
    whole = "file" in view.query and view.query.get("table") == "unmet"
    end = MOST_IN_A_FILE if whole else start + ROWS
    rows = [
        [
            about_cell(view, each["about"]),
            view.text(word("unmet", each["what"], view.lang)),
            view.day(each["since"]),
            view.age(each["since"]),
            view.yen(each["yen"]),
            view.text(word("unmet_remedy", each["what"], view.lang)),
        ]
        for each in unmet[0 if whole else start : end]
    ]
    columns = [say("About"), say("What it is"), say("Since"), say("Age"), say("Sum"), say("What to do")]
    return view.table(say("In one book and not in the other"), columns, rows, name="unmet",
                      next=str(end) if end < len(unmet) else None,
                      empty=note or say("Books and bank agree."))  # fmt: skip


def about_cell(view: View, about: str | None) -> Cell:
    """What a line is joined to, or a side has alone: payout:po_1, receipt:5, payment 12 ... with its page."""
    if not about:
        return view.text(None)
    kind, _, key = about.replace(" ", ":", 1).partition(":")
    pages = {"payment": "bank", "returned": "bank", "line": "bank", "entry": "ledger", "receipt": "receipts"}
    where = None
    if key.isdecimal() and kind in pages:
        where = to("ledger", "entries", key) if kind == "entry" else to(pages[kind], key)
    elif kind == "payout":
        where = to("gateway") + "#table-payouts"
    elif kind in ("deposit", "file"):
        where = to("bank", "transfers")
    return view.text(f"{word('about', kind, view.lang)} {key}", where)


def reasons_of(view: View, each: Mapping[str, Any]) -> str:
    """Why a payment may be an account's, in words."""
    return "; ".join(_reason(view, reason) for reason in each["reasons"])


def _reason(view: View, reason: str) -> str:
    head, joint, rest = reason.partition(": ")
    return f"{word('bank_reason', head, view.lang)}{joint}{rest}"


def _matched(view: View, each: Mapping[str, Any]) -> Cell:
    pressed = view.press("bank.match", payment=each["id"], account=each["account"], ground="; ".join(each["reasons"]))
    return Cell(view.say("Match"), "", press=pressed)


def bank_tabs(view: View, here: str) -> list[tuple[str, str, bool]]:
    """The pages about the bank."""
    titles = {
        "": named("Waiting"), "statement": named("Statement"), "files": named("Files"), "payers": named("Payers"),
        "transfers": named("Transfers"),
    }  # fmt: skip
    return [(view.say(title), to("bank", *([name] if name else [])), name == here) for name, title in titles.items()]
