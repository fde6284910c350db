"""Whose a file of Stripe's is: its reports name neither account nor mode, so it is known by what it carries.

    an account or mode in a column  ──> another than this database's: refused
    ids that are recorded here      ──> the same money: ours │ other money: refused (a test's keys are the same as ours)
    nothing that is recorded here   ──> people say whose it is, with a ground; a database without any takes the first

Ids are those of balance transactions, payouts and payments; our own key counts with its sum, and its day.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.gateway.binding import bound
from keizoku.billing.gateway.books import Movement, Payout
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session, texts
from keizoku.db.tables.gateway import balance_transaction, gateway_payout, overpayment_refund
from keizoku.db.tables.money import credit_refund, payment_attempt
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused

_DAYS_APART = timedelta(days=1)
"""A charge is answered on its day, or looked up a night later."""


@dataclass(frozen=True, slots=True)
class Said:
    """An account or a mode that a row of a file names, and its line."""

    line: int
    account: str | None = None
    live: bool | None = None


def hold_owner(
    session: Session,
    source: str,
    digest: str,
    found: Iterable[Movement],
    paid: Iterable[Payout],
    said: Iterable[Said],
    by: str,
    ground: str,
    now: datetime,
) -> None:
    """Raises Refused where a file is of another account or mode, or nothing shows whose it is and nobody says so.

    Who says so is kept with their ground, as a task that they have dealt with. Does not commit.
    """
    _named(session, source, said)
    movements, payouts = list(found), list(paid)
    ties = _ties(session, source, movements, payouts)
    if ties or not (movements or payouts) or not _anything_known(session):
        return
    if not by.strip() or not ground.strip():
        raise Refused(
            "balance.whose",
            f"{source}: none of its {len(movements)} movements and {len(payouts)} payouts is known here, nor a charge "
            "of ours in it: it may be of a test or of another account, and nothing was taken from it",
            "; make sure that it is of this database's account and mode, then give --by and --ground",
        )
    subject = f"file {digest[:16]}"
    open_task(session, "balance_file_whose", subject, {"file": source, "movements": len(movements)}, now)
    close_task(session, "balance_file_whose", subject, by, ground, now)


def _named(session: Session, source: str, said: Iterable[Said]) -> None:
    """What the file's own columns say, against what the database is bound to."""
    ours = bound(session)
    accounts: set[str] = set() if ours is None or ours.account is None else {ours.account}
    modes: set[bool] = set() if ours is None else {ours.livemode}
    for each in said:
        if each.account is not None:
            accounts.add(each.account)
        if each.live is not None:
            modes.add(each.live)
        if len(accounts) > 1 or len(modes) > 1:
            what = each.account if len(accounts) > 1 else ("live mode" if each.live else "test mode")
            raise Refused(
                "balance.of_another",
                f"{source}: line {each.line} is of {what}, and "
                + (f"this database is bound to {ours}" if ours is not None else "the lines before it are not")
                + ": nothing was taken from the file",
                "; import the file of this account and mode",
            )


def _ties(session: Session, source: str, movements: list[Movement], payouts: list[Payout]) -> int:
    """How many of the file's objects are recorded here; raises Refused where one is recorded with other money."""
    ties = 0
    by_id = {each.id: each for each in movements}
    for row in _rows(session, balance_transaction, balance_transaction.c.id, by_id):
        one = by_id[row.id]
        _same(source, "balance transaction", row.id, (one.net, one.currency), (row.net, row.currency))
        ties += 1
    by_payout = {each.id: each for each in payouts}
    known = {row.payout: row for row in _rows(session, gateway_payout, gateway_payout.c.payout, by_payout)}
    for payout, row in known.items():
        _same(source, "payout", payout, by_payout[payout].currency, row.currency)
        ties += 1
    charges = [each for each in movements if each.kind in ("charge", "payment")]
    by_payment = {each.payment: each for each in charges if each.payment}
    for row in _rows(session, payment_attempt, payment_attempt.c.gateway_id, by_payment):
        _same(source, "payment", row.gateway_id, by_payment[row.gateway_id].amount, row.yen)
        ties += 1
    by_key = {each.our_key: each for each in movements if each.our_key}
    for table in (payment_attempt, credit_refund, overpayment_refund):
        for row in _rows(session, table, table.c.key, by_key):
            one = by_key[row.key]
            is_charge = table is payment_attempt
            moved = one.amount if is_charge else -one.amount
            if row.outcome != "succeeded" or one.kind not in (("charge", "payment") if is_charge else ("refund",)):
                continue  # its answer is not known here, or the row is about what became of it
            _same(source, "key", row.key, moved, row.yen)
            if is_charge and one.payment:
                _same(source, "payment of the key", row.key, one.payment, row.gateway_id)
            ties += abs(jst_day(one.happened_at) - row.settled_on) <= _DAYS_APART
    return ties


def _rows(session: Session, table: sa.Table, column: sa.ColumnElement[Any], wanted: Collection[Any]) -> list[Any]:
    ids = texts(wanted)
    return list(session.execute(sa.select(table).where(column == sa.any_(ids)))) if wanted else []


def _same(source: str, what: str, name: str, said: object, recorded: object) -> None:
    if said != recorded:
        raise Refused(
            "balance.of_another",
            f"{source}: {what} {name} is {said} there and {recorded} here: the file is of a test or of another "
            "account, and nothing was taken from it",
            "; import the file of this database's account and mode",
        )


def _anything_known(session: Session) -> bool:
    """Whether there is anything at a gateway that a file of ours would share with us."""
    real = sa.exists().where(
        payment_attempt.c.outcome == "succeeded", payment_attempt.c.gateway_id.startswith("pi_", autoescape=True)
    )
    recorded = sa.exists().where(balance_transaction.c.id.startswith("txn_", autoescape=True))
    return bool(session.execute(sa.select(sa.or_(real, recorded))).scalar_one())
