"""The partner over HTTP: data and orders as the partner house's published API describes them, tokens by OAuth.

The server-to-server API that the contract means has no public description. Resources, fields, codes and states here are
those of the house's public API for personal use (OpenAPI 3.0, MIT); that one authorises otherwise, so authorisation is
plain OAuth 2.0 with a bearer token. It carries no reference of ours: where the partner has such a field, a setting
names it, and else an order is recognised by its content among those that were not there before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import requests
from requests.adapters import HTTPAdapter

from keizoku.link.partner.oauth import OAuthClient, OAuthPlace, connected
from keizoku.link.partner.port import OrderAnswer, PartnerError, TokenAnswer
from keizoku.link.rules.orders import Listed, OrderRequest
from keizoku.pacing import Pace

__all__ = ["HttpPartner", "ResourcePlace"]

PATHS: Final = {"positions": "positions", "balance": "wallet/cash", "orders": "orders"}
_LARGEST: Final = 4 * 1024 * 1024
_SELL, _BUY = "1", "2"
_OVER: Final = 5
"""The state of an order that is over: failed, cancelled, filled, void, expired."""
_LAPSED: Final = frozenset({3, 7})
"""Kinds of an order's details that say it is void: expired, lapsed."""
_BASE: Final[Mapping[str, object]] = {"Exchange": 1, "SecurityType": 1, "CashMargin": 1}


@dataclass(frozen=True, slots=True)
class ResourcePlace:
    """Where the partner answers, and how fast it may be asked."""

    base: str
    calls_per_second: float = 10
    orders_per_second: float = 5
    account_type: int = 4  # of the customer's accounts at the partner: 2 general, 4 specified, 12 of a company
    reference_field: str = ""  # under which it takes and lists our reference; empty: it has none
    timeout_seconds: float = 30


