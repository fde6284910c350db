"""Month close: does it stand, what differs and since when, what to do; check and close it, its report, its exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keizoku.billing.closing.exports.mapping import FORMATS
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.web.calls.values import MonthText
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Block, Cell, Figure, Figures, Line, Page, Prose, Story
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["close", "closing", "deferred"]

SHOWN: Final = 12
_SIDES: Final = ("ledger", "gateway", "payout", "bank", "receipt")

for _act in ("months.check", "months.begin_close"):
    staff.leads[_act] = lambda answer: to("jobs", answer["job"])


@staff.screen("/close", command="close list", resource="months")
def closing(view: View) -> Page:
    """Every close and reopening, and the months to choose from."""
    say = view.say
    found = view.rows("months.list_acts", table="acts")
    closed = [each for each in found.data if each["kind"] == "closed"]
    month, rows = Month.of(view.call.today), []
    for _ in range(SHOWN):
        standing = view.ask("months.show_standing", month=str(month))
        rows.append([view.month(str(month), to("close", month)), *_summary(view, standing)])
        month = month.previous()
    columns = [say("Month"), say("State"), say("Checks"), say("Exceptions that wait"), say("Checked")]
    blocks: list[Block] = [
        Figures(
            [
                Figure(
                    say("Closed last"),
                    view.month(closed[-1]["month"], to("close", closed[-1]["month"])) if closed else view.text(None),
                    say("by {author}", author=closed[-1]["author"]) if closed else "",
                ),
                Figure(say("Closes and reopenings"), view.counted(found, "#table-acts")),
            ]
        ),
        view.acts(
            say("What may be done"),
            [Act(say("Verify the chain of hashes"), "", press=view.pressed(to("close", "verify")))],
        ),
        view.table(say("Months"), columns, rows, empty=say("No month yet."), name="months"),
        table_of(view, say("Closes and reopenings"), found.data, name="acts", next=found.next,
                 empty=say("No month was closed.")),
    ]  # fmt: skip
    return Page(say("Month close"), blocks)


@staff.screen("/close/{month}", command="close list", resource="months")
def close(view: View, month: MonthText) -> Page:
    """One month: where it stands, what differs, and what may be done."""
    say = view.say
    standing = view.ask("months.show_standing", month=month)
    found = standing["found"]
    blocks: list[Block] = [
        Figures(_figures(view, month, standing)),
        _acts(view, month, standing),
    ]
    if found is None:
        blocks.append(
            Prose(say("Nobody has checked this month yet. “Check the month” holds its four sides against each other."))
        )
    else:
        blocks += [
            _checks(view, found["checks"]),
            _exceptions(view, month, found["reconciled"]),
            _sides(view, found["reconciled"]),
            _controls(view, found["reconciled"]["controls"]),
            _balances(view, found["balances"]),
            _notes(view, found["notes"]),
        ]
    blocks.append(_made(view, month))
    return Page(
        words.month(month, view.ja), blocks, lead=_lead(view, standing), above=[(say("Month close"), to("close"))]
    )


@staff.screen("/close/{month}/deferred", command="ledger deferred", resource="ledger")
def deferred(view: View, month: MonthText) -> Page:
    """What is owed in service at the end of a month, by plan, and when it becomes revenue."""
    say = view.say
    owed = worked_out(view, "ledger.deferred", month=month)
    found = owed.answer or {"closing_yen": None, "plans": []}
    plans = [{key: value for key, value in each.items() if key != "movements"} for each in found["plans"]]
    blocks: list[Block] = [
        Figures([Figure(say("Deferred at the end"), view.yen(found["closing_yen"], to("ledger", "accounts", "2120")))]),
        table_of(
            view,
            say("Deferred revenue by plan"),
            plans,
            name="plans",
            empty=owed.note(view) or say("Nothing is deferred."),
        ),
    ]
    name = words.month(month, view.ja)
    return Page(say("Deferred revenue"), blocks, above=[(say("Month close"), to("close")), (name, to("close", month))])


def _summary(view: View, standing: Mapping[str, Any]) -> list[Cell]:
    found = standing["found"]
    state = view.word(
        "month_state", "closed" if standing["closed"] else "open", None, "good" if standing["closed"] else ""
    )
    if found is None:
        return [state, view.text(view.say("not checked"), tone="soft"), view.number(None), view.text(None)]
    bad = sum(not each["ok"] for each in found["checks"])
    waiting = found["reconciled"]["open"]
    text = view.say("{n} do not hold", n=bad) if bad else view.say("all hold")
    return [
        state,
        view.text(text, tone="bad" if bad else "good"),
        view.number(waiting, tone="bad" if waiting else ""),
        view.at(standing["checked_at"]),
    ]


def _lead(view: View, standing: Mapping[str, Any]) -> str:
    """Where the month stands and what comes next, in a sentence."""
    say, found = view.say, standing["found"]
    if standing["closed"]:
        return say("Closed: nothing is posted in it any more. What is learned later goes to the first open day.")
    if found is None:
        return say("Open, and not checked.")
    bad = [word("check", each["name"], view.lang) for each in found["checks"] if not each["ok"]]
    if bad:
        return say("Open. These checks do not hold: {names}.", names=("、" if view.ja else ", ").join(bad))
    return say("Open. Every check held when it was checked: it may be closed.")


def _figures(view: View, month: str, standing: Mapping[str, Any]) -> list[Figure]:
    say, found = view.say, standing["found"]
    state = "closed" if standing["closed"] else "open"
    figures = [Figure(say("State"), view.word("month_state", state, tone="good" if standing["closed"] else "warn"))]
    if found is not None:
        known, held = found["reconciled"], sum(each["ok"] for each in found["checks"])
        waiting = [each for each in known["exceptions"] if each["resolved_by"] is None]
        oldest = max((_age(view, standing, each) for each in waiting), default=0)
        figures += [
            Figure(
                say("Checks that hold"),
                view.text(
                    say("{n} of {m}", n=held, m=len(found["checks"])), "#table-checks",
                    "good" if held == len(found["checks"]) else "bad",
                ),
            ),
            Figure(
                say("Exceptions that wait"),
                view.number(known["open"], "#table-exceptions", "bad" if known["open"] else "good"),
                say("the oldest for {n} days", n=oldest) if waiting else "",
            ),
            Figure(
                say("Explained by nothing"),
                view.number(len(known["unexplained"]), "#table-checks", "bad" if known["unexplained"] else "good"),
            ),
            Figure(say("Checked"), view.at(standing["checked_at"])),
        ]  # fmt: skip
    figures.append(Figure(say("Deferred revenue"), view.text(say("by plan"), to("close", month, "deferred"))))
    return figures


def _age(view: View, standing: Mapping[str, Any], each: Mapping[str, Any]) -> int:
    """Days since the exception began: as it was found, and those since."""
    since = view.age(standing["checked_at"]).raw
    return int(each["age_days"]) + (since if isinstance(since, int) else 0)


def _acts(view: View, month: str, standing: Mapping[str, Any]) -> Block:
    say = view.say
    check = view.press("months.check", month=month)
    acts = [Act(say("Check the month"), "", press=check) if check is not None else None]
    if standing["closed"]:
        acts.append(view.act("months.reopen", month=month))
    else:
        acts.append(view.act("months.begin_close", month=month))
    acts.append(view.act("documents.issue", month=month))
    return view.acts(say("What may be done"), acts)


def _checks(view: View, checks: Sequence[Mapping[str, Any]]) -> Block:
    say = view.say
    rows = [
        [
            view.text(word("check", each["name"], view.lang), _CHECKED_AT.get(each["name"])),
            Cell(
                say("holds") if each["ok"] else say("does not hold"),
                int(each["ok"]),
                kind="state",
                tone="good" if each["ok"] else "bad",
            ),
            view.told("close_said", each["found"]),
            view.told("close_said", each["remedy"]),
        ]
        for each in checks
    ]
    columns = [say("Check"), say("Result"), say("What was found"), say("What to do")]
    return view.table(say("Checks before the close"), columns, rows, empty=say("Nothing was checked."), name="checks")


_CHECKED_AT: Final[Mapping[str, str]] = {
    "nights": to("nights"),
    "certificate": to("nights"),
    "reconciliation": "#table-exceptions",
    "trial balance": to("ledger"),
    "bank": f"{to('bank')}#table-balances",
    "set aside": to("tasks"),
}


def _exceptions(view: View, month: str, known: Mapping[str, Any]) -> Block:
    say = view.say
    rows = []
    for each in known["exceptions"]:
        resolved = each["resolved_by"] is not None
        resolve = None if resolved else view.act_at("months.resolve", month=month, exception=each["exception"])
        rows.append(
            [
                view.word("exception", each["type"], tone="" if resolved else "warn"),
                _side(view, each["left"]),
                _side(view, each["right"]),
                view.yen(each["yen"]),
                view.number(each["age_days"]),
                view.text(each["action_ja" if view.ja else "action_en"]),
                view.text(each["resolved_by"]) if resolved else view.text(say("Resolve"), resolve),
            ]
        )
    columns = [
        say("Kind"), say("One side"), say("Other side"), say("Sum"), say("Days"), say("What to do"), say("Resolution"),
    ]  # fmt: skip
    left = known["left_off"]
    note = say("{n} more, the smallest, are not shown", n=left) if left else ""
    return view.table(say("Exceptions"), columns, rows, empty=say("The four sides agree: nothing differs."),
                      name="exceptions", note=note)  # fmt: skip


def _side(view: View, side: Mapping[str, Any] | None) -> Cell:
    """One side of an exception: where, what, how much, when; with its page where it has one."""
    if side is None:
        return view.text(None)
    kind, _, key = str(side["ref"]).partition(":")
    pages = {"entry": ("ledger", "entries"), "payment": ("bank",), "line": ("bank",), "receipt": ("receipts",)}
    where = to(*pages[kind], key) if kind in pages and key.isdecimal() else None
    name = key if where else side["ref"]
    text = f"{word('side', side['where'], view.lang)} {name} · {view.yen(side['yen'])} · {side['on']}"
    return view.text(text, where)


def _sides(view: View, known: Mapping[str, Any]) -> Block:
    say = view.say
    rows = [
        [
            view.text(word("side", side, view.lang), _SIDE_AT[side]),
            view.number(known["rows"].get(side, 0)),
            view.yen(known["sums"].get(side, 0)),
            view.text(_matched(view, side, known["matched"])),
        ]
        for side in _SIDES
    ]
    note = "" if known["bank_given"] else say("There is no bank statement for the month: take its file in.")
    columns = [say("Side"), say("Rows"), say("Sum"), say("Matched with")]
    return view.table(say("The sides of the month"), columns, rows, empty=say("Nothing was posted."), name="sides",
                      note=note)  # fmt: skip


_SIDE_AT: Final[Mapping[str, str]] = {
    "ledger": to("ledger", "accounts", "1131"), "gateway": to("gateway"), "payout": f"{to('gateway')}#table-payouts",
    "bank": to("bank", "statement"), "receipt": to("bank"),
}  # fmt: skip


def _matched(view: View, side: str, matched: Mapping[str, int]) -> str:
    """How many rows of a side met one of another."""
    pairs = [(seam, n) for seam, n in matched.items() if side in seam.replace("-", "_").split("_")]
    return ("、" if view.ja else ", ").join(f"{word('seam', seam, view.lang)}: {n:,}" for seam, n in pairs)


def _controls(view: View, controls: Mapping[str, int]) -> Block:
    """The clearing account beside the gateway's balance, and the fees by both calendars."""
    say = view.say

    def row(label: str, ours: str, theirs: str) -> list[Cell]:
        one, other = controls[ours], controls[theirs]
        return [
            view.text(label), view.yen(one), view.yen(other),
            view.yen(one - other, tone="bad" if one != other and ours != "fees_jst" else ""),
        ]  # fmt: skip

    rows = [
        row(say("Before the month (1131)"), "ledger_opening", "gateway_opening"),
        row(say("At its end (1131)"), "ledger_closing", "gateway_closing"),
        row(say("Fees of the month: Japan's, and the processor's (UTC)"), "fees_jst", "fees_utc"),
    ]
    columns = [say("Control"), say("Ours"), say("Theirs"), say("Difference")]
    return view.table(say("Controls"), columns, rows, empty=say("Nothing was posted."), name="controls")


def _balances(view: View, balances: Mapping[str, Any]) -> Block:
    say = view.say
    rows = [
        [
            view.code(code, to("ledger", "accounts", code)),
            view.yen(each["opening"]),
            view.yen(each["moved"]),
            view.yen(each["closing"]),
        ]
        for code, each in balances.items()
    ]
    columns = [say("Ledger account"), say("Opening"), say("Moved"), say("Closing")]
    return view.table(say("Balances"), columns, rows, empty=say("Nothing was posted."), name="balances")


def _notes(view: View, notes: Sequence[str]) -> Block:
    lines = [Line(view.told("close_said", each).text) for each in notes]
    return Story(view.say("What does not stand in the way"), lines, view.say("Nothing looks strange."))


def _made(view: View, month: str) -> Block:
    """The report and the exports: each made by a job, which then has the file."""
    say = view.say
    wanted = [("report", say("Month report")), *((form, word("package", form, view.lang)) for form in FORMATS)]
    acts = [Act(title, "", press=view.pressed(to("close", month, "make", what))) for what, title in wanted]
    return view.acts(say("Report and exports"), acts)
