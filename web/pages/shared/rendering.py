"""Pages drawn: strict templates, everything escaped; headers that let a page run nothing but our own two files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keizoku.scheduler.reports.templates import HERE as REPORTS
from keizoku.terms.rendering import Lang
from keizoku.web.calls.paths import written_path
from keizoku.web.pages.shared.addresses import CONSOLE, home_of, with_query
from keizoku.web.pages.shared.assets import address_of
from keizoku.web.pages.shared.words import say, word

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["COOKIE_OF_LANGUAGE", "PAGE_HEADERS", "language_of", "page_response", "query_of", "render"]

COOKIE_OF_LANGUAGE: Final = "kz_lang"
PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_TEMPLATES: Final = Path(__file__).parent / "templates"


def language_of(request: Request) -> Lang:
    """What the cookie says, then what the browser asks for; else Japanese, which is the contract's.

    On a page of no family (the doors in and out), what its own address says goes first.
    """
    chosen = request.cookies.get(COOKIE_OF_LANGUAGE)
    if home_of(request.url.path) is None:
        chosen = request.query_params.get("lang", chosen)
    if chosen in ("ja", "en"):
        return "ja" if chosen == "ja" else "en"
    for part in request.headers.get("accept-language", "").split(","):
        name = part.partition(";")[0].strip().lower().partition("-")[0]
        if name in ("ja", "en"):
            return "ja" if name == "ja" else "en"
    return "ja"


def query_of(request: Request) -> dict[str, str]:
    """What stands behind the path; the last value of each name."""
    return {name: value for name, value in request.query_params.items() if value != ""}


def render(template: str, request: Request, lang: Lang, *, at: str = "", **more: Any) -> Markup:
    """A template as text. `at`: the path that shows it again, where that is not the one that was asked.

    Templates are told `switch`: where the same page is found in another language.
    """
    query, home = query_of(request), home_of(request.url.path)

    def here(**changed: object) -> str:
        return with_query(at or written_path(request), **{**query, **changed})

    def switch(other: str) -> str:
        return here(lang=other) if home is None else with_query(f"{home}/language/{other}", back=here())

    found = _environment().get_template(template)
    return Markup(  # noqa: S704 - the templates escape what they are given
        found.render(
            say=partial(_say, lang), word=lambda kind, value: word(kind, value, lang), lang=lang, here=here,
            query=query, home=home or CONSOLE, path=written_path(request), asset=address_of, switch=switch, **more,
        )
    )  # fmt: skip


def page_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page with the headers that every page has."""
    return Response(text, status, {**PAGE_HEADERS, **(headers or {})}, "text/html; charset=utf-8")


def _say(lang: Lang, text: str, **facts: object) -> str:
    return say(text, lang, **facts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader([_TEMPLATES, REPORTS]),  # parts.html.j2: what pages and reports have in common
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
