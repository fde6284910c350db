"""An operator's own words for single sentences of letters, checked before use.

    FOLDER/any-name.toml      [letter.claim_received.next]
                              ja = "…"          a language that is left out keeps our words

A sentence says what it owes: it has every placeholder of ours and no other. What is wrong is a Finding with file,
key, rule and remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from string import Formatter

from keizoku.terms.decision import Finding
from keizoku.terms.rendering import sentence_tables, templates

__all__ = ["own_sentences"]

OURS = "letter."
Words = Mapping[str, Mapping[str, str]]


def own_sentences(folder: Path) -> tuple[Words, list[Finding]]:
    """The sentences of a folder, key -> {"ja": …, "en": …} with one of them or both, and what is wrong with them."""
    found: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    files = sorted(folder.glob("*.toml"))
    if not files:
        findings.append(Finding(str(folder), None, folder.name, "no TOML file is here", "put sentences into it"))
    for file in files:
        try:
            tables = list(sentence_tables(tomllib.loads(file.read_text(encoding="utf-8")), file.name))
        except (OSError, ValueError, RecursionError) as error:
            why = "its tables are nested too deep" if isinstance(error, RecursionError) else str(error)
            findings.append(Finding(str(file), None, file.name, f"cannot be read: {why}", "correct the file"))
            continue
        for key, words in tables:
            twice = [(key, "stands in another file too", "leave one of them")] if key in found else []
            wrong = [*twice, *_flaws(key, words)]
            findings += [Finding(str(file), None, value, rule, remedy) for value, rule, remedy in wrong]
            found[key] = words
    return found, findings


def _flaws(key: str, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Value, rule and remedy of each thing that is wrong."""
    ours = templates().get(key) if key.startswith(OURS) else None
    if ours is None:
        near = get_close_matches(key, [each for each in templates() if each.startswith(OURS)], n=1)
        yield key, "is no sentence of letters", f"did you mean {near[0]}?" if near else "leave it out"
        return
    for lang, text in words.items():
        named = f"{key} {lang}"
        if lang not in ours:
            yield named, "a sentence has ja and en", "leave it out"
            continue
        if not text.strip():
            yield named, "says nothing", "write the sentence, or leave it out"
        try:
            has = _placeholders(text)
        except ValueError as error:
            yield named, f"its braces are wrong: {error}", "a brace that is meant as such is written twice"
            continue
        wanted = _placeholders(ours[lang])
        if lacks := sorted(wanted - has):
            yield named, f"lacks {', '.join(lacks)}", "a letter leaves out nothing that it owes"
        if strange := sorted(has - wanted):
            yield named, f"has {', '.join(strange)}", f"there is {', '.join(sorted(wanted)) or 'none'}"


def _placeholders(text: str) -> set[str]:
    """As they are written: {name}; ValueError for braces that do not match."""
    return {
        "{" + name + (f"!{way}" if way else "") + (f":{form}" if form else "") + "}"
        for _, name, form, way in Formatter().parse(text)
        if name is not None
    }
