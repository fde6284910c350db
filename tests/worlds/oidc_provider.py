"""A directory of the tests' own over real HTTP: an OpenID provider made with Authlib, and lies that tests set.

It is at least as strict as it has to be: PKCE and nonce are required, a code is taken once, the client says its secret.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from tests.worlds.oauth_server import CLIENT, Client, serving

_KEY = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
_OTHER = RSAKey.generate_key(2048, {"use": "sig", "kid": str(_KEY.kid)})


@dataclass
class Code:
    """An authorisation code."""

    code: str
    user: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Provider:
    """Who there is, and what is to go wrong."""

    back: str
    url: str = ""
    groups: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims of the next tokens that are said otherwise; None: left out."""
    about: dict[str, Any] = field(default_factory=dict)
    """What is published otherwise."""
    signs: str = "RS256"
    """How tokens are signed; `other`: by a key that it does not publish."""
    groups_in_token: bool = True
    keeps_codes: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    """What the userinfo endpoint says otherwise."""

    def authorize(self, url: str, user: str) -> str:
        """What a person's browser is sent back to, after signing in there."""
        import requests

        answer = requests.get(url, headers={"X-User": user}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """The token, with the lies."""
        claims = {key: value for key, value in {**claims, **self.lies}.items() if value is not None}
        if self.signs == "HS256":  # with the published key as the secret: the oldest trick
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(_KEY.as_pem(private=False)))
        if self.signs == "none":
            return jwt.encode({"alg": "none"}, claims, OctKey.import_key("x" * 32), ["none"])
        return jwt.encode(header, claims, _OTHER if self.signs == "other" else _KEY)


class _Grant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]  # noqa: RUF012 - as the library has it

    def save_authorization_code(self, code: str, asked: Any) -> None:
        data = asked.payload.data
        self.server.provider.codes[code] = Code(
            code, asked.user, asked.payload.redirect_uri, asked.payload.scope, data["nonce"], data["code_challenge"],
            data["code_challenge_method"],
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.provider.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        if not self.server.provider.keeps_codes:
            del self.server.provider.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.user


class _Identity(OpenIDCode):  # type: ignore[misc]
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, asked: Any) -> bool:
        return False

    def encode_id_token(self, token: Any, asked: Any) -> str:
        now, code = int(time.time()), asked.authorization_code
        own = {"groups": self.provider.groups.get(code.user)} if self.provider.groups_in_token else {}
        claims = {
            "iss": self.provider.url, "aud": CLIENT, "sub": code.user, "iat": now, "exp": now + 300,
            "nonce": code.nonce, **own,
        }  # fmt: skip
        return self.provider.signed({"alg": "RS256", "kid": _KEY.kid}, claims)


class _Server(AuthorizationServer):  # type: ignore[misc]
    provider: Provider


def make_app(provider: Provider) -> Flask:
    """The whole provider as one application."""
    app = Flask("keizoku-oidc")
    server = _Server(app, query_client=lambda name: Client(provider.back) if name == CLIENT else None,
                     save_token=lambda token, asked: None)  # fmt: skip
    server.provider = provider
    server.register_grant(_Grant, [CodeChallenge(required=True), _Identity(provider)])

    @app.get("/.well-known/openid-configuration")
    def about() -> Any:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys",
                 "userinfo_endpoint": "userinfo", "end_session_endpoint": "leave"}  # fmt: skip
        return jsonify({"issuer": provider.url, **{key: f"{provider.url}/{path}" for key, path in names.items()},
                        **provider.about})  # fmt: skip

    @app.get("/authorize")
    def authorize() -> Any:
        user = request.headers["X-User"]
        return server.create_authorization_response(grant_user=user, grant=server.get_consent_grant(end_user=user))

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/keys")
    def keys() -> Any:
        return jsonify(KeySet([_KEY]).as_dict(private=False))

    @app.get("/userinfo")
    def userinfo() -> Any:
        return jsonify({"sub": "suzuki", "groups": provider.groups.get("suzuki"), **provider.told})

    return app


@contextmanager
def running(back: str) -> Iterator[Provider]:
    """The provider on a free port of this machine."""
    provider = Provider(back)
    with serving(make_app(provider)) as provider.url:
        yield provider


def said_in(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))
