"""A restored database and its gateway: what happened since the backup is read before anything else happens.

    restored ──> the gateway is read from the backup's time on ──> acts that our rows do not know: `restored_act`
         └─ or people release it                                     ├─ adopted (restored_charges, answer_of)
                                                                     └─ people: `keizoku backup release --act ID`

Until it is read, or released, no charge and no refund is asked for; what is in flight is only looked up. Afterwards
an account with an act that is not explained yet is not charged, and such a charge is not refunded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway.books import KeyedAct
from keizoku.billing.gateway.port import Gateway, UnansweredError
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session, texts
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import credit_refund, payment_attempt
from keizoku.db.tables.restoration import restoration, restoration_end, restored_act, restored_act_end
from keizoku.terms.calendar import iso_jst
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused, want_signed

OVERLAP: Final = timedelta(hours=1)
"""Clocks differ: the gateway is read from so much before the backup."""
_OPEN: Final = ~sa.exists().where(restoration_end.c.restoration_id == restoration.c.id)
_UNEXPLAINED: Final = ~sa.exists().where(restored_act_end.c.act_id == restored_act.c.id)
HELD: Final = "this database was restored: charges and refunds wait until the gateway has been read"


def waits() -> sa.ColumnElement[bool]:
    """Whether a restore has not been read or released yet."""
    return sa.exists(sa.select(restoration.c.id).where(_OPEN))


def anything_due() -> sa.ColumnElement[bool]:
    """Whether a restore waits, or an act of before it is not explained yet."""
    return sa.or_(waits(), sa.exists(sa.select(restored_act.c.id).where(_UNEXPLAINED)))


def is_waiting(session: Session) -> bool:
    """The same, asked now: nothing may be charged or refunded."""
    return bool(session.execute(sa.select(waits())).scalar_one())


def is_drill(session: Session) -> bool:
    """Whether these rows are the copy of a drill; it stays one whatever is released."""
    return bool(session.execute(sa.select(sa.exists(sa.select(restoration.c.id).where(restoration.c.drill)))).scalar())


def read_gateway(session: Session, gateway: Gateway, now: datetime) -> int:
    """Read what the gateway did since the backup, and end the wait; commits; returns the rows written.

    Where it does not answer, or the copy is a drill's, everything goes on waiting, as a task of people says.
    """
    changes = 0
    for row in session.execute(sa.select(restoration).where(_OPEN).order_by(restoration.c.id)).all():
        subject = f"restore {row.id}"
        found: list[KeyedAct] | None = None
        if not row.drill:
            try:
                found = list(gateway.acts_since(row.taken_at - OVERLAP))
            except UnansweredError:
                found = None
        if found is None:
            why = "a drill's copy" if row.drill else "the gateway did not answer"
            detail = {"backup": row.backup, "taken_at": iso_jst(row.taken_at), "why": why}
            changes += open_task(session, "restored_database", subject, detail, now)
            session.commit()
            continue
        changes += _record(session, row.id, found, now)
        changes += _end(session, row.id, "read", "keizoku", f"the gateway was read since {iso_jst(row.taken_at)}", now)
        session.commit()
    return changes


def _record(session: Session, restoration_id: int, acts: Sequence[KeyedAct], now: datetime) -> int:
    """Keep the acts that no row of ours knows. Does not commit."""
    tables = (payment_attempt, credit_refund, overpayment_refund)
    named = texts({each.gateway_id for each in acts} | {each.charge_gateway_id or "" for each in acts})
    known = {
        row.gateway_id: row.account
        for table in tables
        for row in session.execute(
            sa.select(table.c.gateway_id, table.c.account).where(table.c.gateway_id == sa.any_(named))
        )
    }
    accounts = known | {each.gateway_id: each.account for each in acts if each.charge_gateway_id is None}
    # what is in flight in our rows under the same key is looked up by whoever asked for it
    asked = {
        (row.key, row.account)
        for table in tables
        for row in session.execute(sa.select(table.c.key, table.c.account).where(table.c.outcome.is_(None)))
    }
    new = [
        {
            "restoration_id": restoration_id,
            "kind": "charge" if each.charge_gateway_id is None else "refund",
            "gateway_id": each.gateway_id,
            "key": each.key,
            "account": account,
            "invoice_id": each.invoice_id,
            "charge_gateway_id": each.charge_gateway_id,
            "yen": each.yen,
            "happened_at": each.happened_at,
            "recorded_at": now,
        }
        for each in sorted(acts, key=lambda act: (act.happened_at, act.gateway_id))
        for account in (accounts.get(each.charge_gateway_id or each.gateway_id),)
        if each.gateway_id not in known and (each.key, account) not in asked
    ]
    if not new:
        return 0
    statement = insert(restored_act).on_conflict_do_nothing(index_elements=["gateway_id"]).returning(restored_act.c.id)
    return len(session.scalars(statement, new).all())


def _end(session: Session, restoration_id: int, how: str, by: str, ground: str, now: datetime) -> int:
    session.execute(
        sa.insert(restoration_end).values(
            restoration_id=restoration_id, how=how, author=by, ground=ground, recorded_at=now
        )
    )
    close_task(session, "restored_database", f"restore {restoration_id}", by, ground, now)
    return 1


@dataclass(frozen=True, slots=True, eq=False)
class HeldRestore(ReadModel):
    """A restore since which the gateway was not read, or the links of the linked service were not adopted."""

    what: Literal["restore", "drill", "links"]
    id: str  # of the backup
    since: JapanInstant


@dataclass(frozen=True, slots=True, eq=False)
class HeldAct(ReadModel):
    """An act of the gateway that the restored rows do not know."""

    what: str  # charge, refund
    id: str  # the gateway's
    since: JapanInstant
    account: str | None
    yen: int
    key: str | None


def unexplained(session: Session, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    """Acts of before the restore that nothing in our rows stands for yet; the earliest first."""
    query = sa.select(restored_act).where(_UNEXPLAINED, *where)
    return list(session.execute(query.order_by(restored_act.c.happened_at, restored_act.c.id)))


def held_accounts(session: Session) -> set[str]:
    """Accounts that are not charged, because the gateway has charged them for something that we cannot tell."""
    return {row.account for row in unexplained(session, restored_act.c.kind == "charge") if row.account is not None}


def refunds_made_of(session: Session, charge_gateway_id: str) -> list[sa.Row[Any]]:
    """Refunds of a charge that were made before the restore and are not explained yet."""
    return unexplained(session, restored_act.c.charge_gateway_id == charge_gateway_id)


def explain(
    session: Session, act: sa.Row[Any], now: datetime, *, how: str = "adopted", by: str = "keizoku", ground: str
) -> None:
    """Note what an act is, and close its task; does not commit."""
    session.execute(
        insert(restored_act_end)
        .values(act_id=act.id, how=how, author=by, ground=ground, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["act_id"])
    )
    close_task(session, "restored_act", act.gateway_id, by, ground, now)


def leave_to_people(session: Session, act: sa.Row[Any], now: datetime) -> int:
    """A task on an act that nothing in our rows stands for; does not commit."""
    detail = {
        "account": act.account,
        "what": act.kind,
        "yen": act.yen,
        "key": act.key,
        "happened_at": iso_jst(act.happened_at),
        **({"charge": act.charge_gateway_id} if act.charge_gateway_id is not None else {}),
    }
    return open_task(session, "restored_act", act.gateway_id, detail, now)


def release(session: Session, by: str, ground: str, now: datetime) -> int:
    """People say that charges and refunds may go on without the gateway having been read; how many restores; commits.

    Raises Refused where nothing waits, and for the copy of a drill.
    """
    want_signed(by, ground)
    rows = session.execute(sa.select(restoration).where(_OPEN).order_by(restoration.c.id)).all()
    if not rows:
        session.rollback()
        raise Refused("restore.not_waiting", "no restore waits for anything", "(see `keizoku backup held`)")
    if any(row.drill for row in rows):
        session.rollback()
        raise Refused("restore.drill", "this is the copy of a drill: nothing is released in it", "restore a real one")
    for row in rows:
        _end(session, row.id, "released", by, ground, now)
    session.commit()
    return len(rows)


def release_act(session: Session, gateway_id: str, by: str, ground: str, now: datetime) -> None:
    """People have dealt with an act of before the restore: its account is charged again; commits.

    Raises Refused for one that does not wait.
    """
    want_signed(by, ground)
    acts = unexplained(session, restored_act.c.gateway_id == gateway_id)
    if not acts:
        session.rollback()
        raise Refused("restore.act_unknown", f"{gateway_id}: no such act waits", "(see `keizoku backup held`)")
    explain(session, acts[0], now, how="by_people", by=by, ground=ground)
    session.commit()


def held(session: Session) -> list[HeldRestore | HeldAct]:
    """What waits since a restore, for people: restores, then single acts."""
    restores = session.execute(sa.select(restoration).where(_OPEN).order_by(restoration.c.id))
    return [
        *(HeldRestore("drill" if row.drill else "restore", row.backup, row.taken_at) for row in restores),
        *(
            HeldAct(row.kind, row.gateway_id, row.happened_at, row.account, row.yen, row.key)
            for row in unexplained(session)
        ),
    ]
