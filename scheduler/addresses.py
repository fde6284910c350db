"""Addresses of places for backups, as people may see them: without user, password and query."""

from __future__ import annotations

from collections.abc import Iterator

MASK = "****"


def masked(address: str) -> str:
    """An address without what may be secret in it: sftp://user:secret@host/folder is sftp://host/folder."""
    scheme, sign, rest = address.partition("://")
    if not sign:
        return address
    return f"{scheme}{sign}{rest.rpartition('@')[2].partition('?')[0]}"


def without_secrets(text: str, address: str) -> str:
    """A text of a library about a place, with the address and the secrets of it masked."""
    found = text.replace(address, masked(address))
    for secret in sorted(_secrets(address), key=len, reverse=True):
        found = found.replace(secret, MASK)
    return found


def _secrets(address: str) -> Iterator[str]:
    _, sign, rest = address.partition("://")
    if not sign:
        return
    login, at, _ = rest.rpartition("@")
    if at:
        yield login
        _, colon, password = login.partition(":")
        if colon and password:
            yield password
    _, mark, query = rest.partition("?")
    if mark:
        yield query
        for pair in query.split("&"):
            value = pair.partition("=")[2]
            if len(value) > 3:
                yield value
