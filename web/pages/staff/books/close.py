"""Month close: closed or open, what differs, the checks, the lock; deferred revenue; export."""

from __future__ import annotations

from keizoku.billing.closing.month_close import standing
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.web.calls.values import MonthText
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["close", "closing"]

SHOWN = 12


@staff.screen("/close", command="close list", resource="months")
def closing(view: View) -> Page:
    """Every close and reopening, and the months to choose from."""
    say = view.say
    found = view.rows("months.list_acts", table="acts")
    chain = worked_out(view, "months.verify_closed")
    verified = chain.answer or {"closed": None, "wrong": None}
    month, months = Month.of(view.call.today), []
    for _ in range(SHOWN):
        months.append([view.month(str(month), to("close", month))])
        month = month.previous()
    wrong = verified["wrong"]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Closed months"), view.number(verified["closed"]), chain.note(view)),
                Figure(
                    say("Chain of hashes"),
                    view.text(say("broken") if wrong else say("unchanged"), tone="bad" if wrong else "good")
                    if chain.answer
                    else view.text(None),
                ),
            ]
        ),
        view.table(say("Months"), [say("Month")], months, empty=say("No month yet."), name="months"),
        table_of(view, say("Closes and reopenings"), found.data, name="acts", next=found.next,
                 empty=say("No month was closed.")),
    ]  # fmt: skip
    return Page(say("Month close"), blocks)


@staff.screen("/close/{month}", command="close list", resource="months", gateway=True)
def close(view: View, month: MonthText) -> Page:
    """One month: where it stands, what differs, and what may be done."""
    say = view.say
    shown, owed = worked_out(view, "months.show", month=month), worked_out(view, "ledger.deferred", month=month)
    deferred = owed.answer or {"closing_yen": None, "plans": []}
    found = shown.answer or {"closed": _closed(view, month), "balances": {}, "exceptions": {}, "unexplained": None}
    state = "closed" if found["closed"] else "open"
    rows = [
        [
            view.code(code, to("ledger", "accounts", code)),
            view.yen(each["opening"]),
            view.yen(each["moved"]),
            view.yen(each["closing"]),
        ]
        for code, each in found["balances"].items()
    ]
    differing = [
        [view.word("exception", kind, tone=""), view.text(value) if not isinstance(value, int) else view.number(value)]
        for kind, value in found["exceptions"].items()
    ]
    names = ("months.reconcile", "months.resolve", "months.close", "months.reopen", "documents.issue")
    blocks: list[Block] = [
        Figures(
            [
                Figure(
                    say("State"),
                    view.word("state", state, tone="good" if found["closed"] else "warn"),
                    shown.note(view),
                ),
                Figure(
                    say("Differences to explain"),
                    view.number(found["unexplained"], to("tasks", kind="reconciliation_exception")),
                ),
                Figure(say("Deferred at the end"), view.yen(deferred["closing_yen"], to("ledger", "accounts", "2120"))),
            ]
        ),
        view.acts(say("What may be done"), [view.act(name, month=month) for name in names]),
        view.table(say("Differences"), [say("Kind"), say("How many")], differing,
                   empty=shown.note(view) or say("Nothing differs."), name="differences"),
        view.table(say("Balances"), [say("Ledger account"), say("Opening"), say("Moved"), say("Closing")], rows,
                   empty=shown.note(view) or say("Nothing was posted."), name="balances"),
        table_of(view, say("Deferred revenue by plan"), [
            {key: value for key, value in each.items() if key != "movements"} for each in deferred["plans"]
        ], name="plans", empty=owed.note(view)),
    ]  # fmt: skip
    return Page(words.month(month, view.ja), blocks, above=[(say("Month close"), to("close"))])


def _closed(view: View, month: str) -> bool:
    """Whether a close of the month is in force."""
    return any(each.month == month for each in standing(view.call.session))
