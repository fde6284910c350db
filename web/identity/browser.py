"""A browser at the door: its cookie, where a call came from, and the forms that it may send.

    site       https://billing.example    `__Host-keizoku`: Secure, HttpOnly, SameSite=Lax, path /, no domain
               http://127.0.0.1:8420      `keizoku_local`, of --local alone: browsers keep no Secure cookie there

A session is taken only on our own host, so that no other name that leads to this machine can use it. What changes
something has to come from our own pages: `Sec-Fetch-Site: same-origin`, or where a browser does not say that an
`Origin` of ours; and it carries the form token of its session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from fastapi import Request, Response

from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity import sessions
from keizoku.web.identity.sessions import WebSession

if TYPE_CHECKING:
    from keizoku.db.session import Session
    from keizoku.web.identity.principal import Principal

__all__ = [
    "FORM_FIELD", "FORM_HEADER", "SAFE", "Site", "check_form", "check_origin", "only_cookie", "own_page",
    "principal_of", "session_of", "sign_in", "sign_out", "site_of",
]  # fmt: skip

FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "x-form-token"
LONGEST_PATH: Final = 500
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers reach us."""

    origin: str
    local: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return "keizoku_local" if self.local else "__Host-keizoku"

    @property
    def sign_in_cookie(self) -> str:
        """The name of the one that holds a browser's random value while it is at the directory."""
        return f"{self.cookie}-sign-in"

    @property
    def links(self) -> tuple[str, ...]:
        """The kinds of links that are opened here: one of --local is worth nothing at a public door."""
        return ("local", "member") if self.local else ("member",)

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us: the public name, or one of this machine's at the same port."""
        own = urlsplit(self.origin)
        if not self.local:
            return host == own.netloc
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        return name in _LOOPBACK and port == str(own.port)

    def origin_of(self, host: str) -> str:
        """The origin of our pages under one of our hosts."""
        return f"{urlsplit(self.origin).scheme}://{host}"

    def keep(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Let a browser keep a cookie that no script reads; over TLS alone where we are reached by it."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=not self.local, httponly=True, samesite="lax"
        )

    def forget(self, response: Response, name: str) -> None:
        """Let it forget one."""
        response.delete_cookie(name, path="/", secure=not self.local, httponly=True, samesite="lax")


def site_of(request: Request) -> Site:
    """Where browsers reach us. Raises ProblemError: 404 where no browser does, 421 for a host that is not ours."""
    site = door_of(request).site
    if site is None:
        raise ProblemError(
            404, "session.none_here", "There are no sessions here.", "the door has no address for browsers",
            "set KEIZOKU_PUBLIC_URL, or start it with --local",
        )  # fmt: skip
    if not site.is_ours(_only(request, "host")):
        raise ProblemError(
            421, "host", "This is not our host.", "the header Host names another", f"ask {site.origin}"
        )  # fmt: skip
    return site


def session_of(request: Request) -> WebSession | None:
    """The living session of a request; None: it has none. Looked up once for a request. Errors as `site_of`.

    A call that another site's page makes behind its reader's back has none, whatever cookie came with it; one who
    follows a link has.
    """
    known = getattr(request.state, "web_session", "")
    if known != "":
        return cast("WebSession | None", known)
    site = site_of(request)
    token = only_cookie(request, site.cookie)
    found = None
    if token and not _from_elsewhere(request):
        door = door_of(request)
        with door.connect("worker") as session:
            found = sessions.holder(session, token, door.clock())
        if found is not None and (found.principal.kind == "local") != site.local and found.principal.kind != "member":
            found = None  # a link of --local is worth nothing at a public door
    request.state.web_session = found
    return found


def principal_of(request: Request) -> Principal:
    """Who is signed in. Raises ProblemError 401 where nobody is."""
    return _living(request).principal


def check_origin(request: Request) -> None:
    """Raises ProblemError 403 where an unsafe call did not come from a page of ours."""
    site = site_of(request)
    said = request.headers.getlist("sec-fetch-site")
    own = site.origin_of(_only(request, "host"))
    if said != ["same-origin"] and (said or _only(request, "origin") != own):
        raise ProblemError(
            403, "form.foreign", "This did not come from one of our pages.",
            "neither Sec-Fetch-Site nor Origin says so", "open the page here, and send it again",
        )  # fmt: skip


def check_form(request: Request, token: str) -> WebSession:
    """The session of an unsafe call. Raises ProblemError 401 without one, 403 for another site's or session's form."""
    check_origin(request)
    found = _living(request)
    if not found.is_its_form(token):
        raise ProblemError(
            403, "form.foreign", "This form is not of this session.", f"its {FORM_FIELD} is another",
            "open the page anew, and send it again",
        )  # fmt: skip
    return found


def sign_in(request: Request, response: Response, session: Session, principal: Principal, begun_by: str) -> None:
    """A new session in this browser, in the session's own transaction; the one before it ends. The caller commits.

    `begun_by`: the secret that it was begun with, which begins no second one (IntegrityError).
    """
    door, site = door_of(request), site_of(request)
    now, settings = door.clock(), door.settings
    before = only_cookie(request, site.cookie)
    if before:
        sessions.end_token(session, before, "signed in anew", now)
    member = principal.kind == "member"
    idle = settings.member_session_idle_minutes if member else settings.session_idle_minutes
    whole = timedelta(minutes=settings.member_session_minutes) if member else timedelta(hours=settings.session_hours)
    token = sessions.begin(session, principal, begun_by, now, idle=timedelta(minutes=idle), whole=whole)
    site.keep(response, site.cookie, token)


def sign_out(request: Request, response: Response) -> None:
    """The session of this browser ends."""
    door, site = door_of(request), site_of(request)
    token = only_cookie(request, site.cookie)
    if token:
        with door.connect("worker") as session:
            sessions.end_token(session, token, "signed out", door.clock())
            session.commit()
    site.forget(response, site.cookie)


def own_page(to: str) -> str:
    """A page of ours, by its path; anything else is the first page."""
    safe = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isascii() and to.isprintable()
    return to if safe and len(to) <= LONGEST_PATH else "/"


def _living(request: Request) -> WebSession:
    found = session_of(request)
    if found is None:
        raise ProblemError(
            401, "session.missing", "Nobody is signed in.", "there is no living session", "sign in, or open a new link"
        )
    return found


def _from_elsewhere(request: Request) -> bool:
    said = request.headers.get("sec-fetch-site", "none")
    return said not in ("same-origin", "none") and request.headers.get("sec-fetch-mode") != "navigate"


def _only(request: Request, name: str) -> str:
    """The header, if it came once."""
    found = request.headers.getlist(name)
    return found[0] if len(found) == 1 else ""


def only_cookie(request: Request, name: str) -> str:
    """The cookie, if it came once: of two, one may have been planted."""
    pairs = [each.strip().partition("=") for header in request.headers.getlist("cookie") for each in header.split(";")]
    found = [value for key, _, value in pairs if key == name]
    return found[0] if len(found) == 1 else ""
