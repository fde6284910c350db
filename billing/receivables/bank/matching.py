"""New lines whose payer is known: each with its receipt and what that settles, many in one transaction.

    lines of members, by day ──> chunks of one day in which each account comes once ──> written together, one commit
                                   └─ the database refuses it: its halves ──> … ──> the line alone is a finding

Always holds: an account's lines are applied in the order of their days. A line and what it settles are written together
or not at all, so that a file that was cut short, or a refused line, is taken by reading the file again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from keizoku.billing.ledger.bank_acts import note_matches
from keizoku.billing.receivables.bank.line_store import write_lines
from keizoku.billing.receivables.bank.payers import Whose
from keizoku.billing.receivables.cash_application import AppliedMoney
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.billing.receivables.rework.together import Received, receive_together
from keizoku.billing.rules.bank.packed_lines import PackedRows
from keizoku.billing.rules.bank.statement import Direction, StatementFile, StatementLine
from keizoku.db.fence import Fence, in_halves, is_of_item
from keizoku.db.session import Session
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

_CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True)
class MatchedLine:
    """A payment that found its account: the rows that say so."""

    line_id: int
    act_id: int
    applied: AppliedMoney

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.applied.application.account


class MatchedIds(NamedTuple):
    """A payment that found its account, by the ids of its line, of the act that says so and of its receipt."""

    line_id: int
    act_id: int
    receipt_id: int
    account: str


class Matched(Iterable[MatchedIds]):
    """The payments of a file that found their account: their ids alone, held small, for there may be a million."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows = PackedRows()

    def extend(self, matched: Iterable[MatchedIds]) -> None:
        """Keep the ids of more."""
        for each in matched:
            self._rows.append(tuple(each))

    def accounts_in_parts(self, most: int) -> Iterator[list[str]]:
        """Whose payments there are, sorted, at most so many at a time; an account may come in several parts."""
        some: set[str] = set()
        for each in self:
            some.add(each.account)
            if len(some) == most:
                yield sorted(some)
                some = set()
        if some:
            yield sorted(some)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[MatchedIds]:
        return map(MatchedIds._make, self._rows)


@dataclass(frozen=True, slots=True)
class FreshLine:
    """A new line: its number among equals, whose it is."""

    line: StatementLine
    nth: int
    whose: Whose
    posts: bool

    @property
    def row(self) -> tuple[StatementLine, int, str | None, bool]:
        """What `write_lines` takes: the line, its number, why its payer is not known, whether it posts."""
        doubt = self.whose.doubt if self.line.direction is Direction.IN and self.whose.account is None else None
        return self.line, self.nth, doubt, self.posts

    @property
    def is_member_s(self) -> bool:
        """Whether it is a payment whose account is known."""
        return self.line.direction is Direction.IN and self.posts and self.whose.account is not None


RefusedLine = tuple[FreshLine, Finding]
"""A line that the database would not take, and what is said of it."""


def take_matched(
    session: Session, rules: Rules, file: StatementFile, source: str, lines: Sequence[FreshLine], now: datetime
) -> tuple[tuple[MatchedIds, ...], list[RefusedLine]]:
    """Take lines whose accounts are known, in the order of their days; commits. And those that could not be taken."""
    matched: dict[int, MatchedIds] = {}

    def take(places: Sequence[int]) -> None:
        done = _take_chunk(session, rules, file, source, [lines[place] for place in places], now)
        session.commit()
        matched.update(zip(places, done, strict=True))

    refused = take_fenced(session, file.source, lines, _chunks(lines), take)
    return tuple(matched[place] for place in sorted(matched)), refused


def take_fenced(
    session: Session,
    source: str,
    lines: Sequence[FreshLine],
    chunks: Iterable[Sequence[int]],
    take: Callable[[Sequence[int]], None],
) -> list[RefusedLine]:
    """Take chunks of lines, named by their places; `take` commits. What fails alone is a finding, the rest goes on."""
    fence = Fence()

    def again(_: Session, places: Sequence[int]) -> int:
        take(places)
        return len(places)

    for chunk in chunks:
        try:
            take(chunk)
        except Exception as error:
            session.rollback()
            if not is_of_item(error):
                raise
            in_halves(session, fence, "document", chunk, again)
    refused = []
    for item in fence.items.values():
        fresh = lines[int(item.key)]
        line, remedy = fresh.line, "the other lines are in the book; import the file again when the reason is gone"
        refused.append((fresh, Finding(source, line.line, f"{line.direction} {line.amount:,}", item.why, remedy)))
    return refused


def _chunks(lines: Sequence[FreshLine]) -> list[list[int]]:
    """Places of the lines: chunks of one day, in which an account comes once."""
    waves: dict[tuple[date, int], list[int]] = defaultdict(list)
    seen: Counter[tuple[date, str]] = Counter()
    for place, each in enumerate(lines):
        key = each.line.booked_on, each.whose.account or ""
        waves[each.line.booked_on, seen[key]].append(place)
        seen[key] += 1
    return [waves[key][start : start + _CHUNK] for key in sorted(waves) for start in range(0, len(waves[key]), _CHUNK)]


def _take_chunk(
    session: Session, rules: Rules, file: StatementFile, source: str, chunk: Sequence[FreshLine], now: datetime
) -> list[MatchedIds]:
    """Lines of one day and of different accounts, their receipts and what those settle. Does not commit."""
    ids = write_lines(session, file, [each.row for each in chunk], source, now)
    on = chunk[0].line.booked_on
    payments = [
        Payment(each.whose.account or "", each.line.amount, for_term_on=each.whose.for_term_on, received_on=on)
        for each in chunk
    ]
    together = receive_together(session, rules, payments, on, now)
    received = [
        _alone(session, rules, payment, now) if done is None else done
        for payment, done in zip(payments, together, strict=True)
    ]
    acts = note_matches(
        session,
        [
            (line_id, account, receipt_id, each.whose.by, each.whose.ground)
            for line_id, each, (account, receipt_id) in zip(ids, chunk, received, strict=True)
        ],
        now,
    )
    return [
        MatchedIds(line_id, act_id, receipt_id, account)
        for line_id, act_id, (account, receipt_id) in zip(ids, acts, received, strict=True)
    ]


def _alone(session: Session, rules: Rules, payment: Payment, now: datetime) -> Received:
    """A payment of an account that has something of later days: that is worked out again."""
    try:
        applied = receive(session, rules, payment, now, commit=False)
    except Refused:  # the debt that it names is paid by an earlier line of this file: the oldest open one, then
        applied = receive(session, rules, payment.unnamed, now, commit=False)
    return Received(applied.application.account, applied.source_id)
