"""How names are compared as banks write them, and which names are a store's, a fee's: what needs no person.

Banks write names in half-width kana without small letters and with any dash: ｱｲﾁﾕ-ﾝｽﾞ(ｶ and アイチューンズ(カ are one.
A name decides what a line *is* (a payout, a fee); whose a member's transfer is, it never decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

STORE_NAMES: Final = ("アイチューンズ", "ITUNES", "アツプルジヤパン", "APPLE", "グーグル", "GOOGLE")
"""Names under which the app stores pay in Japan; others are confirmed by people."""
FEE_WORDS: Final = ("手数料", "テスウリヨウ", "FEE")
LARGEST_FEE_YEN: Final = 3_000
"""What a bank takes for a transfer or a month; a larger line is looked at by people."""
NO_NUMBER: Final = re.compile(r"[A-Za-z ().,/&'・ｦ-ﾟァ-ヺー一-龠-]*")
"""Names as nearly all are: of these letters none is a number, in any width. What else there is, is looked at."""
_SMALL: Final = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_DASHES: Final = str.maketrans(dict.fromkeys("-‐‑‒–—―−ーｰ", "-"))


def folded(name: str) -> str:
    """A name as it is compared: no widths, cases, small kana, kinds of dashes, blanks."""
    plain = unicodedata.normalize("NFKC", name).upper().translate(_SMALL).translate(_DASHES)
    return "".join(plain.split())


def has_one_of(name: str, wanted: Iterable[str]) -> bool:
    """Whether one of the names stands in it."""
    plain = folded(name)
    return any(folded(each) in plain for each in wanted if each.strip())


def is_fee(payer: str, kind_text: str, yen: int) -> bool:
    """Whether a line out is the bank's fee by its words and its size."""
    return yen <= LARGEST_FEE_YEN and has_one_of(f"{payer} {kind_text}", FEE_WORDS)


def without_numbers(name: str) -> str:
    """A payer's name alone: the numbers that people put before it change from month to month."""
    plain = folded(name)
    return plain if NO_NUMBER.fullmatch(plain) else "".join(letter for letter in plain if not letter.isdigit())


def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1: a reason to suggest, never to decide."""
    return SequenceMatcher(None, without_numbers(one), without_numbers(other)).ratio()
