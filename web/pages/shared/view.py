"""One look at a screen: who, when, in which language; what is asked of the calls; and values as cells.

    owed = view.ask("accounts.owed", account=account)          the answer of GET /v1/accounts/{account}/owed
    view.yen(owed["total"], view.to("accounts", account))      205 yen, with the page that it leads to

A screen asks what a program asks, by the same names, so that it cannot say anything else.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from pydantic import TypeAdapter

from keizoku.terms import words
from keizoku.terms.calendar import JST, iso_jst, jst_day
from keizoku.web.calls.answering import jsonable
from keizoku.web.pages.shared.addresses import CONSOLE, to_in
from keizoku.web.pages.shared.blocks import NOTHING, Act, Acts, Cell, Column, Press, Story, Table, Tone
from keizoku.web.pages.shared.blocks import Line as StoryLine
from keizoku.web.pages.shared.words import say, told, word

if TYPE_CHECKING:
    from fastapi import Request

    from keizoku.terms.rendering import Lang
    from keizoku.web.calls.call import Call, Listing
    from keizoku.web.calls.operation import Operation

__all__ = ["MOST_IN_A_FILE", "ROWS", "Rows", "View"]

ROWS: Final = 50
"""Rows of a page of a list."""
MOST_IN_A_FILE: Final = 10_000
_TONES: Final[Mapping[str, Tone]] = {
    "active": "good", "ok": "good", "paid": "good", "granted": "good", "succeeded": "good", "approved": "good",
    "suspended": "warn", "applied": "warn", "open": "warn", "waiting": "warn", "unknown": "warn", "undecided": "warn",
    "differences": "bad", "rejected": "bad", "failed": "bad", "overdue": "bad",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of a list, and the cursor of the next one."""

    data: Sequence[Mapping[str, Any]]
    next: str | None


