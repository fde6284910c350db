"""Entries summed for a package that wants fewer of them: per document, per day, per month. Pure.

    SUMMARIES: entry (each by itself), document, day, month

Only entries of the same event, on the same accounts, for the same month become one: so a fee with tax and one without
stay apart, and what was posted in another month than its own still says so. Entries of people are never summed; their
ground has to be seen. The lines of a summary are the sums of its entries' lines, so it balances as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from keizoku.billing.closing.exports.entries import BookEntry
from keizoku.billing.rules.books.journal_rules import JournalLine

__all__ = ["SUMMARIES", "summed"]

BY_PEOPLE = frozenset(("by_people", "reversal"))
Key = tuple[object, ...]


def _document(entry: BookEntry) -> str:
    """What an entry is about, as its key names it: invoice:12 of invoice:12:paid."""
    return ":".join(entry.key.split(":")[:2])


_KEYS: dict[str, Callable[[BookEntry], Key]] = {
    "document": lambda entry: (entry.posted_on, _document(entry), entry.account),
    "day": lambda entry: (entry.posted_on,),
    "month": lambda entry: (),
}
SUMMARIES = ("entry", *_KEYS)
"""What `--summary` takes: each entry by itself, or one for each document, day or month."""


def summed(entries: Iterable[BookEntry], by: str) -> Iterator[BookEntry]:
    """The entries as a summary wants them, in order of days; a day, or the month, is held while it goes by."""
    if by == "entry":
        yield from entries
        return
    key_of = _KEYS[by]
    held: dict[Key, _Sum] = {}
    on: date | None = None
    for entry in entries:
        if by != "month" and entry.posted_on != on:
            yield from _made(held)
            on = entry.posted_on
        if entry.event in BY_PEOPLE:
            held[entry.id,] = _Sum(entry)
            continue
        accounts = frozenset(line.account for line in entry.lines)
        key = (*key_of(entry), entry.event, entry.belongs_to, accounts)
        if key in held:
            held[key].add(entry)
        else:
            held[key] = _Sum(entry)
    yield from _made(held)


class _Sum:
    """Entries on their way into one."""

    def __init__(self, first: BookEntry) -> None:
        self.first = self.last = first
        self.count = 1
        self.yen: dict[str, int] = {}
        self._take(first)

    def add(self, entry: BookEntry) -> None:
        """One more of the same kind."""
        self.last = entry
        self.count += 1
        self._take(entry)

    def _take(self, entry: BookEntry) -> None:
        for code, yen in entry.lines:
            self.yen[code] = self.yen.get(code, 0) + yen

    def made(self) -> BookEntry:
        """The entry that stands for them; one alone is as it was."""
        if self.count == 1:
            return self.first
        last, same = self.last, self.first.account == self.last.account
        return BookEntry(
            id=last.id,
            posted_on=last.posted_on,
            event=last.event,
            clause=last.clause,
            account=last.account if same else None,
            lines=tuple(JournalLine(code, yen) for code, yen in self.yen.items() if yen),
            belongs_to=last.belongs_to,
            key=last.key,
            first_id=self.first.id,
        )


def _made(held: dict[Key, _Sum]) -> list[BookEntry]:
    """What was held, in order of days and numbers; nothing is held after it."""
    made = sorted((each.made() for each in held.values()), key=lambda entry: (entry.posted_on, entry.id))
    held.clear()
    return [entry for entry in made if entry.lines]
