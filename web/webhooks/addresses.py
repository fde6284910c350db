"""Which addresses events may be sent to: public ones over https, and what the operator has allowed by name.

A name is looked up at each connection, every address that it has must be public, and the connection goes to the very
address that was looked at: a name that answers otherwise a moment later leads nowhere. What is written as a number, in
decimal, octal or hexadecimal, or as an IPv6 form of an IPv4 address, is judged as the address that it is.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from keizoku.terms.refusal import Refused

__all__ = ["NotAllowedError", "Target", "is_public", "look_up", "target_of"]

LONGEST: Final = 2_000
_GOOD: Final = re.compile(r"[!-~]+")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
"""The last part of a name that systems read as an IPv4 address in another form."""
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24", "192.88.99.0/24",
        "2001::/32", "2002::/16",  # Teredo and 6to4 hold an IPv4 address
        "2001:db8::/32", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotAllowedError(OSError):
    """A name leads to an address that events are not sent to, or to none."""


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint's address in its parts. `allowed`: the operator named this host, wherever it leads."""

    secure: bool
    host: str
    port: int
    path: str
    allowed: bool

    @property
    def host_header(self) -> str:
        """As the request names it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"


def target_of(url: str, allowed: Collection[str]) -> Target:
    """The parts of an address. Refused for one that is no address, or not a public one over https."""
    if len(url) > LONGEST or not _GOOD.fullmatch(url):
        raise _unfit(url, f"an address has at most {LONGEST:,} printable ASCII letters, without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _unfit(url, "it is no address") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host or "\\" in url:
        raise _unfit(url, "an address begins with https:// and names a host")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise _unfit(url, "an address has no login and no fragment")
    if port == 0:
        raise _unfit(url, "there is no port 0")
    port = port or (443 if parts.scheme == "https" else 80)
    named = not {host, f"{host}:{port}"}.isdisjoint(each.lower() for each in allowed)
    literal = _literal(url, host)
    if not named:
        if parts.scheme != "https":
            raise _unfit(url, "events are sent over https; http to a host that KEIZOKU_WEBHOOK_ALLOWED_HOSTS names")
        if literal is not None and not is_public(literal):
            raise _unfit(url, "it is no public address")
        if literal is None and (host == "localhost" or "." not in host or host.endswith(".localhost")):
            raise _unfit(url, "it is no public name")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port, path, named)


def is_public(address: _Address) -> bool:
    """Whether an address is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _GLOBAL_UNICAST or address.scope_id is not None:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in each for each in _NOT_PUBLIC if each.version == address.version)
    )


def look_up(target: Target) -> list[str]:
    """The addresses of a host, as text, all of them public. Raises NotAllowedError, or OSError where it has none."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not addresses:
        raise NotAllowedError("the name has no address")
    if not target.allowed:
        for each in addresses:
            if not is_public(ipaddress.ip_address(each)):
                raise NotAllowedError("the name leads to an address that is not public")
    return addresses


def _literal(url: str, host: str) -> _Address | None:
    """The address that a host is; None: it is a name. Refused for a number in a form that only some systems read."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if not _NAME.fullmatch(host) or _NUMBERED.fullmatch(last):
            raise _unfit(url, "its host is neither a name nor an address in its usual form") from None
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        raise _unfit(url, "an address with a zone leads nowhere from another machine")
    return found


def _unfit(url: str, rule: str) -> Refused:
    shown = url.partition("?")[0]
    return Refused.fact("webhook.unfit", "url", shown[:200], rule, "write it whole: https://shop.example/hooks")