class HttpPartner:
    """Speaks to the partner; may be called from several threads, which share one pace."""

    name = "http"

    def __init__(
        self, place: ResourcePlace, tokens: OAuthPlace, *, pace: Callable[[float], Pace] = Pace, connections: int = 16
    ) -> None:
        self._place = place
        self._adapter = HTTPAdapter(pool_connections=2, pool_maxsize=connections)
        self._tokens = OAuthClient(tokens, self._adapter)
        self._calls, self._orders = pace(place.calls_per_second), pace(place.orders_per_second)

    def authorization_url(self, scopes: Sequence[str], redirect_uri: str, state: str, verifier: str) -> str:
        """Where the customer authorises us."""
        return self._tokens.authorization_url(scopes, redirect_uri, state, verifier)

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
        """The first token for a code."""
        self._calls.wait()
        return self._tokens.exchange(code, verifier, redirect_uri)

    def refresh(self, refresh_token: str) -> TokenAnswer:
        """The next generation."""
        self._calls.wait()
        return self._tokens.refresh(refresh_token)

    def revoke(self, token: str) -> None:
        """The token is no longer to be taken."""
        self._calls.wait()
        self._tokens.revoke(token)

    def fetch(self, kind: str, access: str) -> Any:
        """The customer's data of a kind."""
        return self._asked(self._calls, "GET", PATHS[kind], access)

    def send_order(self, wanted: OrderRequest, reference: str, good_until: str | None, access: str) -> OrderAnswer:
        """Pass an order on, once."""
        try:
            found = self._asked(self._orders, "POST", "sendorder", access, self._body(wanted, reference, good_until))
        except PartnerError as error:
            if error.failure in ("refused", "unauthorized", "too_many"):  # a definite no: it was not taken
                return OrderAnswer(False, code=error.code)
            raise
        result, number = (found.get("Result"), found.get("OrderId")) if isinstance(found, Mapping) else (None, None)
        if not isinstance(result, int):
            raise PartnerError("no_answer", "no_result")
        if result != 0:
            return OrderAnswer(False, code=str(result))
        return OrderAnswer(True, partner_id=number if isinstance(number, str) and number.strip() else None)

    def list_orders(self, access: str) -> Sequence[Listed]:
        """The customer's orders as the partner has them now."""
        found = self._asked(self._calls, "GET", "orders", access)
        if not isinstance(found, list):
            raise PartnerError("unavailable", "no_list")
        return [self._listed(row) for row in found if isinstance(row, Mapping) and isinstance(row.get("ID"), str)]

    def close(self) -> None:
        """Let go of the connections."""
        self._adapter.close()

    def _body(self, wanted: OrderRequest, reference: str, good_until: str | None) -> dict[str, object]:
        buys = wanted.side == "buy"
        price = wanted.limit_price
        body: dict[str, object] = {
            **_BASE,
            "Symbol": wanted.product,
            "Side": _BUY if buys else _SELL,
            "DelivType": 2 if buys else 0,  # from the money kept at the partner
            "FundType": "02" if buys else "  ",  # held in safe custody; a sale names none
            "AccountType": self._place.account_type,
            "Qty": wanted.quantity,
            "FrontOrderType": 10 if price is None else 20,
            "Price": _Decimal(price or "0"),
            "ExpireDay": int(good_until.replace("-", "")) if good_until else 0,
        }
        if self._place.reference_field:
            body[self._place.reference_field] = reference
        return body

    def _listed(self, row: Mapping[str, Any]) -> Listed:
        details = [each for each in row.get("Details") or () if isinstance(each, Mapping)]
        over = row.get("State") == _OVER
        state: Literal["working", "lapsed", "finished"] = "finished" if over else "working"
        if over and any(each.get("RecType") in _LAPSED for each in details):
            state = "lapsed"
        price = str(row.get("Price") or "0")
        market = not price.strip("0.")  # an order at the market is listed with the price 0
        quantity = str(row.get("OrderQty") or "0").partition(".")[0]
        given = row.get(self._place.reference_field) if self._place.reference_field else None
        wanted = OrderRequest(
            str(row.get("Symbol")),
            "buy" if str(row.get("Side")) == _BUY else "sell",
            int(quantity) if quantity.isdigit() else 0,
            None if market else price,
        )
        return Listed(str(row["ID"]), wanted, state, str(given) if given else None)

    def _asked(self, pace: Pace, method: str, path: str, access: str, body: Mapping[str, object] | None = None) -> Any:
        pace.wait()
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)
        headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"

        def call() -> tuple[int, bytes]:
            with session.request(
                method,
                f"{self._place.base}/{path}",
                data=None if body is None else _json(body),
                headers=headers,
                timeout=self._place.timeout_seconds,
                allow_redirects=False,
                stream=True,
            ) as answer:
                content = bytearray()
                for piece in answer.iter_content(65_536):
                    content += piece
                    if len(content) > _LARGEST:
                        raise PartnerError("unavailable", "too_large")
                return answer.status_code, bytes(content)

        status, content = connected(call)
        return _read(status, content)


@dataclass(frozen=True, slots=True)
class _Decimal:
    """A price as decimal text, which goes into JSON digit by digit."""

    text: str


def _json(body: Mapping[str, object]) -> str:
    written = {name: value.text if isinstance(value, _Decimal) else json.dumps(value) for name, value in body.items()}
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in written.items()) + "}"


def _read(status: int, content: bytes) -> Any:
    try:
        found = json.loads(content, parse_float=str) if content else None
    except (ValueError, RecursionError):
        found = None
        if status == 200:
            raise PartnerError("no_answer", "no_json") from None
    if status == 200:
        return found
    code = found.get("Code") if isinstance(found, Mapping) else None
    said = str(code) if isinstance(code, int) else str(status)
    if status == 401:
        raise PartnerError("unauthorized", said)
    if status == 429:
        raise PartnerError("too_many", said)
    if status >= 500 or status in (408, 425) or 300 <= status < 400:
        raise PartnerError("unavailable", said)
    raise PartnerError("refused", said)
