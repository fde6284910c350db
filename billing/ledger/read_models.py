"""What is answered about the books: balances, an account line by line, an entry with what is behind it, the rules.

Amounts are whole yen, debit positive; days JST dates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from keizoku.terms.read_model import ReadModel


@dataclass(frozen=True, slots=True, eq=False)
class AccountName(ReadModel):
    """An account of the chart, by its code and its names."""

    code: str
    ja: str
    en: str
    type: str


@dataclass(frozen=True, slots=True, eq=False)
class TrialRow(AccountName):
    """An account in a trial balance."""

    debit: int
    credit: int
    balance: int


@dataclass(frozen=True, slots=True, eq=False)
class Trial(ReadModel):
    """The trial balance through a day, as known at an instant (None: all that is known), and its totals."""

    as_of: date | None
    known_at: datetime | None
    accounts: tuple[TrialRow, ...]
    debit: int
    credit: int


@dataclass(frozen=True, slots=True, eq=False)
class BookLine(ReadModel):
    """A line of an account, with its entry and the balance after it; `belongs_to` names a closed month."""

    date: date
    entry: int
    event: str
    key: str
    account: str | None
    belongs_to: str | None
    yen: int
    balance: int


@dataclass(frozen=True, slots=True, eq=False)
class AccountBook(AccountName):
    """An account line by line, from its opening to its closing balance."""

    as_of: date | None
    known_at: datetime | None
    opening: int
    lines: tuple[BookLine, ...]
    closing: int


@dataclass(frozen=True, slots=True, eq=False)
class EntryLine(AccountName):
    """A line of an entry."""

    yen: int


@dataclass(frozen=True, slots=True, eq=False)
class EntryClause(ReadModel):
    """The clause that an entry rests on, and its gist."""

    id: str
    ja: str
    en: str


@dataclass(frozen=True, slots=True, eq=False)
class RowBehind(ReadModel):
    """The row of a table that an event's key names, without what is too long to show."""

    table: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class PostedByPeople(ReadModel):
    """Who posted an entry by hand, on which ground, and which entry it takes back."""

    author: str
    ground: str
    reverses: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Reversal(ReadModel):
    """The entry that took an entry back, who made it, and on which ground."""

    entry: int
    author: str
    ground: str


@dataclass(frozen=True, slots=True, eq=False)
class EntryExplanation(ReadModel):
    """An entry: its lines, the rule that made it, the event behind it, its clause, who took it back."""

    id: int
    posted_on: date
    event: str
    event_key: str
    clause: EntryClause | None
    account: str | None
    belongs_to: str | None
    recorded_at: datetime
    occasion: str
    lines: tuple[EntryLine, ...]
    behind: RowBehind | None
    by_people: PostedByPeople | None
    reversed_by: Reversal | None


@dataclass(frozen=True, slots=True, eq=False)
class RuleLeg(AccountName):
    """A side of a journal rule: the account, and which amounts of the event go there."""

    amounts: str


@dataclass(frozen=True, slots=True, eq=False)
class JournalRule(ReadModel):
    """What an event posts, when, and by which clause."""

    event: str
    occasion: str
    debit: tuple[RuleLeg, ...]
    credit: tuple[RuleLeg, ...]
    clause: str


@dataclass(frozen=True, slots=True, eq=False)
class MonthBalance(ReadModel):
    """An account over a month."""

    opening: int
    moved: int
    closing: int
