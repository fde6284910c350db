"""The door: settings, rules, a pool of connections for each role, the clock, the log; made once for a process.

    admitted(operation, request) ──> whose key ──> its scope, its role ──> Call on a connection that is that role

A login of the database that has been granted the three roles opens all pools; each connection is its role from its
first statement on, so PostgreSQL refuses what a handler would forget to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import Request
from psycopg.errors import ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from keizoku.db.members.views import member_schema, show_rows_of
from keizoku.db.session import Session, make_engine
from keizoku.db.standing import check_current
from keizoku.scheduler.app import Services, services_on
from keizoku.scheduler.clock import ClockName
from keizoku.terms.rendering import saying
from keizoku.web.calls.call import Call
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.browser import FORM_HEADER, SAFE, Site, check_form, principal_of
from keizoku.web.identity.keys import digest_of, key_holder
from keizoku.web.identity.members import account_of
from keizoku.web.identity.principal import MEMBER, ROLES, Principal, Role
from keizoku.web.jobs import Jobs, NightPlace
from keizoku.web.kept_files import KeptFiles
from keizoku.web.pages.shared.signed_in import BY_COOKIE, MEMBER_BY_COOKIE, SignedIn
from keizoku.web.request_log import Entry, RequestLog

if TYPE_CHECKING:
    import sqlalchemy as sa

    from keizoku.billing.gateway.port import Gateway
    from keizoku.scheduler.settings import Settings
    from keizoku.terms.rules import Rules
    from keizoku.web.calls.operation import Operation
    from keizoku.web.identity.oidc import Directory
    from keizoku.web.sandbox import Sandbox

__all__ = ["Door"]

OF_ITS_ACCOUNT: Final = "fk_http_request_as_member_account"
"""What holds the account of a member's act against their session."""
MOST_KEYS_KNOWN: Final = 1_000
"""Keys whose holders are remembered for the short way, which asks in its own statement whether they were ended."""
LEAN_WAITS_S: Final = 1
"""So long a question on the short way waits for a lock; then it goes the long way."""


class _NoGateway:
    """Of questions that no gateway is asked in: it would hold a second connection for each of them."""

    def __getattr__(self, name: str) -> object:
        raise LookupError(f"this question asks no gateway ({name})")


_NO_GATEWAY: Final = cast("Gateway", _NoGateway())


