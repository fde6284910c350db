"""One call: who asks, when, and the services that answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from keizoku.terms.calendar import jst_day
from keizoku.web.calls.problems import ProblemError

if TYPE_CHECKING:
    from fastapi import Request

    from keizoku.billing.services.billing_service import BillingService
    from keizoku.db.session import Session
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.settings import Settings
    from keizoku.sla.services.sla_service import SlaService
    from keizoku.terms.rules import Rules
    from keizoku.web.door import Door
    from keizoku.web.identity.principal import Principal
    from keizoku.web.jobs import Jobs

__all__ = ["Call", "Listing", "Row", "door_of", "no_cursor", "number_in", "shown_rows", "whole"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One call to an operation. `now` is taken once; `author` is who is written into what it does."""

    principal: Principal
    role: str
    now: datetime
    services: Services
    settings: Settings
    jobs: Jobs
    origin: str = ""
    """Where browsers reach us; empty: nowhere."""
    prefix: str = "keizoku"
    """How the roles of the database begin."""
    approver: str | None = None
    """Who approved it, where it wanted a second person: the act is then the proposer's, on their word."""
    on_behalf: str | None = None
    keep: Callable[[Any], None] = lambda _: None
    """Of an act that commits on its way and cannot be done again: its key and its answer, in its last transaction."""
    reveal: dict[str, Any] = field(default_factory=dict)
    """What is in the first answer and kept nowhere: secrets that are shown once."""

    @property
    def who(self) -> tuple[Principal, str]:
        """Who asks, and as which role, for the log."""
        return self.principal, self.role

    @property
    def author(self) -> str:
        """The author of what is done."""
        return self.on_behalf or self.principal.name

    @property
    def session(self) -> Session:
        """The connection, as the role of the call."""
        return self.services.session

    @property
    def rules(self) -> Rules:
        """The contract with its readings, and the operator's settings."""
        return self.services.rules

    @cached_property
    def billing(self) -> BillingService:
        """Acts on contracts and money."""
        return self.services.billing

    @cached_property
    def sla(self) -> SlaService:
        """Facts about stops and claims."""
        return self.services.sla

    @property
    def today(self) -> date:
        """The day in Japan."""
        return jst_day(self.now)


@dataclass(frozen=True)
class Listing:
    """A list that is read page by page: (at most so many rows, behind the row of this name or "" from the first)."""

    read: Callable[[int, str], Sequence[Any]]
    name: Callable[[Any], str] = lambda row: str(row["id"])


def door_of(request: Request) -> Door:
    """The door that a request came to."""
    return cast("Door", request.app.state.door)


def whole(rows: Sequence[Any], key: str = "id") -> Listing:
    """A list that is short enough to be at hand as a whole."""
    names = [str(row[key]) for row in rows]

    def read(limit: int, after: str) -> Sequence[Any]:
        if not after:
            return rows[:limit]
        start = next((place for place, name in enumerate(names) if name == after), None)
        if start is None:
            raise no_cursor(after)
        return rows[start + 1 : start + 1 + limit]

    return Listing(read, lambda row: str(row[key]))


def shown_rows(rows: Sequence[Any], key: str = "id") -> Listing:
    """Rows that show themselves in JSON, at hand as a whole."""
    return whole([each.to_json() for each in rows], key)


def number_in(cursor: str) -> int | None:
    """The number that a cursor stands for; None for the first page. Raises ProblemError for what is no number."""
    if not cursor:
        return None
    if not cursor.isdecimal() or len(cursor) > 18:
        raise no_cursor(cursor)
    return int(cursor)


def no_cursor(cursor: str) -> ProblemError:
    """The problem of a cursor that no page of the list gave."""
    return ProblemError(
        422, "cursor", "This is no cursor of the list.", f"cursor {cursor[:40]!r}", "take `next` of the page before"
    )
