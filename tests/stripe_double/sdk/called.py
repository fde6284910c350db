"""A call of the client held against the types without a server: for stubs that stand in its place."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.stripe_double.sdk.parameters import refusals
from tests.stripe_double.sdk.routes import Route, routes


@cache
def _by_name() -> dict[tuple[str, str], Route]:
    return {(each.service, each.name): each for same in routes().values() for _, each in same}


def check_call(service: str, method: str, given: tuple[Any, ...]) -> None:
    """Raises AssertionError where `client.v1.service.method(*given)` is no call of the pinned client."""
    route = _by_name().get((service.removesuffix("s"), method))
    assert route is not None, f"the client has no {service}.{method}"
    ids = route.template.count("{")
    asked = given[ids] if len(given) > ids and given[ids] is not None else {}
    found = [each.message for each in refusals(route.schema(), _as_sent(asked))]
    assert found == [], f"{service}.{method}: {found}"


def _as_sent(value: Any) -> Any:
    """A value as a form carries it: strings in dictionaries and lists."""
    if isinstance(value, dict):
        return {str(name): _as_sent(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_as_sent(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
