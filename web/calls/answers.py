"""The form of an answer, for the OpenAPI file: read models as closed objects, derived from their own fields.

    ContractView  ──>  {"access": boolean, "term": [day, day] | null, …}, nothing else

What is answered is what the read model shows (`to_json`); nothing is converted twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model

from keizoku.terms.read_model import IF_KNOWN, Key, ReadModel, Shown

__all__ = ["answer_model", "listed", "rows_of"]

_Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
_Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


@cache
def answer_model(answer: Any) -> Any:
    """What FastAPI declares for an answer: a read model's own form; anything else as it is."""
    if isinstance(answer, type) and dataclasses.is_dataclass(answer):
        return _model_of(cast("Any", answer))
    return answer


def rows_of(row: Any) -> Any:
    """The form of a page of a list: its rows, and the cursor of the next page (null at the end)."""
    return create_model(
        f"{getattr(row, '__name__', 'Row')}Page",
        __config__=ConfigDict(extra="forbid"),
        data=(_list_of(answer_model(row)), ...),
        next=(str | None, ...),
    )


def _list_of(row: Any) -> Any:
    return list[row]


def listed(name: str, **fields: Any) -> type[BaseModel]:
    """A small closed form, said where it is used: listed("EndOfUse", ends_on=date)."""
    shown: dict[str, Any] = {key: (_shown(hint), ...) for key, hint in fields.items()}
    return create_model(name, __config__=ConfigDict(extra="forbid"), **shown)


@cache
def _model_of(model: Any) -> type[BaseModel]:
    hints = get_type_hints(model, include_extras=True)
    shown: dict[str, Any] = {}
    for each in dataclasses.fields(model):
        hint = hints[each.name]
        marks = list(_marks(hint))
        key = next((mark.name for mark in marks if isinstance(mark, Key)), each.name)
        shown[key] = (_shown(hint), None) if IF_KNOWN in marks else (_shown(hint), ...)
    return create_model(model.__name__, __config__=ConfigDict(extra="forbid"), __doc__=model.__doc__, **shown)


def _shown(hint: Any) -> Any:
    """The type of a value as JSON shows it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _shown(inner[0])
    if hint is datetime:
        return _Time
    if hint is date:
        return _Day
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and issubclass(hint, ReadModel | Shown):
        return _model_of(cast("Any", hint))
    if origin is tuple:
        if len(inner) == 2 and inner[1] is ...:
            return list[_shown(inner[0])]  # type: ignore[misc]
        return list[Union[tuple(_shown(each) for each in inner)]]  # type: ignore[misc]  # noqa: UP007
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[str, _shown(inner[1]) if len(inner) == 2 else Any]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Sequence | Collection):
        return list[_shown(inner[0])]  # type: ignore[misc]
    if inner and origin is not None and any(each is type(None) for each in inner):
        return Union[tuple(_shown(each) for each in inner)]  # noqa: UP007
    return hint if hint is not object else Any


def _marks(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
        hint = get_args(hint)[0]
    for each in get_args(hint):
        yield from _marks(each)
