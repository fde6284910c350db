"""The words of letters about decisions: facts of a row in, paragraphs and a table of amounts out, ja or en.

    claim_granted {outage_month: 2026-04, new_yen: 100, goes_to: bill, …}
        └─ how much, where it goes and when, what to do; 今回お認めした減額 100円

Pure; the sentences are in terms/sentences/letters.toml. Amounts are whole yen. KeyError: a fact that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Any, Final

from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.notice_text import Item
from keizoku.billing.rules.payment_reference import ACCOUNT, INVOICE, Reference
from keizoku.terms import words
from keizoku.terms.calendar import JST, parse_instant
from keizoku.terms.rendering import Lang, sentence, templates

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LetterText:
    """What a letter says, without its heading: paragraphs, then the list of details and the table of amounts."""

    paragraphs: tuple[str, ...]
    amounts: tuple[tuple[str, int], ...] = ()
    details: tuple[tuple[str, str], ...] = ()

    def plain(self, lang: Lang) -> str:
        """As plain text, a paragraph a line, its details and amounts below."""
        return "\n".join((*self.paragraphs, *listed(self.details, self.amounts, lang)))


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
    details: tuple[tuple[str, str], ...] = ()
    customer: str = ""  # the account, where the addressee stands by name
    address: tuple[str, ...] = ()  # the addressee's, a line each
    note: str = ""  # the heading of details and amounts

    def plain(self) -> str:
        """Its text without heading and close, a paragraph a line."""
        return "\n".join((*self.paragraphs, *listed(self.details, self.amounts, self.lang)))


@dataclass(frozen=True, slots=True)
class Page:
    """A letter as it is sent: Japanese first, then English, or one of them."""

    letters: tuple[PrintedLetter, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a letter in every language: its number, its JST day, who writes, and to which account."""

    number: str
    on: date
    sender: Issuer
    account: str


def printed(heading: Heading, subject: str, text: LetterText, lang: Lang) -> PrintedLetter:
    """A letter with its heading and its close, to the account; `addressed` puts a name in its place."""
    sender = heading.sender.on(heading.on)
    contact = sentence("letter.contact", lang, {"contact": sender.contact}) if sender.contact else ""
    return PrintedLetter(
        lang,
        sentence("letter.number", lang, {"number": heading.number}),
        words.day(heading.on, lang == "ja"),
        sentence("document.to", lang, {"account": heading.account}),
        tuple(line for line in (sender.name, sender.address, contact) if line),
        subject,
        text.paragraphs,
        text.amounts,
        sentence("letter.closing", lang, {}),
        "円" if lang == "ja" else " yen",
        text.details,
        note=sentence("letter.note", lang, {}) if text.details or text.amounts else "",
    )


def addressed(letter: PrintedLetter, account: str, addressee: Addressee | None) -> PrintedLetter:
    """A letter with its addressee's name and address, and the account as the number of a customer."""
    if addressee is None:
        return letter
    return replace(
        letter,
        addressee=sentence("document.to", letter.lang, {"account": addressee.name}),
        customer=sentence("letter.customer", letter.lang, {"account": account}),
        address=addressee.lines,
    )


def printed_of_json(said: Facts) -> PrintedLetter:
    """A letter as it was stored (`dataclasses.asdict` as JSON)."""
    pairs = {name: tuple((one, two) for one, two in said[name]) for name in ("amounts", "details")}
    lines = {name: tuple(said[name]) for name in ("sender", "paragraphs", "address")}
    return PrintedLetter(**{**said, **pairs, **lines})


def listed(details: Sequence[tuple[str, str]], amounts: Sequence[tuple[str, int]], lang: Lang) -> tuple[str, ...]:
    """Details and amounts as lines of plain text."""
    unit = "円" if lang == "ja" else " yen"
    return (*(f"{name}: {said}" for name, said in details), *(f"{name}: {yen:,}{unit}" for name, yen in amounts))


FORMAL: Final = frozenset({"suspension", "termination", "acceleration"})
"""What begins without thanks."""


