"""Maintenance that was announced, what the service met, and what the linked service's partner stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keizoku.scheduler.reports.claim_worth import measured_month
from keizoku.sla.evidence.notice_store import recorded_notices
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.rules.intervals import as_iso
from keizoku.terms import words
from keizoku.terms.calendar import Month, from_epoch
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Act, Acts, Cell, Page

if TYPE_CHECKING:
    from keizoku.sla.rules.outages import UpdateNotice

__all__ = ["notices"]

A_YEAR: Final = timedelta(days=366)


@member.screen("/notices", command="claim list", resource="claims")
def notices(view: MemberView) -> Page:
    """What is to come first, then what this month and the one before met."""
    say, now = view.say, view.call.now
    found = _announced(view)
    to_come = [each for each in found if from_epoch(each.end) > now]
    over = [each for each in found if from_epoch(each.end) <= now][::-1]
    columns = [say("When"), say("Announced")]

    def row(each: UpdateNotice) -> list[Cell]:
        return [view.text(_when(view, each.start, each.end)), view.at(from_epoch(each.published_at))]

    return Page(
        say("Notices"),
        [
            view.table(say("Maintenance to come"), columns, [row(each) for each in to_come],
                       empty=say("No maintenance is announced."), name="notices"),
            view.table(say("When the service could not be used"), [say("When"), say("Time")], _outages(view),
                       empty=say("Nothing is on record for this month and the one before."), name="outages"),
            Acts("", [Act(say("What it means for your fee"), at_home("claims"))]),
            view.table(say("Maintenance that is over"), columns, [row(each) for each in over],
                       empty=say("There was none this month."), name="past"),
        ],
        say("Letters to you are under documents."),
    )  # fmt: skip


def _announced(view: MemberView) -> list[UpdateNotice]:
    """Windows as they were announced last; one that was taken back is none."""
    month = Month.of(view.call.today)
    newest: dict[str, UpdateNotice] = {}
    for each in recorded_notices(view.call.session, (month.start_at, view.call.now + A_YEAR)):
        kept = newest.get(each.notice.uid)
        if kept is None or each.notice.published_at >= kept.published_at:
            newest[each.notice.uid] = each.notice
    return sorted((each for each in newest.values() if not each.cancelled), key=lambda each: each.start)


def _outages(view: MemberView) -> list[list[Cell]]:
    """What was measured of this month and the one before, the newest first."""
    rows, month = [], Month.of(view.call.today)
    for one in (month, month.previous()):
        try:
            gross = measured_month(view.call.session, view.call.rules, one, view.call.now).service.gross
        except (UncoveredDateError, NoPopulationError):
            continue
        there = at_home("claims", "new", one)
        rows += [[view.text(_when(view, *span), there), view.seconds(span[1] - span[0])] for span in reversed(gross)]
    return rows


def _when(view: MemberView, start: int, end: int) -> str:
    return words.windows(as_iso(((start, end),)), view.ja)
