"""What a member is told when an act of theirs was taken: when, under which number, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from fastapi import Request

from keizoku.db.tables.contracts import contract_fact
from keizoku.terms import words
from keizoku.web.identity.principal import MEMBER
from keizoku.web.pages.shared.rendering import language_of

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door

__all__ = ["receipt_of"]

_TOLD: Final = ("ends_on",)


def receipt_of(request: Request, operation: Operation, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt of an act: `received_at` in words, `receipt` the number of the fact or claim, and what follows."""
    door: Door = request.app.state.door
    principal, _ = request.state.admitted
    found: dict[str, Any] = {"received_at": words.instant(door.clock(), language_of(request) == "ja")}
    if "claim" in answer:
        found["receipt"] = answer["claim"]
    elif operation.resource == "contracts":
        with door.services(MEMBER, acts=False, shows=principal.shows) as services:
            number = services.session.execute(sa.select(sa.func.max(contract_fact.c.id))).scalar_one()
        found["receipt"] = f"{number:,}"
    return {**found, **{name: answer[name] for name in _TOLD if answer.get(name)}}