def notice_letter(kind: str, body: str, items: Sequence[Item], lang: Lang) -> LetterText:
    """A notice or a demand as it was written: a paragraph a line, and its list."""
    greeting = () if kind in FORMAL else (sentence("letter.greeting", lang, {}),)
    return LetterText(
        (*greeting, *body.splitlines()),
        tuple((str(each[lang]), int(each["yen"])) for each in items if "yen" in each),
        tuple((str(each[lang]), str(each[f"{lang}_text"])) for each in items if "yen" not in each),
    )


def letter_text(kind: str, facts: Facts, lang: Lang) -> LetterText:
    """The letter of a kind (`letter.kind` of the tables) with these facts."""
    parts, rows = _PARTS[kind](facts)
    details = _transfer(kind, facts)
    if details:
        parts += ["transfer", "reference"]
    if facts.get("deadline_at"):
        facts = {**facts, "deadline_on": deadline_on(facts)}
    said = [sentence(_SHARED.get(part, f"letter.{kind}.{part}"), lang, facts) for part in parts]
    told = 1 if kind == "claim_granted" else 2  # what is decided, or that nothing is and why
    return LetterText(
        (sentence("letter.greeting", lang, {}), *said[:told], *_workings(facts, lang), *said[told:]),
        tuple((sentence(f"letter.row.{row}", lang, own), yen) for row, own, yen in rows),
        tuple((sentence(f"letter.item.{name}", lang, {}), said) for name, said in details),
    )


def _workings(facts: Facts, lang: Lang) -> list[str]:
    """What was measured, what each clause took from it, and what is left: sentences with their article."""
    return [
        sentence(step["key"], lang, step["facts"]) + article(step["clause"], lang)
        for step in facts.get("workings") or ()
    ]


def article(clause: str, lang: Lang) -> str:
    """A clause as letters name it: premium/9.4.2 is (第9条第4項第2号), (Article 9.4.2)."""
    numbers = clause.rpartition("/")[2]
    if lang == "en":
        return f" (Article {numbers})"
    return f"({''.join(f'第{one}{word}' for one, word in zip(numbers.split('.'), '条項号', strict=False))})"


def _transfer(kind: str, facts: Facts) -> list[tuple[str, str]]:
    """Where a transfer goes and what it states, in a letter that asks for one."""
    if not facts.get("pay_to"):
        return []
    if kind == "contract_end" and facts["owed_yen"]:
        return [("pay_to", facts["pay_to"]), ("reference", str(Reference(ACCOUNT, facts["payer_number"])))]
    if kind == "credit" and facts["method"] == "other" and facts["charged_yen"]:
        return [("pay_to", facts["pay_to"]), ("reference", str(Reference(INVOICE, facts["invoice"])))]
    return []


_SHARED: Final = {"pay_now": "letter.overdue.pay_now", "transfer": "letter.overdue.transfer_too",
                  "reference": "letter.overdue.reference"}  # fmt: skip
"""Paragraphs that several kinds of letters have."""

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
    reason = facts["reason"]
    if reason == "deadline" and deadline_on(facts) is not None:
        reason = "deadline_day"
    return ["main", reason, "next"], []


def deadline_on(facts: Facts) -> date | None:
    """The last day before a deadline at midnight; None for one within a day."""
    at = parse_instant(facts["deadline_at"]).astimezone(JST)
    return None if at.time() != time() else at.date() - timedelta(days=1)


def _remedy(facts: Facts) -> Parts:
    became = facts.get("outcome")  # before the letter was written; of some letters it is not known
    if became is not None:
        return ["main", became], []
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
    if facts["owed_yen"]:
        later = (facts.get("owed_due_on") or "") > (facts.get("written_on") or "")  # days as ISO text
        parts.append("by" if later else "pay_now")
    if facts["reason"] != "sale_void":  # there the card company has given it back
        parts.append("no_refund")
    if facts["credit_yen"]:
        parts.append("credit")
    return parts, [("owed", facts, facts["owed_yen"])] if facts["owed_yen"] else []


def _terms(facts: Facts) -> Parts:
    return ["main", "where", "decline"], []


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
    "terms": _terms,
    "link_lapses": _link_lapses,
    "link_ended": _link_ended,
}
