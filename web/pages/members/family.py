"""The member's pages as a family: where they begin, what stands above each, how a value leads on.

A member comes by a link that the host makes (`POST /v1/member-sessions`); they see their own account alone, as the
role `member` of the database, and name no account anywhere.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastapi import Request

from keizoku.terms import words
from keizoku.terms.calendar import JST
from keizoku.web.identity.browser import FORM_FIELD
from keizoku.web.pages.members.forms import filled
from keizoku.web.pages.members.receipt import foreseen, receipt_of
from keizoku.web.pages.members.session import session_frame
from keizoku.web.pages.shared.addresses import MEMBER_PAGES, to_in
from keizoku.web.pages.shared.blocks import NOTHING, Block, Cell, Line, Prose, Send, Story
from keizoku.web.pages.shared.problem_page import asked_of, host_link
from keizoku.web.pages.shared.screens import Screens
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import named, say, word

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.door import Door
    from keizoku.web.pages.shared.blocks import Tone

__all__ = ["PLACES", "MemberView", "at_home", "clause_words", "frame", "member"]

_CODE: Final = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_FUNDS: Final = "insufficient_funds"
_KANA: Final = {"a": "ア", "b": "イ", "c": "ウ", "d": "エ"}
"""The letters of items, as Japanese terms count them."""


@dataclass(frozen=True)
class MemberView(View):
    """A look of a member."""

    home: ClassVar[str] = MEMBER_PAGES

    @property
    def own(self) -> str:
        """The account that they see."""
        account = self.call.principal.account
        assert account is not None  # noqa: S101 - these pages are admitted to members alone
        return account

    def may(self, name: str) -> bool:
        """Whether a member may do an act."""
        return self.operations[name].member

    def account(self, value: str | None) -> Cell:
        """Their account; there is no page of it but these."""
        return self.text(value)

    def invoice(self, value: int | None) -> Cell:
        """An invoice, with its page."""
        return self.code(value, None if value is None else self.to("payments", value))

    def clause(self, value: str | None) -> Cell:
        """A clause in words."""
        return Cell(NOTHING) if not value else Cell(clause_words(self.lang, value), value)

    def _plain(self, text: str) -> str:
        """A sentence without the gateway's own words for a refusal, which are for the staff."""

        def said(found: re.Match[str]) -> str:
            return word("decline", found[0] if found[0] == _FUNDS else "other", self.lang)

        return _CODE.sub(said, text)

    def story(self, title: str, sentences: Sequence[Mapping[str, Any]], empty: str = "") -> Story:
        """Sentences of an explanation, each with its clause in words."""
        lines = [
            Line(self._plain(each["text"]), clause=clause_words(self.lang, each.get("clause") or ""))
            for each in sentences
        ]
        return Story(title, lines, empty)

    def at(self, value: datetime | str | None, href: str | None = None, tone: Tone = "") -> Cell:
        """An instant in words, in Japan."""
        if value is None:
            return Cell(NOTHING)
        return Cell(words.instant(value, self.ja), str(value), href, tone=tone)

    def day(self, value: date | str | None, href: str | None = None, tone: Tone = "") -> Cell:
        """A day in words."""
        if isinstance(value, str) and "T" in value:
            value = datetime.fromisoformat(value).astimezone(JST).date()
        return self.long_day(value, href, tone)

    def term(self, value: Sequence[str] | None, href: str | None = None) -> Cell:
        """A period, from its first day to its last."""
        if not value:
            return Cell(NOTHING)
        first, last = date.fromisoformat(value[0]), date.fromisoformat(value[1]) - timedelta(days=1)
        join = "〜" if self.ja else " – "
        return Cell(f"{words.day(first, self.ja)}{join}{words.day(last, self.ja)}", value[0], href)

    def send(
        self, title: str, href: str, said: str = "", hidden: Mapping[str, str] | None = None, name: str = ""
    ) -> Send:
        """A button that does something at once; its form carries what every form of ours does."""
        own = {FORM_FIELD: self.form_token, "idempotency_key": uuid.uuid4().hex, **(hidden or {})}
        return Send(title, href, said, own, name=name)

    def ask_us(self) -> list[Block]:
        """Whom a member asks; nothing where nobody is named."""
        said = asked_of(self.call_door, self.lang)
        return [Prose(said, "soft")] if said else []

    def host(self) -> tuple[str, str] | None:
        """The page of the host from which they came, where its address is set."""
        return host_link(self.call_door, self.lang)

    @property
    def call_door(self) -> Door:
        """The door, for what it is set to."""
        door: Door = self.request.app.state.door
        return door


def at_home(*parts: object, **query: object) -> str:
    """A page of the member's."""
    return to_in(MEMBER_PAGES, *parts, **query)


def clause_words(lang: Lang, clause: str) -> str:
    """premium/5.1.1.a in words: 第5条第1項第1号ア, Article 5.1.1.a; empty for what is no clause."""
    terms, _, number = clause.rpartition("/")
    parts = number.split(".")
    if not parts[0].isdecimal():
        return ""
    named = say("linked service: ", lang) if terms == "api_link" else ""
    if lang == "en":
        return f"{named}Article {number}"
    marks = ("第{}条", "第{}項", "第{}号", "{}")
    return named + "".join(mark.format(_KANA.get(part, part)) for mark, part in zip(marks, parts, strict=False))


PLACES: Final = (
    (named("Contract"), at_home()),
    (named("Payments"), at_home("payments")),
    (named("Reductions"), at_home("claims")),
    (named("Papers"), at_home("papers")),
    (named("Linked service"), at_home("link")),
    (named("Notices"), at_home("notices")),
    (named("My data"), at_home("data")),
)


def frame(request: Request) -> Mapping[str, Any]:
    """What stands above each page, and below it: until when it stays open."""
    path, door = request.url.path, request.app.state.door
    here = max((href for _, href in PLACES if path == href or path.startswith(f"{href}/")), key=len, default="")
    linked = door.settings.link_partner != "none"
    places = tuple(each for each in PLACES if linked or each[1] != at_home("link"))
    return {"groups": (), "places": places, "here_now": here, **session_frame(request)}


member: Final = Screens(
    "member",
    frame,
    MEMBER_PAGES,
    MemberView,
    members=True,
    receipt=receipt_of,
    foreseen=foreseen,
    filled=filled,
    clause=clause_words,
)
