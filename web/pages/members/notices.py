"""Maintenance that was announced, and what the service met."""

from __future__ import annotations

from keizoku.sla.months.evidence_lists import notice_list
from keizoku.terms.calendar import Month
from keizoku.web.calls.answering import jsonable
from keizoku.web.pages.members.family import MemberView, member
from keizoku.web.pages.shared.blocks import Page

__all__ = ["notices"]


@member.screen("/notices", command="claim list", resource="claims")
def notices(view: MemberView) -> Page:
    """The announcements of this month and the next."""
    say, month = view.say, Month.of(view.call.today)
    found = [
        jsonable(each)
        for each in notice_list(view.call.session, view.call.rules, None)
        if each.to_at >= month.start_at and not each.cancelled
    ]
    rows = [[view.at(each["from"]), view.at(each["to"]), view.at(each["published"])] for each in found]
    columns = [say("From"), say("To"), say("Announced")]
    table = view.table(
        say("Announced maintenance"), columns, rows, empty=say("No maintenance is announced."), name="notices"
    )
    return Page(say("Notices"), [table])
