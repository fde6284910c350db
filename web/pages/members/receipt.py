"""What a member is told when an act of theirs was taken: when, under which number, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import Request

from keizoku.db.tables.contracts import contract_fact
from keizoku.terms import words
from keizoku.web.identity.principal import MEMBER
from keizoku.web.pages.shared.rendering import language_of

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door

__all__ = ["foreseen", "receipt_of"]


def receipt_of(request: Request, operation: Operation, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt of an act: when it was taken, the number of the fact or claim, the last day of use where it ends."""
    door: Door = request.app.state.door
    principal, _ = request.state.admitted
    ja = language_of(request) == "ja"
    found: dict[str, Any] = {"received_at": words.instant(door.clock(), ja)}
    if "claim" in answer:
        found["receipt"] = answer["claim"]
    elif operation.resource == "contracts":
        with door.services(MEMBER, acts=False, shows=principal.shows) as services:
            number = services.session.execute(sa.select(sa.func.max(contract_fact.c.id))).scalar_one()
        found["receipt"] = f"{number:,}"
    return {**found, **foreseen("ja" if ja else "en", answer)}


def foreseen(lang: Lang, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What an act's answer says of what comes of it: the last day of use, where it ends."""
    if not answer.get("ends_on"):
        return {}
    return {"last_day": words.day(date.fromisoformat(answer["ends_on"]) - timedelta(days=1), lang == "ja")}
