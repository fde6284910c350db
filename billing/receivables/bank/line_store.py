"""Lines of the bank's book as rows: read for comparison, written in bulk. Nothing here decides or commits."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import NOT_TAKEN_BACK
from keizoku.billing.rules.bank.identity import KnownLine
from keizoku.billing.rules.bank.packed_lines import first_and_last_day, shows_balances
from keizoku.billing.rules.bank.statement import YEN, Direction, LineState, Statement, StatementFile, StatementLine
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.bank import bank_line, bank_statement

_COLUMNS = (
    "id", "source", "line", "paid_on", "yen", "payer", "reference", "nth", "doubt", "recorded_at", "bank_account",
    "direction", "currency", "foreign_amount", "value_on", "kind_text", "bank_id", "balance", "state", "line_digest",
    "file_digest", "posts",
)  # fmt: skip


def posts(line: StatementLine, whole: bool) -> bool:
    """Whether its money is in our books by the line itself.

    What leaves is posted from a `whole` statement, one that shows balances: a list of money received (振込入金通知, a
    file with our four columns) says nothing of what the account holds, and what it shows of payments out waits in the
    book for people.
    """
    booked = line.currency == YEN and line.state is LineState.BOOKED and not line.ignored
    return booked and (whole or line.direction is Direction.IN)


def whole_accounts(file: StatementFile) -> frozenset[str]:
    """The accounts of whose balances a file tells."""
    return frozenset(each.account for each in file.statements if each.closing is not None or shows_balances(each.lines))


def known_lines(session: Session, lines: Sequence[StatementLine]) -> list[KnownLine]:
    """What the book has of the days and accounts of these lines; what was taken back is not had."""
    if not lines:
        return []
    days = [each.booked_on for each in lines]
    rows = session.execute(
        sa.select(bank_line)
        .where(
            bank_line.c.paid_on.between(min(days), max(days)),
            bank_line.c.bank_account.in_(sorted({each.account for each in lines})),
            NOT_TAKEN_BACK,
        )
        .order_by(bank_line.c.id)
    )
    return [KnownLine(row.id, line_of(row), row.nth) for row in rows]


def used_numbers(session: Session, lines: Sequence[StatementLine]) -> dict[tuple[Hashable, ...], int]:
    """The highest number among equals that lines taken back have used up, by their facts."""
    if not lines:
        return {}
    days = [each.booked_on for each in lines]
    rows = session.execute(
        sa.select(bank_line).where(bank_line.c.paid_on.between(min(days), max(days)), ~NOT_TAKEN_BACK)
    )
    found: dict[tuple[Hashable, ...], int] = {}
    for row in rows:
        key = (row.bank_account, row.paid_on, row.direction, row.currency, row.yen or row.foreign_amount,
               row.payer, row.reference)  # fmt: skip
        found[key] = max(found.get(key, 0), row.nth)
    return found


def line_of(row: sa.Row[Any]) -> StatementLine:
    """A row of the book as it was read."""
    return StatementLine(
        account=row.bank_account,
        line=row.line,
        booked_on=row.paid_on,
        direction=Direction(row.direction),
        amount=row.yen or row.foreign_amount,
        currency=row.currency,
        value_on=row.value_on,
        kind_text=row.kind_text,
        payer=row.payer,
        reference=row.reference,
        bank_id=row.bank_id,
        balance=row.balance,
        state=LineState(row.state),
        digest=row.line_digest,
    )


def write_lines(
    session: Session,
    file: StatementFile,
    lines: Iterable[tuple[StatementLine, int, str | None, bool]],
    source: str,
    now: datetime,
) -> list[int]:
    """Write lines, each with its number among equals, why its payer is not known, whether it posts; their ids."""
    every = list(lines)
    ids = next_ids(session, bank_line, len(every))
    copy_rows(
        session,
        bank_line,
        _COLUMNS,
        (
            (
                line_id, source, line.line, line.booked_on, line.amount if line.currency == YEN else 0, line.payer,
                line.reference, nth, doubt, now, line.account, line.direction.value, line.currency,
                0 if line.currency == YEN else line.amount, line.value_on, line.kind_text, line.bank_id, line.balance,
                line.state.value, line.digest, file.digest, is_posted,
            )
            for line_id, (line, nth, doubt, is_posted) in zip(ids, every, strict=True)
        ),
    )  # fmt: skip
    return list(ids)


def write_statements(session: Session, file: StatementFile, statements: Iterable[Statement], now: datetime) -> None:
    """What a file says of each account: its days and balances."""
    for each in statements:
        days = _days(each)
        if days is not None:
            session.execute(
                sa.insert(bank_statement).values(
                    digest=file.digest, bank_account=each.account, currency=each.currency, preset=each.preset,
                    first_on=days[0], last_on=days[1], recorded_at=now,
                    opening=None if each.opening is None else each.opening.amount,
                    closing=None if each.closing is None else each.closing.amount,
                )
            )  # fmt: skip


def _days(statement: Statement) -> tuple[date, date] | None:
    days = list(first_and_last_day(statement.lines) or ())
    days += [balance.on for balance in (statement.opening, statement.closing) if balance is not None]
    return (min(days), max(days)) if days else None
