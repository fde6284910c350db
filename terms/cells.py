"""A cell of a CSV or a workbook, which no spreadsheet takes for a formula.

    '=1+1' -> "'=1+1"      -300 (a number) -> -300

Names, memos and references come from outside: text that begins like a formula gets an apostrophe before it.
"""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a cell for a formula."""


def cell(value: object) -> object:
    """The value, neutralised if it is text that begins like a formula; numbers and dates are as they were."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def cell_text(value: object) -> str:
    """The same as text, for formats that know no other; nothing is an empty cell."""
    return "" if value is None else str(cell(value))
