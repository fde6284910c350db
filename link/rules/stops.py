"""Stops and changes of the service (api_link/10.4, 11.2), and a partner's stop after a security event (5.7).

10.4 lets the whole service or a part of it be limited or stopped for a time without notice. 11.2 lets it change or
stop with the partner's; that is announced on the site, afterwards where it cannot be helped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keizoku.link.rules.facts import Customer, Scope, Stop
from keizoku.terms.decision import decides

__all__ = ["OpenAnnouncement", "announcements_due", "stopped"]


@decides("api_link/10.4")
def stopped(customer: Customer, scope: Scope, at: datetime) -> Stop | None:
    """The first stop that closes this scope to the customer at `at`; None: it is open."""
    return next(
        (
            stop
            for stop in customer.stops
            if stop.kind == "stop"
            and stop.account in (None, customer.account)
            and stop.scope in ("all", scope)
            and stop.from_at <= at
            and (stop.ended_at is None or at < stop.ended_at)
        ),
        None,
    )


@dataclass(frozen=True, slots=True)
class OpenAnnouncement:
    """A stop or change that the site has to tell of and does not yet; `late`: it has begun, so this is afterwards."""

    stop: Stop
    late: bool


@decides("api_link/11.2")
def announcements_due(stops: Sequence[Stop], at: datetime) -> tuple[OpenAnnouncement, ...]:
    """The stops and changes by 11.2 that are not announced by `at`, in order."""
    return tuple(
        OpenAnnouncement(stop, stop.from_at <= at)
        for stop in stops
        if stop.clause == "11.2" and (stop.announced_at is None or stop.announced_at > at)
    )
