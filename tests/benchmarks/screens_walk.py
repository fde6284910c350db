"""Looks at every screen of a world as a browser does, and tells of each how long its first byte takes and what it asks.

with open_door(url) as door: for look in looks(...): look_at(door, look)
"""

from __future__ import annotations

import asyncio
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import sqlalchemy as sa

from keizoku.db.session import Session, make_engine
from keizoku.scheduler.settings import Settings
from keizoku.web.application import make_application
from keizoku.web.door import Door
from keizoku.web.identity import sessions
from keizoku.web.identity.browser import Site
from keizoku.web.identity.principal import MEMBER, Principal
from keizoku.web.pages.members.pages import SCREENS as MEMBER_SCREENS
from keizoku.web.pages.shared.addresses import segment
from keizoku.web.pages.shared.kept import BESIDE
from keizoku.web.pages.staff.console import SCREENS
from tests.worlds.screen_plans import WholeRead, whole_reads

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Browser", "Look", "Seen", "looks", "open_browser", "statements"]

NOT_LOOKED_AT: Final = ("console.endpoint", "console.batch", "console.forecast")
"""An endpoint and a batch that the world may lack; the forecast is a whole night, rehearsed."""
LONGEST_BESIDE_S: Final = 300
HOST: Final = "billing.example"
ASKED_MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "/console/accounts": ("?state=active", "?state=suspended", "?state=applied", "?state=ended", "?state=rejected",
                          "?overdue=yes", "?rows.after={account}", "?rows.after=z", "?file=csv&table=rows",
                          "?overdue=yes&file=csv&table=rows"),
    "/console/tasks": ("?kind=bank_unmatched", "?kind=application_waiting", "?account={account}", "?snoozed=yes",
                       "?file=csv&table=rows", "?rows.after={task}"),
    "/console/search": ("?q={account}", "?q=n05-", "?q=500", "?q=12345", "?q=2026-06-10", "?q=nobody", "?q={claim}",
                        "?q={task}", "?q={letter}"),
    "/console/documents": ("?from_on=2026-05-01&to_on=2026-05-31", "?from_yen=500&to_yen=500",
                           "?from_yen=777&to_yen=777", "?account={account}", "?file=csv&table=rows",
                           "?rows.after={document}"),
    "/console/letters": ("?kind=renewal", "?also_sent=yes", "?account={account}&also_sent=yes"),
    "/console/claims": ("?month=2026-04", "?account={troubled}", "?rows.after={claim}"),
    "/console/ledger": ("?as_of=2026-05-31",),
    "/console/ledger/accounts/{code}": ("?since=2026-04-01&as_of=2026-04-30", "?customer={account}",
                                        "?lines.after={entry}"),
    "/console/ledger/entries": ("?from_on=2026-06-10&to_on=2026-06-10", "?from_on=2026-04-01&to_on=2026-04-30",
                                "?from_yen=500&to_yen=500", "?from_yen=777&to_yen=777", "?account={account}",
                                "?late=yes", "?entries.after={entry}", "?account={account}&file=csv&table=entries"),
    "/console/overdue": ("?file=csv&table=rows",),
    "/console/outages": ("?month=2026-04",),
    "/console/bank/statement": ("?file=csv&table=lines", "?lines.after={payment}"),
    "/console/sla/{month}/history": ("?known.after=10",),
}  # fmt: skip
"""What else an address of a screen is asked for."""


@dataclass(frozen=True)
class Look:
    """A screen, and the address under which it is looked at."""

    screen: str
    address: str
    member: bool = False


