"""The ledger: trial balance → account → entry → event → clause; and entries found by day, sum and account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from keizoku.billing.ledger.queries import account_lines
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.values import Day, Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Facts, Figure, Figures, Filters, Input, Page, Prose
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown
from keizoku.web.pages.shared.view import ROWS, View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.ranges import range_filters, ranges_asked

__all__ = ["entries", "entry", "ledger", "ledger_account"]

_DAY: Final[TypeAdapter[date]] = TypeAdapter(Day)
Code = Annotated[str, Field(pattern="^[0-9]{4}$")]


@staff.screen("/ledger", command="ledger trial", resource="ledger")
def ledger(view: View) -> Page:
    """Every account's debit, credit and balance."""
    say, as_of = view.say, view.query.get("as_of", "")
    trial = worked_out(view, "ledger.trial_balance", **({"as_of": as_of} if as_of else {}))
    found = trial.answer or {"accounts": []}
    rows = [
        [
            view.code(each["code"], to("ledger", "accounts", each["code"])),
            view.text(each[view.lang], to("ledger", "accounts", each["code"])),
            view.word("choice", each["type"], tone=""),
            view.yen(each["debit"]),
            view.yen(each["credit"]),
            view.yen(each["balance"]),
        ]
        for each in found["accounts"]
    ]
    debit, credit = (sum(each[side] for each in found["accounts"]) for side in ("debit", "credit"))
    columns = [say("Code"), say("Ledger account"), say("Kind"), say("Debit"), say("Credit side"), say("Balance")]
    total = [
        view.text(say("in all")),
        view.text(None),
        view.text(None),
        view.yen(debit),
        view.yen(credit),
        view.yen(debit - credit),
    ]
    blocks: list[Block] = [
        Filters((Input("as_of", say("As of the end of"), "date", as_of),), say("Show")),
        view.table(
            say("Trial balance"),
            columns,
            rows,
            name="trial",
            note=trial.note(view) if rows else "",
            empty=trial.note(view) or say("Nothing was posted."),
            total=total if rows else (),
        ),
        view.acts(say("What may be done"), [view.act("ledger.post")]),
    ]
    return Page(say("Ledger"), blocks, tabs=_tabs(view, ""))


@staff.screen("/ledger/accounts/{code}", command="ledger account", resource="ledger")
def ledger_account(view: View, code: Code) -> Page:
    """An account's lines with their running balance."""
    say, query = view.say, view.query
    more: dict[str, Any] = {key: query[key] for key in ("since", "as_of", "customer") if query.get(key)}
    after = query.get("lines.after", "")
    if after.isdecimal():
        more["after_entry"] = int(after)
    whole = worked_out(view, "ledger.account", code=code, limit=ROWS, **more)
    found = whole.answer or _without_balances(view, code, more)
    lines = found["lines"]
    rows = [
        [
            view.code(each["entry"], to("ledger", "entries", each["entry"])),
            view.day(each.get("posted_on")),
            view.word("entry", each.get("event"), tone=""),
            view.account(each.get("account")),
            view.yen(each.get("debit") if each.get("debit") is not None else each.get("yen")),
            view.yen(each.get("credit")),
            view.yen(each.get("balance")),
        ]
        for each in lines
    ]
    columns = [say("Entry"), say("Day"), say("Event"), say("Account"), say("Debit"), say("Credit side"), say("Balance")]
    filters = Filters(
        (
            Input("since", say("From"), "date", query.get("since", "")),
            Input("as_of", say("As of the end of"), "date", query.get("as_of", "")),
            Input("customer", say("Account"), value=query.get("customer", "")),
        ),
        say("Show"),
    )
    following = found["next_after_entry"]
    note = whole.note(view) if whole.answer else say("The balances are being worked out.")
    table = view.table(say("Lines"), columns, rows, empty=say("Nothing was posted."), name="lines", note=note,
                       next=None if following is None else str(following))  # fmt: skip
    name = found[view.lang] if lines else ""
    return Page(f"{code} {name}", [filters, table], above=[(say("Ledger"), to("ledger"))])


def _without_balances(view: View, code: str, more: dict[str, Any]) -> dict[str, Any]:
    """The lines alone: what stood before them is a sum over all the books."""
    days: dict[str, Any] = {key: _DAY.validate_python(more[key]) for key in ("since", "as_of") if key in more}
    after, customer = more.get("after_entry", 0), more.get("customer")
    page = account_lines(view.call.session, code, **days, customer=customer, limit=ROWS, after_entry=after)
    found: dict[str, Any] = jsonable(page)
    return found


@staff.screen("/ledger/entries", command="ledger find", resource="ledger")
def entries(view: View) -> Page:
    """Entries by day, sum, account, number and what they were posted for."""
    say, query = view.say, view.query
    late, reference = "late" in query, query.get("reference")
    ranges, number = ranges_asked(view), view.whole_number("number")
    asked = {key: each for key, each in ranges.items() if each not in (None, "")}
    if late or set(asked) - {"account"}:  # no index gives these in the order of recording
        looked = worked_out(view, "ledger.find", **asked, **({"late_only": True} if late else {}),
                            **({"number": number} if number is not None else {}),
                            **({"reference": reference} if reference else {}))  # fmt: skip
        found, note = looked.page(view, "entries", "id"), looked.note(view)
    else:
        found, note = view.rows("ledger.find", table="entries", **ranges, number=number, reference=reference), ""
    rows = [
        [
            view.code(each["id"], to("ledger", "entries", each["id"])),
            view.day(each["posted_on"]),
            view.day(each["recorded_on"], tone="warn" if each["late"] else ""),
            view.word("entry", each["event"], tone=""),
            view.account(each["account"]),
            view.yen(each["yen"]),
            view.text(each["belongs_to"]),
        ]
        for each in found.data
    ]
    columns = [
        say("Entry"), say("Day"), say("Recorded"), say("Event"), say("Account"), say("Sum"), say("Of the closed month"),
    ]  # fmt: skip
    filters = range_filters(
        view,
        Input("number", say("Entry"), "number", query.get("number", "")),
        Input("reference", say("Posted for"), value=reference or "", hint=say("receipt:12, attempt:7, bank:3")),
        Input("late", say("late ones only"), "checkbox", query.get("late", "")),
    )
    empty = say("No entry is like this. Leave a condition out, or widen the days.")
    table = view.table("", columns, rows, empty=note or empty, name="entries", next=found.next,
                       note=note if rows else "")  # fmt: skip
    return Page(say("Ledger"), [filters, table], tabs=_tabs(view, "entries"))


