"""Which lines of a statement are known already: told apart by the bank's id, the balance, the row, or their count.

    same id                          the same line          another id       another line, however equal
    same row of a file               the same line, counted
    same balance after it, a name that the other has in it   the same line       another balance   another line
    neither is told by id or balance the n-th of a file is the n-th that is known

Always holds: a known line answers for one line of a file, and a line of a file for one known line. Pure; accounts are
told apart before (the account is part of every comparison).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from keizoku.billing.rules.bank.names import without_numbers
from keizoku.billing.rules.bank.statement import LineState, StatementLine


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line that the book has: as it was read."""

    id: int
    line: StatementLine
    nth: int


@dataclass(frozen=True, slots=True)
class ToldApart:
    """Of a file's lines: the new ones with their number among equals, the known ones, and those read another way."""

    fresh: tuple[tuple[StatementLine, int], ...]
    known: tuple[tuple[StatementLine, int], ...]  # with the id that the book has
    otherwise: tuple[tuple[StatementLine, KnownLine], ...]  # the same row, taken for something else before


def facts_of(line: StatementLine) -> tuple[Hashable, ...]:
    """What two equal lines have in common."""
    return (
        line.account, line.booked_on, line.direction, line.currency, line.amount, line.payer, line.reference,
    )  # fmt: skip


@dataclass(slots=True)
class _Pool:
    """Known lines that are not yet answered for."""

    left: dict[int, KnownLine]
    found: dict[int, KnownLine] = field(default_factory=dict)  # place in the file -> known line

    def meet(
        self,
        lines: Sequence[StatementLine],
        key: Callable[[StatementLine], Hashable | None],
        differ: Callable[[StatementLine, StatementLine], bool] | None = None,
    ) -> None:
        """Pair what has the same key, in order, and does not differ otherwise; a key of None is none."""
        differ = differ or _differ_or_came
        by_key: dict[Hashable, deque[KnownLine]] = defaultdict(deque)
        for each in self.left.values():
            if (of := key(each.line)) is not None:
                by_key[of].append(each)
        if not by_key:
            return
        for same_state in (True, False):  # each line first meets one that stands as it does
            for place, line in enumerate(lines):
                if place in self.found or (of := key(line)) is None:
                    continue
                waiting = by_key.get(of, deque())
                while waiting and waiting[0].id not in self.left:
                    waiting.popleft()
                for known in waiting:
                    if same_state and known.line.state is not line.state:
                        continue
                    if known.id in self.left and not differ(line, known.line):
                        self.found[place] = self.left.pop(known.id)
                        break


def tell_apart(
    lines: Sequence[StatementLine],
    known: Iterable[KnownLine],
    used: Mapping[tuple[Hashable, ...], int] = MappingProxyType({}),
) -> ToldApart:
    """Which of a file's lines are new. `used`: numbers among equals that lines taken back have had, by their facts."""
    every = list(known)
    numbers: dict[tuple[Hashable, ...], int] = defaultdict(int, used)
    for each in every:
        facts = facts_of(each.line)
        numbers[facts] = max(numbers[facts], each.nth)
    pool = _Pool({each.id: each for each in every})
    pool.meet(lines, _by_id)
    pool.meet(lines, _by_row, _differ)
    pool.meet(lines, _by_balance, _of_others)
    pool.meet(lines, facts_of)
    fresh, met, otherwise = [], [], []
    for place, line in enumerate(lines):
        answer = pool.found.get(place)
        if answer is None:
            facts = facts_of(line)
            numbers[facts] += 1
            fresh.append((line, numbers[facts]))
        elif (answer.line.signed, answer.line.currency) != (line.signed, line.currency):
            otherwise.append((line, answer))
        else:
            met.append((line, answer.id))
    return ToldApart(tuple(fresh), tuple(met), tuple(otherwise))


def _differ(one: StatementLine, other: StatementLine) -> bool:
    """Whether the bank itself tells them apart: its own number, or the balance after them."""
    if one.bank_id and other.bank_id:
        return one.bank_id != other.bank_id
    return one.balance is not None and other.balance is not None and one.balance != other.balance


def _differ_or_came(one: StatementLine, other: StatementLine) -> bool:
    """The same; and what was announced has arrived, or what was booked is taken back: a line of its own says so."""
    states = (other.state, one.state)
    return _differ(one, other) or states in (
        (LineState.PENDING, LineState.BOOKED),
        (LineState.BOOKED, LineState.CANCELLED),
    )


def _of_others(one: StatementLine, other: StatementLine) -> bool:
    """Whether they are told apart, or are of two payers: neither name has the other in it."""
    names = without_numbers(one.payer), without_numbers(other.payer)
    return _differ_or_came(one, other) or not (names[0] in names[1] or names[1] in names[0])


def _by_id(line: StatementLine) -> Hashable | None:
    return (line.account, line.booked_on, line.bank_id) if line.bank_id else None


def _by_row(line: StatementLine) -> Hashable | None:
    return (line.account, line.booked_on, line.digest) if line.digest else None


def _by_balance(line: StatementLine) -> Hashable | None:
    if line.balance is None:
        return None
    return line.account, line.booked_on, line.direction, line.currency, line.amount, line.balance
