"""The month's close: checks, the lock, and a chain of hashes over what is closed.

    one snapshot: checks ok, digest ──> lock, and no entry came meanwhile
              ──> act "closed": nothing is posted before the next month's first day (the database refuses it)
                  hash = SHA-256(hash before │ month │ who │ when │ digest of the days' entries and lines in order)
    reopened  ──> an act of its own, with ground; the newest closed month first

The first close takes everything before the month's end; each later one the month after it. What becomes known of a
closed month is posted on the first open day and names its month (posting.py). Closing twice changes nothing.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.bank_control import bank_said
from keizoku.billing.closing.close_notes import close_notes
from keizoku.billing.closing.reconciliation_run import (
    Progress,
    Reconciled,
    fetch_news,
    reconcile_known,
    reconcile_month,
)
from keizoku.billing.closing.subledgers import SUBLEDGERS, subledger_totals
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.ledger.posting import CLOSE_LOCK
from keizoku.billing.ledger.queries import month_balances, trial
from keizoku.billing.ledger.read_models import MonthBalance
from keizoku.db.session import Session, driver_cursor, one_snapshot
from keizoku.db.tables.books import certificate, entry, stage_run
from keizoku.db.tables.closing import month_act
from keizoku.db.tables.money import RECURRING_TASKS, review_task
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that has to hold before a month is closed, and what to do where it does not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """What a close did: nothing new where the month was closed already."""

    month: Month
    new: bool
    checks: tuple[Check, ...]
    entries: int
    hash: str
    notes: tuple[str, ...] = ()  # what is open or looks strange, and does not stand in the way

    @property
    def ok(self) -> bool:
        """Whether the month is closed."""
        return bool(self.hash)


@dataclass(frozen=True, slots=True, eq=False)
class MonthAct(ReadModel):
    """A close or a reopening in the chain: of the days [from_on, to_on), with a digest of their entries.

    `open_from` is the first day on which entries may be posted after it, `previous` the hash of the act before.
    """

    id: int
    month: str
    kind: str
    from_on: date | None
    to_on: date
    open_from: date | None
    entries: int
    content: str
    previous: str
    hash: str
    author: str
    ground: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class MonthView(ReadModel):
    """A month in the books as they are now: closed or not, what nothing explains, exceptions per type, balances."""

    closed: bool
    unexplained: int
    exceptions: Mapping[str, int]
    balances: Mapping[str, MonthBalance]


@dataclass(frozen=True, slots=True)
class _Step:
    """A close or reopening to be written: its days, the first day that is open after it, who and why."""

    month: Month
    kind: str
    from_on: date | None
    to_on: date
    open_from: date | None
    by: str
    ground: str


def close_month(
    session: Session, gateway: Gateway, month: Month, by: str, now: datetime, progress: Progress | None = None,
    *, bank_accounts: Collection[str] = (),
) -> Closed:  # fmt: skip
    """Check a JST month and close it. Commits; where a check fails nothing is closed and the checks say why.

    `bank_accounts`: ours, each of which needs statements. Refused for a month that is not over or not the next one, and
    without an author.
    """
    if not by.strip():
        raise Refused("act.unsigned", "a close needs who closes", ": --author")
    before = standing(session)
    last_act = next((each for each in before if each.month == str(month) and each.kind == "closed"), None)
    if last_act is not None:
        return Closed(month, False, (), last_act.entries, last_act.hash)
    _next_to_close(month, before, now)
    fetch_news(session, gateway, now, progress)
    from_on = before[-1].to_on if before else None
    with one_snapshot(session):  # what is checked is what is closed
        known = reconcile_known(session, gateway, month, now, progress)
        checks = checks_of(session, month, known, now, bank_accounts)
        notes = close_notes(session, month)
        if not all(each.ok for each in checks):
            return Closed(month, False, checks, 0, "", notes)
        entries, content = _digest(session, from_on, month.end_on)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(CLOSE_LOCK)))  # nobody is posting, and nobody will
    again = standing(session)
    if again != before:
        session.rollback()
        raise Refused(
            "close.changed_meanwhile",
            f"{month} or another month was closed or reopened meanwhile",
            ": look at `keizoku close list`",
        )
    if _count(session, from_on, month.end_on) != entries:  # entries are only added: as many are the same
        session.rollback()
        raise Refused(
            "close.changed_meanwhile",
            f"{month}: entries were posted in it while it was checked",
            ": nothing was closed; close it again",
        )
    step = _Step(month, "closed", from_on, month.end_on, month.end_on, by, "")
    made = _act(session, step, (entries, content), now)
    session.commit()
    return Closed(month, True, checks, made.entries, made.hash, notes)


def reopen_month(session: Session, month: Month, by: str, ground: str, now: datetime) -> str:
    """Open the newest closed month. Commits; the new hash. Refused without ground and author, or for an older one."""
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", "reopening needs who reopens and why", ": --author and --ground")
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(CLOSE_LOCK)))
    closed = standing(session)
    if not closed or str(month) not in {each.month for each in closed}:
        session.rollback()
        raise Refused("close.not_closed", f"{month} is not closed", "(see `keizoku close list`)")
    newest = closed[-1]
    if newest.month != str(month):
        session.rollback()
        raise Refused("close.later_month_closed", f"{newest.month} is closed after it", ": reopen that first")
    from_on = newest.from_on
    step = _Step(month, "reopened", from_on, newest.to_on, from_on, by, ground)
    made = _act(session, step, _digest(session, from_on, newest.to_on), now)
    session.commit()
    return made.hash


def acts(session: Session) -> list[MonthAct]:
    """Every close and reopening, oldest first."""
    rows = session.execute(sa.select(month_act).order_by(month_act.c.id))
    return [MonthAct(**row._mapping) for row in rows]


def standing(session: Session) -> list[MonthAct]:
    """The closes that are in force now, oldest month first."""
    held: list[MonthAct] = []
    for act in acts(session):
        if act.kind == "closed":
            held.append(act)
        elif held:
            held.pop()
    return held


def verify(session: Session, progress: Progress | None = None, kept: str = "") -> list[str]:
    """The faults of the chain: an act changed or left out, an entry of a closed month changed or added.

    A chain that was cut at its end is whole in itself: `kept` is the hash of an act, kept elsewhere, that it must have.
    """
    wrong: list[str] = []
    previous = ""
    every = acts(session)
    if kept and kept not in {act.hash for act in every}:
        wrong.append(f"no act has the hash {kept}: the chain was cut, or is another")
    for act in every:
        if act.previous != previous:
            wrong.append(f"act {act.id} ({act.month}): the act before it is not the one that it names")
        if act.hash != _hash(act):
            wrong.append(f"act {act.id} ({act.month}): it is not as it was written")
        previous = act.hash
    held = standing(session)
    for done, act in enumerate(held):
        if progress is not None:
            progress(act.month, done, len(held))
        entries, content = _digest(session, act.from_on, act.to_on)
        if (entries, content) != (act.entries, act.content):
            wrong.append(
                f"{act.month}: its entries are not those that were closed "
                f"({entries} now, {act.entries} then; closed {act.recorded_at:%Y-%m-%d} by {act.author})"
            )
    if every and held and every[-1].open_from != held[-1].to_on:
        wrong.append("the first open day is not the day after the last closed month")
    return wrong


def checks_of(
    session: Session, month: Month, reconciled: Reconciled, now: datetime, bank_accounts: Collection[str] = ()
) -> tuple[Check, ...]:
    """All that is checked before a close, as the session's transaction sees it."""
    last_night = session.execute(
        sa.select(sa.func.max(stage_run.c.business_date)).where(
            stage_run.c.stage == "audit", stage_run.c.finished_at.is_not(None)
        )
    ).scalar_one()
    newest = session.execute(
        sa.select(certificate.c.business_date, certificate.c.state).order_by(certificate.c.id.desc()).limit(1)
    ).one_or_none()
    balances = trial(session)
    off_yen = balances.debit - balances.credit
    sub = [each.sentence(month) for each in subledger_totals(session, month, jst_day(now)) if not each.ties]
    done = last_night is not None and last_night >= month.end_on
    certified = newest is not None and newest.state == "ok" and newest.business_date >= month.end_on
    waiting = reconciled.open
    return (
        Check(
            "nights",
            done,
            f"last night {last_night or 'none'}",
            "" if done else f"run `keizoku night --on {month.end_on}`: it earns the month's last day",
        ),
        Check(
            "certificate",
            certified,
            f"{newest.state} of {newest.business_date}" if newest is not None else "none",
            "" if certified else "see what `keizoku night` found, mend it, and run the night again",
        ),
        Check(
            "reconciliation",
            not waiting,
            f"{len(waiting)} of {len(reconciled.outcome.exceptions)} exceptions wait",
            "" if not waiting else f"resolve them: `keizoku reconcile {month}`",
        ),
        Check(
            "unexplained",
            not reconciled.unexplained,
            f"{len(reconciled.unexplained)} rows",
            "; ".join(reconciled.unexplained[:3]),
        ),
        Check(
            "trial balance", off_yen == 0, f"off by {off_yen} yen", "" if not off_yen else "see `keizoku ledger trial`"
        ),
        Check(
            "sub-ledgers",
            not sub,
            "; ".join(sub) or ", ".join(SUBLEDGERS),
            "see what `keizoku night --whole-audit` finds" if sub else "",
        ),
        *(Check("bank", *each) for each in bank_said(session, month, bank_accounts)),
        _set_aside(session),
    )


