"""Figures that are worked out beside the page, where that takes longer than a person waits.

    found = worked_out(view, "ledger.trial_balance")     found.answer: as `view.ask` gives it, or None: not known yet
    found.note(view)                                     as of when it is, or since when it is being worked out

Sums over all the books grow with them, and are wanted as of a moment, not of this one. An answer that comes at once
(`WAITS_S`) is shown and forgotten: nobody who keeps small books sees any of this. One that takes longer is kept for a
while that grows with the time it took, as the worker keeps what it counts for its monitor. Each process has its own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.call import Call
from keizoku.web.pages.shared.view import ROWS, Rows, View

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from keizoku.web.door import Door

__all__ = ["BESIDE", "WorkedOut", "worked_out"]

WAITS_S: Final = 0.15
"""So long a page waits for a figure before it goes without."""
HOLDS: Final = 20
"""An answer that took long is shown for so many times as long before it is worked out again."""
MOST_KEPT: Final = 200
BESIDE: Final = "beside a page:"
"""What the name of a thread begins with that works out a figure."""
AT_ONCE: Final = 2
"""So many figures are worked out at the same time; the others wait for them."""


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """An answer and the instant that it is of; None: it is being worked out since then."""

    answer: Any
    at: datetime
    kept: bool = False

    def note(self, view: View) -> str:
        """What the page says of its age; nothing where it is of this moment."""
        if self.answer is None:
            return view.say("It is being worked out since {at}. Look again in a moment.", at=view.at(self.at))
        return view.say("As of {at}.", at=view.at(self.at)) if self.kept else ""

    def page(self, view: View, table: str, key: str) -> Rows:
        """The rows of a list as `view.rows` gives them: the page that the address names."""
        in_file = view.query.get("file") is not None and view.query.get("table", "rows") == table
        rows, after = self.answer or [], "" if in_file else view.query.get(f"{table}.after", "")
        start = next((place + 1 for place, each in enumerate(rows) if str(each[key]) == after), 0)
        shown = rows[start:] if in_file else rows[start : start + ROWS]
        return Rows(shown, str(shown[-1][key]) if start + len(shown) < len(rows) else None)


@dataclass
class _Work:
    began_at: datetime
    began: float = field(default_factory=monotonic)
    took: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: BaseException | None = None

    @property
    def old(self) -> bool:
        return self.done.is_set() and monotonic() > self.began + self.took * (1 + HOLDS)


_LOCK: Final = threading.Lock()
_ROOM: Final = threading.Semaphore(AT_ONCE)


def worked_out(view: View, name: str, **arguments: object) -> WorkedOut:
    """The answer of a question of the calls, which may be some time old, or None. Raises what the question raises."""
    door: Door = view.request.app.state.door
    operation = view.operations[name]
    key = (name, view.call.role, *sorted((each, repr(value)) for each, value in arguments.items()))
    path = {part: arguments.pop(part) for part in operation.in_path}
    read = operation.arguments({"path": path, "fields": arguments})
    if operation.kind == "list":  # its first rows are kept, and shown page by page
        read = {each: value for each, value in read.items() if each not in ("limit", "cursor")}
    with _LOCK:
        kept: dict[tuple[object, ...], _Work] = door.worked_out
        if len(kept) > MOST_KEPT:
            kept.clear()
        before = kept.get(key)
        fresh = before is None or before.old
        work = _Work(view.call.now) if before is None or fresh else before
        if fresh:
            kept[key] = work
            given = door, operation, view.call, read, work
            threading.Thread(target=_work, args=given, name=f"{BESIDE} {name}", daemon=True).start()
    if work.done.wait(WAITS_S) and fresh:
        with _LOCK:
            kept.pop(key, None)  # it comes at once: each look has its own
        if work.error is not None:
            raise work.error
        return WorkedOut(work.answer, work.began_at)
    if work.done.is_set() and work.error is not None:
        with _LOCK:
            kept.pop(key, None)
        raise work.error
    shown = work if work.done.is_set() else before
    if shown is None or not shown.done.is_set() or shown.error is not None:
        return WorkedOut(None, work.began_at)
    return WorkedOut(shown.answer, shown.began_at, kept=True)


def _work(door: Door, operation: Operation, asked: Call, read: dict[str, Any], work: _Work) -> None:
    try:
        role: Any = asked.role
        with _ROOM, door.services(role, acts=operation.real_gateway) as services:
            call = Call(
                asked.principal, role, asked.now, services, asked.settings, asked.jobs, asked.origin, asked.prefix
            )
            found = operation.handler(call, **read)
            work.answer = jsonable(found.read(10_000, "") if operation.kind == "list" else found)
    except BaseException as error:
        work.error = error
    finally:
        work.took = monotonic() - work.began
        work.done.set()
