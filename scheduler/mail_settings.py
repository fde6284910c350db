"""The settings of letters: the mail server, where addresses come from, and the operator's own sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from keizoku.terms.inputs.input_files import SecretFileError, secret_in

__all__ = ["AddressOf", "MailServer", "MailSettings", "MailSettingsError", "is_address"]

AddressOf = Callable[[str], str | None]
"""The host's: an account in, its mail address out as it is at this moment, or None. Nothing of it is kept."""
_HERE = ("localhost", "127.0.0.1", "::1")


class MailSettingsError(ValueError):
    """The settings name no mail server that can be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that takes mail by SMTP (RFC 5321)."""

    host: str
    port: int
    sender: str
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)


class MailSettings(BaseModel):
    """The part of the settings that is about letters."""

    mail_host: str = Field(default="", description="the mail server (SMTP) that letters are given to; empty: none")
    mail_port: int = Field(default=587, ge=1, le=65_535, description="its port")
    mail_from: str = Field(default="", description="the address that letters come from, such as billing@example.jp")
    mail_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls (from the first byte, port 465), or none"
    )
    mail_user: str = Field(default="", description="the login at the mail server; empty: none is needed")
    mail_password_file: Path | None = Field(
        default=None, description="a file that holds the password of that login and nothing else"
    )
    mail_address: str = Field(
        default="",
        description="who knows addresses: module:function, an account in, its mail address or None out; asked as each "
        "letter goes out, and kept nowhere; empty: the directory, if one is set",
    )

    letters_dir: Path | None = Field(
        default=None, description="folder of TOML with own words for single sentences of letters; checked at the start"
    )

    def mail_server(self) -> MailServer | None:
        """The mail server; None where none is set. Raises MailSettingsError."""
        if not self.mail_host:
            return None
        if not is_address(self.mail_from):
            raise MailSettingsError(f"KEIZOKU_MAIL_FROM={self.mail_from}: has to be the address that letters come from")
        if self.mail_user and self.mail_security == "none" and self.mail_host not in _HERE:
            raise MailSettingsError("KEIZOKU_MAIL_SECURITY=none: a password does not go over a network in the clear")
        return MailServer(
            self.mail_host, self.mail_port, self.mail_from, self.mail_security, self.mail_user, self._password()
        )

    def mail_addresses(self) -> AddressOf:
        """The host's function that knows addresses. Raises MailSettingsError."""
        named = f"KEIZOKU_MAIL_ADDRESS={self.mail_address}"
        module, colon, function = self.mail_address.partition(":")
        if not colon:
            raise MailSettingsError(f"{named}: write module:function, a function from an account to its mail address")
        try:
            found = getattr(import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise MailSettingsError(f"{named}: {error}") from None
        if not callable(found):
            raise MailSettingsError(f"{named}: {function} is no function")
        return found  # type: ignore[no-any-return]

    def _password(self) -> str:
        if self.mail_password_file is None:
            return ""
        try:
            return secret_in(self.mail_password_file, "password")
        except SecretFileError as error:
            raise MailSettingsError(f"KEIZOKU_MAIL_PASSWORD_FILE={self.mail_password_file}: {error}") from error


def is_address(text: str) -> bool:
    """Whether mail can be sent to it as it stands: ASCII, one @, nothing that would end a header."""
    local, at, domain = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and len(text) <= 254
    return plain and bool(local and at and domain) and not set(text) & set(' <>,;:"()[]\\') and "@" not in local
