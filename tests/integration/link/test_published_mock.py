"""Our client against a mock server that a public tool (connexion) makes from what the partner's house published.

The tool checks each request against the description and answers with the description's own examples. These it does
not check: several break their own schema (null where a number is said to be), which is a reason to read with care.
The description is of the house's public API for personal use, whose requests carry its own header for a token: that
header is added on the way, since the API that the contract means takes a bearer token. The file is never part of this
repository: without it, or without the tool, these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from keizoku.link.partner.http_partner import HttpPartner, ResourcePlace
from keizoku.link.partner.oauth import OAuthPlace
from keizoku.link.partner.port import OrderAnswer, PartnerError
from keizoku.link.rules.designation import filter_fields
from keizoku.link.rules.orders import OrderRequest
from tests.worlds.listening import listening

PUBLISHED = Path(__file__).parents[4] / "shared" / "partner" / "kabu_STATION_API.yaml"
pytestmark = pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published description is not beside the checkout")
connexion = pytest.importorskip("connexion", reason="the tool that makes the mock is not installed")
pytest.importorskip("uvicorn")


def with_key(app: Any) -> Any:
    """The published API names its token X-API-KEY: what comes as a bearer token is passed on under that name."""

    async def passed_on(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").removeprefix(b"Bearer ")
            scope = {**scope, "headers": [*scope["headers"], (b"x-api-key", given)]}
        await app(scope, receive, send)

    return passed_on


@pytest.fixture(scope="module")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpPartner]:
    """Our client, and the mock server on a port of its own."""
    from connexion.mock import MockResolver

    described = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    wanted = ("/sendorder", "/orders", "/positions", "/wallet/cash")
    described["paths"] = {path: described["paths"][path] for path in wanted}
    folder = tmp_path_factory.mktemp("mock")
    (folder / "api.yaml").write_text(yaml.safe_dump(described, allow_unicode=True), encoding="utf-8")
    app = connexion.AsyncApp("mock", specification_dir=str(folder))
    app.add_api("api.yaml", resolver=MockResolver(mock_all=True))
    tokens = OAuthPlace("https://partner.invalid/a", "https://partner.invalid/t", None, "us", timeout_seconds=5)
    with listening(with_key(app), log_level="error") as port:
        ours = HttpPartner(ResourcePlace(f"http://127.0.0.1:{port}/kabusapi", timeout_seconds=10), tokens)
        yield ours
        ours.close()


def test_api_link_1_3__an_order_of_ours_is_taken_by_the_description(partner: HttpPartner) -> None:
    for wanted in (OrderRequest("8306", "buy", 100, "704.5"), OrderRequest("8306", "sell", 1)):
        answer = partner.send_order(wanted, "kz1", "2026-04-30", "token")
        assert answer.accepted
        assert answer.partner_id


def test_the_mock_refuses_what_the_description_refuses(partner: HttpPartner) -> None:
    wrong = replace(partner._place, account_type="four")  # type: ignore[arg-type]
    ours, partner._place = partner._place, wrong
    try:
        refused = partner.send_order(OrderRequest("8306", "buy", 100), "kz1", None, "token")
    finally:
        partner._place = ours
    assert refused == OrderAnswer(False, code="400")


def test_api_link_6_2__the_examples_of_the_description_are_read_and_filtered(partner: HttpPartner) -> None:
    positions = partner.fetch("positions", "token")
    shown = filter_fields("positions", positions, frozenset({"positions.Symbol", "positions.LeavesQty"}))
    assert shown.content
    assert all(set(row) <= {"Symbol", "LeavesQty"} for row in shown.content)
    assert shown.dropped > 10
    balance = filter_fields("balance", partner.fetch("balance", "token"), frozenset({"balance.StockAccountWallet"}))
    assert set(balance.content) == {"StockAccountWallet"}


def test_api_link_6_5__the_orders_of_the_examples_are_listed(partner: HttpPartner) -> None:
    listed = partner.list_orders("token")
    assert listed
    assert all(each.partner_id and each.state in ("working", "lapsed", "finished") for each in listed)
    with pytest.raises(PartnerError):
        partner._asked(partner._calls, "GET", "cancelorder", "token")
