"""The files that pages need: one stylesheet, one script. Their names carry their digest, so browsers may keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from keizoku.scheduler.reports.templates import STYLE_SHEET
from keizoku.sla.pictures.timeline import STYLE

__all__ = ["ASSETS", "address_of"]

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".svg": "image/svg+xml", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_MADE_OF: Final = {
    "console.css": (STYLE_SHEET, _FOLDER / "console.css"),
    "htmx.js": (_FOLDER / "htmx-2.0.11.min.js",),
    "mark.svg": (_FOLDER / "mark.svg",),
    "member.css": (_FOLDER / "member.css",),
    "member.js": (_FOLDER / "member.js",),
    "card.js": (_FOLDER / "card.js",),
}
"""A file's name, and what it is put together from."""

ASSETS: Final = APIRouter(prefix="/assets", include_in_schema=False)


def address_of(name: str) -> str:
    """Where a browser finds a file."""
    stem, _, ending = name.rpartition(".")
    return f"/assets/{stem}-{_digest(name)}.{ending}"


@ASSETS.get("/{name}")
def asset(name: str) -> Response:
    """A file by its name with its digest."""
    for plain in _MADE_OF:
        if address_of(plain) == f"/assets/{name}":
            kept = {"Cache-Control": "public, max-age=31536000, immutable"}
            return Response(_content(plain), 200, kept, _TYPES[Path(plain).suffix])
    raise HTTPException(404, "there is no such file")


@cache
def _content(name: str) -> bytes:
    parts = [path.read_bytes() for path in _MADE_OF[name]]
    return b"\n".join([*parts, *([STYLE.encode()] if name == "console.css" else [])])


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]
