"""Commands that read: while one runs, it is kept which account it read and who did (keizoku.db.account_reads).

A command that is for every role only reads (rights.py). Where it names an account, that account is read; where it names
an invoice, a claim or a letter, the question that it asks says whose that is.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import wraps
from typing import Any

from keizoku.scheduler.cli.shared.rights import ALLOWED, EVERYBODY

__all__ = ["reader", "watch"]


def watch(group: str, command: Any) -> None:
    """Let the reading commands of a group say what they ask, once."""
    for name, each in getattr(command, "commands", {}).items():
        path = f"{group} {name}"
        if ALLOWED.get(path) == EVERYBODY and each.callback is not None:
            each.callback = _asking(path, each.callback)


def reader() -> str:
    """Who reads: the name of the login; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _asking(path: str, callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def told(**given: Any) -> Any:
        from keizoku.db.account_reads import asking

        account = given.get("account")
        with asking(path, account if isinstance(account, str) else ""):
            return callback(**given)

    return told
