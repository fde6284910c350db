"""Today: did the night end well, what waits for people, how far is the month from costing, is anybody unanswered?"""

from __future__ import annotations

from datetime import date

from keizoku.terms.calendar import Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.operations.tasks import rows_of_tasks

__all__ = ["today"]

OLDEST = 10


@staff.screen("", command="tasks list", resource="tasks")
def today(view: View) -> Page:
    """What a person looks at in the morning."""
    say = view.say
    counts: dict[str, int] = view.ask("tasks.counts")
    blocks: list[Block] = [
        Figures([_night(view), _waiting(view, counts), *_month(view), _unknown(view), _proposals(view)]),
        view.table(
            say("What waits for people, by kind"),
            [say("Kind"), say("How many")],
            [
                [view.word("task", kind, to("tasks", kind=kind), ""), view.number(count, to("tasks", kind=kind))]
                for kind, count in sorted(counts.items(), key=lambda each: -each[1])
            ],
            empty=say("Nothing waits for people."),
            name="kinds",
        ),
        rows_of_tasks(
            view, view.rows("tasks.list_tasks", limit=OLDEST, table="oldest").data, None, say("The oldest"), "oldest"
        ),
    ]
    return Page(say("Today"), blocks, view.say("{day} in Japan", day=view.long_day(view.call.today)))


def _night(view: View) -> Figure:
    found = view.rows("nights.list_nights", limit=1, table="night").data
    if not found:
        return Figure(view.say("Last night"), view.text(view.say("none yet"), to("nights"), "warn"))
    night = found[0]
    note = view.say("{n} set aside", n=len(night["set_aside"])) if night["set_aside"] else ""
    late = (view.call.today - date.fromisoformat(night["business_date"])).days
    if late > 1:
        note = view.say("{n} days ago", n=late)
    return Figure(view.say("Last night"), view.word("night", night["state"], to("nights", night["business_date"])),
                  f"{night['business_date']} {note}".strip())  # fmt: skip


def _waiting(view: View, counts: dict[str, int]) -> Figure:
    total = sum(counts.values())
    oldest = view.rows("tasks.list_tasks", limit=1, table="one").data
    note = view.say("the oldest for {n} days", n=oldest[0]["age_days"]) if oldest else ""
    return Figure(view.say("Waits for people"), view.number(total, to("tasks")), note)


def _month(view: View) -> list[Figure]:
    month = Month.of(view.call.today)
    there = to("sla", month)
    try:
        found = view.ask("claims.budget", month=str(month))
    except (UncoveredDateError, LookupError):
        return []
    figures = [
        Figure(
            view.say("Unusable this month"),
            view.seconds(found["unusable_seconds"], there),
            view.say("{time} unknown", time=view.seconds(found["unknown_seconds"])) if found["unknown_seconds"] else "",
        )
    ]
    for tier in found["tiers"]:
        left = (
            view.text(view.say("reached"), there, "bad")
            if tier["reached"]
            else view.seconds(tier["left_seconds"], there)
        )
        note = view.say("beyond {limit}", limit=view.seconds(tier["over_seconds"]))
        figures.append(Figure(view.say("Left to {rate}", rate=view.share(tier["rate"])), left, note))
    return figures


def _unknown(view: View) -> Figure:
    open_charges = view.rows("payments.list_unknown", table="charges").data
    value = view.number(len(open_charges), to("gateway"), "warn" if open_charges else "")
    return Figure(view.say("Charges without an answer"), value)


def _proposals(view: View) -> Figure:
    waiting = view.rows("proposals.list_proposals", table="proposals", state="waiting").data
    return Figure(view.say("Proposals to approve"), view.number(len(waiting), to("proposals", state="waiting")))