def _set_aside(session: Session) -> Check:
    """What nights have left to people: it keeps no month from its close, and comes in on the first open day."""
    waits = sa.select(sa.func.count()).where(review_task.c.kind.in_(RECURRING_TASKS), review_task.c.closed_at.is_(None))
    return Check(
        "set aside", True, f"{(count := session.scalar(waits))} wait", "see `keizoku tasks list`" if count else ""
    )


def close_view(session: Session, gateway: Gateway, month: Month, now: datetime) -> MonthView:
    """A month in the books as of the present, `now`."""
    reconciled = reconcile_month(session, gateway, month, now)
    return MonthView(
        closed=str(month) in {each.month for each in standing(session)},
        unexplained=len(reconciled.unexplained),
        exceptions=reconciled.outcome.counts,
        balances=month_balances(session, month),
    )


def _next_to_close(month: Month, before: Sequence[MonthAct], now: datetime) -> None:
    if jst_day(now) < month.end_on:
        raise Refused("close.month_not_over", f"{month} is not over", f": close it from {month.end_on} on")
    if before:
        last = before[-1].month
        following = Month.parse(last).next()
        if month < following:
            raise Refused(
                "close.before_first",
                f"{month} lies before {last}, which is closed: it was closed with the first close",
            )
        if month != following:
            raise Refused("close.out_of_turn", f"{following} is to be closed before {month}")


