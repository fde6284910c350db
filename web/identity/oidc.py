"""Sign-in of the staff by OpenID Connect: the code flow with PKCE, state and nonce.

    /sign-in ──> the directory ──> /sign-in/back?code&state ──> token ──> claims ──> groups ──> roles

Nothing is kept between the two calls but one random value in the browser's cookie: state, nonce and verifier are made
of it, so a code that somebody else obtained, or a link that somebody else sends, fits no browser. Its hash goes into
the session that it began, where the database takes it once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException, Session

from keizoku.limits import name_flaw
from keizoku.web.identity.browser import own_page
from keizoku.web.identity.oidc_settings import SignInError, is_safe_url
from keizoku.web.identity.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keizoku.web.identity.oidc_settings import OidcSettings

__all__ = ["Directory"]

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key that the directory alone has; none by a shared secret, and no token without one."""
TIMEOUT_S: Final = 10
KEPT_S: Final = 3_600.0
LEEWAY_S: Final = 60
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass
class Directory:
    """The provider, and what it publishes about itself."""

    settings: OidcSettings
    redirect_uri: str
    _about: dict[str, Any] = field(default_factory=dict)
    _keys: KeySet | None = None
    _asked_at: float = 0.0
    _keys_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def address(self, secret: str, to: str) -> str:
        """Where the browser goes to sign in; `to`: our own page that is opened afterwards. Raises SignInError."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._published()["authorization_endpoint"],
                state=_state(secret, to),
                nonce=_of(secret, "nonce"),
                code_challenge=create_s256_code_challenge(_of(secret, "verifier")),
                code_challenge_method="S256",
            )
        return str(url)

    def leaving(self, back: str) -> str | None:
        """Where one signs out of the directory itself; None: it has no such page."""
        found = self._published().get("end_session_endpoint")
        if not isinstance(found, str) or not is_safe_url(found):
            return None
        sign = "&" if "?" in found else "?"
        return found + sign + urlencode({"client_id": self.settings.client_id, "post_logout_redirect_uri": back})

    def came_back(self, secret: str, said: Mapping[str, str]) -> tuple[Principal, str]:
        """(who signed in, our own page to open). Raises SignInError for everything that does not fit."""
        to = _destination(secret, said.get("state", ""))
        if said.get("iss", self.settings.issuer) != self.settings.issuer:
            raise SignInError("the answer is another directory's")
        if "error" in said or not said.get("code"):
            raise SignInError("the directory let nobody in")
        about = self._published()
        if about.get("authorization_response_iss_parameter_supported") is True and "iss" not in said:
            raise SignInError("the answer does not say whose it is")
        token = self._token(about, said["code"], secret)
        claims = self._claims(token, _of(secret, "nonce"))
        if self.settings.groups_claim not in claims:
            claims = claims | self._told_besides(about, token, claims["sub"])
        return self._principal(claims), to

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        roles = self.settings.roles_of(claims.get(self.settings.groups_claim))
        if not roles:
            raise SignInError("none of your groups has a role here")
        name = claims.get(self.settings.name_claim)
        if not isinstance(name, str) or not name.strip() or name_flaw(f"staff:{name}"):
            raise SignInError(f"the directory says no usable {self.settings.name_claim}")
        return Principal("staff", f"staff:{name}", roles)

    def _token(self, about: Mapping[str, Any], code: str, secret: str) -> Mapping[str, Any]:
        try:
            with self._session() as session:
                found = session.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=_of(secret, "verifier"),
                    grant_type="authorization_code", timeout=TIMEOUT_S, allow_redirects=False,
                )  # fmt: skip
        except (OAuthError, RequestException, ValueError) as error:
            raise SignInError(f"the directory took the code for none ({type(error).__name__})") from None
        if not isinstance(found.get("id_token"), str):
            raise SignInError("the directory says nobody's identity")
        return dict(found)

    def _claims(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """What the signed token says: ours, of our directory, of this browser, and of now."""
        own = self.settings
        try:
            found = self._verified(token["id_token"])
            jwt.JWTClaimsRegistry(
                now=int(time.time()), leeway=LEEWAY_S,
                iss={"essential": True, "value": own.issuer}, aud={"essential": True, "value": own.client_id},
                nonce={"essential": True, "value": nonce}, sub={"essential": True}, exp={"essential": True},
                iat={"essential": True},
            ).validate(found)  # fmt: skip
        except (JoseError, ValueError, TypeError) as error:
            raise SignInError(f"the directory's word does not hold ({type(error).__name__})") from None
        if found.get("azp", own.client_id) != own.client_id or (
            isinstance(found["aud"], list) and len(found["aud"]) > 1 and "azp" not in found
        ):
            raise SignInError("the directory's word is for another application")
        if not isinstance(found["sub"], str):
            raise SignInError("the directory says nobody's identity")
        return found

    def _verified(self, id_token: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=ALGORITHMS)
        try:
            return dict(jwt.decode(id_token, self._published_keys(), ALGORITHMS, registry).claims)
        except (JoseError, ValueError):
            if time.monotonic() - self._keys_at < LEEWAY_S:
                raise
            return dict(jwt.decode(id_token, self._published_keys(anew=True), ALGORITHMS, registry).claims)

    def _told_besides(self, about: Mapping[str, Any], token: Mapping[str, Any], sub: str) -> dict[str, Any]:
        """The claims of the userinfo endpoint, where groups are in no token; of the same person only."""
        url = about.get("userinfo_endpoint")
        if not isinstance(url, str) or not is_safe_url(url) or not isinstance(token.get("access_token"), str):
            return {}
        found = self._fetched(url, {"Authorization": f"Bearer {token['access_token']}"})
        if found.get("sub") != sub:
            raise SignInError("the directory speaks of somebody else")
        return {key: found[key] for key in (self.settings.groups_claim, self.settings.name_claim) if key in found}

    def _published(self) -> dict[str, Any]:
        with self._lock:
            if not self._about or time.monotonic() - self._asked_at > KEPT_S:
                url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = self._fetched(url)
                if found.get("issuer") != self.settings.issuer:
                    raise SignInError("the directory calls itself otherwise than the settings do")
                if not all(isinstance(found.get(name), str) and is_safe_url(found[name]) for name in _NEEDED):
                    raise SignInError("the directory names an address that is not safe")
                self._about, self._asked_at = found, time.monotonic()
            return self._about

    def _published_keys(self, *, anew: bool = False) -> KeySet:
        url = self._published()["jwks_uri"]
        with self._lock:
            if self._keys is None or anew or time.monotonic() - self._keys_at > KEPT_S:
                found: Any = self._fetched(url)
                keys = [key for key in found.get("keys", ()) if key.get("use", "sig") == "sig" and key["kty"] != "oct"]
                self._keys, self._keys_at = KeySet.import_key_set({"keys": keys}), time.monotonic()
            return self._keys

    def _fetched(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            with Session() as session:
                session.trust_env = False
                answer = session.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
                found = answer.json() if answer.status_code == 200 else None
        except (RequestException, ValueError):
            found = None
        if not isinstance(found, dict):
            raise SignInError("the directory does not answer")
        return found

    def _session(self) -> OAuth2Session:
        own = self.settings
        session = OAuth2Session(
            own.client_id, own.secret or None, scope=" ".join(own.scopes), redirect_uri=self.redirect_uri,
            token_endpoint_auth_method="client_secret_basic" if own.secret else "none",
        )  # fmt: skip
        session.trust_env = False
        return session


def _of(secret: str, what: str) -> str:
    """43 letters that nobody knows who has not the browser's own value."""
    made = hmac.new(secret.encode(), what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _state(secret: str, to: str) -> str:
    page = base64.urlsafe_b64encode(to.encode()).decode().rstrip("=")
    return f"{_of(secret, f'state {to}')}.{page}"


def _destination(secret: str, state: str) -> str:
    """Our own page to open. Raises SignInError for a state that this browser did not send."""
    page = state.partition(".")[2]
    try:
        to = base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)).decode()
    except ValueError:
        to = ""
    if not hmac.compare_digest(_state(secret, to).encode(), state.encode()):
        raise SignInError("this browser did not ask for it")
    return own_page(to)
