"""Member sessions: the host asks for a link, the member opens it, once, and sees one account."""

from __future__ import annotations

from typing import Any

from keizoku.web.calls.call import Call
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Id
from keizoku.web.identity.members import new_member_link

__all__ = ["member_sessions"]

member_sessions = Resource("member-sessions", "Links with which a member opens the pages of one account.")


@member_sessions.act("/member-sessions", command="api member-link", answer=dict[str, Any])
def open_pages(call: Call, *, account: Id) -> Any:
    """A link for one member (`url`, shown this once): it is opened once, within 15 minutes."""
    if not call.origin:
        raise ProblemError(
            409, "session.none_here", "There are no sessions here.", "the door has no address for browsers",
            "set KEIZOKU_PUBLIC_URL",
        )  # fmt: skip
    made = new_member_link(call.session, account, by=call.author, now=call.now)
    call.reveal["url"] = f"{call.origin}/enter/{made.token}"
    return {"account": made.account, "expires_at": made.to_json()["expires_at"]}
