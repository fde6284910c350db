"""The kinds of values in a scenario: one reader each, from a YAML node to a Python value.

Times without an offset are JST. A time may be a string, a datetime or a day, as YAML made it; a day is
never taken from a time. Yen and counts are whole numbers, written without quotes, commas or a point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from yaml.constructor import ConstructorError, SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from keizoku.scheduler.scenario.page import TAG, UNREAD, Kind, Page, Unread, Words, did_you_mean, is_null, is_true
from keizoku.terms.calendar import Month, parse_instant

T = TypeVar("T")

_CONSTRUCTOR: Final = SafeConstructor()
_YEARS: Final = range(1970, 2201)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9_]*)")


_NOT_EMPTY: Final = {"type": ["string", "number"], "pattern": "\\S"}
_WHOLE_SCHEMA: Final = {"type": "integer"}
_DAY_SCHEMA: Final = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_TIME_SCHEMA: Final = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)"}
_WINDOW_SCHEMA: Final = {"type": "array", "items": _TIME_SCHEMA, "minItems": 2, "maxItems": 2}


def kind(schema: Mapping[str, object]) -> Callable[[Callable[[Page, Node], object]], Kind]:
    """Makes a reader a kind of value, described for editors by `schema` (JSON Schema 2020-12)."""
    return partial(Kind, schema=schema)


def schema_of(words: Words) -> dict[str, object]:
    """JSON Schema of a mapping with given keys."""
    properties = {
        name: {"anyOf": [key.kind.schema, {"type": "null"}]} if key.nullable else key.kind.schema
        for name, key in words.items()
    }
    required = [name for name, key in words.items() if key.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class Window(NamedTuple):
    """[from_at, to_at)."""

    from_at: datetime
    to_at: datetime


class When(NamedTuple):
    """The `at` of an expectation: an instant, or a day (then: just after that day's night)."""

    at: datetime | None
    day: date | None


@kind(_NOT_EMPTY)
def text(page: Page, node: Node) -> object:
    """A word or sentence, as written."""
    if not isinstance(node, ScalarNode) or is_null(node) or not str(node.value).strip():
        return page.refuse(node, "a word is expected", "it may not be empty")
    return str(node.value)


@kind(_WHOLE_SCHEMA)
def whole(page: Page, node: Node) -> object:
    """A whole number, of either sign."""
    if isinstance(node, ScalarNode) and node.tag == TAG + "int" and _WHOLE.fullmatch(node.value):
        return int(node.value)
    return page.refuse(node, "a whole number is expected", "write 5300: no quotes, comma, colon, leading 0")


@kind({"type": "integer", "minimum": 0})
def natural(page: Page, node: Node) -> object:
    """A whole number from 0: yen, users, seconds."""
    value = whole(page, node)
    if isinstance(value, int) and value < 0:
        return page.refuse(node, "a whole number from 0 is expected", "it may not be negative")
    return value


@kind({"type": "boolean"})
def flag(page: Page, node: Node) -> object:
    """true or false."""
    if isinstance(node, ScalarNode) and node.tag == TAG + "bool":
        return bool(_CONSTRUCTOR.construct_yaml_bool(node))
    return page.refuse(node, "true or false is expected", "no quotes")


@kind(_TIME_SCHEMA)
def when(page: Page, node: Node) -> object:
    """A time, or a day, which means just after its night."""
    value = _written_time(page, node)
    if isinstance(value, Unread):
        return value
    return When(None, value) if type(value) is date else When(_instant(page, node, value), None)


@kind(_TIME_SCHEMA)
def instant(page: Page, node: Node) -> object:
    """A time as an aware instant; a day is its 00:00 JST."""
    value = _written_time(page, node)
    return value if isinstance(value, Unread) else _instant(page, node, value) or UNREAD


@kind(_DAY_SCHEMA)
def day(page: Page, node: Node) -> object:
    """A JST date."""
    value = _written_time(page, node)
    if isinstance(value, Unread) or type(value) is date:
        return value
    return page.refuse(node, "a day is expected, not a time", "write 2026-04-10")


@kind({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"})
def month(page: Page, node: Node) -> object:
    """A calendar month."""
    if isinstance(node, ScalarNode):
        try:
            return Month.parse(str(node.value))
        except ValueError:
            pass
    return page.refuse(node, "a month is expected", "write 2026-04")


@kind({"type": ["string", "number"]})
def rate(page: Page, node: Node) -> object:
    """A share such as "0.2", exactly."""
    if isinstance(node, ScalarNode):
        try:
            return Fraction(str(node.value))
        except (ValueError, ZeroDivisionError):
            pass
    return page.refuse(node, "a rate is expected", 'write "0.2" for 20 %')


def one_of(*choices: str) -> Kind:
    """One of the given words."""

    @kind({"enum": list(choices)})
    def read(page: Page, node: Node) -> object:
        if isinstance(node, ScalarNode) and str(node.value) in choices:
            return str(node.value)
        word = str(node.value) if isinstance(node, ScalarNode) else ""
        return page.refuse(node, f"one of {', '.join(choices)} is expected", did_you_mean(word, choices))

    return read


def list_of(of: Kind, what: str) -> Kind:
    """A list (possibly empty) of one kind, as a tuple."""

    @kind({"type": "array", "items": of.schema})
    def read(page: Page, node: Node) -> object:
        nodes = page.items(node, what)
        if isinstance(nodes, Unread):
            return nodes
        values = [of(page, item) for item in nodes]
        return UNREAD if any(isinstance(value, Unread) for value in values) else tuple(values)

    return read


def row_of(*kinds: Kind, what: str, into: Callable[..., T] | None = None) -> Kind:
    """A list of fixed length, each place of its own kind, as a tuple (or as `into(*places)`)."""
    places = {"prefixItems": [each.schema for each in kinds], "minItems": len(kinds), "maxItems": len(kinds)}

    @kind({"type": "array", **places})
    def read(page: Page, node: Node) -> object:
        nodes = page.items(node, what)
        if isinstance(nodes, Unread):
            return nodes
        if len(nodes) != len(kinds):
            return page.refuse(node, f"{what} has {len(kinds)} places", f"here are {len(nodes)}")
        values = [each(page, item) for each, item in zip(kinds, nodes, strict=True)]
        if any(isinstance(value, Unread) for value in values):
            return UNREAD
        return tuple(values) if into is None else into(*values)

    return read


@kind(_WINDOW_SCHEMA)
def window(page: Page, node: Node) -> object:
    """[from, to], a time before a later one."""
    value = row_of(instant, instant, what="a window [from, to]", into=Window)(page, node)
    if isinstance(value, Window) and value.from_at >= value.to_at:
        return page.refuse(node, "a window ends after it begins", "write [from, to]")
    return value


def mapping_of(of: Kind, what: str, known: Iterable[str] | None = None) -> Kind:
    """A mapping from words (from `known`, if given) to values of one kind."""
    words = None if known is None else tuple(known)
    names = {} if words is None else {"propertyNames": {"enum": list(words)}}

    @kind({"type": "object", "additionalProperties": of.schema, **names})
    def read(page: Page, node: Node) -> object:
        entries = page.entries(node, what)
        if isinstance(entries, Unread):
            return entries
        values: dict[str, object] = {}
        for key, key_node, value_node in entries:
            if words is not None and key not in words:
                page.refuse(key_node, f"unknown key of {what}", did_you_mean(key, words))
            else:
                values[key] = of(page, value_node)
        return UNREAD if any(isinstance(value, Unread) for value in values.values()) else values

    return read


def record_of(words: Words, what: str) -> Kind:
    """A mapping with given keys."""

    @kind(schema_of(words))
    def read(page: Page, node: Node) -> object:
        before = len(page.findings)
        facts = page.fields(node, what, words)
        return UNREAD if len(page.findings) > before else facts

    return read


@kind({"type": ["array", "object"]})
def observation(page: Page, node: Node) -> object:
    """One observed symptom: [user_id, symptom, started_at, ended_at] or the same as a mapping.

    An empty, null or missing end is a symptom that is still open.
    """
    if isinstance(node, SequenceNode) and len(node.value) == 3:
        return row_of(text, SYMPTOM, instant, what=_OBSERVATION, into=_open_symptom)(page, node)
    if isinstance(node, SequenceNode):
        return row_of(text, SYMPTOM, instant, _end, what=_OBSERVATION)(page, node)
    entries = page.entries(node, _OBSERVATION)
    if isinstance(entries, Unread):
        return entries
    kinds: dict[str, Kind] = {"user_id": text, "symptom": SYMPTOM, "started_at": instant, "ended_at": _end}
    stated: dict[str, object] = {"ended_at": None}
    for key, key_node, value_node in entries:
        if key in kinds:
            stated[key] = kinds[key](page, value_node)
        else:
            stated[key] = page.refuse(key_node, "unknown key of an observation", did_you_mean(key, kinds))
    missing = [key for key in kinds if key not in stated]
    if missing:
        return page.refuse(node, f"an observation needs the key `{missing[0]}`", f"keys: {', '.join(kinds)}")
    return UNREAD if any(isinstance(v, Unread) for v in stated.values()) else tuple(stated[k] for k in kinds)


@kind(_NOT_EMPTY)
def file_beside(page: Page, node: Node) -> object:
    """A file's path, relative to the scenario's own folder; it must exist."""
    name = text(page, node)
    if isinstance(name, Unread):
        return name
    path = Path(page.source).parent / str(name)
    if path.is_file():
        return path
    return page.refuse(node, "no such file beside the scenario", f"expected at {path}")


def refusal(page: Page, node: Node) -> tuple[str | None, Node]:
    """The value of `refused` beside an action, and the step without it: "" for true, part of the reason, or None."""
    if not isinstance(node, MappingNode):
        return None, node
    own = [(key, value) for key, value in node.value if key.value == REFUSED]
    if not own:
        return None, node
    rest = MappingNode(node.tag, [pair for pair in node.value if pair[0].value != REFUSED], node.start_mark)
    given = own[0][1]
    if is_true(given):
        return "", rest
    reason = str(given.value) if isinstance(given, ScalarNode) and given.tag == TAG + "str" else ""
    if len(own) > 1 or not reason.strip():
        page.refuse(given, "`refused` is true, or a part of the reason", "leave it out where the step should be taken")
        return None, rest
    return reason, rest


@kind({"type": ["string", "number", "boolean", "null", "array"]})
def plain(page: Page, node: Node) -> object:
    """A setting's value, as YAML reads it: a word, number, flag, null or a list of such."""
    if isinstance(node, SequenceNode):
        return list_of(plain, "a setting's list")(page, node)
    try:
        if isinstance(node, ScalarNode):
            return _CONSTRUCTOR.construct_object(node)
    except (ValueError, ConstructorError):
        pass
    return page.refuse(node, "a word, a number or a list of them is expected", "see `keizoku settings`")


REFUSED: Final = "refused"
SYMPTOM: Final = one_of("site", "login", "view")
_OBSERVATION: Final = "an observation [user_id, symptom, started_at, ended_at]"


def _open_symptom(user_id: str, symptom: str, started_at: datetime) -> tuple[object, ...]:
    return (user_id, symptom, started_at, None)


@kind({"anyOf": [_TIME_SCHEMA, {"type": "null"}]})
def _end(page: Page, node: Node) -> object:
    return None if is_null(node) or node.value == "" else instant(page, node)


def _written_time(page: Page, node: Node) -> date | datetime | str | Unread:
    """What YAML made of a time: a date, a datetime or a string that is not a mere date."""
    if not isinstance(node, ScalarNode):
        return page.refuse(node, _TIME_EXPECTED, _TIME_REMEDY)
    written = str(node.value).strip()
    try:
        if node.tag == TAG + "timestamp":
            made: date | datetime | str = _CONSTRUCTOR.construct_yaml_timestamp(node)
        else:
            made = date.fromisoformat(written) if _DAY.fullmatch(written) else written
    except ValueError:
        return page.refuse(node, "no such day in the calendar", _TIME_REMEDY)
    if isinstance(made, date) and made.year not in _YEARS:
        return page.refuse(node, f"a year from {_YEARS[0]} to {_YEARS[-1]} is expected", _TIME_REMEDY)
    return made


def _instant(page: Page, node: Node, value: date | datetime | str) -> datetime | None:
    try:
        moment = parse_instant(value)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.year not in _YEARS:
        page.refuse(node, _TIME_EXPECTED, _TIME_REMEDY)
        return None
    return moment


_TIME_EXPECTED: Final = "a time is expected"
_TIME_REMEDY: Final = 'write 2026-04-10 09:00 (JST), or "2026-04-10T09:00:00+09:00" in quotes'
