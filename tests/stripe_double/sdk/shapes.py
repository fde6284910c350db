"""What may be answered: the pinned resource classes of the SDK, as shapes to hold every answer against."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, cast, get_args, get_origin

from stripe._error_object import ErrorObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import StripeObject, UntypedStripeObject

from tests.stripe_double.sdk.parameters import hints

UNHEARD = "unheard_of"
"""How a word begins that Stripe may say one day and that no type names yet: a test asks for it, and means it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a resource: what it may hold, and whether it may be null or left out."""

    hint: Any
    optional: bool


def is_expandable(kind: str, name: str) -> bool | None:
    """Whether a field of a resource holds an id that can be an object; None: it is an object of its own."""
    found = _fields(class_of(kind)).get(name)
    if found is None:
        return False
    members = [each for each in _members(found.hint) if each is not type(None)]
    if str in members and not any(get_origin(each) is Literal for each in members):
        return len(members) > 1
    objects = [each for each in members if get_origin(each) is list or not isinstance(each, type)
               or issubclass(each, StripeObject)]  # fmt: skip
    return None if objects and not any(get_origin(each) is Literal for each in members) else False


@cache
def _fields(made: type) -> Mapping[str, Field]:
    found = {}
    for name, hint in hints(made).items():
        if name.startswith("_") or get_origin(hint) is typing.ClassVar:
            continue
        found[name.rstrip("_")] = Field(hint, type(None) in get_args(hint))
    return found


def class_of(kind: str) -> type:
    """The pinned class of a resource, by what stands in `object`."""
    module, name = OBJECT_CLASSES[kind]
    found: type = getattr(import_module(module), name)
    return found


def differences(value: Any, kind: str | None = None) -> Iterator[str]:
    """Where an answer is not what the pinned class of its resource allows."""
    if not isinstance(value, dict) or "object" not in value:
        yield f"{kind}: no object"
    elif value["object"] in ("list", "search_result"):
        for number, each in enumerate(value["data"]):
            for line in differences(each):
                yield f"data[{number}].{line}"
    elif value["object"] not in OBJECT_CLASSES:
        yield f"{value['object']}: not a resource of the SDK"
    else:
        yield from _of_class(value, class_of(value["object"]), value["object"])


def of_error(body: Mapping[str, Any]) -> Iterator[str]:
    """Where an error is not what the pinned class of errors allows; the objects in it included."""
    yield from _of_class(body, ErrorObject, "error")
    for each in body.values():
        if isinstance(each, dict):
            yield from differences(each)


def _of_class(value: Mapping[str, Any], made: type, path: str) -> Iterator[str]:
    fields = _fields(made)
    for name, each in value.items():
        if name not in fields:
            yield f"{path}.{name}: no such field"
        elif not _fits(each, fields[name].hint):
            yield f"{path}.{name}: {str(each)[:60]!r} is not {str(fields[name].hint)[:80]}"
        else:
            yield from _inside(each, fields[name].hint, f"{path}.{name}")
    if value.get("deleted"):
        return
    for name, each in fields.items():
        if name not in value and not each.optional:
            yield f"{path}.{name}: missing"


def _inside(value: Any, hint: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _inside(each, _item(hint), f"{path}[{number}]")
    elif isinstance(value, dict):
        made = _class_for(value, hint)
        if made is None and value.get("object") in OBJECT_CLASSES:
            made = class_of(value["object"])
        if made is not None and value.get("object") != "list":
            yield from _of_class(value, made, path)
        elif value.get("object") == "list":
            yield from differences(value)


def _item(hint: Any) -> Any:
    for each in _members(hint):
        if get_origin(each) is list:
            return get_args(each)[0]
    return Any


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [one for each in get_args(hint) for one in _members(each)]
    return [hint]


def _class_for(value: Mapping[str, Any], hint: Any) -> type | None:
    for each in _members(hint):
        made: Any = get_origin(each) or each
        plain = isinstance(made, type) and issubclass(made, StripeObject) and not issubclass(made, UntypedStripeObject)
        if plain and made.__name__ not in ("ListObject", "StripeObject"):
            said = value.get("object")
            if said is None or getattr(made, "OBJECT_NAME", said) == said:
                return cast("type", made)
    return None


def _fits(value: Any, hint: Any) -> bool:
    members = _members(hint)
    words = [word for each in members if get_origin(each) is Literal for word in get_args(each)]
    for each in members:
        if each is Any:
            return True
        if each is type(None) or each is None:
            fits = value is None
        elif get_origin(each) is Literal:
            fits = value in get_args(each)
        elif each is str:
            fits = isinstance(value, str) and (not words or value.startswith(UNHEARD))
        elif each in (int, float, bool):
            fits = type(value) is each
        elif get_origin(each) is list:
            fits = isinstance(value, list) and all(_fits(one, get_args(each)[0]) for one in value)
        else:
            made = get_origin(each) or each
            known = isinstance(made, type) and issubclass(made, StripeObject | dict)
            fits = isinstance(value, dict) or not known  # a name that the SDK imports for type checkers only
        if fits:
            return True
    return False
