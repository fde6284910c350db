"""The texts that an act is given, held against the limits before anything is done.

    @texts_checked
    class Service: …      every public method refuses a text that no column holds: too long, NUL, half a letter

Who signs is a name, whose it is an id, the rest is prose; `keizoku.limits` says how long each may be. An empty text is
for the act itself to refuse: it knows whether it needs one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from keizoku.limits import LONGEST_ID, LONGEST_NAME, id_flaw, name_flaw, text_flaw
from keizoku.terms.refusal import Refused

__all__ = ["check_text", "texts_checked"]

IDS: Final = frozenset({"account", "batch", "claim", "id", "name", "plan", "stop", "uid"})
"""Parameters that are the id of something."""
NAMES: Final = frozenset({"approved_by", "author", "by", "calendar", "payer", "recipient", "reference"})
"""Parameters that name somebody or something of others."""

_Class = TypeVar("_Class", bound=type)


def texts_checked(service: _Class) -> _Class:
    """The class, whose public methods refuse texts that nothing can hold."""
    for name, member in list(vars(service).items()):
        if inspect.isfunction(member) and not name.startswith("_") and not hasattr(member, "__wrapped__"):
            setattr(service, name, _checked(member))
    return service


def check_text(name: str, value: str) -> None:
    """Raises Refused for a text that cannot be what a parameter of this name holds."""
    if name in IDS:
        flaw = id_flaw(value) if value.strip() else None
    else:
        flaw = name_flaw(value, LONGEST_NAME) if name in NAMES else text_flaw(value)
    if flaw is None:
        return
    shown = repr(value) if len(value) <= LONGEST_ID else f"of {len(value):,} letters"
    if name == "account":
        rule = f"an account has an id of 1 to {LONGEST_ID} printable letters"
        raise Refused("account.id_form", f"account {shown}: {rule}")
    raise Refused.fact("fact.not_text", name, shown, flaw, "shorten or correct it")


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    names = list(inspect.signature(method).parameters)

    @functools.wraps(method)
    def act(*given: Any, **named: Any) -> Any:
        for name, value in (*zip(names, given, strict=False), *named.items()):
            if isinstance(value, str):
                check_text(name, value)
        return method(*given, **named)

    return act
