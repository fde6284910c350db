"""Words of the pages in Japanese and English: one place, and no page speaks a mixture.

    say("{n} waiting", "ja", n=3)              the English sentence is the key; words/*.toml has its Japanese
    word("state", "suspended", "ja")           a value that can be typed, in words; one that is not known stays as it is

In the TOML files the table `say` holds sentences, every other table the words of one kind of value, `[en, ja]` each.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from keizoku.terms.rendering import Lang, templates

__all__ = ["UnknownWordError", "every_word", "named", "say", "told", "word"]

_FOLDER: Final = Path(__file__).parent.parent / "words"
_AT_HOME: Final = {"letter": "notice", "settlement": "settled"}
"""What a kind is called in terms/sentences, whose words are said here too."""


class UnknownWordError(LookupError):
    """A sentence has no Japanese."""


def named(text: str) -> str:
    """A sentence that is said later: marked here, so that it is known to be one."""
    return text


def say(text: str, lang: Lang, **facts: object) -> str:
    """A sentence in a language, with these facts in it. Raises UnknownWordError."""
    if lang == "ja":
        found = every_word()["say"].get(text)
        if found is None:
            raise UnknownWordError(f"{text!r} has no Japanese: add it to web/pages/words")
        text = found
    return text.format_map(facts) if facts else text


def word(kind: str, value: str, lang: Lang) -> str:
    """The word for a value of a kind; one that is not known stays as it is."""
    found = every_word().get(kind, {}).get(value)
    if found is not None:
        return str(found[1 if lang == "ja" else 0])
    name = _AT_HOME.get(kind, kind)
    told = templates().get(f"word.{name}.{value}") or templates().get(f"{name}.{value}")
    return value if told is None else told[lang]


def told(table: str, text: str, lang: Lang) -> tuple[str, bool]:
    """What the engine said in English, part by part ("; " joins them): (in the language, whether all of it is known).

    The table's keys are English templates, "last night {day}", their second words the Japanese ones.
    """
    if lang == "en" or not text:
        return text, True
    found, known = [], True
    for part in text.split("; "):
        for template, ja in _patterns(table):
            facts = template.fullmatch(part)
            if facts is not None:
                found.append(ja.format_map(facts.groupdict()))
                break
        else:
            found.append(part)
            known = False
    return ("、" if known else "; ").join(found), known


@cache
def _patterns(table: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    made = []
    for template, (_, ja) in every_word().get(table, {}).items():
        parts = re.split(r"(\{\w+\})", template)
        pattern = "".join(f"(?P<{each[1:-1]}>.+?)" if each[:1] == "{" else re.escape(each) for each in parts)
        made.append((re.compile(pattern), ja))
    return tuple(made)


@cache
def every_word() -> Mapping[str, Mapping[str, Any]]:
    """table -> key -> words, of all files together. ValueError: a key given twice."""
    found: dict[str, dict[str, Any]] = {"say": {}}
    for path in sorted(_FOLDER.glob("*.toml")):
        for table, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
            known = found.setdefault(table, {})
            for key, words in entries.items():
                if key in known:
                    raise ValueError(f"{path.name}: {table}.{key} is given twice")
                known[key] = words
    return found
