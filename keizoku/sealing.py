"""AES-256-GCM under keys outside the database: the one cipher for names on documents and tokens of the linked service.

    seal(key, text, bound) ──> nonce and ciphertext      unseal(key, …, bound) ──> the text, for the same `bound` alone

`bound` names what the text is sealed for: moved to another row it does not open. Who keeps key files, in which form and
with which words for what is wrong with them, is the caller's own. The package `cryptography` is imported at first use.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

from keizoku.extras import naming_the_extra

__all__ = ["KEY_BYTES", "key_lines", "key_of", "new_key", "seal", "unseal"]

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def seal(key: bytes, text: bytes, bound: bytes) -> bytes:
    """A fresh nonce and the ciphertext."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + bytes(_cipher(key).encrypt(nonce, text, bound))


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What was sealed. Raises cryptography's InvalidTag, or ValueError, for anything else."""
    return bytes(_cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound))


def new_key() -> str:
    """A fresh key as key files have it: base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def key_of(written: str) -> bytes:
    """The bytes of a key as a file has it, however many. Raises ValueError for what is no base64."""
    return base64.b64decode(written, validate=True)


def key_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(number, line) of those that are not empty and no comment."""
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _cipher(key: bytes) -> Any:
    with naming_the_extra():
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
