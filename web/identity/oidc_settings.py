"""The file of `keizoku serve --oidc FILE`: the directory in which the staff sign in, and which group is which role.

issuer = "https://login.example"
client_id = "keizoku"
client_secret_file = "oidc-secret"     beside this file; left out for a public client
groups_claim = "groups"                name_claim = "sub"; scopes = ["openid", "groups"]
[roles]
worker = ["billing-operators"]
finance = ["accounting"]
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from keizoku.terms.inputs.input_files import SecretFileError, read_whole, secret_in
from keizoku.web.identity.principal import ROLES, Role

__all__ = ["OidcFileError", "OidcSettings", "SignInError", "is_safe_url", "read_oidc_file"]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_LARGEST: Final = 100_000


class OidcFileError(ValueError):
    """The file cannot be used; the message is one line that names it."""


class SignInError(Exception):
    """Nobody comes in; the message is one sentence without anything secret."""


class OidcSettings(BaseModel):
    """What the file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    client_id: Annotated[str, Field(min_length=1)]
    client_secret_file: Path | None = None
    groups_claim: Annotated[str, Field(min_length=1)] = "groups"
    name_claim: Annotated[str, Field(min_length=1)] = "sub"
    """What an act's author is called: `sub` never changes and is never given to another."""
    scopes: tuple[str, ...] = ("openid",)
    roles: dict[Role, tuple[str, ...]]
    secret: Annotated[str, Field(exclude=True, repr=False)] = ""

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        if not is_safe_url(value):
            raise ValueError("write https://…, or http:// on this machine")
        return value

    @field_validator("scopes")
    @classmethod
    def _asks_for_identity(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return value if "openid" in value else ("openid", *value)

    @field_validator("roles")
    @classmethod
    def _of_the_staff(cls, value: dict[Role, tuple[str, ...]]) -> dict[Role, tuple[str, ...]]:
        wrong = sorted(set(value) - set(ROLES))
        if wrong or not any(value.values()):
            raise ValueError(f"give groups to {', '.join(ROLES)}")
        return value

    def roles_of(self, groups: object) -> tuple[Role, ...]:
        """The roles of somebody in these groups, in our order."""
        there = {groups} if isinstance(groups, str) else set(groups) if isinstance(groups, list | tuple) else set()
        return tuple(role for role in ROLES if there.intersection(self.roles.get(role, ())))


def is_safe_url(url: str) -> bool:
    """Whether what is sent there is read by nobody on the way: TLS, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return safe and bool(host) and parts.username is None and not parts.fragment


def read_oidc_file(path: Path) -> OidcSettings:
    """The file, with the secret that it names. Raises OidcFileError."""
    try:
        stated = tomllib.loads(read_whole(path, _LARGEST).decode("utf-8"))
        found = OidcSettings.model_validate(stated)
    except OSError as error:
        raise OidcFileError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        wrong = error.errors()[0]
        raise OidcFileError(f"{path}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
    except ValueError as error:
        raise OidcFileError(f"{path}: is no TOML in UTF-8: {error}") from None
    if found.secret:
        raise OidcFileError(f"{path}: secret: name a file that holds it: client_secret_file")
    if found.client_secret_file is None:
        return found
    file = path.parent / found.client_secret_file
    try:
        return found.model_copy(update={"secret": secret_in(file, "secret")})
    except SecretFileError as error:
        raise OidcFileError(f"{path}: client_secret_file {file} {error}") from None
