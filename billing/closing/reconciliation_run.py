"""Loads a month's facts from the database for reconciliation, and records how people resolve its exceptions.

    gateway's events fetched ──> facts of the month and the ones around it, streamed ──> billing.closing.reconciliation

Only the gateway's events are written; reconciling again gives the same. Memory does not grow with the month: rows
go from the server into files and from there into DuckDB.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from keizoku.billing.closing.reconciliation import Difference, Outcome, Side, fill, reconcile, workbench
from keizoku.billing.closing.reconciliation_facts import LEDGER_MOVED, queries
from keizoku.billing.documents.atomic_files import scratch
from keizoku.billing.gateway import events
from keizoku.billing.gateway.port import Gateway, UnansweredError
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.billing.gateway.simulated_books import SimulatedBooks
from keizoku.billing.ledger.bank_joins import join_known
from keizoku.billing.ledger.manual_entries import post_by_hand
from keizoku.db.roles import may_add
from keizoku.db.session import Session, driver_cursor
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.closing import exception_resolution, reconciliation_result
from keizoku.db.tables.gateway import gateway_event
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused

AROUND = timedelta(days=40)
"""How far beyond a month's ends counterparts are searched for."""
KEPT = 1_000
"""Exceptions of a month that are kept for the work list; the month's own page shows all."""
STEPS = ("news", "ours", "gateway", "payouts", "bank", "receipts", "match")

Progress = Callable[[str, int, int], None]
"""Called with the step under way, how many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a person resolved an exception."""

    by: str
    ground: str
    entry: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A month reconciled: the outcome, the exceptions that are resolved, and the controls."""

    outcome: Outcome
    resolved: Mapping[str, Resolution]  # by the exception's key
    controls: Mapping[str, int]  # by the control's name, whole yen
    bank_given: bool

    @property
    def open(self) -> tuple[Difference, ...]:
        """Exceptions that wait for a person's decision."""
        return tuple(each for each in self.outcome.exceptions if each.key not in self.resolved)

    @property
    def unexplained(self) -> tuple[str, ...]:
        """What no type explains: an error of the program."""
        return self.outcome.unexplained

    def shown(self) -> dict[str, Any]:
        """As the command line and the API show it."""
        return {
            "month": str(self.outcome.month),
            "bank_given": self.bank_given,
            "rows": self.outcome.rows,
            "sums": self.outcome.sums,
            "matched": self.outcome.matched,
            "controls": self.controls,
            "counts": self.outcome.counts,
            "exceptions": [
                {**exception_row(each), "resolution": self.resolved.get(each.key)} for each in self.outcome.exceptions
            ],
            "open": len(self.open),
            "unexplained": self.unexplained,
        }


def reconcile_month(
    session: Session, gateway: Gateway, month: Month, now: datetime, progress: Progress | None = None
) -> Reconciled:
    """Fetch the gateway's events and reconcile a JST month as of `now`. Commits the events, writes nothing else.

    A gateway that does not answer, and a login that may only read, leave what is known already.
    """
    fetch_news(session, gateway, now, progress)
    reconciled = reconcile_known(session, gateway, month, now, progress)
    session.rollback()
    return reconciled


def fetch_news(session: Session, gateway: Gateway, now: datetime, progress: Progress | None = None) -> None:
    """The gateway's news, which a reconciliation begins with. Commits."""
    (progress or _unseen)("news", 0, len(STEPS))
    _events(session, gateway, now)
    if may_add(session, bank_act):
        join_known(session, now, gateway.bank_names)  # what the bank had shown before the gateway told of it
        session.commit()
    session.rollback()


def reconcile_known(
    session: Session, gateway: Gateway, month: Month, now: datetime, progress: Progress | None = None
) -> Reconciled:
    """Reconcile what is known, as the session's transaction sees it; nothing is written, and nothing ended."""
    progress = progress or _unseen
    today = jst_day(now)
    with scratch("keizoku-reconcile-") as folder, closing(workbench(folder)) as connection:
        bank_given = _load(session, connection, folder, month, gateway.bank_names, progress)
        progress("match", len(STEPS) - 1, len(STEPS))
        stated = {"ledger": int(session.execute(LEDGER_MOVED, _span(month)).scalar_one())}
        outcome = reconcile(connection, month, today, bank_given=bank_given, stated=stated)
    controls = _controls(session, month)
    progress("match", len(STEPS), len(STEPS))
    return Reconciled(outcome, resolutions(session, outcome), controls, bank_given)


