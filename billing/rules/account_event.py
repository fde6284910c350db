"""The history of an account: what happened, when it holds, when we learned it, by which clause, what it changed.

    rows of all tables ──> events ──in_order, known──> the history as it could be read at any time ──> sentences

Pure: events are values, and nothing is decided here. `at` is the instant from which an event holds, `known_at` the one
at which it was recorded; a charge whose answer came late, or a night that was missed, lies between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.rendering import Lang, sentence, templates

_FIRST: Final = (
    "applied",
    "code_redeemed",
    "consented",
    "consented_by_registering",
    "screened_approved",
    "screened_rejected",
    "rejected",
    "approved",
    "leave_service",
    "delete_user",
    "suspend",
    "resume",
    "terminate",
    "new_card",
    "received",
    "term_first",
    "term_renewed",
    "invoiced",
    "charge_asked",
    "charge_succeeded",
)
_LAST: Final = ("notice_written", "demanded", "task_opened")
"""Of what holds from the same instant: the cause, then what follows, then what is written about it."""

_WORDS: Final = ("method", "fallback", "reason", "notice", "outcome", "task", "through")
"""Facts whose values are words of ours, told in the language of the sentence."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an account; `facts` are what its sentence is filled with."""

    at: datetime
    known_at: datetime
    kind: str
    clause: str = ""  # empty where only general law or bookkeeping speaks
    facts: Mapping[str, Any] = field(default_factory=dict)


def in_order(events: Iterable[Event]) -> list[Event]:
    """By the instant from which they hold, then by when they were recorded."""
    return sorted(events, key=lambda event: (event.at, _rank(event.kind), event.known_at))


def known(events: Iterable[Event], until: datetime, known_at: datetime) -> list[Event]:
    """What had happened before `until`, as far as it was known at `known_at`, in order."""
    return in_order(event for event in events if event.at < until and event.known_at <= known_at)


def event_sentence(event: Event, lang: Lang) -> str:
    """The event in one sentence; who decided it and on what ground follow where people did."""
    facts = {name: _word(name, value, lang) for name, value in event.facts.items()}
    line = sentence(f"diary.{event.kind}", lang, facts)
    if event.facts.get("author"):
        line += sentence("diary.by" if event.facts.get("ground") else "diary.by_alone", lang, facts)
    if jst_day(event.known_at) != jst_day(event.at):
        line += sentence("diary.learned", lang, {"known_at": event.known_at})
    return line


def to_json(event: Event, lang: Lang) -> dict[str, Any]:
    """JSON values for --json."""
    return {
        "at": iso_jst(event.at),
        "known_at": iso_jst(event.known_at),
        "kind": event.kind,
        "clause": event.clause or None,
        "text": event_sentence(event, lang),
        "facts": {
            name: iso_jst(value) if isinstance(value, datetime) else value for name, value in event.facts.items()
        },
    }


def _word(name: str, value: Any, lang: Lang) -> Any:
    key = f"word.{name}.{value}"
    return sentence(key, lang, {}) if name in _WORDS and key in templates() else value


def _rank(kind: str) -> int:
    if kind in _LAST:
        return len(_FIRST) + 1 + _LAST.index(kind)
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
