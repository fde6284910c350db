"""Who issues our documents, and whether they are qualified invoices (適格請求書) on a day.

    Registration.parse("T8010601046367/2023-10-01")     in force from that day on, until its end if it has one
    IssuerChange.parse("2027-04-01/新継続株式会社/")      another name from that day on, the address as before

Always holds: a document names its issuer as it was on the document's day; a number without the right check digit is no
number; without one in force on the day no document calls
itself a qualified invoice. Days are JST dates, periods half-open. Errors: ValueError for what is not as above.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration number and the days on which it is in force."""

    number: str
    from_on: date
    until_on: date | None = None

    @classmethod
    def parse(cls, text: str) -> Registration:
        """Read NUMBER/FIRST DAY, or NUMBER/FIRST DAY/DAY AFTER THE LAST."""
        number, *days = (part.strip() for part in text.split("/"))
        if not valid_number(number):
            raise ValueError(f"{number!r} is no registration number: T and 13 digits, the first one a check digit")
        try:
            from_on, until_on = (*map(date.fromisoformat, days), None)[:2] if len(days) in (1, 2) else (None, None)
        except ValueError:
            from_on = until_on = None
        if from_on is None or (until_on is not None and until_on <= from_on):
            raise ValueError(f"{text!r} has to name its days: {number}/2023-10-01, or {number}/2023-10-01/2026-04-01")
        return cls(number, from_on, until_on)

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return self.from_on <= on and (self.until_on is None or on < self.until_on)


@dataclass(frozen=True, slots=True)
class IssuerChange:
    """Another name, address or both, from a day on; what is empty stays as it was."""

    from_on: date
    name: str
    address: str

    @classmethod
    def parse(cls, text: str) -> IssuerChange:
        """Read FIRST DAY/NAME/ADDRESS, either of which may be empty."""
        day, *said = (part.strip() for part in text.split("/", 2))
        try:
            from_on: date | None = date.fromisoformat(day)
        except ValueError:
            from_on = None
        name, address = (*said, "", "")[:2]
        if from_on is None or not (name or address):
            raise ValueError(
                f"{text!r} has to be a first day, a name and an address: 2027-04-01/新継続株式会社/東京都港区1-2-3, "
                "one of them may be empty; a text with a comma in it needs the list as JSON"
            )
        return cls(from_on, name, address)


@dataclass(frozen=True, slots=True)
class Issuer:
    """The operator as it stands on documents; what is not known is left out."""

    name: str = ""
    address: str = ""
    registrations: tuple[Registration, ...] = ()
    contact: str = ""
    changes: tuple[IssuerChange, ...] = ()

    def on(self, day: date) -> Issuer:
        """As it was on a day: name and address by the last change before it, or of it."""
        name, address = self.name, self.address
        for change in sorted(self.changes, key=lambda each: each.from_on):
            if change.from_on <= day:
                name, address = change.name or name, change.address or address
        return replace(self, name=name, address=address, changes=())

    def number_on(self, on: date) -> str | None:
        """The registration number in force on a day."""
        return next((each.number for each in self.registrations if each.in_force(on)), None)


def valid_number(number: str) -> bool:
    """Whether it is T and 13 digits whose first is 9 - (the other twelve × 1, 2, 1, … from the right) mod 9."""
    digits = number.removeprefix("T")
    if len(number) != 14 or len(digits) != 13 or not (digits.isascii() and digits.isdecimal()):
        return False
    weighted = sum(int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits[1:])))
    return int(digits[0]) == 9 - weighted % 9


def registrations(texts: Iterable[str]) -> tuple[Registration, ...]:
    """Several, none of which overlaps another. ValueError names what is wrong."""
    read = sorted((Registration.parse(text) for text in texts), key=lambda each: each.from_on)
    for before, after in pairwise(read):
        if before.in_force(after.from_on):
            raise ValueError(f"{before.number} and {after.number} are both in force on {after.from_on}")
    return tuple(read)


def issuer_changes(texts: Iterable[str]) -> tuple[IssuerChange, ...]:
    """Several, in the order of their days. ValueError names what is wrong, and two of one day."""
    read = sorted((IssuerChange.parse(text) for text in texts), key=lambda each: each.from_on)
    for before, after in pairwise(read):
        if before.from_on == after.from_on:
            raise ValueError(f"there are two changes on {after.from_on}: make one of them")
    return tuple(read)
