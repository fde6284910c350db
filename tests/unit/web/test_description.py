"""The description of the HTTP API that is kept: it is the present one, and no client of a released one breaks."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from keizoku import __version__
from keizoku.web.application import make_application, openapi_of
from keizoku.web.breaking_changes import breaking_changes

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "docs" / "reference" / "openapi.json"
RELEASED = sorted((ROOT / "tests" / "released").glob("*/openapi.json"))


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
