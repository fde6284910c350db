"""Proposals: acts that want a second person. One proposes, another approves or turns down."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Ground, Id, Number
from keizoku.web.four_eyes import STATES, one_proposal, proposal_rows, refuse
from keizoku.web.four_eyes import approve as approve_proposal

__all__ = ["proposals"]

proposals = Resource("proposals", "Acts that want a second person.")

_State = Annotated[str, Field(pattern=f"^({'|'.join(STATES)})$")]


@proposals.list("/proposals", command="api proposals", row=dict[str, Any])
def list_proposals(call: Call, *, state: _State | None = None, account: Id | None = None) -> Listing:
    """What was proposed, the oldest first: the act, its content, by whom, and what became of it."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        begun = number_in(after) or 0
        return proposal_rows(call.session, call.now, state=state, account=account, limit=limit, after=begun)

    return Listing(read)


@proposals.question("/proposals/{number}", command="api proposals", answer=dict[str, Any])
def show(call: Call, number: Number) -> Any:
    """One proposal."""
    return one_proposal(call.session, call.now, number)


@proposals.act("/proposals/{number}/approve", command="api approve", answer=dict[str, Any])
def approve(call: Call, number: Number, *, ground: Ground) -> Any:
    """Approve a proposal of somebody else: the act is done now, in the same transaction."""
    return approve_proposal(call, number, ground)


@proposals.act("/proposals/{number}/turn-down", command="api turn-down", answer=dict[str, Any])
def turn_down(call: Call, number: Number, *, ground: Ground) -> Any:
    """Turn a proposal down: nothing is done."""
    return refuse(call, number, ground, "turned_down")


@proposals.act("/proposals/{number}/withdraw", command="api withdraw", answer=dict[str, Any])
def withdraw(call: Call, number: Number, *, ground: Ground) -> Any:
    """Withdraw a proposal of one's own: nothing is done."""
    return refuse(call, number, ground, "withdrawn")
