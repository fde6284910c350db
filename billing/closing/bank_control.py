"""The bank as a control: 1110 of the ledger, and what the statements say that the accounts hold, on any day.

    statements: the balance before the first line + every line since = the balance that the bank states, after a line,
                before or after a file; where not, lines are missing or wrong, since which day and by how much
    ledger:     1110 = the lines of all accounts + what is booked and not at the bank + what is at the bank, not booked

What an account held before its first statement is in no books of ours unless people post it. Read only; whole yen.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import zip_longest
from typing import Final

import sqlalchemy as sa

from keizoku.billing.ledger.bank_joins import NEVER_LEFT
from keizoku.db.session import Session
from keizoku.terms.calendar import Month
from keizoku.terms.read_model import ReadModel

IN_TRANSIT: Final = timedelta(days=7)
"""How long money may be on its way before somebody has to look."""
SHOWN: Final = 6
"""Days of one account that a sentence names."""


@dataclass(frozen=True, slots=True, eq=False)
class Break(ReadModel):
    """A day from whose end on the bank states `yen` more than the lines make, beside what was off before it."""

    on: date
    yen: int


@dataclass(frozen=True, slots=True, eq=False)
class BankAccountBalance(ReadModel):
    """An account at the bank on a day: what it held before its first line, what its lines make, what the bank states.

    `broken_since`: the first day whose end the lines do not explain; None: they explain every day. `breaks`: that day
    and each later one on which what they do not explain changes: a line that lacks is a day of its own.
    """

    account: str
    first_on: date
    last_on: date
    opening_yen: int
    lines_yen: int
    stated_yen: int
    broken_since: date | None
    breaks: tuple[Break, ...] = ()

    @property
    def ties(self) -> bool:
        """Whether the lines make what the bank states."""
        return self.broken_since is None

    @property
    def off(self) -> str:
        """By how many yen the lines are short, and on which later days that changes; empty where they are not."""
        told = [
            f"{each.yen:+,} yen" if at == 0 else f"{each.yen:+,} on {each.on}" for at, each in enumerate(self.breaks)
        ]
        return f" ({', '.join(told[:SHOWN])}{', …' if len(told) > SHOWN else ''})" if told else ""


@dataclass(frozen=True, slots=True, eq=False)
class Unmet(ReadModel):
    """What one side has and the other not: `what` it is, since which day, by how many yen 1110 is higher for it."""

    what: str
    about: str
    since: date
    yen: int


@dataclass(frozen=True, slots=True, eq=False)
class BankControl(ReadModel):
    """1110 and the statements on a day; `rest_yen` is what nothing explains."""

    on: date
    ledger_yen: int
    lines_yen: int
    accounts: tuple[BankAccountBalance, ...]
    unmet: tuple[Unmet, ...]
    rest_yen: int

    @property
    def known(self) -> bool:
        """Whether any statement tells a balance."""
        return bool(self.accounts)

    def faults(self, month: Month, ours: Collection[str] = ()) -> list[str]:
        """What stands in the way of closing a month, as sentences; nothing where no statement tells a balance.

        `ours`: our accounts, each of which has to have a statement.
        """
        told = {each.account for each in self.accounts}
        found = [f"account {each}: no statement at all" for each in ours if each not in told]
        if not self.known:
            return found
        found += [
            f"account {each.account or '(not named)'}: lines do not make the stated balance since {each.broken_since}"
            f"{each.off}"
            for each in self.accounts
            if each.broken_since is not None
        ]
        found += [
            f"account {each.account or '(not named)'}: no statement of {month}, the last one ends {each.last_on}"
            for each in self.accounts
            if each.last_on < month.first_on
        ]
        late = month.end_on - IN_TRANSIT
        found += [
            f"{each.about}: {each.what}, {each.yen:,} yen since {each.since}"
            for each in self.unmet
            if each.what in AT_BANK_ONLY or (each.what in IN_BOOKS_ONLY and each.since < late)
        ]
        if self.rest_yen:
            found.append(f"1110 is {self.rest_yen:,} yen off what the statements and these rows say")
        return found


AT_BANK_ONLY: Final = ("at the bank, booked by nobody",)
IN_BOOKS_ONLY: Final = ("booked, not at the bank",)


def bank_control(session: Session, on: date) -> BankControl:
    """1110 and the statements at the end of a JST day, as known now."""
    asked = {"on": on}
    accounts = tuple(
        BankAccountBalance(
            account=row.bank_account,
            first_on=row.first_on,
            last_on=row.last_on,
            opening_yen=int(row.opening),
            lines_yen=int(row.lines_yen),
            stated_yen=int(row.stated) if row.broken_since is None else _end_of(row.each_stated, row.befores),
            broken_since=row.broken_since,
            breaks=() if row.broken_since is None else _breaks(session, row.bank_account, row.broken_since, on),
        )
        for row in session.execute(_ACCOUNTS, asked).all()
    )
    sums = session.execute(_SUMS, asked).one()
    unmet = tuple(
        Unmet(what=row.what, about=row.about, since=row.since, yen=int(row.yen))
        for row in session.execute(_UNMET, asked)
    )
    rest = int(sums.ledger_yen) - int(sums.lines_yen) - sum(each.yen for each in unmet)
    return BankControl(on, int(sums.ledger_yen), int(sums.lines_yen), accounts, unmet, rest)


def bank_said(session: Session, month: Month, ours: Collection[str]) -> tuple[tuple[bool, str, str], ...]:
    """For a month's close: whether 1110 is what the statements say on its last day, what was found, what to do.

    Nothing where no statement tells a balance, and none has to.
    """
    control = bank_control(session, month.end_on - timedelta(days=1))
    if not control.known and not ours:
        return ()
    faults = "; ".join(control.faults(month, ours)[:3])
    found = faults or f"1110 is what the bank states of {len(control.accounts)} accounts"
    remedy = "import what is missing, or say what the lines are: `keizoku bank balance`, `keizoku bank statement`"
    return ((not faults, found, remedy if faults else ""),)


def _breaks(session: Session, account: str, since: date, on: date) -> tuple[Break, ...]:
    """The days of an account on which what its lines do not explain changes."""
    found: list[Break] = []
    off_yen = 0
    days = session.execute(_FROM_THERE, {"account": account, "since": since, "on": on}).all()
    for row, after in zip_longest(days, days[1:]):
        if int(row.ends_at) + off_yen in row.stated:
            continue
        changed_yen = _end_of(row.stated, row.befores, after.befores if after else ()) - int(row.ends_at) - off_yen
        off_yen += changed_yen
        found.append(Break(row.day, changed_yen))
    return tuple(found)


def _end_of(stated: Sequence[int], befores: Sequence[int], next_befores: Sequence[int] = ()) -> int:
    """The balance at a day's end, whatever the order of its lines: one that no other line of the day goes on from.

    Of several it is the one that the next day goes on from, else the last that was read.
    """
    ends = [each for each in stated if each not in set(befores)]  # a row that stands twice goes on from neither
    ends = ends or list((Counter(stated) - Counter(befores)).elements()) or list(stated)
    return next((each for each in ends if each in next_befores), ends[-1])


_STANDING = """
    standing AS (
        SELECT DISTINCT ON (line_id) line_id, kind, about, receipt_id FROM bank_act ORDER BY line_id, id DESC
    ), counted AS (
        SELECT line_id, sum(change) AS change FROM bank_act GROUP BY line_id
    ), kept AS (
        SELECT bank_line.*, standing.kind AS said, standing.about, standing.receipt_id,
               CASE direction WHEN 'in' THEN yen ELSE -yen END AS signed,
               posts::int + coalesce(counted.change, 0) AS in_books
        FROM bank_line LEFT JOIN standing ON standing.line_id = bank_line.id
        LEFT JOIN counted ON counted.line_id = bank_line.id
        WHERE currency = 'JPY' AND state = 'booked' AND standing.kind IS DISTINCT FROM 'taken_back'
    ), at_bank AS (SELECT * FROM kept WHERE paid_on <= :on)"""

_DAYS = f"""{_STANDING}, told AS (
        SELECT bank_statement.* FROM bank_statement
        WHERE currency = 'JPY' AND first_on <= :on AND NOT EXISTS (
            SELECT 1 FROM money_import JOIN money_import_undone ON import_id = money_import.id
            WHERE money_import.digest = bank_statement.digest
              AND money_import.recorded_at >= bank_statement.recorded_at)
    ), first AS (
        SELECT DISTINCT ON (bank_account) bank_account, first_on, coalesce(opening, closing - coalesce((
            SELECT sum(signed) FROM at_bank WHERE at_bank.bank_account = told.bank_account
            AND paid_on BETWEEN told.first_on AND told.last_on), 0)) AS opening
        FROM told WHERE opening IS NOT NULL OR closing IS NOT NULL
        ORDER BY bank_account, first_on, (opening IS NULL), id
    ), plain AS (
        SELECT * FROM told WHERE preset IN ('zengin', 'zengin_records', 'camt', 'mt940', 'ofx')
    ), said AS (
        SELECT bank_account, day, array_agg(stated ORDER BY id) AS stated FROM (
            SELECT bank_account, first_on - 1 AS day, opening AS stated, id FROM plain WHERE opening IS NOT NULL
            UNION ALL SELECT bank_account, last_on, closing, id FROM plain WHERE closing IS NOT NULL) AS of_files
        WHERE day <= :on GROUP BY bank_account, day
    ), moved AS (
        SELECT bank_account, paid_on AS day, sum(signed) AS moved,
               array_agg(balance ORDER BY recorded_at, line, id) FILTER (WHERE balance IS NOT NULL) AS balances,
               array_agg(balance - signed ORDER BY recorded_at, line, id) FILTER (WHERE balance IS NOT NULL) AS befores
        FROM at_bank JOIN first USING (bank_account) WHERE paid_on >= first_on GROUP BY bank_account, paid_on
    ), ends AS (
        SELECT bank_account, day,
               coalesce(balances, ARRAY[]::bigint[]) || coalesce(stated, ARRAY[]::bigint[]) AS stated,
               coalesce(befores, ARRAY[]::bigint[]) AS befores,
               opening + sum(coalesce(moved, 0)) OVER (PARTITION BY bank_account ORDER BY day) AS ends_at
        FROM moved FULL JOIN said USING (bank_account, day) JOIN first USING (bank_account)
        WHERE day >= first_on - 1
    )"""  # noqa: S608 - all of it is ours
"""What each day's end has to be: the balance after one of its lines, or that of a file that ends or begins there.

