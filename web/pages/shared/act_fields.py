"""The fields of an act as a form, and what a form brings as the act's own values.

The fields are those of the call (`Operation.fields`, and the names in its path); the form adds nothing to what they
take and leaves nothing out. Instants are typed in Japan's time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from keizoku.terms import words
from keizoku.web.pages.shared.blocks import Input
from keizoku.web.pages.shared.words import every_word, say, word

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.operation import Operation

__all__ = ["FILE_NAME", "FILE_WORD", "inputs_of", "instant_of", "values_of"]

_CHOICES: Final = re.compile(r"^\^\(([\w|]+)\)\$$")
_METHODS: Final = ("card", "other", "app_store", "product_key", "coupon")
_LONG: Final = frozenset({"ground", "what", "proof", "costs_proof", "where", "consents", "cohort", "orders"})


FILE_WORD: Final = "kept_file"
"""The field with the word for a file that was sent already (keizoku.web.kept_files)."""
FILE_NAME: Final = "name"
"""What an act with a file calls its name: it is not typed."""


def inputs_of(
    operation: Operation,
    lang: Lang,
    given: Mapping[str, str],
    wrong: Mapping[str, str] | None = None,
    choices: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> list[Input]:
    """The inputs of an act, with what is known of it filled in, and beside each what is wrong with it.

    `choices`: what may be chosen for a field that could be any text: (value, words) each.
    """
    found: list[Input] = []
    if operation.upload:
        kept = given.get(operation.upload, "") if given.get(FILE_WORD) else ""
        hint = say("{name} is here already; choose another file only to replace it", lang, name=kept) if kept else ""
        label = word("field", operation.upload, lang)
        bad = (wrong or {}).get(operation.upload, "")
        found.append(Input(operation.upload, label, "file", kept, not kept, hint=hint, wrong=bad))
    offered = choices or {}
    for name in operation.in_path:
        made = _input(name, {"type": "string"}, True, lang, given, wrong or {})
        found.append(replace(made, type="select", choices=offered[name]) if name in offered else made)
    schema = operation.fields.model_json_schema() if operation.fields is not None else {"properties": {}}
    needed = set(schema.get("required", ()))
    for name, form in schema["properties"].items():
        if operation.upload and name == FILE_NAME:
            continue
        made = _input(name, _without_null(form), name in needed, lang, given, wrong or {})
        found.append(replace(made, type="select", choices=offered[name]) if name in offered else made)
    return found


def values_of(operation: Operation, given: Mapping[str, str]) -> dict[str, Any]:
    """What a form brings, as a program would send it; what is left empty is left out."""
    schema = operation.fields.model_json_schema() if operation.fields is not None else {"properties": {}}
    found: dict[str, Any] = {}
    for name, form in schema["properties"].items():
        text = given.get(name, "").strip("\r\n ")
        form = _without_null(form)
        if form.get("type") == "boolean":
            found[name] = text != ""
        elif text:
            found[name] = _value(text, form, form.get("type"))
    return found


def _input(
    name: str, form: Mapping[str, Any], needed: bool, lang: Lang, given: Mapping[str, str], wrong: Mapping[str, str]
) -> Input:
    label = word("field", name, lang)
    default = form.get("default")
    value = given.get(name, "" if default in (None, False) else str(default))
    kind, choices, hint = _kind(name, form, lang)
    if kind == "datetime-local":
        value = value.replace(" ", "T")[:16]
    most = form.get("maxLength")
    return Input(
        name, label, kind, value, needed and kind != "checkbox", choices, hint, wrong.get(name, ""), most,  # type: ignore[arg-type]
        _in_words(name, kind, value, choices, lang),
    )  # fmt: skip


def _in_words(name: str, kind: str, value: str, choices: Sequence[tuple[str, str]], lang: Lang) -> str:
    """A value as people say it; empty where it is said as it is typed, or cannot be read."""
    try:
        if kind == "month" and value:
            return words.month(value, lang == "ja")
        if kind == "date" and value:
            return words.day(value, lang == "ja")
        if name == "windows" and value:
            pairs = [[instant_of(part.strip()) for part in line.split("/", 1)] for line in value.splitlines()]
            return words.windows(pairs, lang == "ja")
    except (ValueError, IndexError):
        return ""
    return dict(choices).get(value, "")


def _kind(name: str, form: Mapping[str, Any], lang: Lang) -> tuple[str, Sequence[tuple[str, str]], str]:
    """(type of the input, its choices, its hint)."""
    sort, written = form.get("type"), form.get("format")
    if sort == "boolean":
        return "checkbox", (), ""
    if sort == "integer":
        return "number", (), ""
    if sort == "array" and name == "windows":
        return "textarea", (), say("one period a line: 2026-04-10 21:10 / 2026-04-11 01:00, Japan time", lang)
    if sort == "array":
        return "textarea", (), say("one a line", lang)
    if sort == "object" and name == "shown":
        return (
            "textarea",
            (),
            say("the figures as the forecast showed them: they are approved, and no higher ones", lang),
        )
    if sort == "object":
        return "textarea", (), say("one account a line: 1140 500, credit with a minus", lang)
    if written == "date":
        return "date", (), ""
    if written == "date-time":
        return "datetime-local", (), say("Japan time", lang)
    if name == "month":
        return "month", (), say("2026-04", lang)
    listed = _CHOICES.match(form.get("pattern", ""))
    offered = listed[1].split("|") if listed else _METHODS if name in ("method", "fallback") else ()
    if offered:
        known = every_word().get("choice", {})
        return "select", [(each, word("choice", each, lang) if each in known else each) for each in offered], ""
    return ("textarea" if name in _LONG else "text"), (), ""


def _value(text: str, form: Mapping[str, Any], sort: str | None) -> Any:
    if sort == "integer":
        plain = text.replace(",", "")
        return int(plain) if plain.lstrip("-").isdecimal() and len(plain) < 20 else text
    if sort == "array":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [_pair(line) for line in lines] if form.get("items", {}).get("type") == "array" else lines
    if sort == "object":
        return _legs(text)
    return instant_of(text) if form.get("format") == "date-time" else text


def _pair(line: str) -> list[str]:
    return [instant_of(part.strip()) for part in line.split("/", 1)]


def instant_of(text: str) -> str:
    """2026-04-30 10:00 of a form, in Japan; what has an offset keeps it."""
    plain = text.replace(" ", "T", 1)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", plain):
        plain += ":00"
    return f"{plain}+09:00" if re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?", plain) else plain


def _legs(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        code, _, sum_of = line.strip().replace("\t", " ").rpartition(" ")
        plain = sum_of.strip().replace(",", "").replace("−", "-")
        code = code.strip()
        if code:
            found[code] = int(plain) if plain.lstrip("-").isdecimal() and len(plain) < 20 else plain
    return found


def _without_null(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """The form of a field that may be left out, without `null`."""
    for each in form.get("anyOf", ()):
        if each.get("type") != "null":
            return {**each, **{key: value for key, value in form.items() if key != "anyOf"}}
    return form
