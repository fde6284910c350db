"""What only a sandbox can do: move its clock, say how a simulated card answers. Served by `keizoku serve --sandbox`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import iso_jst
from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Id, Instant

if TYPE_CHECKING:
    from keizoku.web.door import Door
    from keizoku.web.sandbox import Sandbox

__all__ = ["sandbox_router"]

_MOST_DAYS = 3_660


class ClockMove(BaseModel):
    """Where the clock goes: an instant, or so many days on."""

    model_config = ConfigDict(extra="forbid")

    to: Instant | None = None
    days: Annotated[int, Field(ge=1, le=_MOST_DAYS)] | None = None


class CardSetting(BaseModel):
    """How the card of an account answers from now on."""

    model_config = ConfigDict(extra="forbid")

    account: Id
    outcome: Literal[
        "ok", "insufficient_funds", "lost_card", "expired_card", "authentication_required", "timeout_after_success",
        "timeout_before", "error_500",
    ]  # fmt: skip


def sandbox_router(sandbox: Sandbox) -> APIRouter:
    """The calls of a sandbox; a live door never has them."""
    router = APIRouter(prefix="/v1/test")

    @router.get("/clock", include_in_schema=False)
    def show(request: Request) -> dict[str, Any]:
        """Where the clock stands."""
        _admit(request)
        return {"now": iso_jst(sandbox.now)}

    @router.post("/clock", include_in_schema=False)
    def move(request: Request, wanted: ClockMove) -> Any:
        """Move the clock on; the nights in between run. Moving it to where it stands does nothing."""
        door, who = _admit(request)
        if (wanted.to is None) == (wanted.days is None):
            raise ProblemError(422, "form", "The call has another form.", "say `to` or `days`", "say one of them")
        to = wanted.to if wanted.to is not None else sandbox.now + timedelta(days=wanted.days or 0)
        if to - sandbox.now > timedelta(days=_MOST_DAYS):
            raise ProblemError(422, "form", "The call has another form.", f"at most {_MOST_DAYS} days", "go in parts")
        return sandbox.move(door, to, by=who)

    @router.post("/cards", include_in_schema=False)
    def card(request: Request, wanted: CardSetting) -> dict[str, str]:
        """From now on charges to this account's card end like this."""
        door, _ = _admit(request)
        with door.services("worker", acts=True) as services:
            Simulator(services).cards.set_card(wanted.account, wanted.outcome)
        return {"account": wanted.account, "outcome": wanted.outcome}

    return router


def _admit(request: Request) -> tuple[Door, str]:
    """The door of a sandbox, and who asks. Raises ProblemError 401 or 403."""
    door = door_of(request)
    principal = door.principal(request)
    if not principal.test or "worker" not in principal.roles:
        raise ProblemError(403, "role", "This is for another role.", "the clock of a sandbox is for worker")
    return door, principal.name