A table whose lines tell balances begins where it begins, which may be in the middle of a day. Where the oldest file
tells the balance after it alone (OFX), the one before it is worked out from its lines."""

_ACCOUNTS = sa.text(
    f"""
    WITH {_DAYS}, last_told AS (
        SELECT DISTINCT ON (bank_account) * FROM ends WHERE cardinality(stated) > 0 ORDER BY bank_account, day DESC
    )
    SELECT first.bank_account, first.first_on, first.opening,
           coalesce((SELECT sum(signed) FROM at_bank WHERE at_bank.bank_account = first.bank_account
                     AND paid_on >= first.first_on), 0) AS lines_yen,
           (SELECT max(last_on) FROM told WHERE told.bank_account = first.bank_account) AS last_on,
           CASE WHEN ends_at = ANY (stated) THEN ends_at ELSE opening END AS stated, stated AS each_stated, befores,
           (SELECT min(ends.day) FROM ends WHERE ends.bank_account = first.bank_account
            AND cardinality(ends.stated) > 0 AND NOT ends.ends_at = ANY (ends.stated)) AS broken_since
    FROM first LEFT JOIN last_told USING (bank_account) ORDER BY first.bank_account
    """  # noqa: S608 - all of it is ours
)

_FROM_THERE = sa.text(
    f"""
    WITH {_DAYS}
    SELECT day, ends_at, stated, befores FROM ends
    WHERE bank_account = :account AND day >= :since AND cardinality(stated) > 0 ORDER BY day
    """  # noqa: S608
)

_SUMS = sa.text(
    f"""
    WITH {_STANDING}
    SELECT (SELECT coalesce(sum(yen), 0) FROM line JOIN entry ON entry.id = entry_id
            WHERE code = '1110' AND posted_on <= :on) AS ledger_yen,
           (SELECT coalesce(sum(signed), 0) FROM at_bank) AS lines_yen
    """  # noqa: S608
)

_UNMET = sa.text(
    f"""
    WITH {_STANDING}, met AS (
        SELECT about FROM at_bank WHERE about IS NOT NULL
        UNION SELECT 'deposit:' || deposit_use_id FROM transfer_act JOIN at_bank ON about = 'file:' || file_id
        WHERE transfer_act.kind = 'sent'
    ),
    moved AS (
        SELECT source, -amount AS yen, CAST(happened_at AT TIME ZONE 'Asia/Tokyo' AS date) AS on_day
        FROM balance_transaction
        WHERE currency = 'jpy' AND kind IN ('payout', 'payout_cancel', 'payout_failure')
    ), booked AS (
        SELECT concat('payout:', source) AS about, sum(yen) AS yen, min(on_day) AS since FROM moved
        WHERE on_day <= :on GROUP BY source HAVING sum(yen) <> 0
        UNION ALL
        SELECT 'store:' || payout_id, sum(yen), min(paid_out_on)
        FROM (SELECT payout_id, paid_out_on, yen FROM store_payout
              UNION ALL SELECT payout_id, paid_out_on, fee_yen - yen FROM store_refund
              WHERE payout_id IS NOT NULL) AS told
        WHERE paid_out_on <= :on GROUP BY payout_id HAVING sum(yen) <> 0
        UNION ALL
        SELECT 'deposit:' || id, -yen, used_on FROM deposit_use
        WHERE through = 'bank' AND used_on <= :on AND id NOT IN ({NEVER_LEFT})
        UNION ALL
        SELECT 'returned:' || line_id, -kept.yen, CAST(returned.recorded_at AT TIME ZONE 'Asia/Tokyo' AS date)
        FROM bank_act AS returned JOIN kept ON kept.id = line_id
        WHERE returned.kind = 'returned' AND said = 'returned'
          AND CAST(returned.recorded_at AT TIME ZONE 'Asia/Tokyo' AS date) <= :on
        UNION ALL
        SELECT 'receipt:' || coalesce(reverses, id), sum(yen), min(received_on) FROM receipt
        WHERE received_on <= :on AND coalesce(reverses, id) NOT IN (
            SELECT receipt_id FROM bank_act WHERE receipt_id IS NOT NULL)
        GROUP BY coalesce(reverses, id) HAVING sum(yen) <> 0
    )
    SELECT 'booked, not at the bank' AS what, about, since, yen FROM booked WHERE about NOT IN (SELECT about FROM met)
    UNION ALL
    SELECT 'at the bank, booked for a later day', 'deposit:' || id, used_on, yen FROM deposit_use
    WHERE through = 'bank' AND used_on > :on AND 'deposit:' || id IN (SELECT about FROM met)
    UNION ALL
    SELECT 'posted by people', 'entry:' || entry_id, posted_on, sum(yen) FROM manual_entry
    JOIN line USING (entry_id) JOIN entry ON entry.id = entry_id
    WHERE code = '1110' AND posted_on <= :on GROUP BY entry_id, posted_on HAVING sum(yen) <> 0
    UNION ALL
    SELECT 'at the bank, booked by nobody', 'payment ' || id, paid_on, -signed FROM at_bank
    WHERE in_books = 0 AND about IS NULL AND (said IS NULL OR said NOT IN ('matched', 'returned'))
    ORDER BY 3, 2
    """  # noqa: S608
)
