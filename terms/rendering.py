"""The sentences that explain decisions, in Japanese and English.

Every *.toml in terms/sentences holds tables `[some.key]` with a template `ja` and a template `en`; a key is
unique over all files. A template is filled with the facts of its step. By the last word of its name a fact is
formatted for the language first (keizoku.terms.words):

    _at  _on  _month      an instant, a day, a month
    _seconds  _windows    a duration, a list of [from, to]
    _yen  _rate  _share   an amount, a percentage

Others are filled in as they are, lists with commas; None becomes "—" everywhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from keizoku.terms.words import spoken

Lang = Literal["ja", "en"]

_OWN: ContextVar[Mapping[str, Mapping[str, str]]] = ContextVar("own_sentences", default=MappingProxyType({}))
_VOICE: ContextVar[int] = ContextVar("voice", default=0)
_VOICES = count(1)
_FOLDER = Path(__file__).parent / "sentences"


class UnknownSentenceError(LookupError):
    """No file in terms/sentences has this key in this language."""


class MissingFactError(LookupError):
    """A sentence names a fact that its step does not carry."""


def sentence(key: str, lang: Lang, facts: Mapping[str, Any]) -> str:
    """The sentence of `key`, filled with `facts`. Raises UnknownSentenceError, MissingFactError."""
    template = _OWN.get().get(key, {}).get(lang) or templates().get(key, {}).get(lang)
    if template is None:
        raise UnknownSentenceError(
            f"no sentence {key!r} in {lang!r}; add the table [{key}] to a file in terms/sentences"
        )
    try:
        return template.format_map({name: spoken(name, value, lang) for name, value in facts.items()})
    except KeyError as missing:
        raise MissingFactError(
            f"the {lang} sentence {key!r} needs the fact {missing}; it was given {sorted(facts)}"
        ) from None


@contextmanager
def saying(own: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Within the block, in this thread, these sentences stand in place of ours; checked before (own_sentences.py)."""
    token, voice = _OWN.set(own), _VOICE.set(next(_VOICES) if own else 0)
    try:
        yield
    finally:
        with suppress(ValueError):  # ended in another context than it began: there it was never set
            _OWN.reset(token)
            _VOICE.reset(voice)


def voice() -> int:
    """A number for the words that are said now: what was worded under one number is worded so under it again."""
    return _VOICE.get()


@cache
def templates() -> Mapping[str, Mapping[str, str]]:
    """key -> {"ja": template, "en": template}, of all files together."""
    return read_templates(_FOLDER)


def read_templates(folder: Path) -> dict[str, dict[str, str]]:
    """Read every *.toml of a folder. ValueError: a key given twice, a language left out, a stray value."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.toml")):
        for key, table in sentence_tables(tomllib.loads(path.read_text(encoding="utf-8")), path.name):
            if key in found:
                raise ValueError(f"{path.name}: the sentence {key!r} is already in another file")
            if set(table) != {"ja", "en"}:
                raise ValueError(f"{path.name}: the sentence {key!r} needs exactly ja and en, it has {sorted(table)}")
            found[key] = table
    return found


def sentence_tables(node: Mapping[str, Any], source: str, prefix: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Key and words of every sentence in a TOML document. ValueError: a stray value."""
    words = {name: value for name, value in node.items() if isinstance(value, str)}
    if words:
        yield prefix, words
    for name, inner in node.items():
        if isinstance(inner, Mapping):
            yield from sentence_tables(inner, source, f"{prefix}.{name}" if prefix else name)
        elif not isinstance(inner, str):
            raise ValueError(f"{source}: {prefix}.{name} is neither a sentence nor a table")