@dataclass
class Door:
    """What every call of this process shares."""

    settings: Settings
    rules: Rules
    url: sa.URL
    schema: str
    sandbox: Sandbox | None = None
    """Its clock, where this is a sandbox."""
    pool: int = 8
    prefix: str = "keizoku"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock_name: ClockName = "real"
    site: Site | None = None
    """Where browsers reach us; None: nobody has a session here."""
    directory: Directory | None = None
    """Where the staff sign in; None: they do not."""
    signed_in: SignedIn = BY_COOKIE
    """How people of the staff are known in a browser."""
    member_signed_in: SignedIn = MEMBER_BY_COOKIE
    """How members are."""
    worked_out: dict[Any, Any] = field(default_factory=dict)
    """What pages show that took longer to work out than a person waits (keizoku.web.pages.shared.kept)."""
    log: RequestLog = field(init=False)
    jobs: Jobs = field(init=False)
    kept_files: KeptFiles = field(init=False)
    """What browsers sent, between the look at an act and the act; what jobs made."""
    _engines: dict[Role, sa.Engine] = field(init=False)
    _letters: Mapping[str, Mapping[str, str]] = field(init=False)
    """The operator's own sentences, read once."""
    _login: sa.Engine = field(init=False)
    """As the login itself, which has the role for tokens beside the worker's: for calls that use a token."""
    _keys: dict[str, Principal] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _at_close: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._letters = self.settings.own_letters()
        if self.sandbox is not None:
            self.clock, self.clock_name = self.sandbox.read, "given"
        more = self.pool  # an act may want a second one for its gateway
        self._engines = {role: self._engine(self.schema, f"{self.prefix}_{role}", more) for role in ROLES}
        self._engines[MEMBER] = self._engine(member_schema(self.schema), f"{self.prefix}_{MEMBER}")
        self._login = self._engine(self.schema, None, more)
        self.log = RequestLog(lambda: self._engines["worker"].connect())
        self.kept_files = KeptFiles(f"{self.url.render_as_string()} {self.schema}")
        place = NightPlace(self.settings, self.url, self.schema, f"{self.prefix}_worker", self.clock_name)
        self.jobs = Jobs(
            lambda role: self.services(role, acts=True), lambda: self.clock(), place, self._connect_as, self.kept_files
        )

    def _engine(self, schema: str, role: str | None, more: int = 0) -> sa.Engine:
        waits = self.settings.lock_timeout_seconds
        return make_engine(self.url, schema, role=role, pooled=self.pool, more=more, lock_timeout_seconds=waits)

    @property
    def origin(self) -> str:
        """Where browsers reach us; empty: nowhere."""
        return self.site.origin if self.site is not None else ""

    def check(self) -> None:
        """Raises DatabaseError where the tables are not those of this release, or a role is not ours to take."""
        for role in (*ROLES, MEMBER):
            with self._engines[role].connect() as session:
                if role == "worker":
                    check_current(session, self.schema)

    def close(self) -> None:
        """End what runs, write the log, and let the connections go."""
        self.jobs.close()
        self.kept_files.close()
        self.log.close()
        for close in self._at_close:
            close()
        for engine in (*self._engines.values(), self._login):
            engine.dispose()

    def at_close(self, close: Callable[[], object]) -> None:
        """Call this when the door is closed."""
        self._at_close.append(close)

    def _connect_as(self, role: str) -> AbstractContextManager[Session]:
        return self._engines[cast("Role", role)].connect()

    def connect(self, role: Role) -> AbstractContextManager[Session]:
        """A connection as this role."""
        return self._engines[role].connect()

    def principal(self, request: Request) -> Principal:
        """Who asks, by a key or, where there is none, by a session. Raises ProblemError 401, 403 for a foreign form."""
        scheme, key = _authorization(request)
        if not scheme and self.site is not None and "cookie" in request.headers:
            if request.method not in SAFE:
                check_form(request, request.headers.get(FORM_HEADER, ""))
            return principal_of(request)
        if scheme.lower() != "bearer" or not key:
            raise ProblemError(
                401,
                "key.missing",
                "A key is needed.",
                "the header Authorization has no Bearer key",
                "make one: `keizoku api new-key`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        found = self._taken_here(self._holder(key))
        if found is None:
            raise ProblemError(
                401,
                "key.not_taken",
                "This key is not taken here.",
                "it is unknown, has ended, or is for the sandbox"
                if self.sandbox is None
                else "a sandbox takes test keys",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return found

    def key_known(self, digest: str) -> Principal | None:
        """Whose key it was when it was last taken, without asking the database; None: that is not known.

        It may have been ended since; it has not outlived its day.
        """
        found = self._taken_here(self._keys.get(digest))
        return None if found is None or (found.until is not None and found.until <= self.clock()) else found

    def _taken_here(self, found: Principal | None) -> Principal | None:
        """Test keys are taken by a sandbox, and no others; the others nowhere else."""
        return found if found is not None and found.test == (self.sandbox is not None) else None

    def lean_connection(self, role: Role) -> Session:
        """A connection as a role for the short way, which keeps it."""
        waits = LEAN_WAITS_S
        return make_engine(self.url, self.schema, role=f"{self.prefix}_{role}", lock_timeout_seconds=waits).connect()

    def admit(self, operation: Operation, request: Request) -> None:
        """Note on the request who asks, as which role. Raises ProblemError 401 or 403; what is refused is logged."""
        self.admit_as(self.principal(request), operation, request)

    def admit_as(self, principal: Principal, operation: Operation, request: Request) -> None:
        """Note on the request that this one asks. Raises ProblemError 403."""
        try:
            request.state.admitted = principal, self.role_of(principal, operation)
        except ProblemError as error:
            self.log.later(Entry.of(operation, (principal, ""), self.clock(), None, error.status, monotonic()))
            raise

    @contextmanager
    def admitted(self, operation: Operation, request: Request, account: str | None) -> Iterator[Call]:
        """The call, if whoever asks may make it; its connection goes back to the pool at the end."""
        began, now = monotonic(), self.clock()
        principal, role = request.state.admitted  # by `admit`, before the form of the call was looked at
        try:
            self.check_whose(principal, account)
            tokens = operation.with_tokens
            acts = role != MEMBER and (operation.kind == "act" or operation.real_gateway or tokens)
            with self.services(role, acts=acts, tokens=tokens, shows=principal.shows) as services:
                yield Call(principal, role, now, services, self.settings, self.jobs, self.origin, self.prefix)
        except (IntegrityError, ForeignKeyViolation) as error:
            if OF_ITS_ACCOUNT not in str(error):
                raise
            self.log.later(Entry.of(operation, (principal, role), now, account, 403, began))
            raise ProblemError(
                403, "account.foreign", "This is another's.", "the database refuses it to the session of this member"
            ) from None
        except Exception as error:
            status = error.status if isinstance(error, ProblemError) else 409
            self.log.later(Entry.of(operation, (principal, role), now, account, status, began))
            raise

    @contextmanager
    def services(self, role: Role, *, acts: bool, tokens: bool = False, shows: str = "") -> Iterator[Services]:
        """The services as a role, with `tokens` as the login: with all that acts are checked by, or enough to read.

        `shows`: the hash of the member's session whose rows a member sees.
        """
        engine = self._login if tokens else self._engines[role]
        if acts:
            with services_on(engine, self.settings, clock=self.clock_name, reader=None) as services:  # our log has it
                yield services
            return
        with saying(self._letters), engine.connect() as session:
            if role == MEMBER:
                show_rows_of(session, shows)
            try:
                yield Services(session, self.rules, _NO_GATEWAY, night_limits=self.settings.limits_of_nights())
            finally:
                if role == MEMBER and not session.invalidated:
                    session.rollback()
                    show_rows_of(session, "")

    def role_of(self, principal: Principal, operation: Operation) -> Role:
        """As which role this principal calls it. Raises ProblemError 403 where as none."""
        role = principal.role_for(operation.roles)
        if principal.account is not None and operation.member:
            # an act on the member's word is done as the staff would, and held against their session by the database
            role = MEMBER if operation.kind != "act" else "support" if "support" in operation.roles else "worker"
        if role is None:
            raise ProblemError(
                403,
                "role",
                "This is for another role.",
                f"{operation.name} is for {' or '.join(operation.callers) or 'the owner of the tables'}",
                f"{principal.name} is {', '.join(principal.roles)}",
            )
        if not principal.may(operation.resource, operation.verb):
            raise ProblemError(
                403,
                "scope",
                "The key lacks a scope.",
                f"{operation.name} needs {operation.resource}:{operation.verb}",
                "make a key with that scope: `keizoku api new-key`",
            )
        return role

    def check_whose(self, principal: Principal, account: str | None) -> None:
        """Raises ProblemError 403 where a member names another's account."""
        if principal.account is not None and account not in (None, principal.account):
            raise ProblemError(
                403, "account.foreign", "This is another's.", "a member asks about their own account alone"
            )

    def account_for(self, operation: Operation, request: Request, arguments: Mapping[str, Any]) -> str | None:
        """The account that a call is about, where it names one; a member's are about their own.

        Where a member's act names a claim or a linking, the account is its own, as far as they see it. Raises
        ProblemError 422 for a field that is for the staff, Refused for a claim that they do not see.
        """
        found = arguments.get("account")
        named = found if isinstance(found, str) and found else None
        principal: Principal = request.state.admitted[0]
        if principal.account is None:
            return named
        for name in operation.not_by_member:
            if arguments.get(name) not in (None, False):
                raise ProblemError(422, "field.of_staff", "This is for the staff to say.", name, "leave it out")
        if named is None and operation.kind == "act":
            with self.services(MEMBER, acts=False, shows=principal.shows) as services:
                return account_of(services.session, arguments)
        return named or principal.account

    def _holder(self, key: str) -> Principal | None:
        with self._engines["worker"].connect() as session:
            found = key_holder(session, key, self.clock())
        if found is not None:
            with self._lock:
                if len(self._keys) >= MOST_KEYS_KNOWN:
                    self._keys.clear()
                self._keys[digest_of(key)] = found
        return found


def _authorization(request: Request) -> tuple[str, str]:
    """(scheme, what follows it) of the header."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return scheme, key.strip()
