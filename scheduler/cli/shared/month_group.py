"""A group of commands that is a command itself: `keizoku close 2026-04` beside `keizoku close list`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

MONTH = "month"
"""The command that is meant where none is named."""


class MonthGroup(TyperGroup):
    """What is not a command of the group is a month, and goes to the command `month`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in front where only its arguments are."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [MONTH, *args]
        return super().parse_args(ctx, args)
