"""The words of pages: whole in both languages, each said somewhere, with the same facts in both."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from keizoku.web.application import operations
from keizoku.web.pages.shared import words
from keizoku.web.pages.shared.words import UnknownWordError, every_word, say, word

PAGES = Path(words.__file__).parent.parent
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_SAID = re.compile(r"""say\(("(?P<a>[^"]+)"|'(?P<b>[^']+)')""")
_ELSE = re.compile(r"""say\("[^"]+" if [^)]+ else "([^"]+)"\)""")


def said_in_code() -> Iterator[str]:
    """Every sentence that a page says."""
    for file in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("say", "named"):
                first = node.args[0]
                told = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                yield from (
                    each.value for each in told if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )


def said_in_templates() -> Iterator[str]:
    for file in PAGES.rglob("*.j2"):
        text = file.read_text(encoding="utf-8")
        yield from ((found["a"] or found["b"]) for found in _SAID.finditer(text))
        yield from _ELSE.findall(text)


def test_every_sentence_has_its_japanese_and_none_is_left_over() -> None:
    assert {*said_in_code(), *said_in_templates()} == set(every_word()["say"])


def test_both_languages_carry_the_same_facts() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert {text: ja for text, ja in every_word()["say"].items() if names(text) != names(ja)} == {}


def test_no_page_speaks_a_mixture() -> None:
    sentences = ("say", "remedy")  # English, and its Japanese
    for table in sentences:
        assert [text for text in every_word()[table] if JAPANESE.search(text)] == [], table
    for table, entries in every_word().items():
        if table not in sentences:
            assert {key for key, (en, _) in entries.items() if JAPANESE.search(en)} == set(), table


def test_every_act_has_a_title_a_sentence_and_names_for_its_fields() -> None:
    acts = [each for each in operations() if each.kind == "act"]
    assert {each.name for each in acts} == set(every_word()["act"])
    assert {each.name for each in acts} == set(every_word()["act_said"])
    fields = {name for each in acts for name in [*each.in_path, *(each.fields.model_fields if each.fields else ())]}
    assert fields - set(every_word()["field"]) == set()


def test_a_word_of_the_contract_is_said_as_the_contract_says_it() -> None:
    assert (word("method", "card", "ja"), word("method", "card", "en")) == ("クレジットカード", "card")
    assert word("reason", "suspension", "en") == "the term ended while suspended"
    assert word("state", "never heard of", "ja") == "never heard of"


def test_a_sentence_that_is_not_known_is_not_said_in_another_language() -> None:
    assert say("No such sentence", "en") == "No such sentence"
    with pytest.raises(UnknownWordError):
        say("No such sentence", "ja")
