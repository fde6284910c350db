"""The description of the HTTP API that is kept: it is the present one, and no client of a released one breaks."""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from keizoku import __version__
from keizoku.web.application import make_application, openapi_of
from keizoku.web.breaking_changes import breaking_changes

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "docs" / "reference" / "openapi.json"
RELEASED = sorted((ROOT / "tests" / "released").glob("*/openapi.json"))
ALL = os.environ.get("KEIZOKU_TEST_KILLS") == "all"
EACH = 3
"""Of each kind of change so many are made; all of them in `make soak`."""


@pytest.fixture(scope="module")
def present() -> dict[str, Any]:
    return openapi_of(make_application(None))


def test_the_kept_description_is_the_present_one(present: dict[str, Any]) -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert kept == present, "write it anew: `keizoku api openapi > docs/reference/openapi.json`"


def test_no_client_of_a_release_breaks(present: dict[str, Any]) -> None:
    before = [each for each in RELEASED if each.parent.name != __version__]  # this version is not released yet
    found = {
        each.parent.name: breaking_changes(json.loads(each.read_text(encoding="utf-8")), present) for each in before
    }
    assert {version: broken for version, broken in found.items() if broken} == {}


def test_a_change_that_breaks_a_client_is_found(present: dict[str, Any]) -> None:
    before = copy.deepcopy(present)
    after = copy.deepcopy(present)
    del after["paths"]["/v1/plans"]
    answer = after["components"]["schemas"]["Access"]
    del answer["properties"]["access"]
    hold = after["paths"]["/v1/accounts/{account}/hold"]["post"]
    form = hold["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    body = after["components"]["schemas"][form]
    body["properties"]["reason"] = {"type": "string"}
    body["required"].append("reason")
    found = breaking_changes(before, after)
    assert [each for each in found if "/v1/plans" in each] == ["GET /v1/plans: is gone", "POST /v1/plans: is gone"]
    assert any("the answer's field access is gone" in each for each in found)
    assert any("the field reason is newly wanted" in each for each in found)


def test_everything_in_it_has_a_limit(present: dict[str, Any]) -> None:
    unlimited: list[str] = []

    def look(part: Any, where: str) -> None:
        if isinstance(part, list):
            for number, each in enumerate(part):
                look(each, f"{where}/{number}")
        elif isinstance(part, dict):
            kind = part.get("type")
            limits = {"string": {"maxLength", "enum", "const"}, "array": {"maxItems"}, "integer": {"maximum", "const"}}
            if isinstance(kind, str) and kind in limits and not part.keys() & (limits[kind] | {"exclusiveMaximum"}):
                unlimited.append(where)
            for name, each in part.items():
                look(each, f"{where}/{name}")

    look(present, "")
    assert unlimited == []


Change = Callable[[dict[str, Any]], object]


def _part(found: Any, way: Sequence[str]) -> Any:
    return reduce(lambda part, name: part[int(name) if isinstance(part, list) else name], way, found)


def _pops(name: Any, *way: str) -> Change:
    return lambda found: _part(found, way).pop(name)


def _sets(values: dict[str, Any], *way: str) -> Change:
    return lambda found: _part(found, way).update(values)


def _adds(value: Any, name: str, *way: str) -> Change:
    return lambda found: _part(found, way).setdefault(name, []).append(value)


def _mutations(whole: dict[str, Any]) -> Iterator[tuple[str, str, Change]]:
    """(kind, where, what does it): each change of a kind that breaks a client, at every place where it can be made."""
    more = {"name": "more", "in": "query", "required": True, "schema": {"type": "string"}}
    sent, told = _reached(whole, "requestBody"), _reached(whole, "responses")
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            way = ("paths", path, method)
            yield "removed operation", path, _pops(method, "paths", path)
            yield "new required parameter", path, _adds(more, "parameters", *way)
            yield "new scope", path, _sets({"security": [{"key": ["other:write"]}]}, *way)
            for status in operation["responses"]:
                yield "removed response code", path, _pops(status, *way, "responses")
            for place, each in enumerate(operation.get("parameters", [])):
                yield "removed parameter", path, _pops(place, *way, "parameters")
                if "type" in each["schema"] and each["schema"]["type"] != "boolean":
                    yield "changed type", path, _sets({"type": "boolean"}, *way, "parameters", str(place), "schema")
    for name in sorted(sent | told):
        home = ("components", "schemas", name)
        schema = whole["components"]["schemas"][name]
        for part, each in schema.get("properties", {}).items():
            there, where = (*home, "properties", part), f"{name}.{part}"
            yield "removed field", where, _pops(part, *home, "properties")
            if "type" in each:
                yield (
                    "changed type",
                    where,
                    _sets({"type": "integer" if each["type"] == "boolean" else "boolean"}, *there),
                )
            if "format" in each:
                yield "changed format", where, _sets({"format": "uuid"}, *there)
            if "enum" in each and name in sent:
                yield "narrowed enum", where, _pops(-1, *there, "enum")
            if "maxLength" in each and name in sent:
                yield "tighter limit", where, _sets({"maxLength": 1}, *there)
        if name in sent and "properties" in schema:
            yield "newly required field", name, _adds("more", "required", *home)
        if name in told and schema.get("required"):
            yield "no longer sure", name, _pops(-1, *home, "required")


def _reached(whole: dict[str, Any], part: str) -> set[str]:
    """The names of the schemas that are sent, or answered."""
    found: set[str] = set()
    waiting = [json.dumps(each.get(part)) for methods in whole["paths"].values() for each in methods.values()]
    while waiting:
        for name in re.findall(r'"#/components/schemas/([^"]+)"', waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(json.dumps(whole["components"]["schemas"][name]))
    return found


def test_every_kind_of_breaking_change_is_found_wherever_it_is_made(present: dict[str, Any]) -> None:
    kinds: dict[str, list[tuple[str, Change]]] = {}
    for kind, where, made in _mutations(present):
        kinds.setdefault(kind, []).append((where, made))
    assert kinds.keys() == {
        "removed operation", "removed response code", "new required parameter", "removed parameter", "changed type",
        "new scope", "removed field", "changed format", "narrowed enum", "tighter limit", "newly required field",
        "no longer sure",
    }  # fmt: skip
    chance = random.Random(20_260_507)  # noqa: S311 - no secret
    whole = json.dumps(present)
    missed = []
    for kind, places in kinds.items():
        for where, made in places if ALL else chance.sample(places, min(len(places), EACH)):
            changed = json.loads(whole)
            made(changed)
            if not breaking_changes(present, changed):
                missed.append(f"{kind} at {where}")
    assert missed == []
    assert breaking_changes(present, present) == []


@pytest.mark.parametrize(
    "harmless",
    [
        lambda found: found["paths"].update({"/v1/more": found["paths"]["/v1/plans"]}),
        lambda found: found["components"]["schemas"]["Access"]["properties"].update(more={"type": "string"}),
        lambda found: found["components"]["schemas"]["Access"]["required"].append("more"),
        lambda found: found["paths"]["/v1/plans"]["get"]["parameters"].append(
            {"name": "more", "in": "query", "required": False, "schema": {"type": "string"}}
        ),
        lambda found: found["paths"]["/v1/plans"]["get"]["x-roles"].append("desk"),
    ],
)
def test_what_breaks_no_client_is_not_named(
    present: dict[str, Any], harmless: Callable[[dict[str, Any]], object]
) -> None:
    after = copy.deepcopy(present)
    harmless(after)
    assert breaking_changes(present, after) == []
