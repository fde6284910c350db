"""What a page is made of: cells, and blocks of them. Values only; `templates/blocks.html.j2` draws them, escaped.

A cell is what is shown, what it is (for sorting and for files), and the page that it leads to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from markupsafe import Markup

__all__ = [
    "Act",
    "Acts",
    "Block",
    "Cell",
    "Choice",
    "Choices",
    "Column",
    "Facts",
    "Figure",
    "Figures",
    "Filters",
    "Input",
    "Line",
    "Page",
    "Picture",
    "Press",
    "Prose",
    "Running",
    "Send",
    "Story",
    "Table",
]

Tone = Literal["", "good", "bad", "warn", "soft"]
NOTHING: Final = "—"
_OWN_STYLE: Final = re.compile(r"<style>[^<]*</style>")


@dataclass(frozen=True, slots=True)
class Press:
    """A button that does an act at once, by its own form: where it is sent, and what it says."""

    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: its text, its raw value, where it leads, how it is set."""

    text: str
    raw: str | int | None = None
    href: str | None = None
    kind: Literal["text", "number", "code", "state", "day"] = "text"
    tone: Tone = ""
    lang: str | None = None
    press: Press | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> str | int | None:
        """What a file says: the raw value where there is one."""
        return self.text if self.raw is None and self.text != NOTHING else self.raw


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that answers part of the page's question; it leads to what it is made of."""

    label: str
    value: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures side by side."""

    items: Sequence[Figure]
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, one under another. `look`: how its values are set, a class of the style sheet."""

    title: str
    rows: Sequence[tuple[str, Cell]]
    look: str = ""
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `number`: set to the right."""

    label: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows. `name` is what the address calls it; `next`: the cursor of the next page; `whole`: all rows are here."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str
    next: str | None = None
    paged: bool = False
    note: str = ""
    total: Sequence[Cell] = ()
    sorted_by: str = ""
    tools: bool = True
    """Whether it may be put into another order and taken as a file: not where its page is no address."""
    kind: ClassVar[str] = "table"

    @property
    def whole(self) -> bool:
        """Whether all rows are here, so that they can be put into another order."""
        return self.tools and self.next is None and not self.paged


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence, with its day, its clause and where it leads."""

    text: str
    when: str = ""
    clause: str = ""
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences in order."""

    title: str
    lines: Sequence[Line]
    empty: str = ""
    kind: ClassVar[str] = "story"


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, inline; its text alternative is in it, its own style sheet is in ours: no page may carry one."""

    title: str
    svg: Markup
    note: str = ""
    kind: ClassVar[str] = "picture"

    @classmethod
    def of(cls, title: str, svg: str, note: str = "") -> Picture:
        """A picture of ours (text in it is escaped where it is drawn)."""
        return cls(title, Markup(_OWN_STYLE.sub("", svg)), note)  # noqa: S704 - made by sla.pictures


@dataclass(frozen=True, slots=True)
class Running:
    """Work under way: asked for anew while it lasts (by script; without it by a link), and the page anew at its end."""

    title: str
    said: str
    done: int
    whole: int
    lasts: bool
    again: str
    kind: ClassVar[str] = "running"


@dataclass(frozen=True, slots=True)
class Act:
    """A link to the form of an act, with what is known of it filled in."""

    title: str
    href: str
    said: str = ""
    strong: bool = False
    press: Press | None = None
    """It is done at once; `href` is the form for those who want to see it first."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What this person may do here."""

    title: str
    items: Sequence[Act]
    empty: str = ""
    kind: ClassVar[str] = "acts"


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    text: str
    tone: Tone = ""
    href: str | None = None
    """Where it leads, as a whole."""
    kind: ClassVar[str] = "prose"


@dataclass(frozen=True, slots=True)
class Input:
    """A field of a form. `choices`: (value, words)."""

    name: str
    label: str
    type: Literal[
        "text", "number", "date", "month", "datetime-local", "select", "textarea", "checkbox", "file", "hidden"
    ] = "text"
    value: str = ""
    needed: bool = False
    choices: Sequence[tuple[str, str]] = ()
    hint: str = ""
    wrong: str = ""
    most: int | None = None
    in_words: str = ""
    """Its value in words, where it is neither a choice nor an instant."""

    @property
    def shown(self) -> str:
        """What was filled in, as people read it; empty for a box, which is ticked or not."""
        if self.type == "checkbox":
            return ""
        if self.in_words:
            return self.in_words
        if self.type == "datetime-local":
            return self.value.replace("T", " ")
        return dict(self.choices).get(self.value, self.value)


@dataclass(frozen=True, slots=True)
class Filters:
    """A form that asks for the page anew: what was chosen is in the address."""

    fields: Sequence[Input]
    button: str
    kind: ClassVar[str] = "filters"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several that may be ticked."""

    value: str
    label: str
    ticked: bool = True


@dataclass(frozen=True, slots=True)
class Choices:
    """A form of boxes to tick and a time of one's own: looked at on this page (`look`), then brought to an act (`act`).

    `look` and `act`: (the button's words, the address). `hidden`: what the act is given besides.
    """

    title: str
    name: str
    items: Sequence[Choice]
    other: str
    pair: tuple[tuple[str, str, str], tuple[str, str, str]]
    """A beginning and an end of one's own: (name, label, value) each."""
    look: tuple[str, str]
    act: tuple[str, str]
    hidden: Mapping[str, str]
    kind: ClassVar[str] = "choices"


@dataclass(frozen=True, slots=True)
class Send:
    """A button that does something by itself; what it does is said beside it. `hidden`: what it brings."""

    title: str
    href: str
    said: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)
    strong: bool = True
    name: str = ""
    kind: ClassVar[str] = "send"


Block = Figures | Facts | Table | Story | Picture | Acts | Prose | Filters | Choices | Running | Send


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its title, what it answers in one line, its blocks, and the path that leads to it."""

    title: str
    blocks: Sequence[Block]
    lead: str = ""
    above: Sequence[tuple[str, str]] = field(default=())
    tabs: Sequence[tuple[str, str, bool]] = field(default=())
    script: str = ""
    """A script of its own, by its name among our files."""
