"""Who asks: a machine with a key, a person of the staff, or whoever sits at this machine; and what each may.

An operation names the command of the command line that does the same; who may give that command
(`scheduler/cli/shared/rights.py`) may call it. A key has scopes besides: `contracts:write` allows the acts on
contracts, `contracts:read` the questions, `*:read` all questions, `*` everything that its role may.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

__all__ = ["MEMBER", "ROLES", "SCOPE", "Kind", "Principal", "Role"]

Role = Literal["worker", "finance", "support", "member"]
ROLES: Final[tuple[Role, ...]] = ("worker", "finance", "support")
MEMBER: Final = "member"
"""The role of whoever sees one account: their own."""
Kind = Literal["key", "staff", "local", "member"]
SCOPE: Final = re.compile(r"\*|(?:\*|[a-z][a-z-]{0,39}):(?:read|write)")
"""The form of a scope."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is the author of acts; `roles` are the database's, in which one may be chosen for a call."""

    kind: Kind
    name: str
    roles: tuple[Role, ...]
    scopes: frozenset[str] = field(default=frozenset({"*"}))
    test: bool = False
    """Whether the key is for a sandbox."""
    account: str | None = None
    """A member's: the one account that they see."""
    session: int | None = None
    key: int | None = None
    """A key's number, by which the database knows whether it was ended."""
    until: datetime | None = None
    """When a key outlives its day; None: never."""
    shows: str = field(default="", repr=False)
    """The hash of a session's token, by which the database knows whose rows a member sees."""

    @property
    def person(self) -> str:
        """Who stands behind it, where two are wanted: keys of one name are one person's, whatever their numbers."""
        return self.name.rpartition(":")[0] if self.kind == "key" else self.name

    @property
    def whose(self) -> str:
        """Who says an Idempotency-Key: two members never share one."""
        return self.name if self.account is None else f"{self.name}:{self.account}"

    def role_for(self, allowed: Collection[str]) -> Role | None:
        """As which role of the database a call is made that these roles may make; None: as none."""
        return next((role for role in self.roles if role in allowed), None)

    def may(self, resource: str, verb: Literal["read", "write"]) -> bool:
        """Whether one of the scopes covers it; who may write may not therefore read."""
        return not {"*", f"*:{verb}", f"{resource}:{verb}"}.isdisjoint(self.scopes)
