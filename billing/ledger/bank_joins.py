"""Lines of the bank joined to what was booked from another side: a payout, a store's payout, money sent back by us.

Whichever side comes first, 1110 moves once. A line that stood in 2145 until then leaves it on the later of both days;
one that meets what is booked already posts nothing. Keys: the amount and the day of arrival; the name of the processor,
the store, or whom we sent money to, lets the bank be some days late, without a name both have to be the only ones of
that day and amount. A file of transfers (総合振込) is one line at some banks: then that line is all of its transfers.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import NOT_TAKEN_BACK, WAITING, note_act
from keizoku.billing.ledger.payer_rules import PayerRule, rules_of
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.bank.names import STORE_NAMES, has_one_of, without_numbers
from keizoku.db.session import Session, numbers
from keizoku.db.tables.bank import bank_act, bank_line

BY_BOOKS: Final = "the books"  # who joined what is booked already
LATE: Final = timedelta(days=5)
EARLY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Booked:
    """Money at the bank that another side has booked: `kind` is the act that joins a line to it."""

    about: str
    kind: str
    direction: str
    yen: int
    on: date
    name: str = ""  # under which the bank's line is expected, where that is known


@dataclass(frozen=True, slots=True)
class FreeLine:
    """A line that nobody has said anything of: `counted` if it is in the books by itself, `posted` if it is so now."""

    id: int
    direction: str
    yen: int
    on: date
    payer: str
    counted: bool
    posted: bool
    ignored: bool
    doubt: str | None


NEVER_LEFT: Final = """
    SELECT unnest(ARRAY[sent.deposit_use_id, failed.deposit_use_id]) AS deposit_use_id
    FROM transfer_act AS sent JOIN transfer_file ON transfer_file.id = sent.file_id
    JOIN transfer_act AS failed ON failed.order_id = sent.order_id AND failed.kind = 'failed'
    WHERE sent.kind = 'sent' AND CAST(failed.recorded_at AT TIME ZONE 'Asia/Tokyo' AS date) < paid_on
