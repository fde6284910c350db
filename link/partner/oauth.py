"""Tokens over HTTP: OAuth 2.0 authorisation code with PKCE (RFC 6749, 7636) and revocation (RFC 7009), by Authlib.

Of what banks in Japan ask for (FAPI-like profiles) this client does: PKCE with S256, an exact redirect URI, a state
that is used once, `private_key_jwt` where a key file is set (PS256 or ES256; else the client's secret), TLS. It does
not do: pushed authorisation requests (PAR), sender-constrained tokens (mTLS, DPoP), signed requests or responses (JAR,
JARM).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, RSAKey
from requests.adapters import HTTPAdapter

from keizoku.link.partner.port import NotSentError, PartnerError, PartnerRefusesUsError, TokenAnswer
from keizoku.terms.refusal import Refused

__all__ = ["OAuthClient", "OAuthPlace", "connected"]

_OURS: Final = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_LONGEST_LIFE: Final = 366 * 86_400
_ASSERTED_FOR: Final = 300
"""So many seconds an assertion of ours is good for, by this machine's clock."""
_RSA_BITS: Final = 2_048


@dataclass(frozen=True, slots=True)
class OAuthPlace:
    """Where the partner issues tokens, and who we are there."""

    authorize_url: str
    token_url: str
    revoke_url: str | None
    client_id: str
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)  # PEM; where it is there, the secret is not used
    key_id: str = ""  # under which the partner has its public half; empty: it has one key of ours
    key_algorithm: str = ""  # of an RSA key: PS256 or RS256; empty: PS256. A P-256 key signs by ES256
    scope_data: str = "data"
    scope_orders: str = "orders"
    timeout_seconds: float = 30


class OAuthClient:
    """Asks for tokens; may be called from several threads."""

    def __init__(self, place: OAuthPlace, adapter: HTTPAdapter | None = None) -> None:
        self._place = place
        self._key: Any = None
        self._algorithm = ""
        if place.private_key:
            self._key, self._algorithm = _signing_key(place)
        self._adapter = adapter or HTTPAdapter()

    def authorization_url(self, scopes: Sequence[str], redirect_uri: str, state: str, verifier: str) -> str:
        """Where the customer authorises us."""
        words = {"data": self._place.scope_data, "orders": self._place.scope_orders}
        session = self._session(redirect_uri=redirect_uri, scope=" ".join(words[scope] for scope in scopes))
        url, _ = session.create_authorization_url(self._place.authorize_url, state=state, code_verifier=verifier)
        return str(url)

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
        """The first token for a code. Raises PartnerError, PartnerRefusesUsError."""
        session = self._session(redirect_uri=redirect_uri)
        asked = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return _answer(lambda: session.fetch_token(self._place.token_url, redirect_uri=redirect_uri, **asked))

    def refresh(self, refresh_token: str) -> TokenAnswer:
        """The next generation. Raises PartnerError, PartnerRefusesUsError."""
        session = self._session()
        return _answer(lambda: session.refresh_token(self._place.token_url, refresh_token=refresh_token))

    def revoke(self, token: str) -> None:
        """Void the token and its grant. Raises PartnerError; where the partner has no such place, nothing is asked."""
        if self._place.revoke_url is None:
            return
        session = self._session()
        answer = connected(lambda: session.revoke_token(self._place.revoke_url, token=token))
        if answer.status_code >= 500:
            raise PartnerError("unavailable", str(answer.status_code))
        if answer.status_code != 200:
            raise PartnerError("refused", str(answer.status_code))

    def _session(self, **more: str) -> Any:
        place = self._place
        method = "private_key_jwt" if place.private_key else "client_secret_basic"
        session = OAuth2Session(
            place.client_id,
            self._key or place.client_secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            code_challenge_method="S256",
            default_timeout=place.timeout_seconds,
            **more,
        )
        if self._key is not None:
            # for this one call: the number of an assertion (jti) is used once
            told = {"kid": place.key_id} if place.key_id else {}
            claims = {"exp": int(time.time()) + _ASSERTED_FOR}
            signed = PrivateKeyJWT(place.token_url, claims=claims, headers=told, alg=self._algorithm)
            session.register_client_auth_method(signed)
        session.trust_env = False  # a netrc or proxy of the machine is not asked for the partner's tokens
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)
        return session


def _signing_key(place: OAuthPlace) -> tuple[Any, str]:
    """The key as the library has it, and how it signs. Raises Refused, without a letter of the key."""
    try:
        read = load_pem_private_key(place.private_key.encode("ascii"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        read = None
    if isinstance(read, RSAPrivateKey) and read.key_size >= _RSA_BITS:
        return RSAKey.import_key(place.private_key), place.key_algorithm or "PS256"
    if isinstance(read, EllipticCurvePrivateKey) and isinstance(read.curve, SECP256R1):
        return ECKey.import_key(place.private_key), "ES256"
    raise Refused(
        "link.keys",
        "our private key is no PEM of an RSA key of 2,048 bits or more, or of a P-256 key, without a password",
        "name its file: KEIZOKU_LINK_PRIVATE_KEY_FILE",
    )


def connected(call: Callable[[], Any]) -> Any:
    """What a call returns; what went wrong on its way as PartnerError, without the words of the library."""
    try:
        return call()
    except requests.exceptions.ConnectTimeout:
        raise NotSentError("connect_timeout") from None
    except requests.exceptions.ConnectionError as error:
        if "NewConnectionError" in repr(error):
            raise NotSentError("no_connection") from None
        raise PartnerError("no_answer", "connection_lost") from None
    except requests.exceptions.Timeout:
        raise PartnerError("no_answer", "timeout") from None
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise PartnerError("too_many" if status == 429 else "unavailable", str(status)) from None
    except requests.exceptions.RequestException as error:
        raise PartnerError("no_answer", type(error).__name__) from None


def _answer(call: Callable[[], Any]) -> TokenAnswer:
    try:
        found = connected(call)
    except OAuthError as error:
        code = error.error if _WORD.fullmatch(str(error.error)) else "error"
        if code in _OURS:
            raise PartnerRefusesUsError(code) from None
        if code in ("temporarily_unavailable", "server_error", "slow_down"):
            raise PartnerError("unavailable", code) from None
        raise PartnerError("refused", code) from None
    except ValueError:  # no JSON
        raise PartnerError("unavailable", "no_json") from None
    access, refresh, lives = found.get("access_token"), found.get("refresh_token"), found.get("expires_in")
    if not isinstance(access, str) or not access or not (refresh is None or isinstance(refresh, str)):
        raise PartnerError("unavailable", "no_token")
    if isinstance(lives, str) and lives.isdigit():
        lives = int(lives)
    if not isinstance(lives, int) or isinstance(lives, bool) or not 0 < lives <= _LONGEST_LIFE:
        raise PartnerError("unavailable", "no_expires_in")
    return TokenAnswer(access, refresh or None, lives)
