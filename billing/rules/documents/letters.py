"""The words of letters about decisions: facts of a row in, paragraphs and a table of amounts out, ja or en.

    claim_granted {outage_month: 2026-04, new_yen: 100, goes_to: bill, …}
        └─ how much, where it goes and when, what to do; 今回お認めした減額 100円

Pure; the sentences are in terms/sentences/letters.toml. Amounts are whole yen. KeyError: a fact that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.terms import words
from keizoku.terms.rendering import Lang, sentence, templates

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LetterText:
    """What a letter says, without its heading."""

    paragraphs: tuple[str, ...]
    amounts: tuple[tuple[str, int], ...] = ()

    def plain(self, lang: Lang) -> str:
        """As plain text, a paragraph a line, its amounts below."""
        unit = "円" if lang == "ja" else " yen"
        return "\n".join((*self.paragraphs, *(f"{name}: {yen:,}{unit}" for name, yen in self.amounts)))


@dataclass(frozen=True, slots=True)
class PrintedLetter:
    """A letter in one language, ready to be drawn: who writes to whom, when, of what."""

    lang: Lang
    number: str
    date: str
    addressee: str
    sender: tuple[str, ...]
    subject: str
    paragraphs: tuple[str, ...]
    amounts: tuple[tuple[str, int], ...]
    closing: str
    unit: str


@dataclass(frozen=True, slots=True)
class Page:
    """A letter as it is sent: Japanese first, then English, or one of them."""

    letters: tuple[PrintedLetter, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a letter in every language: its number, its JST day, who writes, and to whom by name."""

    number: str
    on: date
    sender: Issuer
    addressee: str


def printed(heading: Heading, subject: str, text: LetterText, lang: Lang) -> PrintedLetter:
    """A letter with its heading and its close."""
    return PrintedLetter(
        lang,
        sentence("letter.number", lang, {"number": heading.number}),
        words.day(heading.on, lang == "ja"),
        sentence("document.to", lang, {"account": heading.addressee}),
        tuple(line for line in (heading.sender.name, heading.sender.address) if line),
        subject,
        text.paragraphs,
        text.amounts,
        sentence("letter.closing", lang, {}),
        "円" if lang == "ja" else " yen",
    )


def letter_text(kind: str, facts: Facts, lang: Lang) -> LetterText:
    """The letter of a kind (`letter.kind` of the tables) with these facts."""
    parts, rows = _PARTS[kind](facts)
    return LetterText(
        (
            sentence("letter.greeting", lang, {}),
            *(sentence(f"letter.{kind}.{part}", lang, facts) for part in parts),
        ),
        tuple((sentence(f"letter.row.{row}", lang, own), yen) for row, own, yen in rows),
    )


Parts = tuple[list[str], list[tuple[str, Facts, int]]]
"""Keys of the paragraphs in order, and the rows of amounts: key, facts, yen."""


def _received(facts: Facts) -> Parts:
    return ["main", "next"], []


def _granted(facts: Facts) -> Parts:
    if not facts["new_yen"]:
        return ["main", "nothing_new"], []
    rows = [("new_credit", facts, facts["new_yen"])]
    if facts["month_yen"] != facts["new_yen"]:
        rows.append(("month_credit", facts, facts["month_yen"]))
    return ["main", facts["goes_to"]], rows


def _rejected(facts: Facts) -> Parts:
    return ["main", facts["reason"], "next"], []


def _remedy(facts: Facts) -> Parts:
    return ["main", *(["by"] if facts["by_on"] else []), "instead"], []


def _credit(facts: Facts) -> Parts:
    credits = [("credit", {"outage_month": month}, -yen) for month, yen in facts["credits"]]
    rows = [("total", facts, facts["total_yen"]), *credits, ("charged", facts, facts["charged_yen"])]
    return ["main", "rest" if facts["charged_yen"] else "nothing"], rows


def _refund(facts: Facts) -> Parts:
    return ["main", "next"], [("refunded", facts, facts["yen"])]


def _ended(facts: Facts) -> Parts:
    why = f"why.{facts['reason']}"
    known = f"letter.contract_end.{why}" in templates()
    parts = ["main", why if known else "why.other", "owed" if facts["owed_yen"] else "nothing_owed"]
    if facts["reason"] != "sale_void":  # there the card company has given it back
        parts.append("no_refund")
    if facts["credit_yen"]:
        parts.append("credit")
    return parts, [("owed", facts, facts["owed_yen"])] if facts["owed_yen"] else []


def _link_lapses(facts: Facts) -> Parts:
    return ["main", "next"], []


def _link_ended(facts: Facts) -> Parts:
    return ["main", f"why.{facts['cause']}"], []


_PARTS: Final[Mapping[str, Callable[[Facts], Parts]]] = {
    "claim_received": _received,
    "claim_granted": _granted,
    "claim_rejected": _rejected,
    "remedy": _remedy,
    "credit": _credit,
    "refund": _refund,
    "contract_end": _ended,
    "link_lapses": _link_lapses,
    "link_ended": _link_ended,
}