@dataclass
class Seen:
    """What a look at a screen gave: its status, seconds to the first byte of each time, the processor's, statements."""

    status: int = 0
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    body: bytes = b""

    @property
    def median_ms(self) -> float:
        """Milliseconds to the first byte, the middle one."""
        return statistics.median(self.wall) * 1000

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of this process's processor, the middle ones; the database's are not in it."""
        return statistics.median(self.cpu) * 1000


@dataclass
class Browser:
    """Two who sit at the pages: one of the staff with every role, and a member."""

    door: Door
    app: Any
    staff: str
    member: str
    told: list[tuple[str, Any, Any]]
    """The statements since it was emptied last, with their values and connection."""
    planned: list[tuple[str, Sequence[WholeRead]]] | None = None
    """Where it is a list: the statements, each with what it reads whole, by its plan at the moment that it is sent."""

    def note(self, text: str, values: Any, connection: Any) -> None:
        """A statement is about to be sent. Those of other threads are worked out beside the page: they are not its."""
        if threading.current_thread().name.startswith(BESIDE):
            return
        self.told.append((text, values, connection))
        if self.planned is not None:
            self.planned.append((text, whole_reads(connection, text, values)))

    def look(self, at: Look, times: int = 1) -> Seen:
        """Look so many times, after once for nothing and when nothing is worked out beside a page any more."""
        seen = Seen()
        for turn in range(times + (times > 1)):
            self.told.clear()
            status, wall, cpu, body = asyncio.run(self._ask(at))
            seen.status, seen.body, seen.asked = status, body, [text for text, _, _ in self.told]
            if not turn and times > 1:
                for each in [each for each in threading.enumerate() if each.name.startswith(BESIDE)]:
                    each.join(LONGEST_BESIDE_S)
            if turn or times == 1:
                seen.wall.append(wall)
                seen.cpu.append(cpu)
        return seen

    async def _ask(self, at: Look) -> tuple[int, float, float, bytes]:
        path, _, query = at.address.partition("?")
        token = self.member if at.member else self.staff
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(b"host", HOST.encode()), (b"cookie", f"__Host-keizoku={token}; kz_lang=en".encode())],
            "client": ("127.0.0.1", 1), "server": (HOST, 443),
        }  # fmt: skip
        status, first, body = 0, 0.0, b""
        began, began_cpu, cpu = time.perf_counter(), time.process_time(), 0.0

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status, first, cpu, body
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not first:
                first, cpu = time.perf_counter() - began, time.process_time() - began_cpu
            body += message.get("body", b"")

        await self.app(scope, receive, send)
        return status, first, cpu, body


@contextmanager
def open_browser(url: sa.URL, schema: str, prefix: str, now: datetime, account: str) -> Iterator[Browser]:
    """The door on a database that has its roles, and a session for each of the two."""
    settings = Settings(database_schema=schema)
    door = Door(settings, settings.rules(), url, schema, pool=4, prefix=prefix, clock=lambda: now, clock_name="given")
    door.site = Site(f"https://{HOST}")
    told: list[tuple[str, Any, Any]] = []
    long = timedelta(days=2)
    try:
        with make_engine(url, schema).connect() as session:
            everybody = Principal("staff", "sato@example.jp", ("worker", "finance", "support"))
            one = Principal(MEMBER, MEMBER, (MEMBER,), account=account)
            tokens = [
                sessions.begin(session, who, f"{who.name} {now} {time.time()}", now, idle=long, whole=long)
                for who in (everybody, one)
            ]
            session.commit()
        browser = Browser(door, make_application(door), tokens[0], tokens[1], told)
        with statements(browser.note):
            yield browser
    finally:
        door.close()


@contextmanager
def statements(told: Callable[[str, Any, Any], object]) -> Iterator[None]:
    """Whatever is sent to a database meanwhile, with its values and its connection."""

    def note(connection: Any, cursor: Any, text: str, values: Any, context: Any, many: bool) -> None:
        del cursor, context, many
        told(text, values, connection)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def looks(session: Session, account: str, troubled: str) -> list[Look]:
    """Every screen of both families, each under the addresses that people ask for; `account` is the member's too."""
    known = _known(session, account, troubled)
    found = []
    for screens, member in ((SCREENS, False), (MEMBER_SCREENS, True)):
        for screen in screens:
            if screen.name in NOT_LOOKED_AT:
                continue
            names = re.findall(r"\{(\w+)\}", screen.path)
            own = {**known, **{name: known.get(f"{screen.name}.{name}", known.get(name, "")) for name in names}}
            if any(not own.get(name) for name in names):
                continue
            path = screen.path
            for name in names:
                path = path.replace(f"{{{name}}}", segment(own[name]))
            found.append(Look(screen.name, path, member))
            more = ASKED_MORE.get(screen.path, ())
            found += [Look(screen.name, path + each.format(**known), member) for each in more]
    return found


_A_TASK: Final = """
    SELECT coalesce((SELECT concat('T', max(id)) FROM review_task WHERE closed_at IS NULL HAVING count(*) > 0),
                    (SELECT concat('application ', min(account)) FROM contract
                     WHERE approved_at IS NULL AND rejected_at IS NULL))
"""


def _known(session: Session, account: str, troubled: str) -> dict[str, str]:
    def first(text: str) -> str:
        return str(session.execute(sa.text(text), {"account": account, "troubled": troubled}).scalar() or "")

    claims = "SELECT max(id) FROM claim WHERE account = :account"
    invoice = first("SELECT max(id) FROM invoice WHERE account = :account")
    document = first("SELECT max(id) FROM issued_document WHERE account = :account")
    return {
        "account": account, "troubled": troubled, "claim": first("SELECT max(id) FROM claim"),
        "letter": "N" + first("SELECT max(id) FROM user_notice WHERE account = :account"),
        "month": "2026-04", "task": first(_A_TASK),
        "payment": first("SELECT min(id) FROM bank_line"), "kind": "product_key", "batch": "shops", "code": "1131",
        "contract": "premium", "version": "2024-12-02", "name": "5.2",
        "on": first("SELECT max(business_date) FROM certificate"), "incident": first("SELECT min(id) FROM incident"),
        "console.invoice.number": invoice, "member.invoice.number": invoice, "console.document.number": document,
        "member.document.number": document,
        "console.entry.number": first("SELECT max(id) FROM entry WHERE account = :account"),
        "console.proposal.number": "", "member.claim.claim": first(claims), "document": document,
        "entry": first("SELECT min(id) FROM entry WHERE account = :account"),
    }  # fmt: skip


def sorted_of(body: bytes) -> Sequence[str]:
    """The addresses by which a page's own columns sort."""
    return sorted({each.replace("&amp;", "&") for each in re.findall(r'href="(\?[^"]*\.sort=[^"]*)"', body.decode())})
