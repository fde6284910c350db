"""The OpenAPI 3.1 description, as it is kept in docs/reference/openapi.json: what FastAPI derives, and its bounds.

Every text, number and list of the description has a limit: texts and lists no more than a body may hold, numbers what
eight bytes do, pages of a list what a page is. Tools that draw forms or reserve memory from it rely on that.
"""

from __future__ import annotations

from typing import Any, Final

from keizoku.web.calls.operation import MOST_ROWS

__all__ = ["SERVERS", "bounded"]

SERVERS: Final = (
    {
        "url": "/",
        "description": "where `keizoku serve` listens: in production behind a proxy with TLS, local with --local, a "
        "sandbox with --sandbox",
        "x-internal": False,
    },
)
_MOST_BYTES: Final = 1024 * 1024
_MOST: Final = 2**63 - 1
_FAULT: Final = {
    "description": "A fault of ours; it is in the log of the server.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def bounded(made: dict[str, Any]) -> dict[str, Any]:
    """The same description with a limit for everything that it does not limit itself."""
    for methods in made["paths"].values():
        for operation in methods.values():
            operation["responses"].setdefault("500", _FAULT)
    for name, schema in made["components"]["schemas"].items():
        if name.endswith("Page"):
            schema["properties"]["data"]["maxItems"] = MOST_ROWS
    _bound(made)
    return made


def _bound(part: Any) -> None:
    if isinstance(part, list):
        for each in part:
            _bound(each)
        return
    if not isinstance(part, dict):
        return
    kind = part.get("type")
    if kind == "string" and not part.keys() & {"enum", "const", "maxLength"}:
        part["maxLength"] = {"date": 10, "date-time": 40}.get(part.get("format", ""), _MOST_BYTES)
    elif kind == "integer" and not part.keys() & {"enum", "const"}:
        part.setdefault("format", "int64")
        if "exclusiveMinimum" not in part:
            part.setdefault("minimum", -_MOST - 1)
        if "exclusiveMaximum" not in part:
            part.setdefault("maximum", _MOST)
    elif kind == "array":
        part.setdefault("maxItems", _MOST_BYTES)
    for key, each in part.items():
        if key not in ("example", "examples", "enum", "default"):
            _bound(each)
