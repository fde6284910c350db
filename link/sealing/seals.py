"""Seals texts under keys that the database does not have: AES-256-GCM, a fresh nonce each, the row's name bound in.

    file:  k2 = <32 bytes as base64>      the first line seals; every line opens
           k1 = <…>                       an older key, until nothing is sealed under it (`keizoku link rotate-keys`)

A sealed text opens only for the row that it was sealed for: moved to another row, it does not open. What opens badly
says so without a byte of it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag

from keizoku.sealing import KEY_BYTES, key_lines, key_of, new_key, seal, unseal
from keizoku.terms.refusal import Refused

__all__ = ["KeyRing", "Sealed", "SealingError", "new_key_line", "read_key_ring"]

_LINE: Final = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,40})\s*=\s*(?P<key>[A-Za-z0-9+/=]+)")


class SealingError(Refused):
    """A key file cannot be used, or a sealed text does not open; one line, without a key and without a token."""

    def __init__(self, sentence: str) -> None:
        super().__init__("link.keys", sentence, "name the file that has the keys: KEIZOKU_LINK_KEY_FILE")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext, and the id of the key that it is under."""

    key_id: str
    content: bytes


@dataclass(frozen=True)
class KeyRing:
    """Keys by id; the first of the file seals."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    def seal(self, text: str, name: str) -> Sealed:
        """The text, sealed for the row of this name."""
        bound = self._bound(self.current, name)
        return Sealed(self.current, seal(self.keys[self.current], text.encode(), bound))

    def open(self, sealed: Sealed, name: str) -> str:
        """The text of a row. Raises SealingError."""
        key = self.keys.get(sealed.key_id)
        if key is None:
            raise SealingError(f"{name} is sealed under the key {sealed.key_id!r}, which the key file does not have")
        try:
            return unseal(key, sealed.content, self._bound(sealed.key_id, name)).decode()
        except (InvalidTag, ValueError):
            raise SealingError(f"{name} does not open with the key {sealed.key_id!r}") from None

    def fingerprint(self, text: str) -> str:
        """What tells two tokens apart, and nothing more: a keyed hash, which cannot be tried without a key."""
        return hmac.new(self._fingerprints, text.encode(), hashlib.sha256).hexdigest()

    @property
    def _fingerprints(self) -> bytes:
        return hmac.new(self.keys[self.current], b"keizoku link fingerprint", hashlib.sha256).digest()

    @staticmethod
    def _bound(key_id: str, name: str) -> bytes:
        return f"keizoku link\n{key_id}\n{name}".encode()


def new_key_line() -> str:
    """A line for a key file, with a new key under a new id."""
    return f"k{secrets.token_hex(4)} = {new_key()}"


def read_key_ring(file: Path) -> KeyRing:
    """The keys of a file that only its owner reads. Raises SealingError."""
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SealingError(f"{file}: the keys cannot be read ({type(error).__name__})") from None
    if mode & 0o077:
        raise SealingError(f"{file}: others may read it (mode {mode & 0o777:o}); give it to its owner alone: chmod 600")
    keys: dict[str, bytes] = {}
    for number, line in key_lines(lines):
        found = _LINE.fullmatch(line)
        if found is None:
            raise SealingError(f"{file}:{number}: not of the form id = base64 of {KEY_BYTES} bytes")
        try:
            key = key_of(found["key"])
        except ValueError:
            raise SealingError(f"{file}:{number}: the key is no base64") from None
        if len(key) != KEY_BYTES or found["id"] in keys:
            rule = "is there twice" if found["id"] in keys else f"has {len(key)} bytes, {KEY_BYTES} are needed"
            raise SealingError(f"{file}:{number}: the key {found['id']} {rule}")
        keys[found["id"]] = key
    if not keys:
        raise SealingError(f"{file}: holds no key; `keizoku link key` makes one")
    return KeyRing(next(iter(keys)), keys)
