"""The gateway's words for a refused card, as dated data: refusal_words.toml beside this file.

code, advice, the day of the answer ──> wait for a new card | wait for the card holder | ask again by the schedule
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

WORDS: Final = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """A list of words and the day from which it holds."""

    holds_from: date
    new_card: frozenset[str]
    card_holder: frozenset[str]
    advice_new_card: frozenset[str]
    advice_card_holder: frozenset[str]


@cache
def _lists() -> tuple[RefusalWords, ...]:
    found = []
    for each in tomllib.loads(WORDS.read_text(encoding="utf-8"))["list"]:
        advice = each["advice"]
        found.append(
            RefusalWords(
                each["from"],
                frozenset(each["new_card"]),
                frozenset(each["card_holder"]),
                frozenset(word for word, asks in advice.items() if asks == "new_card"),
                frozenset(word for word, asks in advice.items() if asks == "card_holder"),
            )
        )
    return tuple(sorted(found, key=lambda each: each.holds_from))


def refusal_words(on: date) -> RefusalWords:
    """The list that holds on a day; of a day before the first list, the first."""
    lists = _lists()
    return next((each for each in reversed(lists) if each.holds_from <= on), lists[0])
