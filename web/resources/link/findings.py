"""Stops and changes (api_link/10.4, 11.2), security events and disclosures (5.7), findings about load (9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from keizoku.link.services import views
from keizoku.link.services.views import EventView, StopView
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, shown_rows
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Ground, Id, Instant, Name, Number

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["link_findings"]

link_findings = Resource("link-findings", "What the partner or we stop, what leaked, what loads the system.")

Whose = Annotated[str, Field(pattern="^(partner|operator)$")]
Covered = Annotated[str, Field(pattern="^(all|data|orders)$")]
StopClause = Annotated[str, Field(pattern=r"^(5\.7|10\.4|11\.2)$")]
StopKind = Annotated[str, Field(pattern="^(stop|change)$")]
EventKind = Annotated[str, Field(pattern="^(leak|feared_leak|misuse|feared_misuse)$")]
Finding = Annotated[str, Field(pattern="^(forbidden|allowed)$")]
Made = listed("LinkStopMade", stop=int)
Done = listed("LinkStopAct", stop=int, done=bool)
Recorded = listed("LinkEventMade", event=int)
Told = listed("LinkDisclosed", disclosure=int)
Ruled = listed("LinkLoadRuled", account=str, fetches=int)


@link_findings.list("/link-stops", command="link stop list", row=StopView)
def list_stops(call: Call) -> Listing:
    """Every stop and change, in order of its beginning."""
    return shown_rows(views.stop_list(call.session))


@link_findings.act("/link-stops", command="link stop add", answer=Made)
def stop(
    call: Call,
    *,
    whose: Whose,
    what: Ground,
    ground: Ground,
    clause: StopClause = "10.4",
    kind: StopKind = "stop",
    scope: Covered = "all",
    account: Id | None = None,
    from_at: Instant | None = None,
) -> Any:
    """Record a stop or a change, of one customer or of all: by 5.7, by 10.4 for a time, by 11.2 with the partner's."""
    number = call.services.link.stop(
        whose=cast("Literal['partner', 'operator']", whose), scope=cast("Literal['all', 'data', 'orders']", scope),
        clause=clause, kind=cast("Literal['stop', 'change']", kind), what=what, account=account, from_at=from_at,
        by=call.author, ground=ground, now=call.now,
    )  # fmt: skip
    return {"stop": number}


@link_findings.act("/link-stops/{stop}/lift", command="link stop lift", answer=Done)
def lift(call: Call, stop: Number, *, ended_at: Instant | None = None) -> Any:
    """A stop is over."""
    call.services.link.lift(stop, ended_at=ended_at, by=call.author, now=call.now)
    return {"stop": stop, "done": True}


@link_findings.act("/link-stops/{stop}/announce", command="link stop announce", answer=Done)
def announce(
    call: Call, stop: Number, *, place: Name, announced_at: Instant | None = None, ground: Ground | None = None
) -> Any:
    """It was announced on the site (11.2); with a ground where it came afterwards."""
    call.services.link.announce(
        stop, place=place, announced_at=announced_at, by=call.author, ground=ground, now=call.now
    )
    return {"stop": stop, "done": True}


@link_findings.list("/link-events", command="link event list", row=EventView)
def list_events(call: Call) -> Listing:
    """Every leak and misuse, or fear of one, with what was disclosed because of it."""
    return shown_rows(views.event_list(call.session))


@link_findings.act("/link-events", command="link event add", answer=Recorded)
def event(
    call: Call,
    *,
    kind: EventKind,
    what: Ground,
    ground: Ground,
    account: Id | None = None,
    occurred_at: Instant | None = None,
) -> Any:
    """People say that data leaked or were misused, or may have been (5.7); never the data themselves."""
    number = call.services.link.security_event(
        cast("Any", kind), what=what, account=account, occurred_at=occurred_at, by=call.author, ground=ground,
        now=call.now,
    )  # fmt: skip
    return {"event": number}


@link_findings.act("/link-events/{event}/disclose", command="link event disclose", answer=Told)
def disclose(
    call: Call,
    event: Number,
    *,
    account: Id,
    what: Ground,
    recipient: Name,
    ground: Ground,
    occurred_at: Instant | None = None,
) -> Any:
    """Data of a customer went to the partner because of an event: which kinds, and to whom (5.7)."""
    number = call.services.link.disclose(
        event, account, what, recipient=recipient, occurred_at=occurred_at, by=call.author, ground=ground, now=call.now
    )
    return {"disclosure": number}


@link_findings.question("/link-load", command="link load show", answer=list[dict[str, Any]])
def load(call: Call, *, from_at: Instant, to_at: Instant) -> Any:
    """The fetches of each account by the hour in a time, most first (9.2)."""
    threshold = call.rules.discretion.link_fetches_an_hour
    return views.load_list(call.session, threshold, from_at, to_at)


@link_findings.act("/links/{account}/load-rulings", command="link load rule", answer=Ruled)
def rule_on_load(call: Call, account: Id, *, outcome: Finding, from_at: Instant, to_at: Instant, ground: Ground) -> Any:
    """People find whether a customer's fetches of a time load the system (9.2)."""
    fetches = call.services.link.rule_on_load(
        account, cast("Literal['forbidden', 'allowed']", outcome), from_at=from_at, to_at=to_at, by=call.author,
        ground=ground, now=call.now,
    )  # fmt: skip
    return {"account": account, "fetches": fetches}
