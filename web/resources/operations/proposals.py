"""Proposals: acts that want a second person. One proposes, another approves or turns down."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from keizoku.db.tables.web import proposal, proposal_decision
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Operation, Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Ground, Id, Number

__all__ = ["proposals"]

proposals = Resource("proposals", "Acts that want a second person.")

_State = Annotated[str, Field(pattern="^(waiting|approved|turned_down)$")]


@proposals.list("/proposals", command="tasks list", row=dict[str, Any])
def list_proposals(call: Call, *, state: _State | None = None, account: Id | None = None) -> Listing:
    """What was proposed, the oldest first: the act, its content, by whom, and what became of it."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        query = _proposals().where(proposal.c.id > (number_in(after) or 0)).order_by(proposal.c.id).limit(limit)
        if account is not None:
            query = query.where(proposal.c.account == account)
        if state == "waiting":
            query = query.where(proposal_decision.c.proposal_id.is_(None))
        elif state is not None:
            query = query.where(proposal_decision.c.approved.is_(state == "approved"))
        return [_shown(row) for row in call.session.execute(query)]

    return Listing(read)


@proposals.question("/proposals/{number}", command="tasks show", answer=dict[str, Any])
def show(call: Call, number: Number) -> Any:
    """One proposal."""
    row = call.session.execute(_proposals().where(proposal.c.id == number)).one_or_none()
    if row is None:
        raise Refused("proposal.unknown", f"there is no proposal {number}")
    return _shown(row)


@proposals.act("/proposals/{number}/approve", command="tasks done", answer=dict[str, Any])
def approve(call: Call, number: Number, *, ground: Ground) -> Any:
    """Approve a proposal of somebody else: the act is done now, in the same transaction."""
    row, operation = _waiting(call, number)
    if row.proposed_by == call.author:
        raise Refused(
            "proposal.same_person", f"proposal {number} is {row.proposed_by}'s own", "another person approves it"
        )
    if not call.principal.may(operation.resource, "write"):
        raise ProblemError(403, "scope", "The key lacks a scope.", f"it needs {operation.resource}:write")
    by = replace(call, approver=call.author, on_behalf=row.proposed_by)
    arguments = operation.arguments(row.content)
    _decide(call, number, ground, approved=True)
    result = operation.handler(by, **arguments)
    return {"proposal": number, "state": "approved", "result": result}


@proposals.act("/proposals/{number}/turn-down", command="tasks done", answer=dict[str, Any])
def turn_down(call: Call, number: Number, *, ground: Ground) -> Any:
    """Turn a proposal down; its author may, too."""
    _waiting(call, number)
    _decide(call, number, ground, approved=False)
    return {"proposal": number, "state": "turned_down"}


def _waiting(call: Call, number: int) -> tuple[sa.Row[Any], Operation]:
    from keizoku.web.application import operations

    call.session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"proposal {number}", 0))))
    row = call.session.execute(_proposals().where(proposal.c.id == number)).one_or_none()
    if row is None:
        raise Refused("proposal.unknown", f"there is no proposal {number}")
    if row.approved is not None:
        raise Refused("proposal.decided", f"proposal {number} was decided by {row.decided_by}")
    operation = next((each for each in operations() if each.name == row.operation), None)
    if operation is None:
        raise Refused("proposal.unknown", f"proposal {number}: this release has no {row.operation}", "propose it anew")
    return row, operation


def _decide(call: Call, number: int, ground: str, *, approved: bool) -> None:
    call.session.execute(
        sa.insert(proposal_decision).values(
            proposal_id=number, approved=approved, decided_by=call.author, ground=ground, decided_at=call.now
        )
    )


def _proposals() -> sa.Select[Any]:
    return sa.select(
        proposal,
        proposal_decision.c.approved,
        proposal_decision.c.decided_by,
        proposal_decision.c.ground,
        proposal_decision.c.decided_at,
    ).outerjoin(proposal_decision, proposal_decision.c.proposal_id == proposal.c.id)


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    state = "waiting" if row.approved is None else "approved" if row.approved else "turned_down"
    return {
        "id": row.id,
        "operation": row.operation,
        "account": row.account,
        "content": row.content,
        "proposed_by": row.proposed_by,
        "proposed_at": iso_jst(row.proposed_at),
        "state": state,
        "decided_by": row.decided_by,
        "ground": row.ground,
        "decided_at": iso_jst(row.decided_at) if row.decided_at is not None else None,
    }
