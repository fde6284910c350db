"""Leaks and misuse (api_link/5.7): people say what happened, and what they disclosed to the partner for it.

The clause lets the operator disclose what it holds of a customer as far as it is needed to find out what happened. So a
disclosure names an event, the customer, the kinds of data and the ground; without an event there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from keizoku.terms.decision import decides

__all__ = ["SecurityEvent", "disclosure_flaw", "item_of"]


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What people say has happened, or fear; of one account, or of nobody in particular."""

    kind: Literal["leak", "feared_leak", "misuse", "feared_misuse"]
    account: str | None
    occurred_at: datetime


@decides("api_link/5.7.1", "api_link/5.7.2")
def item_of(kind: str) -> str:
    """Which item of the clause an event falls under."""
    return "api_link/5.7.1" if kind in ("leak", "feared_leak") else "api_link/5.7.2"


@decides("api_link/5.7")
def disclosure_flaw(event: SecurityEvent | None, account: str, disclosed_at: datetime) -> str | None:
    """Why data of this account may not be disclosed for this event; None: people may."""
    if event is None:
        return "no security event with this number is recorded"
    if event.account is not None and event.account != account:
        return f"the event is about {event.account}"
    if disclosed_at < event.occurred_at:
        return "it lies before the event"
    return None