def resolutions(session: Session, outcome: Outcome) -> dict[str, Resolution]:
    """The newest resolution of each exception that has one and still has the same amount."""
    amounts = {each.key: each.yen for each in outcome.exceptions}
    if not amounts:
        return {}
    rows = session.execute(
        sa.select(exception_resolution)
        .where(exception_resolution.c.exception.in_(list(amounts)))
        .order_by(exception_resolution.c.id)
    )
    return {
        row.exception: Resolution(row.author, row.ground, row.entry_id, row.recorded_at)
        for row in rows
        if amounts[row.exception] == row.yen
    }


def resolve(
    session: Session,
    reconciled: Reconciled,
    key: str,
    by: str,
    ground: str,
    now: datetime,
    *,
    lines: Mapping[str, int] | None = None,
) -> int | None:
    """Record what an exception is; with `lines` (code -> yen) post an entry for it. Commits; returns the entry's id.

    The entry stands on the exception's own day in the month, or on the first open day, where the month is closed.
    Refused without author and ground, for an exception that the month does not have or that is resolved already.
    """
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", "a resolution needs who decides and why", ": --author and --ground")
    found = next((each for each in reconciled.outcome.exceptions if each.key == key), None)
    month = reconciled.outcome.month
    if found is None:
        raise Refused(
            "reconciliation.exception_unknown",
            f"{month} has no exception {key!r}",
            f"(see `keizoku reconcile {month}`)",
        )
    if key in reconciled.resolved:
        raise Refused("reconciliation.resolved_already", f"{key} is resolved already, by {reconciled.resolved[key].by}")
    entry_id = None
    if lines:
        entry_id = post_by_hand(
            session, lines, _day_of(found, month, jst_day(now)), by, ground, now,
            key=f"exception:{now.isoformat()}:{key}", commit=False,
        )  # fmt: skip
    session.execute(
        sa.insert(exception_resolution).values(
            month=str(month), exception=key, kind=found.type.value, yen=found.yen,
            snapshot=exception_row(found).to_json(), entry_id=entry_id, author=by, ground=ground, recorded_at=now,
        )
    )  # fmt: skip
    session.commit()
    return entry_id


def _day_of(found: Difference, month: Month, today: date) -> date:
    """The day to which what people post for an exception belongs: the later one that its sides have in the month."""
    sides = [side.on for side in (found.left, found.right) if side is not None]
    days = [on for on in sides if month.first_on <= on < month.end_on]
    return min(today, max(days, default=month.end_on - timedelta(days=1)))


def keep_for_people(
    session: Session, reconciled: Reconciled, now: datetime, standing: Mapping[str, Any] | None = None
) -> None:
    """Keep what waits for people, for the work list, where it differs from what was kept of the month; commits.

    `standing`: all that a check of the month's close has found; it is kept each time. Who may only read keeps nothing.
    """
    if not may_add(session, reconciliation_result):
        return
    month = str(reconciled.outcome.month)
    largest = sorted(reconciled.open, key=lambda each: (-abs(each.yen), each.key))
    kept = [
        {"exception": each.key, "type": each.type.value, "yen": each.yen, "ja": each.action_ja, "en": each.action_en}
        for each in largest[:KEPT]
    ]
    table = reconciliation_result.c
    last = session.execute(
        sa.select(table.exceptions, table.left_off).where(table.month == month).order_by(table.id.desc()).limit(1)
    ).first()
    left_off = len(largest) - len(kept)
    changed = (last.exceptions, last.left_off) != (kept, left_off) if last is not None else bool(kept)
    if changed or standing is not None:
        values = {"month": month, "exceptions": kept, "left_off": left_off, "standing": standing, "recorded_at": now}
        session.execute(sa.insert(reconciliation_result).values(values))
    session.commit()


@dataclass(frozen=True, slots=True, eq=False)
class ExceptionSide(ReadModel):
    """One side of an exception: in which books, under which reference, how much, on which day."""

    where: str
    ref: str
    yen: int
    on: date
    more: str


