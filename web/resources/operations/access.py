"""The access report: who may do what, since when, and when they last did; and who read an account."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.terms.calendar import iso_jst
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Id, Instant, Name
from keizoku.web.identity.access_report import access_report
from keizoku.web.request_log import requests_of

__all__ = ["access_control"]

access_control = Resource("access", "Who may do what, and who asked for what.")

_Act = Annotated[bool | None, Field(description="acts alone, or questions alone")]


@access_control.question("/access-report", command="api access", answer=dict[str, Any])
def report(call: Call) -> Any:
    """Keys, people, members and logins of the database: roles, scopes, since when, until when, last use."""
    return {"as_of": iso_jst(call.now), "data": access_report(call.session, call.now, call.prefix)}


@access_control.list("/requests", command="api requests", row=dict[str, Any])
def list_requests(
    call: Call,
    *,
    account: Id | None = None,
    who: Name | None = None,
    act: _Act = None,
    from_at: Instant | None = None,
    to_at: Instant | None = None,
) -> Listing:
    """Who asked for what, about whom, when, and how it was answered, the oldest first. It is only ever added to."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        begun = number_in(after) or 0
        return requests_of(
            call.session, account=account, who=who, act=act, span=(from_at, to_at), limit=limit, after=begun
        )

    return Listing(read)
