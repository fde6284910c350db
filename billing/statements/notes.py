"""What stands in a bank's table and is no line of it: notes, totals, counts, empty rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from keizoku.billing.statements.values import even

__all__ = ["is_note"]

_NOTE = re.compile(r"※.*|注[::].*|以上|合計|小計|総合計|計|件数|明細件数.*|total(_rows|_amount|_units)?", re.IGNORECASE)
_DIGITS = frozenset("0123456789")  # a row nearly always begins with one: its day, its number


def is_note(cells: Sequence[str]) -> bool:
    """Whether a record is empty, a total, or a sentence that stands alone.

    A row that was cut after its day or its number is none: what begins with a digit or a sign is a row.
    """
    if cells and cells[0][:1] in _DIGITS:
        return False
    filled = [cell for cell in cells if cell.strip()]
    if not filled:
        return True
    first = even(filled[0])
    if _NOTE.fullmatch(first):
        return True
    return len(filled) == 1 and first[:1] not in "0123456789+-−△▲¥\\("
