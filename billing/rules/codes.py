"""Coupon codes and product keys as people type them: drawn, checked, read back (premium/5.1.1.b).

    0001 K7Q2M9XW4TB3HZE C   ──>  0001K-7Q2M9-XW4TB-3HZEC
    batch, secret (75 bits), check letter

The check letter catches every single mistyped letter and every two letters that changed places, so a typo is not taken
for an unknown code, and the database is not asked. Letters are Crockford's base 32: no I, L, O, U; I and L are read as
1, O as 0; small letters, full-width letters and spaces are accepted. Pure.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BATCH_LETTERS = 4
SECRET_LETTERS = 15
LETTERS = BATCH_LETTERS + SECRET_LETTERS + 1
MOST_BATCHES = len(ALPHABET) ** BATCH_LETTERS - 1

_GROUP = 5
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", "‐": "", "−": "", "ー": ""})


class CodeTypoError(ValueError):
    """What was typed is no code of ours, whatever the database says; the message says why."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that is well formed: its batch, and its 20 letters."""

    batch_id: int
    letters: str

    def __str__(self) -> str:
        return "-".join(self.letters[at : at + _GROUP] for at in range(0, LETTERS, _GROUP))

    @property
    def masked(self) -> str:
        """As it may be told and logged: the batch and the last three letters."""
        return f"{self.letters[:BATCH_LETTERS]}…{self.letters[-3:]}"

    def digest(self, salt: bytes) -> bytes:
        """What is kept of it: HMAC-SHA-256 under its batch's salt; 75 random bits are beyond guessing."""
        return hmac.digest(salt, self.letters.encode("ascii"), "sha256")


def draw_secret() -> str:
    """The random letters of a new code."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LETTERS))


def compose(batch_id: int, secret: str) -> Code:
    """The code of a batch with these random letters. ValueError for a batch or letters that do not fit."""
    if not 0 < batch_id <= MOST_BATCHES or len(secret) != SECRET_LETTERS or set(secret) - set(ALPHABET):
        raise ValueError(f"batch {batch_id} and {len(secret)} letters make no code")
    batch = ""
    number = batch_id
    for _ in range(BATCH_LETTERS):
        number, letter = divmod(number, len(ALPHABET))
        batch = ALPHABET[letter] + batch
    body = batch + secret
    return Code(batch_id, body + _check_letter(body))


def read_code(text: str) -> Code:
    """A code as somebody typed it. Raises CodeTypoError."""
    letters = "".join(unicodedata.normalize("NFKC", text).upper().translate(_READ_AS).split())
    strange = sorted(set(letters) - set(ALPHABET))
    if strange:
        raise CodeTypoError(f"a code has no {' '.join(strange)}; check it letter by letter")
    if len(letters) != LETTERS:
        raise CodeTypoError(f"a code has {LETTERS} letters, this one {len(letters)}")
    if _check_letter(letters[:-1]) != letters[-1]:
        raise CodeTypoError("a letter is wrong, or two changed places; check it letter by letter")
    batch_id = 0
    for letter in letters[:BATCH_LETTERS]:
        batch_id = batch_id * len(ALPHABET) + ALPHABET.index(letter)
    return Code(batch_id, letters)


def _check_letter(body: str) -> str:
    """The sum of the letters, each times a power of x in GF(32): distinct weights that are never zero."""
    weight, total = 1, 0
    for letter in body:
        weight = _times(weight, 2)
        total ^= _times(ALPHABET.index(letter), weight)
    return ALPHABET[total]


def _times(left: int, right: int) -> int:
    """Product in GF(32), modulo x^5 + x^2 + 1."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0b100000:
            left ^= 0b100101
        right >>= 1
    return product
