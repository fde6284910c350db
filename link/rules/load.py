"""How often an account fetches (api_link/9.2): counts by the hour, for people to judge.

Selling on, redistributing, sharing, moving elsewhere and hiding the access point leave no trace here: those are
people's alone. That fetches load the system is people's finding, too; these figures are what they look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from keizoku.terms.decision import decides

__all__ = ["Load", "loads"]


@dataclass(frozen=True, slots=True)
class Load:
    """The fetches of an account in one hour; `above`: more than the setting shows people by itself."""

    account: str
    hour_at: datetime  # its first instant
    fetches: int
    above: bool


@decides("api_link/9.2")
def loads(fetches: Iterable[tuple[str, datetime]], threshold: int) -> tuple[Load, ...]:
    """The fetches of each account and hour, most first."""
    counted = Counter((account, at.replace(minute=0, second=0, microsecond=0)) for account, at in fetches)
    found = [Load(account, hour, number, number > threshold) for (account, hour), number in counted.items()]
    return tuple(sorted(found, key=lambda load: (-load.fetches, load.account, load.hour_at)))
