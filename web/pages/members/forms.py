"""What a member's own forms bring, as the fields of the acts behind them.

They are not asked why (it is their own word), and give a time of their own as a beginning and an end, not as a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from keizoku.web.pages.shared.act_fields import instant_of

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation

__all__ = ["GROUND", "OWN_FROM", "OWN_TO", "filled", "own_window"]

GROUND: Final = "本人の申出"
"""The ground of what a member asks for themselves."""
OWN_FROM: Final = "own_from"
OWN_TO: Final = "own_to"


def filled(operation: Operation, given: Mapping[str, str]) -> dict[str, str]:
    """The fields that a member does not type as such: their ground, and the windows that they add."""
    found: dict[str, str] = {}
    names = operation.fields.model_fields if operation.fields is not None else {}
    if "ground" in names and "ground" not in operation.not_by_member:
        found["ground"] = GROUND
    own = own_window(given)
    if "windows" in names and own:
        found["windows"] = "\n".join(part for part in (given.get("windows", ""), own) if part)
    return found


def own_window(given: Mapping[str, str]) -> str:
    """A beginning and an end of a form as one line FROM/TO; empty where neither is given."""
    start, end = given.get(OWN_FROM, "").strip(), given.get(OWN_TO, "").strip()
    return f"{instant_of(start)}/{instant_of(end)}" if start or end else ""
