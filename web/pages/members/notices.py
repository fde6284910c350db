"""Maintenance that was announced, and what the service met."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from keizoku.sla.evidence.notice_store import recorded_notices
from keizoku.terms.calendar import Month, from_epoch
from keizoku.web.pages.members.family import MemberView, member
from keizoku.web.pages.shared.blocks import Page

__all__ = ["notices"]

A_YEAR: Final = timedelta(days=366)


@member.screen("/notices", command="claim list", resource="claims")
def notices(view: MemberView) -> Page:
    """The announcements of this month and the next."""
    say, month = view.say, Month.of(view.call.today)
    reach = month.start_at, view.call.now + A_YEAR
    found = [each.notice for each in recorded_notices(view.call.session, reach) if not each.notice.cancelled]
    rows = [
        [view.at(from_epoch(each.start)), view.at(from_epoch(each.end)), view.at(from_epoch(each.published_at))]
        for each in found
    ]
    columns = [say("From"), say("To"), say("Announced")]
    table = view.table(
        say("Announced maintenance"), columns, rows, empty=say("No maintenance is announced."), name="notices"
    )
    return Page(say("Notices"), [table])
