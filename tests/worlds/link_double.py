"""A partner of the tests' own over real HTTP: an OAuth server made with Authlib, and resources that remember.

It is ours and says so in every answer (`X-Double`); no house is behind it. Resources, codes and states are those of the
partner house's published API for personal use, authorisation is plain OAuth 2.0 (RFC 6749, 7636, 7009) and stands for
what the server-to-server API would have. It is at least as strict: PKCE is required, a code is taken once, a refresh
token once, and one access token of a customer lives at a time.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidClientError, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.errors import JoseError

from tests.worlds.oauth_server import CLIENT, Client, serving

BACK = "https://app.example/linked"
GRANTS = ("authorization_code", "refresh_token")
METHODS = ["client_secret_basic", "private_key_jwt"]
OFF_HOURS = 4001009
"""The code of a 401: the token is not, or no longer, valid."""


@dataclass
class Code:
    """An authorisation code."""

    code: str
    user: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str
    nonce: None = None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Issued:
    """A token that it issued."""

    access: str
    refresh: str
    user: str
    scope: str
    ends: float
    refresh_taken: bool = False
    revoked: bool = False

    def check_client(self, _client: Client) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return int(self.ends - time.monotonic())

    def is_expired(self) -> bool:
        return time.monotonic() >= self.ends

    def is_revoked(self) -> bool:
        return self.revoked


@dataclass
class Memory:
    """All that it remembers, and what is to go wrong."""

    life_seconds: int = 1_800
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: list[Issued] = field(default_factory=list)
    orders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    status: list[int] = field(default_factory=list)  # the next resource calls are answered with these
    order_status: list[int] = field(default_factory=list)  # the next orders
    token_status: list[int] = field(default_factory=list)  # the next token calls
    drops_token_answer: int = 0  # so many tokens are issued, and the connection is closed without an answer
    drops_order_answer: int = 0
    no_number: int = 0
    expires_orders: int = 0
    lists_late: int = 0
    refresh_once: bool = True
    keys: Any = None  # public keys: our client has to sign in by private_key_jwt, by PS256 or ES256 and with a kid
    assertions: list[dict[str, Any]] = field(default_factory=list)  # the headers of those that were good
    audience: str = "the token's place"
    numbers: set[str] = field(default_factory=set)  # of assertions, each taken once
    clock_seconds: int = 0  # how wrong its wall clock is
    lock: threading.Lock = field(default_factory=threading.Lock)

    def living(self, access: str) -> Issued | None:
        """The token, where it is the customer's newest, not revoked and not expired."""
        found = next((token for token in self.tokens if token.access == access), None)
        if found is None or found.revoked or found.is_expired():
            return None
        newest = [token for token in self.tokens if token.user == found.user][-1]
        return found if newest is found else None

    def log_out(self) -> None:
        """The forced logout of every morning: all access tokens are void, what renews them is not."""
        for token in self.tokens:
            token.ends = 0.0


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code: str, asked: Any) -> None:
        payload = asked.payload
        self.server.memory.codes[code] = Code(
            code,
            asked.user,
            payload.redirect_uri,
            payload.scope,
            payload.data["code_challenge"],
            payload.data["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.memory.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.memory.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.user


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        memory: Memory = self.server.memory
        found = next((token for token in memory.tokens if token.refresh == refresh_token), None)
        return found if found is not None and not found.revoked and not found.refresh_taken else None

    def authenticate_user(self, credential: Issued) -> str:
        return credential.user

    def revoke_old_credential(self, credential: Issued) -> None:
        credential.refresh_taken = self.server.memory.refresh_once


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Issued | None:
        memory: Memory = self.server.memory
        return next((token for token in memory.tokens if token_string in (token.access, token.refresh)), None)

    def revoke_token(self, token: Issued, request: Any) -> None:
        for each in self.server.memory.tokens:
            each.revoked |= each.user == token.user


class _Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """private_key_jwt as FAPI wants it: signed by PS256 or ES256 under a key that is known, each assertion once."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, memory: Memory) -> None:
        super().__init__(leeway=10)
        self.memory = memory

    def get_audiences(self) -> list[str]:
        return [self.memory.audience]

    def validate_jti(self, claims: Any, jti: str) -> bool:
        fresh = jti not in self.memory.numbers
        self.memory.numbers.add(jti)
        return fresh

    def resolve_client_public_key(self, client: Client) -> Any:
        return self.memory.keys

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> Any:
        header, claims = self.extract_assertion(assertion)
        if header["alg"] not in ("PS256", "ES256") or header.get("kid") not in {key.kid for key in self.memory.keys}:
            raise InvalidClientError(description="alg or kid")
        if not 0 < claims["exp"] - claims["iat"] <= 600:
            raise InvalidClientError(description="too long")
        try:
            found = jwt.decode(assertion, resolve_key, algorithms=["PS256", "ES256"])
        except JoseError as error:
            raise InvalidClientError(description="signature") from error
        self.verify_claims(found.claims)
        self.memory.assertions.append(dict(header))
        return found.claims


class _Server(AuthorizationServer):  # type: ignore[misc]
    memory: Memory


def make_app(memory: Memory) -> Flask:
    """The whole partner as one application."""
    app = Flask("keizoku-link-double")
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {
        "authorization_code": memory.life_seconds,
        "refresh_token": memory.life_seconds,
    }

    def save(token: dict[str, Any], asked: Any) -> None:
        ends = time.monotonic() + token["expires_in"]
        memory.tokens.append(Issued(token["access_token"], token["refresh_token"], asked.user, token["scope"], ends))

    method = METHODS[0] if memory.keys is None else METHODS[1]
    server = _Server(
        app, query_client=lambda name: Client(BACK, GRANTS, method) if name == CLIENT else None, save_token=save
    )
    server.memory = memory
    server.register_client_auth_method(METHODS[1], _Assertion(memory))
    server.register_grant(_CodeGrant, [CodeChallenge(required=True)])
    server.register_grant(_RefreshGrant)
    server.register_endpoint(_Revocation)

    @app.after_request
    def says_whose_it_is(answer: Response) -> Response:
        answer.headers["X-Double"] = "keizoku tests; no house's"
        answer.headers["Date"] = time.strftime(
            "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + memory.clock_seconds)
        )
        return answer

    @app.get("/authorize")
    def authorize() -> Any:
        grant = server.get_consent_grant(end_user=request.headers["X-Customer"])
        return server.create_authorization_response(grant_user=request.headers["X-Customer"], grant=grant)

    @app.post("/token")
    def token() -> Any:
        with memory.lock:
            memory.calls["token"] += 1
            if memory.token_status:
                return jsonify({"error": "temporarily_unavailable"}), memory.token_status.pop(0)
            answer = server.create_token_response()
            if memory.drops_token_answer:
                memory.drops_token_answer -= 1
                return _dropped()
            return answer

    @app.post("/revoke")
    def revoke() -> Any:
        memory.calls["revoke"] += 1
        return server.create_endpoint_response("revocation")

    def customer(path: str, scope: str) -> str | tuple[Any, int]:
        memory.calls[path] += 1
        instead = memory.order_status if path == "sendorder" else memory.status
        if instead:
            status = instead.pop(0)
            return jsonify({"Code": 4001006 if status == 429 else status, "Message": "as the test wants it"}), status
        found = memory.living(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if found is None:
            return jsonify({"Code": OFF_HOURS, "Message": "API token is invalid"}), 401
        if scope not in found.scope.split():
            return jsonify({"Code": 4002001, "Message": "not in the scope"}), 403
        return found.user

    @app.get("/api/positions")
    def positions() -> Any:
        user = customer("positions", "data")
        row = {"Symbol": "7203", "SymbolName": "トヨタ自動車", "LeavesQty": 300, "Price": 2840.5, "Valuation": None}
        return jsonify([row]) if isinstance(user, str) else user

    @app.get("/api/wallet/cash")
    def wallet() -> Any:
        user = customer("wallet/cash", "data")
        return jsonify({"StockAccountWallet": 50000, "AuJbnStockAccountWallet": 7}) if isinstance(user, str) else user

    @app.get("/api/orders")
    def orders() -> Any:
        user = customer("orders", "orders")
        if not isinstance(user, str):
            return user
        listed = list(memory.orders.get(user, ()))
        if memory.lists_late and listed:
            memory.lists_late -= 1
            listed.pop()
        return jsonify(listed)

    @app.post("/api/sendorder")
    def sendorder() -> Any:
        user = customer("sendorder", "orders")
        if not isinstance(user, str):
            return user
        asked = request.get_json()
        if missing := {"Symbol", "Exchange", "SecurityType", "Side", "CashMargin", "DelivType", "AccountType", "Qty",
                       "FrontOrderType", "Price", "ExpireDay"} - set(asked):  # fmt: skip
            return jsonify({"Code": 4001005, "Message": f"missing: {sorted(missing)}"}), 400
        number = f"20260401A02N{secrets.randbelow(10**8):08d}"
        void = memory.expires_orders > 0
        memory.expires_orders -= void
        memory.orders.setdefault(user, []).append(
            {
                "ID": number,
                "State": 5 if void else 3,
                "OrdType": 1,  # during trading hours
                "Symbol": asked["Symbol"],
                "Price": asked["Price"],
                "OrderQty": asked["Qty"],
                "Side": asked["Side"],
                "Details": [{"SeqNum": 1, "RecType": 1, "State": 3}, *([{"SeqNum": 2, "RecType": 3}] if void else [])],
            }
        )
        if memory.drops_order_answer:
            memory.drops_order_answer -= 1
            return _dropped()
        if memory.no_number:
            memory.no_number -= 1
            return jsonify({"Result": 0, "OrderId": None})
        return jsonify({"Result": 0, "OrderId": number})

    return app


def _dropped() -> Response:
    """The answer is lost: the connection ends in the middle of it."""

    def broken() -> Iterator[bytes]:
        yield b"{"
        raise ConnectionAbortedError

    return Response(broken(), headers={"Content-Length": "1000"})


@contextmanager
def partner_running(memory: Memory) -> Iterator[str]:
    """The partner on a port of its own; its address."""
    with serving(make_app(memory)) as address:
        yield address
