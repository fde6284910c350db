"""How long, how large, how early and how late anything may be: the one home of every limit.

An id is a word that other systems and people copy: letters that print, none that steers a terminal or hides. A text is
prose for people: it may have lines, but not what no database keeps. Services, readers of files and the database's own
constraints take their limits from here; docs/reference/limits.md has the same numbers (a test compares them).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

__all__ = [
    "DEEPEST",
    "FIRST_YEAR",
    "LARGEST_FILE",
    "LARGEST_PAGE",
    "LAST_SECOND",
    "LAST_YEAR",
    "LENGTH",
    "LONGEST_ID",
    "LONGEST_NAME",
    "LONGEST_RULE",
    "LONGEST_SCHEMA_NAME",
    "LONGEST_STORED_ID",
    "LONGEST_TEXT",
    "MOST_COLUMNS",
    "MOST_LISTED",
    "MOST_NAMED",
    "SCHEMA_NAME",
    "STEPS_OF_A_RULE",
    "YEARS",
    "id_flaw",
    "is_known_year",
    "name_flaw",
    "readable",
    "text_flaw",
]

LENGTH: Final = "length"
"""How the names of the database's constraints on lengths end."""
LONGEST_ID: Final = 200
"""Letters of an id: an account, a claim, a stop, a plan, a batch, a UID, a user of observations."""
LONGEST_NAME: Final = 200
"""Letters of who or whose: an author, a payer, a reference, the name of a file or a calendar."""
LONGEST_TEXT: Final = 2_000
"""Letters of prose: a ground, what was agreed."""
LONGEST_SCHEMA_NAME: Final = 63
SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""Of the schema in which the tables lie: nothing that would need quotes."""
LONGEST_STORED_ID: Final = LONGEST_ID + 40
"""Letters of a name that we make of an id: UID#start of an occurrence, account-month-number of a claim."""
MOST_COLUMNS: Final = 1_000
"""Columns of a CSV file."""
MOST_LISTED: Final = 1_000
"""Rows of a bank's or store's file that cannot be used and are listed one by one; of the others their number."""
MOST_NAMED: Final = 20
"""Columns of a file that one finding names."""
LARGEST_FILE: Final = 256 * 1024 * 1024
"""Bytes of a file that is read as a whole. Observations are read in pieces, and have no limit."""
LARGEST_PAGE: Final = 16 * 1024 * 1024
"""Bytes of a file that is one page to people: YAML of a scenario, TOML of terms, settings, layouts."""
DEEPEST: Final = 50
"""How deep lists and mappings of such a page may be nested."""
LONGEST_RULE: Final = 500
"""Letters of the rule by which an announced window recurs."""
STEPS_OF_A_RULE: Final = 1_200
"""Months, or years, that such a rule is followed for without a window before it is refused."""
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2999
"""Days, months and times of the contract lie in these years, both included; any other is a slip of the hand.
The database's own constraints begin and end there, too, so that nothing is taken that they would refuse."""
YEARS: Final = f"{FIRST_YEAR} to {LAST_YEAR}"
"""As a rule says it."""
LAST_SECOND: Final = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp())
"""Of a time, counted from 1970: before the year's end everywhere, so that its day in Japan is in the year, too."""

_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal (C0 but tab and line feed, C1), turns the writing direction, or is half a letter."""
_HALF: Final = re.compile("[\ud800-\udfff]")


def id_flaw(text: str, longest: int = LONGEST_ID) -> str | None:
    """What keeps a text from being an id, as a rule to show; None for an id: 1 to 200 printable letters."""
    if "\0" in text:
        return "a NUL is no text"
    if not text.strip() or len(text) > longest or not text.isprintable():
        return f"an id has 1 to {longest} printable letters"
    return None


def text_flaw(text: str, longest: int = LONGEST_TEXT) -> str | None:
    """What keeps a text from being kept, as a rule to show; None for a good one. An empty one is good."""
    if len(text) > longest:
        return f"a text has at most {longest:,} letters"
    if "\0" in text:
        return "a NUL is no text"
    if _HALF.search(text):
        return "half a letter is no text"
    return None


def name_flaw(text: str, longest: int = LONGEST_NAME) -> str | None:
    """What keeps a text from being somebody's name, as a rule to show; an empty one is good."""
    if len(text) > longest:
        return f"a name has at most {longest} letters"
    if readable(text) != text or "\n" in text or "\t" in text:
        return "a name has no control letters"
    return None


def readable(text: str) -> str:
    r"""A text as a terminal may show it: what steers it, or hides, is written out (\x1b); tabs and lines stay."""
    return text if text.isprintable() else _UNSEEN.sub(_written_out, text)


def is_known_year(moment: date | datetime) -> bool:
    """Whether a day or an instant lies in the years of the contract."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
