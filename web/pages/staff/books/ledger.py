"""The ledger: trial balance → account → entry → event → clause; and entries found by day, sum and account."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from keizoku.billing.ledger.entry_search import Sought, entries_found
from keizoku.billing.ledger.queries import account_lines
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.call import number_in
from keizoku.web.calls.values import Day, Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Facts, Figure, Figures, Filters, Input, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown
from keizoku.web.pages.shared.view import ROWS, View
from keizoku.web.pages.staff.navigation import staff

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
            empty=trial.note(view) or say("Nothing was posted."),
            name="trial",
            note=trial.note(view) if rows else "",
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
    page = account_lines(
        view.call.session,
        code,
        **days,
        customer=more.get("customer"),
        limit=ROWS,
        after_entry=more.get("after_entry", 0),
    )
    found: dict[str, Any] = jsonable(page)
    return found


@staff.screen("/ledger/entries", command="ledger find", resource="ledger")
def entries(view: View) -> Page:
    """Entries by day, sum and account."""
    say, query = view.say, view.query
    from_on, to_on = (_DAY.validate_python(query[key]) if query.get(key) else None for key in ("from_on", "to_on"))
    from_yen, to_yen = view.whole_number("from_yen"), view.whole_number("to_yen")
    sought = Sought(from_on, to_on, from_yen, to_yen, query.get("account"), late_only="late" in query)
    after = number_in(query.get("entries.after", "")) or 0
    found: list[Any] = []
    note = ""
    if from_yen is None and to_yen is None and not sought.late_only:
        found = [each.to_json() for each in entries_found(view.call.session, sought, limit=ROWS + 1, after=after,
                                                          by_day=True)]  # fmt: skip
    else:  # there is no index on a sum of lines
        asked = {"from_on": query.get("from_on"), "to_on": query.get("to_on"), "from_yen": from_yen, "to_yen": to_yen,
                 "account": query.get("account"), "late_only": sought.late_only}  # fmt: skip
        looked = worked_out(view, "ledger.find", **{key: value for key, value in asked.items() if value})
        rest = looked.answer or []
        start = next((place + 1 for place, each in enumerate(rest) if each["id"] == after), 0)
        found, note = rest[start : start + ROWS + 1], looked.note(view)
    rows = [
        [
            view.code(each["id"], to("ledger", "entries", each["id"])),
            view.day(each["posted_on"]),
            view.day(each["recorded_on"], tone="warn" if each["late"] else ""),
            view.word("entry", each["event"], tone=""),
            view.account(each["account"]),
            view.yen(each["yen"]),
        ]
        for each in jsonable(found[:ROWS])
    ]
    columns = [say("Entry"), say("Day"), say("Recorded"), say("Event"), say("Account"), say("Sum")]
    filters = Filters(
        (
            Input("from_on", say("From"), "date", query.get("from_on", "")),
            Input("to_on", say("To"), "date", query.get("to_on", "")),
            Input("from_yen", say("Sum from"), "number", query.get("from_yen", "")),
            Input("to_yen", say("Sum to"), "number", query.get("to_yen", "")),
            Input("account", say("Account"), value=query.get("account", "")),
            Input("late", say("late ones only"), "checkbox", query.get("late", "")),
        ),
        say("Show"),
    )
    following = str(found[ROWS - 1]["id"]) if len(found) > ROWS else None
    table = view.table("", columns, rows, empty=note or say("No entry is like this."), name="entries", next=following,
                       note=note if rows else "")  # fmt: skip
    return Page(say("Ledger"), [filters, table], tabs=_tabs(view, "entries"))


@staff.screen("/ledger/entries/{number}", command="ledger entry", resource="ledger")
def entry(view: View, number: Number) -> Page:
    """An entry: its lines, the event and the clause behind it."""
    say = view.say
    found = view.ask("ledger.entry", number=number)
    clause = found["clause"]
    rows = [
        [
            view.code(each["code"], to("ledger", "accounts", each["code"])),
            view.text(each[view.lang]),
            view.yen(each["yen"] if each["yen"] > 0 else None),
            view.yen(-each["yen"] if each["yen"] < 0 else None),
        ]
        for each in found["lines"]
    ]
    facts = Facts(
        say("Where it comes from"),
        [
            (say("Event"), view.word("entry", found["event"], tone="")),
            (say("Clause"), view.clause(clause["id"] if clause else None)),
            (say("What it says"), view.text(clause[view.lang] if clause else None)),
            (say("Account"), view.account(found["account"])),
            (say("Recorded"), view.at(found["recorded_at"])),
            (say("Month"), view.text(found["belongs_to"])),
            (say("Reversed by"), view.code(found["reversed_by"])),
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
        view.table(say("Lines"), [say("Code"), say("Ledger account"), say("Debit"), say("Credit side")], rows,
                   empty=say("Nothing was posted."), name="lines"),
        facts,
        *(shown(view, say("The row behind it"), behind["row"]) if isinstance(behind.get("row"), dict) else []),
        view.acts(say("What may be done"), [view.act("ledger.reverse", number=number)]),
    ]  # fmt: skip
    return Page(say("Entry {number}", number=number), blocks, above=[(say("Ledger"), to("ledger"))])


def _tabs(view: View, here: str) -> list[tuple[str, str, bool]]:
    say = view.say
    return [
        (say("Trial balance"), to("ledger"), here == ""),
        (say("Entries"), to("ledger", "entries"), here == "entries"),
    ]