@dataclass(frozen=True)
class View:
    """What a screen is given."""

    call: Call
    request: Request
    lang: Lang
    operations: Mapping[str, Operation]
    query: Mapping[str, str]
    form_token: str = ""
    path: str = ""
    home: ClassVar[str] = CONSOLE
    """Where its family of pages begins."""

    # ------------------------------------------------------------------ words

    def say(self, text: str, **facts: object) -> str:
        """A sentence in the language of the page."""
        return say(text, self.lang, **facts)

    @property
    def ja(self) -> bool:
        """Whether the page is Japanese."""
        return self.lang == "ja"

    def to(self, *parts: object, **query: object) -> str:
        """A page of this family."""
        return to_in(self.home, *parts, **query)

    # ------------------------------------------------------------------ questions

    def ask(self, name: str, **arguments: Any) -> Any:
        """The answer of a question of the calls, as JSON holds it. ValidationError for arguments of another form."""
        return jsonable(self.found(name, **arguments))

    def found(self, name: str, **arguments: Any) -> Any:
        """The same, before it is JSON."""
        operation = self.operations[name]
        if operation.fields is not None and "lang" in operation.fields.model_fields:
            arguments.setdefault("lang", self.lang)
        path = {part: _form_of(hint).validate_python(arguments.pop(part)) for part, hint in operation.in_path.items()}
        return operation.handler(self.call, **operation.arguments({"path": path, "fields": arguments}))

    def rows(self, name: str, *, table: str = "rows", limit: int = ROWS, **arguments: Any) -> Rows:
        """A page of a list of the calls: the one that the address names, or all of it for a file."""
        operation = self.operations[name]
        path = {part: _form_of(hint).validate_python(arguments.pop(part)) for part, hint in operation.in_path.items()}
        given = {key: value for key, value in arguments.items() if value not in (None, "")}
        read = operation.arguments({"path": path, "fields": given})
        for extra in ("limit", "cursor"):
            read.pop(extra, None)
        listing = cast("Listing", operation.handler(self.call, **read))
        in_file = self.query.get("file") is not None and self.query.get("table", "rows") == table
        most = MOST_IN_A_FILE if in_file else limit
        after = self.query.get(f"{table}.after", "") if not in_file else ""
        rows = listing.read(most + 1, after)
        more = len(rows) > most
        shown = rows[:most]
        return Rows([jsonable(row) for row in shown], listing.name(shown[-1]) if more else None)

    def whole_number(self, name: str) -> int | None:
        """What the address says under a name, if it is a whole number of at most twelve digits."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None

    def may(self, name: str) -> bool:
        """Whether whoever looks may do an act."""
        operation, principal = self.operations[name], self.call.principal
        return principal.role_for(operation.roles) is not None and principal.may(operation.resource, operation.verb)

    # ------------------------------------------------------------------ cells

    def text(self, value: object, href: str | None = None, tone: Tone = "") -> Cell:
        """A name or a text of people, as it is."""
        return Cell(NOTHING) if value in (None, "") else Cell(str(value), str(value), href, tone=tone)

    def number(self, value: int | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A count."""
        return Cell(NOTHING, kind="number") if value is None else Cell(f"{value:,}", value, href, "number", tone)

    def yen(self, value: int | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A sum."""
        if value is None:
            return Cell(NOTHING, kind="number")
        return Cell(words.yen(value, self.ja), value, href, "number", tone)

    def seconds(self, value: int | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A duration."""
        if value is None:
            return Cell(NOTHING, kind="number")
        return Cell(words.duration(value, self.ja), value, href, "number", tone)

    def share(self, value: str | None, href: str | None = None) -> Cell:
        """A rate, "0.2"."""
        return (
            Cell(NOTHING, kind="number")
            if value is None
            else Cell(words.percent(value, self.ja), value, href, "number")
        )

    def day(self, value: date | str | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A day, as it is written in tables everywhere."""
        return Cell(NOTHING) if value is None else Cell(str(value)[:10], str(value)[:10], href, "day", tone)

    def long_day(self, value: date | str | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A day in words."""
        return Cell(NOTHING) if value is None else Cell(words.day(value, self.ja), str(value), href, tone=tone)

    def at(self, value: datetime | str | None, href: str | None = None, tone: Tone = "") -> Cell:
        """An instant in Japan, to the minute."""
        if value is None:
            return Cell(NOTHING)
        local = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(JST)
        return Cell(local.strftime("%Y-%m-%d %H:%M"), iso_jst(local), href, "day", tone)

    def age(self, since: str | None, late_days: int = 7) -> Cell:
        """How many days ago a day or an instant was, in Japan; `late_days`: from so many on it is marked."""
        if since is None:
            return Cell(NOTHING, kind="number")
        on = date.fromisoformat(since) if len(since) == 10 else jst_day(datetime.fromisoformat(since))
        days = (self.call.today - on).days
        return Cell(self.say("{n} days", n=days), days, None, "number", "warn" if days >= late_days else "")

    def month(self, value: str, href: str | None = None) -> Cell:
        """A month in words."""
        return Cell(words.month(value, self.ja), value, href)

    def term(self, value: Sequence[str] | None, href: str | None = None) -> Cell:
        """A period from its first day to the first day after it."""
        return Cell(NOTHING) if not value else Cell(f"{value[0]} – {value[1]}", f"{value[0]}/{value[1]}", href, "day")

    def code(self, value: object, href: str | None = None) -> Cell:
        """What can be typed: a number, a key, a digest."""
        return Cell(NOTHING) if value in (None, "") else Cell(str(value), str(value), href, "code")

    def word(self, kind: str, value: str | None, href: str | None = None, tone: Tone | None = None) -> Cell:
        """A value of a kind, in words."""
        if value is None:
            return Cell(NOTHING)
        shown = word(kind, str(value), self.lang)
        return Cell(shown, str(value), href, "state", _TONES.get(str(value), "") if tone is None else tone)

    def yes(self, value: bool, href: str | None = None) -> Cell:
        """Yes or no."""
        return Cell(
            self.say("yes") if value else self.say("no"), int(value), href, "state", "good" if value else "soft"
        )

    def account(self, value: str | None) -> Cell:
        """An account, with its page."""
        return Cell(NOTHING) if not value else Cell(value, value, self.to("accounts", value))

    def invoice(self, value: int | None) -> Cell:
        """An invoice, with its page."""
        return self.code(value, None if value is None else self.to("invoices", value))

    def claim(self, value: str) -> Cell:
        """A claim, with its page."""
        return Cell(value, value, self.to("claims", value))

    def clause(self, value: str | None) -> Cell:
        """A clause, with its page."""
        return (
            Cell(NOTHING)
            if not value
            else Cell(value, value, self.to("terms", "clauses", *value.split("/", 1)), "code")
        )

    # ------------------------------------------------------------------ blocks

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        *,
        empty: str,
        name: str = "rows",
        next: str | None = None,  # noqa: A002 - the word of lists
        note: str = "",
        total: Sequence[Cell] = (),
    ) -> Table:
        """A table; a column is set to the right where its cells are numbers. In the order that the address names."""
        numbers = [any(row[place].kind == "number" for row in rows) for place in range(len(columns))]
        made = [Column(label, number) for label, number in zip(columns, numbers, strict=True)]
        paged = f"{name}.after" in self.query
        wanted = self.query.get(f"{name}.sort", "")
        if wanted and next is None and not paged:
            place, down = int(wanted.lstrip("-") or 0) if wanted.lstrip("-").isdecimal() else 0, wanted.startswith("-")
            if place < len(columns):
                rows = sorted(rows, key=lambda row: _order(row[place]), reverse=down)
        return Table(name, title, made, rows, empty, next, paged, note, total, wanted)

    def story(self, title: str, sentences: Sequence[Mapping[str, Any]], empty: str = "") -> Story:
        """Sentences of an explanation: {"clause", "text"} each."""
        return Story(title, [StoryLine(each["text"], clause=each.get("clause") or "") for each in sentences], empty)

    def act(self, name: str, title: str = "", **known: object) -> Act | None:
        """A link to the form of an act that whoever looks may do; None where they may not."""
        there = self.act_at(name, **known)
        return None if there is None else Act(title or word("act", name, self.lang), there)

    def act_at(self, name: str, **known: object) -> str | None:
        """The address of the form of an act, which leads back here; None where whoever looks may not do it."""
        return self.to("acts", name, **known, return_to=self.path) if self.may(name) else None

    def press(self, name: str, **known: object) -> Press | None:
        """A button that does an act at once and leads back here; None where whoever looks may not do it.

        For acts that can be taken back, or change nothing.
        """
        if not self.may(name):
            return None
        fields = {key: str(value) for key, value in known.items() if value not in (None, "")}
        own = {"form_token": self.form_token, "idempotency_key": uuid.uuid4().hex, "return_to": self.path}
        return Press(self.to("acts", name), {**fields, **own})

    def pressed(self, address: str) -> Press:
        """A button that sends a form without fields to an address of this family, at once."""
        return Press(address, {"form_token": self.form_token})

    def told(self, table: str, text: str) -> Cell:
        """What the engine said in English, in the language of the page as far as the table knows it."""
        found, known = told(table, text, self.lang)
        return Cell(NOTHING) if not text else Cell(found, text, lang=None if known else "en")

    def counted(self, rows: Rows, href: str | None = None, tone: Tone = "") -> Cell:
        """How many rows there are, as far as the page of them tells: "more than 50" where there are more."""
        if rows.next is None:
            return self.number(len(rows.data), href, tone)
        return Cell(self.say("more than {n}", n=len(rows.data)), len(rows.data), href, "number", tone)

    def acts(self, title: str, found: Sequence[Act | None]) -> Acts:
        """The acts that whoever looks may do here."""
        items = [each for each in found if each is not None]
        return Acts(title, items, self.say("Your role may look here, and change nothing."))


def _order(cell: Cell) -> tuple[int, int, str]:
    if isinstance(cell.raw, int):
        return 1, cell.raw, ""
    return (0, 0, "") if cell.raw is None else (2, 0, str(cell.raw))


_FORMS: dict[int, tuple[Any, TypeAdapter[Any]]] = {}


def _form_of(hint: Any) -> TypeAdapter[Any]:
    """The check of a value in a path, made once for its type, which is kept with it."""
    kept = _FORMS.get(id(hint))
    if kept is None:
        kept = _FORMS[id(hint)] = hint, TypeAdapter(hint)
    return kept[1]
