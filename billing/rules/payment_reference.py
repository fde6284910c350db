"""Payment references (お支払い番号): what a payer can state so that a transfer finds its debt by itself.

    1 000042 20      1: an account, 2: an invoice; its number, at least six digits; two check digits (ISO 7064, mod 97)

Digits only, so that they fit into the name of a transfer. One wrong digit, and any two that changed places beside each
other, are seen. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from keizoku.billing.rules.bank.names import NO_NUMBER

ACCOUNT, INVOICE = "1", "2"
_RUN = re.compile(r"\d{9,18}")
_BROKEN = re.compile(r"(?<=\d)[-‐−ー](?=\d)")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What a reference names: `kind` is ACCOUNT or INVOICE."""

    kind: str
    number: int

    def __str__(self) -> str:
        body = f"{self.kind}{self.number:06d}"
        return f"{body}{_check_digits(body)}"


def references_in(text: str) -> tuple[tuple[Reference, ...], bool]:
    """The references that a text states, each once, and whether it holds a number that is one but for a typo."""
    if NO_NUMBER.fullmatch(text):
        return (), False
    plain = _BROKEN.sub("", unicodedata.normalize("NFKC", text))
    found: dict[Reference, None] = {}
    mistyped = False
    for run in _RUN.findall(plain):
        body, digits = run[:-2], run[-2:]
        if body[0] in (ACCOUNT, INVOICE):
            reference = Reference(body[0], int(body[1:]))
            if digits == _check_digits(body) and str(reference) == run:
                found[reference] = None
            else:
                mistyped = True
    return tuple(found), mistyped


def _check_digits(body: str) -> str:
    return f"{98 - int(body) * 100 % 97:02d}"
