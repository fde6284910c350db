"""The key of an act on the command line: said with it again, the act is done once.

keizoku deposit refund user0 --yen 1000 …       a key of its own is made, and named only when it is needed:
error: … it may have been done; repeat it with its key, and it is done once: keizoku deposit refund … --key k-…
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.language import both

Key = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="TEXT",
        help=both(
            "Repeated with the same key, the act is done once. Default: a new one.",
            "同じキーでもう一度実行しても、操作は一度だけ行われます。省略すると新しいキー。",
        ),
    ),
]
_of_this_command: list[str] = []


def key_of(given: str) -> str:
    """The key that was given, or a new one; remembered for what is said if the command is broken off."""
    key = given or f"k-{secrets.token_hex(8)}"
    _of_this_command[:] = [key]
    return key


def to_repeat(written: Sequence[str]) -> str | None:
    """The command line that repeats this act with its key; None for a command whose act has none."""
    if not _of_this_command:
        return None
    key = _of_this_command[0]
    with_key = any(each == "--key" or each.startswith("--key=") for each in written)
    return shlex.join(["keizoku", *written, *([] if with_key else ["--key", key])])