@staff.screen("/ledger/entries/{number}", command="ledger entry", resource="ledger")
def entry(view: View, number: Number) -> Page:
    """An entry: its lines, the event and the clause behind it."""
    say = view.say
    found = view.ask("ledger.entry", number=number)
    clause = found["clause"]
    facts = Facts(
        say("Where it comes from"),
        [
            (say("Event"), view.word("entry", found["event"], tone="")),
            (say("Clause"), view.clause(clause["id"] if clause else None)),
            (say("What it says"), view.text(clause[view.lang] if clause else None)),
            (say("Account"), view.account(found["account"])),
            (say("Recorded"), view.at(found["recorded_at"])),
            (say("Month"), view.text(found["belongs_to"])),
            (say("Posted for"), view.code(found["event_key"], _document(found["behind"]))),
            *_by_people(view, found),
        ],
    )
    behind = found["behind"] or {}
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Day"), view.day(found["posted_on"])),
                Figure(say("Sum"), view.yen(sum(each["yen"] for each in found["lines"] if each["yen"] > 0))),
            ]
        ),
        _legs(view, found["lines"]),
        facts,
        *(shown(view, say("The row behind it"), behind["row"]) if isinstance(behind.get("row"), dict) else []),
        view.acts(say("What may be done"), [view.act("ledger.reverse", number=number)]),
    ]  # fmt: skip
    return Page(say("Entry {number}", number=number), blocks, above=[(say("Ledger"), to("ledger"))])


def _legs(view: View, lines: Sequence[Mapping[str, Any]]) -> Block:
    """The lines of an entry, debit and credit, each with its account."""
    say = view.say
    rows = [
        [
            view.code(each["code"], to("ledger", "accounts", each["code"])),
            view.text(each[view.lang], to("ledger", "accounts", each["code"])),
            view.yen(each["yen"] if each["yen"] > 0 else None),
            view.yen(-each["yen"] if each["yen"] < 0 else None),
        ]
        for each in lines
    ]
    columns = [say("Code"), say("Ledger account"), say("Debit"), say("Credit side")]
    return view.table(say("Lines"), columns, rows, empty=say("Nothing was posted."), name="lines")


_PAGES: Final = {
    "receipt": "receipts",
    "demand": "demands",
    "credit": "credits",
    "invoice": "invoices",
    "bank_line": "bank",
}


def _document(behind: Mapping[str, Any] | None) -> str | None:
    """The page of what stands behind an entry."""
    if behind is None:
        return None
    row = behind["row"]
    if behind["table"] in _PAGES:
        return to(_PAGES[behind["table"]], row["id"])
    if behind["table"] == "payment_attempt":
        return to("invoices", row["invoice_id"])
    return to("refunds", row["key"]) if behind["table"] == "credit_refund" else None


def _by_people(view: View, found: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """Who posted or reversed it by hand, and why."""
    say, rows = view.say, []
    people, reversal = found["by_people"], found["reversed_by"]
    if people:
        rows += [(say("Posted by"), view.text(people["author"])), (say("Ground"), view.text(people["ground"]))]
        if people["reverses"]:
            rows.append((say("Reverses"), view.code(people["reverses"], to("ledger", "entries", people["reverses"]))))
    if reversal:
        there = to("ledger", "entries", reversal["entry"])
        rows.append((say("Reversed by"), view.code(reversal["entry"], there)))
        rows.append((say("Why it was reversed"), view.text(f"{reversal['author']}: {reversal['ground']}")))
    return rows


def _preview(view: View, answer: Mapping[str, Any]) -> Sequence[Block]:
    """The entry as it would stand: its day, its month, its lines; what would be the better act, where there is one."""
    say = view.say
    made = view.ask("ledger.entry", number=answer["entry"])
    figures = [
        Figure(say("Day"), view.day(answer["posted_on"])),
        Figure(say("Sum"), view.yen(sum(each["yen"] for each in made["lines"] if each["yen"] > 0))),
    ]
    if answer["belongs_to"]:
        figures.append(Figure(say("Of the closed month"), view.text(answer["belongs_to"])))
    better: list[Block] = []
    if answer.get("warning"):
        told = say("A document stands behind this entry, and stays as it was: look for the act that takes it back.")
        better.append(Prose(told, "warn"))
    return [*better, Figures(figures), _legs(view, made["lines"])]


staff.previews["ledger.post"] = staff.previews["ledger.reverse"] = _preview


def _tabs(view: View, here: str) -> list[tuple[str, str, bool]]:
    say = view.say
    return [
        (say("Trial balance"), to("ledger"), here == ""),
        (say("Entries"), to("ledger", "entries"), here == "entries"),
    ]