@dataclass(frozen=True, slots=True, eq=False)
class ExceptionRow(ReadModel):
    """An exception of a month with both its sides, as far as there are two, and what to do about it."""

    exception: str
    type: str
    left: ExceptionSide | None
    right: ExceptionSide | None
    yen: int
    age_days: int
    action_ja: str
    action_en: str


def exception_row(each: Difference) -> ExceptionRow:
    """An exception, for JSON and tables."""
    return ExceptionRow(
        exception=each.key,
        type=each.type.value,
        left=_exception_side(each.left),
        right=_exception_side(each.right),
        yen=each.yen,
        age_days=each.age_days,
        action_ja=each.action_ja,
        action_en=each.action_en,
    )


def _exception_side(side: Side | None) -> ExceptionSide | None:
    return None if side is None else ExceptionSide(side.where, side.ref, side.yen, side.on, side.more)


def _events(session: Session, gateway: Gateway, now: datetime) -> None:
    if not may_add(session, gateway_event):
        session.rollback()
        return  # a login that only reads reconciles what the nights have fetched
    if isinstance(gateway, SimulatedGateway):
        events.poll(session, SimulatedBooks(session, now, gateway.fee_per_mille), now)
        return
    books = gateway.books
    if books is not None:
        try:
            events.poll(session, books, now)
        except UnansweredError:
            session.rollback()


def _load(
    session: Session,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    month: Month,
    names: Sequence[str],
    progress: Progress,
) -> bool:
    """Stream the facts; returns whether there is a bank statement for the month."""
    for done, (table, query) in enumerate(queries(month, AROUND, names).items(), start=1):
        progress(table, done, len(STEPS))
        file = folder / f"{table}.csv"
        statement = f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()
        with file.open("wb") as out, driver_cursor(session) as cursor, cursor.copy(statement) as rows:
            for block in rows:
                out.write(block)
        fill(connection, table, file)
        file.unlink()
    return bool(
        session.execute(
            sa.select(sa.exists().where(bank_line.c.paid_on >= month.first_on, bank_line.c.paid_on < month.end_on))
        ).scalar_one()
    )


def _controls(session: Session, month: Month) -> dict[str, int]:
    """The clearing account over the month on both sides, and the gateway's fees by Japan's month and by UTC's."""
    row = session.execute(_CONTROLS, _span(month)).one()._mapping
    return {name: int(value) for name, value in row.items()}


_CONTROLS = sa.text(
    """
    SELECT
      (SELECT coalesce(sum(yen), 0) FROM line JOIN entry ON entry.id = entry_id
       WHERE code = '1131' AND posted_on < :first) AS ledger_opening,
      (SELECT coalesce(sum(yen), 0) FROM line JOIN entry ON entry.id = entry_id
       WHERE code = '1131' AND posted_on < :past) AS ledger_closing,
      coalesce(sum(net) FILTER (WHERE happened_at < :first_at), 0) AS gateway_opening,
      coalesce(sum(net) FILTER (WHERE happened_at >= :first_at
                          AND kind NOT IN ('payout', 'payout_cancel', 'payout_failure')), 0) AS gateway_net,
      coalesce(-sum(net) FILTER (WHERE happened_at >= :first_at
                          AND kind IN ('payout', 'payout_cancel', 'payout_failure')), 0) AS gateway_payouts,
      coalesce(sum(net), 0) AS gateway_closing,
      coalesce(sum(CASE WHEN kind IN ('stripe_fee', 'tax_fee') THEN -amount ELSE fee END)
               FILTER (WHERE happened_at >= :first_at), 0) AS fees_jst,
      (SELECT coalesce(sum(CASE WHEN kind IN ('stripe_fee', 'tax_fee') THEN -amount ELSE fee END), 0)
       FROM balance_transaction WHERE currency = 'jpy' AND happened_at >= :first_utc AND happened_at < :past_utc
      ) AS fees_utc
    FROM balance_transaction WHERE currency = 'jpy' AND happened_at < :past_at
    """
)


def _span(month: Month) -> dict[str, date | datetime | str]:
    return {
        "first": month.first_on,
        "past": month.end_on,
        "first_at": month.start_at,
        "past_at": month.end_at,
        "first_utc": f"{month.first_on} 00:00+00",
        "past_utc": f"{month.end_on} 00:00+00",
    }


def _unseen(step: str, done: int, whole: int) -> None:
    pass
