"""The second clock: what this process takes for now is held against the database's clock, and the gateway's.

    services open ──> the database's now(), once ──> an act whose `now` lies ahead of it is refused
    a night, news ──> the gateway's Date, where it answers ──> the same

A clock that was wrong once would be believed for ever, because what it dates is append-only. One that is behind does
no such harm: the next act with the right one goes on from there; it is told (keizoku_clock_ahead_seconds), and what it
would end on a day that a night has closed is refused (clock.behind).
What lives at another time than the wall's (scenarios, the demo, trials, tests) has no second clock, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.pacing import awake_or_not
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from keizoku.billing.gateway.port import Gateway

__all__ = ["ClockName", "HeldActs", "HeldClock", "check_gateway_clock", "database_now"]

ClockName = Literal["real", "given"]
"""real: `now` is the present, and held against the database's; given: it is whatever the caller plays."""


def database_now(session: Session) -> datetime:
    """The database's clock at this instant, not at the beginning of the transaction."""
    found: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return found


@dataclass(frozen=True, slots=True)
class HeldClock:
    """The database's clock as it was when the services opened, and how far ahead of it `now` may be."""

    database_at: datetime
    most_ahead: timedelta
    elapsed: Callable[[], float] = awake_or_not
    read_at: float = field(default_factory=awake_or_not)

    def check(self, now: datetime) -> None:
        """Raises Refused for a `now` that lies ahead of the database's clock by more than is allowed."""
        since = timedelta(seconds=self.elapsed() - self.read_at)
        check_ahead(now, self.database_at + since, self.most_ahead, "the database's clock")


def check_ahead(now: datetime, other: datetime, most_ahead: timedelta, whose: str) -> None:
    """Raises Refused where `now` is ahead of another clock by more than is allowed."""
    if now - other > most_ahead:
        raise Refused(
            "clock.ahead",
            f"the clock is ahead: it says {_utc(now)}, {whose} {_utc(other)}; nothing was done",
            "set the clocks of both machines (KEIZOKU_CLOCK_AHEAD_SECONDS says how far apart they may be)",
        )


def check_gateway_clock(gateway: Gateway, now: datetime, most_ahead: timedelta) -> None:
    """Hold `now` against the gateway's Date header, where it has one and answers. Raises Refused."""
    ask = getattr(gateway, "server_now", None)
    found = ask() if ask is not None else None
    if found is not None:
        check_ahead(now, found, most_ahead, f"{gateway.name}'s")


class HeldActs:
    """Acts of a service, each refused where its `now` lies ahead of the second clock; all else is the service's own."""

    def __init__(self, service: object, clock: HeldClock) -> None:
        self._service, self._clock = service, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._service, name)
        if name.startswith("_") or not callable(found):
            return found

        def act(*given: Any, **named: Any) -> Any:
            now = named.get("now")
            if isinstance(now, datetime):
                self._clock.check(now)
            return found(*given, **named)

        return act


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
