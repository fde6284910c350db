"""Acts that want a second person: proposed word for word by one, done by the approval of another, once.

    propose ──> waiting ── approved by somebody else ──> the act, the proposer its author   (one transaction)
                   │  └─── turned down by anybody, withdrawn by its author
                   └── too old: `proposal_days` after it was made nobody approves it any more

Always holds (by the database): whoever approves is not whoever proposed, and there is one decision. Two keys of one
name are one person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from keizoku.db.locks import take_turn
from keizoku.db.tables.web import proposal, proposal_decision
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused
from keizoku.web.calls.problems import ProblemError

if TYPE_CHECKING:
    from datetime import datetime

    from keizoku.db.session import Session
    from keizoku.web.calls.call import Call
    from keizoku.web.calls.operation import Operation

__all__ = ["STATES", "Decision", "approve", "one_proposal", "proposal_count", "proposal_rows", "propose", "refuse"]

Decision = Literal["approved", "turned_down", "withdrawn"]
STATES: Final = ("waiting", "expired", "approved", "turned_down", "withdrawn")


def propose(operation: Operation, call: Call, content: Mapping[str, Any], account: str | None) -> dict[str, Any]:
    """Keep an act until another person decides; nothing of it is done. In the call's own transaction."""
    values = {
        "operation": operation.name, "content": content, "fingerprint": _fingerprint(operation.name, content),
        "account": account, "ground": content["fields"].get("ground"), "proposed_by": call.author,
        "person": call.principal.person, "role": call.role, "proposed_at": call.now,
        "expires_at": call.now + timedelta(days=call.settings.proposal_days),
    }  # fmt: skip
    made = call.session.execute(sa.insert(proposal).values(**values).returning(proposal.c.id)).scalar_one()
    return {"proposal": int(made), "state": "waiting", "expires_at": iso_jst(values["expires_at"])}


def approve(call: Call, number: int, ground: str) -> dict[str, Any]:
    """Do the act of a proposal now: its author is the proposer, on the word of whoever calls. Refused; ProblemError."""
    from keizoku.web.application import operations

    row = _waiting(call, number)
    if row.person == call.principal.person:
        raise Refused(
            "proposal.same_person", f"proposal {number} is {row.proposed_by}'s own", "another person approves it"
        )
    operation = next((each for each in operations() if each.name == row.operation), None)
    if operation is None or row.fingerprint != _fingerprint(row.operation, row.content):
        raise Refused("proposal.unknown", f"proposal {number}: this release has no {row.operation}", "propose it anew")
    if call.role not in operation.roles or not call.principal.may(operation.resource, "write"):
        raise ProblemError(
            403, "scope", "The key lacks a scope.", f"it needs {operation.resource}:write as {operation.roles}"
        )
    by = replace(call, approver=call.author, on_behalf=row.proposed_by)
    result = operation.handler(by, **operation.arguments(row.content))
    _decide(call, row, ground, "approved", result)
    return {"proposal": number, "state": "approved", "result": result}


def refuse(call: Call, number: int, ground: str, decision: Literal["turned_down", "withdrawn"]) -> dict[str, Any]:
    """The act is not done: turned down, or withdrawn by whoever proposed it. Refused."""
    row = _waiting(call, number)
    if decision == "withdrawn" and row.person != call.principal.person:
        raise Refused("proposal.not_own", f"proposal {number} is {row.proposed_by}'s", "turn it down instead")
    _decide(call, row, ground, decision, None)
    return {"proposal": number, "state": decision}


def proposal_rows(
    session: Session, now: datetime, *, state: str | None = None, account: str | None = None, limit: int, after: int = 0
) -> list[dict[str, Any]]:
    """What was proposed, the oldest first: the act, its content, by whom, and what became of it."""
    query = _proposals().where(proposal.c.id > after).order_by(proposal.c.id).limit(limit)
    if account is not None:
        query = query.where(proposal.c.account == account)
    if state is not None:
        query = query.where(_state(now) == state)
    return [_shown(row) for row in session.execute(query.add_columns(_state(now).label("state")))]


def proposal_count(session: Session, now: datetime, *, state: str | None = None) -> int:
    """How many there are."""
    wanted = _proposals() if state is None else _proposals().where(_state(now) == state)
    return session.scalar(sa.select(sa.func.count()).select_from(wanted.subquery())) or 0


def one_proposal(session: Session, now: datetime, number: int) -> dict[str, Any]:
    """One of them. Refused where there is none."""
    query = _proposals().where(proposal.c.id == number).add_columns(_state(now).label("state"))
    row = session.execute(query).one_or_none()
    if row is None:
        raise Refused("proposal.unknown", f"there is no proposal {number}")
    return _shown(row)


def _waiting(call: Call, number: int) -> sa.Row[Any]:
    take_turn(call.session, f"proposal/{number}")
    row = call.session.execute(_proposals().where(proposal.c.id == number)).one_or_none()
    if row is None:
        raise Refused("proposal.unknown", f"there is no proposal {number}")
    if row.decision is not None:
        raise Refused("proposal.decided", f"proposal {number} was decided by {row.decided_by}")
    if row.expires_at <= call.now:
        until = iso_jst(row.expires_at)
        raise Refused("proposal.expired", f"proposal {number} waited until {until}", "propose it anew")
    return row


def _decide(call: Call, row: sa.Row[Any], ground: str, decision: Decision, result: object) -> None:
    call.session.execute(
        sa.insert(proposal_decision).values(
            proposal_id=row.id, decision=decision, decided_by=call.author, person=call.principal.person,
            of_person=row.person, ground=ground, decided_at=call.now,
            result=json.loads(json.dumps(result, default=str)),
        )
    )  # fmt: skip


def _fingerprint(operation: str, content: Mapping[str, Any]) -> str:
    told = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{operation}\n{told}".encode()).hexdigest()


def _state(now: datetime) -> sa.ColumnElement[str]:
    old = sa.case((proposal.c.expires_at <= now, "expired"), else_="waiting")
    return sa.func.coalesce(proposal_decision.c.decision, old)


def _proposals() -> sa.Select[Any]:
    decided = [proposal_decision.c[name] for name in ("decision", "decided_by", "decided_at", "result")]
    return sa.select(proposal, *decided, proposal_decision.c.ground.label("decided_ground")).outerjoin(
        proposal_decision, proposal_decision.c.proposal_id == proposal.c.id
    )


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "operation": row.operation,
        "account": row.account,
        "content": row.content,
        "fingerprint": row.fingerprint,
        "proposed_by": row.proposed_by,
        "proposed_at": iso_jst(row.proposed_at),
        "proposed_ground": row.ground,
        "expires_at": iso_jst(row.expires_at),
        "state": row.state,
        "decided_by": row.decided_by,
        "ground": row.decided_ground,
        "decided_at": iso_jst(row.decided_at) if row.decided_at is not None else None,
        "result": row.result,
    }
