"""Today: did the night end well, what waits for people, how far is the month from costing, is anybody unanswered?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from keizoku.billing.gateway.restored import is_waiting
from keizoku.scheduler.backup.kept import backup_standing
from keizoku.scheduler.night.forecast import next_night
from keizoku.scheduler.night.waiting import held_by_hand
from keizoku.terms.calendar import Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page, Tone
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
    oldest = view.rows("tasks.list_tasks", limit=OLDEST, table="oldest")
    blocks: list[Block] = [
        Figures(
            [
                _night(view), _waiting(view, counts, oldest.data), _proposals(view), *_month(view), _gateway(view),
                _backup(view),
            ]
        ),
        rows_of_tasks(view, oldest.data, None, say("What waits for people, the oldest first"), "oldest"),
        view.table(
            say("The same by kind"),
            [say("Kind"), say("How many")],
            [
                [view.word("task", kind, to("tasks", kind=kind), ""), view.number(count, to("tasks", kind=kind))]
                for kind, count in sorted(counts.items(), key=lambda each: -each[1])
            ],
            empty=say("Nothing waits for people."),
            name="kinds",
        ),
    ]  # fmt: skip
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
    held = held_by_hand(view.call.session, next_night(view.call.services, view.call.now))
    if held is not None:
        note = view.say("charges and refunds are held: {ground}", ground=held)
    state = view.word("night", night["state"], to("nights", night["business_date"]), "warn" if late > 1 else None)
    return Figure(view.say("Last night"), state, f"{night['business_date']} {note}".strip())


def _waiting(view: View, counts: dict[str, int], oldest: Sequence[Mapping[str, Any]]) -> Figure:
    total = sum(counts.values())
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


def _gateway(view: View) -> Figure:
    """Whether the gateway answers: charges and refunds without an answer, refunds that came back, a restore."""
    say, there = view.say, to("gateway")
    if is_waiting(view.call.session):
        waits = say("charges wait until a night has read the account")
        return Figure(say("Card gateway"), view.text(say("after a restore"), there, "warn"), waits)
    charges = view.rows("payments.list_unknown", table="charges").data
    refunds = view.rows("payments.list_refunds", table="refunds").data
    failed = view.rows("payments.list_failed_refunds", table="failed").data
    if not (charges or refunds or failed):
        return Figure(say("Card gateway"), view.text(say("all answered"), there, "good"))
    parts = []
    if charges:
        since = min(datetime.fromisoformat(str(each["sent_at"])) for each in charges)
        parts.append(say("{n} charges, since {when}", n=len(charges), when=view.at(since)))
    if refunds:
        parts.append(say("{n} refunds", n=len(refunds)))
    if failed:
        parts.append(say("{n} refunds came back", n=len(failed)))
    value = view.text(say("{n} without an answer", n=len(charges) + len(refunds)), there, "warn")
    return Figure(say("Card gateway"), value, " · ".join(parts))


def _backup(view: View) -> Figure:
    """When every copy was last written, and last read back, as `keizoku backup run` and `verify` recorded it."""
    say, found = view.say, backup_standing(view.call.session)
    if found.whole_at is None:
        told = say("Name the places in KEIZOKU_BACKUP_STORES, then `keizoku backup run`.")
        return Figure(say("Backup"), view.text(say("none was made"), tone="warn"), told)
    longest = view.call.rules.terms.at(view.call.today).backup.longest_pause_days
    age = view.call.now - found.whole_at
    tone: Tone = "bad" if age > timedelta(days=longest) else "warn" if age > timedelta(days=2) else ""
    parts = []
    if found.failed:
        parts.append(say("the newest was not taken by {places}", places=", ".join(found.failed)))
    if found.verified_at is None:
        parts.append(say("never read back: `keizoku backup verify`"))
    elif found.unsound:
        parts.append(say("read back {when}: unsound in {places}", when=view.at(found.verified_at),
                         places=", ".join(found.unsound)))  # fmt: skip
    else:
        parts.append(say("read back {when}: whole", when=view.at(found.verified_at)))
    if found.unsound or found.failed:
        tone = "bad"
    return Figure(say("Backup"), view.at(found.whole_at, tone=tone), " · ".join(parts))


def _proposals(view: View) -> Figure:
    waiting = view.rows("proposals.list_proposals", table="proposals", state="waiting").data
    return Figure(view.say("Proposals to approve"), view.number(len(waiting), to("proposals", state="waiting")))
