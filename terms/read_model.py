"""A read model: the frozen, typed answer to one question, and at the same time a mapping of what `--json` shows of it.

    owed.total          to a host, checked by its type checker
    owed["total"]       to whatever prints, compares or serves any of them: the command line, scenarios, an API
    owed.to_json()      dicts and lists of JSON values, all the way down

A field's name is its key; `Key("for")` gives another where the key is a word of Python, and the key of a field with
`IF_KNOWN` is left out while it is None. Values are shown as they are, tuples as lists; a field of type `JapanInstant`
is an instant to a host, and is shown as text in Japan's time, also in a list or a mapping of them.

    @dataclass(frozen=True, slots=True, eq=False)  # equal to every mapping that shows the same
    class Owed(ReadModel): ...

What is only printed, and never looked into by key, is a `Shown`: the same JSON without the mapping.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from keizoku.terms.calendar import iso_jst

_IN_JAPAN: Final = "shown in Japan's time"
IF_KNOWN: Final = "shown where it is not None"
"""`Annotated[date | None, IF_KNOWN]`"""
JapanInstant = Annotated[datetime, _IN_JAPAN]
"""An aware instant, which is shown as `2026-04-10T09:00:00+09:00`."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key under which a field is shown, where it is not the field's name: `Annotated[str, Key("for")]`."""

    name: str


class _Field(NamedTuple):
    name: str
    in_japan: bool
    if_known: bool

    def left_out(self, value: object) -> bool:
        """Whether no key shows this value."""
        return self.if_known and value is None


class Shown:
    """A frozen dataclass that derives its JSON from its fields."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON: a key for each field, in their order."""
        model: Any = type(self)
        shown = ((key, found, getattr(self, found.name)) for key, found in _fields(model).items())
        return {key: _json(_in_japan(found, value)) for key, found, value in shown if not found.left_out(value)}


class ReadModel(Mapping[str, Any]):
    """What every read model stands on: a mapping of its fields."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        """What is shown under a key; KeyError for one that there is not."""
        found = _fields(type(self))[key]
        value = getattr(self, found.name)
        if found.left_out(value):
            raise KeyError(key)
        value = _in_japan(found, value)
        return list(value) if isinstance(value, tuple) else value

    def __iter__(self) -> Iterator[str]:
        """The keys in the order of the fields."""
        for key, found in _fields(type(self)).items():
            if not found.left_out(getattr(self, found.name)):
                yield key

    def __len__(self) -> int:
        """How many keys there are."""
        return sum(1 for _ in self)

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON."""
        return to_json(self)


def to_json(model: Mapping[str, Any]) -> dict[str, Any]:
    """The same as dicts and lists of JSON values, all the way down: days and instants in ISO form."""
    return {key: _json(value) for key, value in model.items()}


def _in_japan(found: _Field, value: Any) -> Any:
    return _as_text(value) if found.in_japan else value


def _as_text(value: Any) -> Any:
    """Instants in Japan's time, also those of a list or a mapping."""
    if isinstance(value, Mapping):
        return {key: _as_text(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(each) for each in value]
    return None if value is None else iso_jst(value)


def _json(value: object) -> object:
    if isinstance(value, Shown):
        return value.to_json()
    if isinstance(value, Mapping):
        return to_json(value)
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value  # an instant is a day too


@cache
def _fields(model: Any) -> Mapping[str, _Field]:
    hints = get_type_hints(model, include_extras=True)
    found: dict[str, _Field] = {}
    for each in fields(model):
        marks = list(_marks(hints[each.name]))
        key = next((mark.name for mark in marks if isinstance(mark, Key)), each.name)
        found[key] = _Field(each.name, _IN_JAPAN in marks, IF_KNOWN in marks)
    return found


def _marks(hint: Any) -> Iterator[object]:
    """What is said of a type beside it, also where it may be None."""
    if get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
        return
    for each in get_args(hint):
        yield from _marks(each)