"""
"""Uses of deposits of transfers that the bank refused before their day: no line of it ever shows them."""

_BOOKED = sa.text(
    f"""
    WITH never_left AS ({NEVER_LEFT}), standing AS (
        SELECT DISTINCT ON (line_id) line_id, kind, about FROM bank_act ORDER BY line_id, id DESC
    ), sent AS (
        SELECT deposit_use_id, file_id, paid_on, holder FROM transfer_act
        JOIN transfer_file ON transfer_file.id = file_id JOIN transfer_order ON transfer_order.id = order_id
        WHERE transfer_act.kind = 'sent' AND deposit_use_id NOT IN (SELECT deposit_use_id FROM never_left)
    ), joined AS (
        SELECT about FROM standing WHERE about IS NOT NULL
        UNION SELECT 'deposit:' || deposit_use_id FROM sent JOIN standing ON standing.about = 'file:' || file_id
    ),
    paid AS (
        SELECT DISTINCT ON (payout) payout, amount, (arrives_at AT TIME ZONE 'Asia/Tokyo')::date AS on_day
        FROM gateway_payout AS told
        WHERE currency = 'jpy' AND state = 'paid' AND amount > 0 AND NOT EXISTS (
            SELECT 1 FROM gateway_payout AS after WHERE after.payout = told.payout
            AND after.state IN ('failed', 'canceled'))
        ORDER BY payout, id
    ), every AS (
        SELECT 'payout:' || payout AS about, 'payout' AS kind, 'in' AS direction, amount AS yen, on_day,
               '' AS name FROM paid
        UNION ALL
        SELECT 'store:' || payout_id, 'store_payout', 'in', sum(yen)::bigint, min(paid_out_on), ''
        FROM (SELECT payout_id, paid_out_on, yen FROM store_payout
              UNION ALL SELECT payout_id, paid_out_on, fee_yen - yen FROM store_refund
              WHERE payout_id IS NOT NULL) AS told
        GROUP BY payout_id HAVING sum(yen) > 0
        UNION ALL
        SELECT 'deposit:' || id, 'refund', 'out', yen, coalesce(paid_on, used_on), coalesce(holder, '')
        FROM deposit_use LEFT JOIN sent ON deposit_use_id = id
        WHERE kind = 'refunded' AND through = 'bank' AND yen > 0 AND id NOT IN (SELECT deposit_use_id FROM never_left)
        UNION ALL
        SELECT 'file:' || file_id, 'refund', 'out', sum(yen)::bigint, paid_on, ''
        FROM sent JOIN deposit_use ON deposit_use.id = deposit_use_id GROUP BY file_id, paid_on
        HAVING count(*) > 1 AND NOT bool_or('deposit:' || deposit_use_id IN (
            SELECT about FROM standing WHERE about IS NOT NULL))
        UNION ALL
        SELECT 'deposit:' || id, 'refund', 'in', -yen, used_on, '' FROM deposit_use
        WHERE kind = 'refunded' AND through = 'bank' AND yen < 0 AND id NOT IN (SELECT deposit_use_id FROM never_left)
        UNION ALL
        SELECT 'returned:' || bank_line.id, 'refund', 'out', bank_line.yen,
               (returned.recorded_at AT TIME ZONE 'Asia/Tokyo')::date, ''
        FROM standing JOIN bank_line ON bank_line.id = standing.line_id
        JOIN bank_act AS returned ON returned.line_id = bank_line.id AND returned.kind = 'returned'
        WHERE standing.kind = 'returned'
    )
    SELECT about, kind, direction, yen, on_day, name FROM every
    WHERE about NOT IN (SELECT about FROM joined) ORDER BY on_day, about
    """  # noqa: S608 - all of it is ours
)


def booked_elsewhere(session: Session) -> list[Booked]:
    """What another side has booked and no line of the bank is joined to, oldest first."""
    return [
        Booked(row.about, row.kind, row.direction, int(row.yen), row.on_day, row.name)
        for row in session.execute(_BOOKED)
    ]


def free_lines(
    session: Session,
    just_written: Collection[int] | None = None,
    *,
    beside: Sequence[Booked] | None = None,
    only: int | None = None,
) -> list[FreeLine]:
    """Booked lines in yen that nobody has said anything of; of those just written, that may still be joined.

    `beside`: only those that could be one of these by their amount and day, and that no people took out of a match or
    a join: these wait for people. `only`: this line.
    """
    newest = (
        sa.select(bank_act.c.kind).where(bank_act.c.line_id == bank_line.c.id).order_by(bank_act.c.id.desc()).limit(1)
    ).scalar_subquery()
    waits = sa.or_(newest.is_(None), newest.in_(WAITING if beside is None else ("posted",)))
    query = sa.select(bank_line, newest.label("newest")).where(
        waits, NOT_TAKEN_BACK, bank_line.c.currency == "JPY", bank_line.c.state == "booked"
    )
    if just_written is not None:
        query = query.where(bank_line.c.id == sa.any_(numbers(just_written)))
    if only is not None:
        query = query.where(bank_line.c.id == only)
    if beside is not None:
        days = [each.on for each in beside]
        sums = sa.select(sa.func.unnest(numbers({each.yen for each in beside})))
        query = query.where(bank_line.c.yen.in_(sums), bank_line.c.paid_on.between(min(days) - EARLY, max(days) + LATE))
    query = query.order_by(bank_line.c.paid_on, bank_line.c.id)
    return [
        FreeLine(
            id=row.id,
            direction=row.direction,
            yen=row.yen,
            on=row.paid_on,
            payer=row.payer,
            counted=row.posts or row.newest is not None,
            posted=(row.posts or row.newest is not None) and just_written is None,
            ignored=not row.posts,
            doubt=row.doubt,
        )
        for row in session.execute(query)
    ]


def join_known(
    session: Session,
    now: datetime,
    bank_names: Sequence[str],
    *,
    just_written: Collection[int] | None = None,
) -> frozenset[int]:
    """Join what can be joined: all free lines, or only those just written; the lines joined. Does not commit.

    Lines just written have posted nothing yet, so a join of theirs posts nothing either. They are joined by name alone:
    whether a line is the only one of its day and amount shows when the whole file is in the book.
    """
    booked = booked_elsewhere(session)
    if not booked:
        return frozenset()
    lines = free_lines(session, just_written, beside=booked)
    rules = rules_of(session, {without_numbers(each.payer) for each in lines})
    done = set()
    for each, line in pairs(booked, lines, rules, bank_names, by_name_only=just_written is not None):
        join(session, each, line, now, BY_BOOKS, None)
        done.add(line.id)
    return frozenset(done)


def pairs(
    booked: Sequence[Booked],
    lines: Sequence[FreeLine],
    rules: dict[str, PayerRule],
    bank_names: Sequence[str],
    *,
    by_name_only: bool = False,
) -> Iterator[tuple[Booked, FreeLine]]:
    """Which line is which: first by name, within some days; then those alone with their day and amount. Pure."""
    left = {line.id: line for line in lines}
    alike: dict[tuple[str, int], list[FreeLine]] = defaultdict(list)
    for line in lines:
        alike[line.direction, line.yen].append(line)
    open_ones = []
    for each in booked:
        named = [
            line
            for line in alike[each.direction, each.yen]
            if line.id in left
            and each.on - EARLY <= line.on <= each.on + LATE
            and _named(each, line, rules, bank_names)
        ]
        if named:
            line = min(named, key=lambda found: (abs(found.on - each.on), found.id))
            del left[line.id]
            yield each, line
        else:
            open_ones.append(each)
    if by_name_only:
        return
    many = Counter((each.direction, each.yen, each.on) for each in open_ones)
    of_lines = Counter((line.direction, line.yen, line.on) for line in left.values())
    for each in open_ones:
        key = (each.direction, each.yen, each.on)
        if many[key] == of_lines[key] == 1:
            (line,) = (line for line in alike[key[:2]] if line.id in left and line.on == each.on)
            if line.doubt in (None, "no reference"):
                del left[line.id]
                yield each, line


def _named(each: Booked, line: FreeLine, rules: dict[str, PayerRule], bank_names: Sequence[str]) -> bool:
    """Whether the line's payer is the one who pays out, or its name that of whom we sent money to."""
    if each.kind == "refund":
        return bool(each.name) and without_numbers(each.name) == without_numbers(line.payer)
    rule = rules.get(without_numbers(line.payer))
    if rule is not None:
        return rule.says == each.kind
    if each.kind == "store_payout":
        return has_one_of(line.payer, STORE_NAMES) or line.ignored
    return has_one_of(line.payer, bank_names) or line.ignored


def join(
    session: Session, each: Booked, line: FreeLine, now: datetime, by: str, ground: str | None, kept_yen: int = 0
) -> int:
    """Note that a line is what was booked already; what it had posted leaves the books. The act. Does not commit."""
    change = -1 if line.counted else 0
    act_id = note_act(session, line.id, each.kind, now, by, ground, about=each.about, change=change, kept_yen=kept_yen)
    if line.posted:
        event = "payout_at_bank" if each.kind == "payout" else "booked_at_bank"
        sign = 1 if line.direction == "in" else -1
        key = f"bank:{line.id}:{each.kind}:{act_id}"
        post(session, [Posting(event, key, max(line.on, each.on), {"yen": sign * line.yen})], now)
    return act_id


def one_free_line(session: Session, line_id: int) -> FreeLine | None:
    """A line that nobody has said anything of, locked; None where there is none such."""
    session.execute(sa.select(bank_line.c.id).where(bank_line.c.id == line_id).with_for_update())
    return next(iter(free_lines(session, only=line_id)), None)
