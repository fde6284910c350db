"""What stands at a public address, fetched once: bounded, over http or https alone."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from keizoku.db.session import Session
from keizoku.limits import LARGEST_PAGE
from keizoku.sla.months.notice_publishing import record_sighting
from keizoku.terms.refusal import Refused

__all__ = ["fetched", "see_published"]

SECONDS: Final = 20
WHOLE_SECONDS: Final = 120


class _Stays(urllib.request.HTTPRedirectHandler):
    """A login goes to the address that was named, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


_STAYS: Final = urllib.request.build_opener(_Stays)


def fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Its bytes. Raises Refused for an address that is none, that does not answer, or answers too much."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that nothing closes
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused.fact("address.form", "address", url[:200], "an address begins with https://", "write it whole")
    shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
    opened = _STAYS if headers else urllib.request.build_opener()
    request = urllib.request.Request(url, headers={"User-Agent": "keizoku", **(headers or {})})  # noqa: S310  checked
    try:
        with opened.open(request, timeout=SECONDS) as answer:
            body = _whole(answer)
    except (OSError, ValueError, HTTPException) as error:  # the last: cut off, no HTTP at all, no address
        why = getattr(error, "reason", None) or str(error).strip() or type(error).__name__
        raise Refused.fact(
            "address.silent", "address", shown, f"it does not answer: {why}", "try again later"
        ) from None
    if len(body) > LARGEST_PAGE:
        rule = f"an answer has at most {LARGEST_PAGE:,} bytes"
        raise Refused.fact("address.silent", "address", shown, rule, "ask for less")
    return body


def _whole(answer: Any) -> bytes:
    """All that comes, a byte more than allowed at most. Raises TimeoutError for what never ends."""
    body, until = bytearray(), monotonic() + WHOLE_SECONDS
    while len(body) <= LARGEST_PAGE and (part := answer.read1(1 << 16)):
        body += part
        if monotonic() > until:
            raise TimeoutError(f"its answer takes longer than {WHOLE_SECONDS} s")
    return bytes(body)


def see_published(session: Session, url: str, now: datetime, *, by: str) -> str:
    """Fetch our calendar of maintenance back and record that it stands there; its digest. Raises Refused."""
    digest = record_sighting(session, url, fetched(url), now=now, by=by)
    session.commit()
    return digest
