"""What a call may ask: the TypedDicts that the SDK ships (`stripe/params`), as schemas to hold a request against."""

from __future__ import annotations

import builtins
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from stripe._request_options import RequestOptions
from stripe._stripe_object import UntypedStripeObject

OPTIONS = frozenset(RequestOptions.__annotations__)
"""What the client takes beside the parameters: never sent as one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a parameter is refused, in the words that Stripe uses."""

    param: str
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a parameter may be: one of the kinds that the SDK's types are made of."""

    kind: str  # object, array, map, integer, boolean, string, decimal, choice, any
    fields: Mapping[str, Schema] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    inner: Schema | None = None
    words: tuple[str, ...] = ()
    others: tuple[Schema, ...] = ()  # the further kinds of a union
    may_be_empty: bool = False  # an empty string unsets it


class _Names(dict[str, Any]):
    """Names of annotations that the SDK imports for type checkers only: what cannot be found is anything."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        super().__init__()
        self._module = module

    def __missing__(self, name: str) -> Any:
        if name in self._module or hasattr(builtins, name):
            raise KeyError(name)
        return getattr(typing_extensions, name, None) or getattr(typing, name, Any)


def hints(made: type) -> dict[str, Any]:
    """The annotations of a class of the SDK, its forward references found where they can be."""
    names: dict[str, Any] = _Names(vars(sys.modules[made.__module__]))
    return typing.get_type_hints(made, localns=names, include_extras=True)


@cache
def schema_of(params: type) -> Schema:
    """The schema of a TypedDict of the SDK, without the options of the client."""
    found, required = {}, set()
    options = OPTIONS if issubclass_of_options(params) else frozenset()
    optional: frozenset[str] = getattr(params, "__optional_keys__", frozenset())
    for name, hint in hints(params).items():
        if name in options:
            continue
        inner = hint
        needed = name not in optional
        while get_origin(inner) in (NotRequired, Required, typing_extensions.NotRequired, typing_extensions.Required):
            needed = get_origin(inner) in (Required, typing_extensions.Required)
            (inner,) = get_args(inner)
        found[name] = _schema(inner)
        if needed:
            required.add(name)
    renamed = {name.rstrip("_") if name in ("from_", "class_") else name: each for name, each in found.items()}
    return Schema("object", fields=renamed, required=frozenset(required))


def issubclass_of_options(params: type) -> bool:
    """Whether a TypedDict also carries the options of the client (its bases are gone at run time)."""
    return set(getattr(params, "__annotations__", {})) >= OPTIONS


def _schema(hint: Any) -> Schema:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union([each for each in get_args(hint) if each is not type(None)])
    if origin is Literal:
        words = tuple(str(word) for word in get_args(hint))
        return Schema("choice", words=tuple(word for word in words if word), may_be_empty="" in words)
    if origin is list:
        return Schema("array", inner=_schema(get_args(hint)[0]))
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return Schema("map", inner=_schema(get_args(hint)[1]))
    if isinstance(origin, type) and issubclass(origin, UntypedStripeObject):  # what an answer had, given back
        return Schema("map", inner=_schema(get_args(hint)[0]))
    if typing_extensions.is_typeddict(hint) or typing.is_typeddict(hint):
        return schema_of(hint)
    kinds = {bool: "boolean", int: "integer", datetime: "integer", str: "string", float: "decimal", Decimal: "decimal"}
    return Schema(kinds.get(hint, "any"))


def _union(hints_of_it: list[Any]) -> Schema:
    found = [_schema(each) for each in hints_of_it]
    words = [each for each in found if each.kind == "choice"]
    if any(
        each.words for each in words
    ):  # `Literal[…] | str`: open for newer words, but Stripe refuses what is no word
        found = [each for each in found if each.kind != "string"]
    empty = any(each.may_be_empty for each in found)
    found = [each for each in found if each.kind != "choice" or each.words] or [Schema("choice")]
    first, *others = found
    return Schema(
        first.kind, first.fields, first.required, first.inner, first.words, tuple(others), empty or first.may_be_empty
    )


# holding a request against it


def refusals(schema: Schema, given: Any, path: str = "") -> Iterator[Refusal]:
    """Everything in a request that its schema does not allow, as Stripe would say it."""
    if schema.others:
        yield from _of_union(schema, given, path)
    elif given == "" and path:
        if not schema.may_be_empty:
            yield _empty(path)
    else:
        yield from _of_one(schema, given, path)


def _of_union(schema: Schema, given: Any, path: str) -> Iterator[Refusal]:
    alone = Schema(schema.kind, schema.fields, schema.required, schema.inner, schema.words)
    if given == "":
        if not schema.may_be_empty:
            yield _empty(path)
        return
    found = [list(refusals(each, given, path)) for each in (alone, *schema.others)]
    if all(found):
        yield from min(found, key=lambda each: sum(one.param == path for one in each))


def _of_one(schema: Schema, given: Any, path: str) -> Iterator[Refusal]:
    if schema.kind == "any":
        return
    if schema.kind == "object":
        yield from _of_object(schema, given, path)
    elif schema.kind in ("array", "map"):
        wanted = list if schema.kind == "array" else dict
        if not isinstance(given, wanted):
            yield Refusal(path, None, f"Invalid {'array' if wanted is list else 'object'}")
            return
        pairs = enumerate(given) if isinstance(given, list) else given.items()
        assert schema.inner is not None
        for name, each in pairs:
            if schema.kind == "map" and each == "":
                continue  # takes the pair away
            yield from refusals(schema.inner, each, f"{path}[{name}]")
    elif not isinstance(given, str):
        yield Refusal(path, None, f"Invalid {schema.kind if schema.kind != 'choice' else 'string'}")
    elif schema.kind == "integer" and not given.lstrip("-").isdecimal():
        yield Refusal(path, "parameter_invalid_integer", f"Invalid integer: {given}")
    elif schema.kind == "boolean" and given not in ("true", "false"):
        yield Refusal(path, None, f"Invalid boolean: {given}")
    elif schema.kind == "decimal" and not given.lstrip("-").replace(".", "", 1).isdecimal():
        yield Refusal(path, None, f"Invalid decimal: {given}")
    elif schema.kind == "choice" and given not in schema.words:
        allowed = " or ".join([", ".join(schema.words[:-1]), schema.words[-1]] if schema.words[1:] else schema.words)
        yield Refusal(path, None, f"Invalid {path}: must be one of {allowed}")


def _of_object(schema: Schema, given: Any, path: str) -> Iterator[Refusal]:
    if not isinstance(given, dict):
        yield Refusal(path, None, "Invalid object")
        return
    for name, each in given.items():
        inner = f"{path}[{name}]" if path else name
        if name not in schema.fields:
            yield Refusal(inner, "parameter_unknown", f"Received unknown parameter: {inner}")
        else:
            yield from refusals(schema.fields[name], each, inner)
    for name in sorted(schema.required - set(given)):
        inner = f"{path}[{name}]" if path else name
        yield Refusal(inner, "parameter_missing", f"Missing required param: {inner}.")


def _empty(path: str) -> Refusal:
    return Refusal(
        path,
        "parameter_invalid_empty",
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; however "
        f"'{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
    )


# what HTTP carries


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A form's pairs (`a[b][0]=c`) as nested dictionaries and lists of strings."""
    top: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[")
        here: dict[str, Any] = top
        steps = [first, *rest]
        for step in steps[:-1]:
            inner = here.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = here[step] = {}
            here = inner
        last = steps[-1] or str(len(here))
        here[last] = value
    return {name: _lists(each) for name, each in top.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def typed(schema: Schema, given: Any) -> Any:
    """A request that is allowed, with its integers and booleans as such."""
    for each in (schema, *schema.others):
        alone = Schema(each.kind, each.fields, each.required, each.inner, each.words, (), schema.may_be_empty)
        if not list(refusals(alone, given, "x" if given == "" else "")):
            return _typed(alone, given)
    return given


def _typed(schema: Schema, given: Any) -> Any:
    if given == "":
        return ""
    if schema.kind == "object":
        return {name: typed(schema.fields[name], each) for name, each in given.items()}
    if schema.kind == "array" and schema.inner is not None:
        return [typed(schema.inner, each) for each in given]
    if schema.kind == "integer":
        return int(given)
    return given == "true" if schema.kind == "boolean" else given
