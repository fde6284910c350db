"""Linked services: who is linked and whose access lapses, is the partner up, which orders have no answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from keizoku.link.services.views import event_list, link_list, order_list, stop_list
from keizoku.web.calls.answering import jsonable
from keizoku.web.pages.shared.blocks import Figure, Figures, Page
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import ROWS, View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["links"]

WEEK: Final = timedelta(days=7)


@staff.screen("/links", command="link list", resource="links")
def links(view: View) -> Page:
    """The linked service in one look."""
    say, now = view.say, view.call.now
    session, after = view.call.session, view.query.get("links.after", "")
    found = link_list(session, now, after, ROWS + 1)
    more = found[ROWS - 1].account if len(found) > ROWS else None
    lapsing = [each for each in found if each.lapses_at is not None and now <= each.lapses_at < now + WEEK]
    orders = order_list(session, None, 0, ROWS)
    unknown = [each for each in orders if each.state == "unknown"]
    stops = stop_list(session)
    down = [each for each in stops if each.from_at <= now and (each.ended_at is None or now < each.ended_at)]
    blocks = [
        Figures(
            [
                Figure(say("Linked"), view.number(len(found[:ROWS])), say("on this page")),
                Figure(say("Lapses this week"), view.number(len(lapsing))),
                Figure(say("Orders without an answer"), view.number(len(unknown), tone="warn" if unknown else "")),
                Figure(say("Partner"), view.text(say("interrupted") if down else say("no interruption"))),
            ]
        ),
        table_of(view, say("Links"), jsonable(found[:ROWS]), name="links", next=more, empty=say("Nobody is linked.")),
        table_of(view, say("Orders"), jsonable(orders), name="orders", empty=say("No order was made.")),
        table_of(view, say("Interruptions"), jsonable(stops), name="stops", empty=say("Nothing was interrupted.")),
        table_of(view, say("Security events"), jsonable(event_list(session)), name="events",
                 empty=say("No event was recorded.")),
    ]  # fmt: skip
    return Page(say("Linked services"), blocks)
