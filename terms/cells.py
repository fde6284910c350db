"""A cell of a CSV or a workbook, which no spreadsheet takes for a formula.

    '=1+1' -> "'=1+1"      '＝1+1' -> "'＝1+1"      ' @a' -> "' @a"      -300 (a number) -> -300

Names, memos and references come from outside: text that begins like a formula gets an apostrophe before it. A Japanese
Excel reads full-width signs as their half-width ones, and some importers drop spaces before a cell.
"""

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "−", "＠", "\t", "\r", "\n")
"""With these a spreadsheet takes a cell for a formula."""


def cell(value: object) -> object:
    """The value, neutralised if it is text that begins like a formula; numbers and dates are as they were."""
    if isinstance(value, str) and (value.startswith(FORMULA) or value.lstrip().startswith(FORMULA)):
        return f"'{value}"
    return value


def cell_text(value: object) -> str:
    """The same as text, for formats that know no other; nothing is an empty cell."""
    return "" if value is None else str(cell(value))
