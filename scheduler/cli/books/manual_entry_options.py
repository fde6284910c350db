"""What the commands that post by hand share: the lines as people type them, and where an entry landed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from keizoku.scheduler.cli.shared.output import fail

if TYPE_CHECKING:
    from keizoku.billing.ledger.reversal_advice import Landed


def where_of(where: Landed) -> dict[str, object]:
    """Where an entry stands, for JSON."""
    return {"posted_on": where.posted_on, "belongs_to": where.belongs_to}


def elsewhere(where: Landed, asked_on: date) -> str:
    """A clear word where an entry did not land on the day that was asked for."""
    if where.posted_on == asked_on:
        return ""
    return f" on {where.posted_on}, not {asked_on}: {where.belongs_to} is closed, and the entry names it"


def hand_lines(texts: list[str]) -> dict[str, int]:
    """CODE=YEN, several; ends the command for anything else."""
    found: dict[str, int] = {}
    for text in texts:
        code, _, yen = text.partition("=")
        try:
            found[code.strip()] = found.get(code.strip(), 0) + int(yen)
        except ValueError:
            fail(f"not a line: {text!r}; write CODE=YEN, debit positive: 6110=18 1131=-18")
    return found
