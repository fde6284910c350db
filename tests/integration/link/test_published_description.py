"""Our orders and our readers fit what the partner's house published, where its file lies beside the checkout.

The description is of the house's public API for personal use; the API that the contract means has none. The file is
never part of this repository: without it these tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator

from keizoku.link.partner.http_partner import PATHS, HttpPartner, ResourcePlace, _json
from keizoku.link.partner.oauth import OAuthPlace
from keizoku.link.rules.orders import OrderRequest

PUBLISHED = Path(__file__).parents[4] / "shared" / "partner" / "kabu_STATION_API.yaml"
pytestmark = pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published description is not beside the checkout")
WANTED = (OrderRequest("8306", "buy", 100, "704.5"), OrderRequest("8306", "sell", 1))


@pytest.fixture(scope="module")
def published() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def partner() -> HttpPartner:
    nowhere = "https://partner.invalid"
    return HttpPartner(ResourcePlace(nowhere), OAuthPlace(nowhere, nowhere, None, "x"))


@pytest.mark.parametrize("wanted", WANTED)
def test_an_order_has_the_fields_and_the_types_of_the_description(
    published: Mapping[str, Any], partner: HttpPartner, wanted: OrderRequest
) -> None:
    schema = published["components"]["schemas"]["RequestSendOrder"]
    body = json.loads(_json(partner._body(wanted, "kz1", date(2026, 4, 30).isoformat())))
    assert set(schema["required"]) <= set(body) <= set(schema["properties"])
    own = {"type": "object", "required": schema["required"], "properties": {
        name: {"type": each["type"]} for name, each in schema["properties"].items()
    }}  # fmt: skip
    assert [error.message for error in Draft4Validator(own).iter_errors(body)] == []


def test_every_resource_that_we_ask_for_is_there(published: Mapping[str, Any]) -> None:
    for path in PATHS.values():
        assert "get" in published["paths"][f"/{path}"]
    assert "post" in published["paths"]["/sendorder"]


def test_an_order_of_the_descriptions_example_is_read(published: Mapping[str, Any], partner: HttpPartner) -> None:
    example = published["components"]["schemas"]["OrdersSuccess"]["example"]
    listed = partner._listed(json.loads(json.dumps(example), parse_float=str))
    assert (listed.partner_id, listed.state) == (example["ID"], "finished")
    assert listed.wanted == OrderRequest("8306", "sell", 1500, "704.5")