def _act(session: Session, step: _Step, closed: tuple[int, str], now: datetime) -> MonthAct:
    """Add an act; `closed`: how many entries its days have, and their digest."""
    entries, content = closed
    previous = session.execute(
        sa.select(month_act.c.hash).order_by(month_act.c.id.desc()).limit(1)
    ).scalar_one_or_none()
    unwritten = MonthAct(
        id=0,
        month=str(step.month),
        kind=step.kind,
        from_on=step.from_on,
        to_on=step.to_on,
        open_from=step.open_from,
        entries=entries,
        content=content,
        previous=previous or "",
        hash="",
        author=step.by,
        ground=step.ground,
        recorded_at=now,
    )
    said = {name: value for name, value in unwritten.items() if name != "id"} | {"hash": _hash(unwritten)}
    act_id = session.execute(sa.insert(month_act).values(said).returning(month_act.c.id)).scalar_one()
    return MonthAct(id=act_id, **said)


def _hash(act: MonthAct) -> str:
    """The hash over everything that an act says; the days and the instant in ISO form, UTC."""
    said = [
        act.previous,
        act.month,
        act.kind,
        *(str(each or "") for each in (act.from_on, act.to_on, act.open_from)),
        str(act.entries),
        act.content,
        act.author,
        act.ground,
        str(int(act.recorded_at.timestamp() * 1_000_000)),
    ]
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()


_ENTRIES = """
    COPY (
        SELECT entry.id, posted_on, event, event_key, clause, account, belongs_to,
               extract(epoch FROM recorded_at), seq, code, yen
        FROM entry LEFT JOIN line ON line.entry_id = entry.id
        WHERE {days} ORDER BY posted_on, entry.id, seq
    ) TO STDOUT (FORMAT csv)"""


def _digest(session: Session, from_on: date | None, to_on: date) -> tuple[int, str]:
    """How many entries the days [from_on, to_on) have, and a digest over them and their lines, in constant memory."""
    days = f"posted_on < '{to_on.isoformat()}'"
    if from_on is not None:
        days += f" AND posted_on >= '{from_on.isoformat()}'"
    found = hashlib.sha256()
    for block in _blocks(session, _ENTRIES.format(days=days)):
        found.update(block)
    return _count(session, from_on, to_on), found.hexdigest()


def _count(session: Session, from_on: date | None, to_on: date) -> int:
    counted = sa.select(sa.func.count()).where(entry.c.posted_on < to_on)
    if from_on is not None:
        counted = counted.where(entry.c.posted_on >= from_on)
    return int(session.execute(counted).scalar_one())


def _blocks(session: Session, statement: str) -> Iterator[Any]:
    with driver_cursor(session) as cursor, cursor.copy(statement.encode()) as rows:
        yield from rows
