"""Stage 7, delinquency: suspension, termination, acceleration, each with its notice; demands for late interest.

Everything is derived from what is unpaid now and taken on the day on which it is done. A suspension that this
stage set is lifted when its reason is gone; one set by people only by people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from billing import notices
from billing.delinquency import Standing, accelerated, standing
from billing.stages.termination import save_notice, terminate
from billing.stages.unpaid import Unpaid, by_contract, load_unpaid
from db.probes import TODAY
from db.session import Session
from db.tables.contracts import contract, suspension
from db.tables.money import invoice
from terms.calendar import jst_day
from terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Case:
    """A contract with an overdue fee, or with a suspension that was set for one."""

    contract_id: int
    account: str
    running: bool
    suspended: bool
    unpaid: tuple[Unpaid, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows from a case on a day."""

    case: Case
    state: Standing
    days: int
    accelerate: tuple[int, ...]

    @property
    def open_yen(self) -> int:
        """All unpaid fees of the contract."""
        return sum(each.open_yen for each in self.case.unpaid)


_OVERDUE = sa.and_(invoice.c.state == "open", sa.func.least(invoice.c.due_on, invoice.c.accelerated_on) < TODAY)
_SUSPENDED = sa.and_(suspension.c.set_by == "delinquency", suspension.c.lifted_at.is_(None))


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `due` would find a contract."""
    return sa.or_(sa.exists().where(_OVERDUE), sa.exists().where(_SUSPENDED))


def due(session: Session, rules: Rules, today: date, *, contract_id: int | None = None) -> list[Case]:
    """Contracts with a fee overdue on `today`, and those suspended for one."""
    overdue = sa.select(invoice.c.contract_id).where(_OVERDUE)
    suspended = sa.select(suspension.c.contract_id).where(_SUSPENDED)
    if contract_id is not None:
        overdue = overdue.where(invoice.c.contract_id == contract_id)
        suspended = suspended.where(suspension.c.contract_id == contract_id)
    suspended_ids = set(session.scalars(suspended))
    ids = set(session.scalars(overdue, {TODAY.key: today})) | suspended_ids
    if not ids:
        return []
    unpaid = by_contract(load_unpaid(session, rules, today, contract_ids=ids))
    rows = session.execute(
        sa.select(contract.c.id, contract.c.account, contract.c.ended_on)
        .where(contract.c.id == sa.any_(sa.cast(list(ids), sa.ARRAY(sa.BigInteger))))
        .order_by(contract.c.id)
    )
    return [
        Case(row.id, row.account, row.ended_on is None, row.id in suspended_ids, tuple(unpaid.get(row.id, ())))
        for row in rows
    ]


def decide(rules: Rules, cases: Sequence[Case], today: date) -> list[Ruling]:
    """The standing of each case, and what becomes due at once."""
    settings = rules.discretion
    rulings = []
    for case in cases:
        fees = [each.fee for each in case.unpaid]
        state, days = standing(fees, today, settings.suspend_after_days, settings.terminate_after_days)
        rulings.append(Ruling(case, state, days, accelerated(fees, today)))
    return rulings


def save(session: Session, rules: Rules, rulings: Sequence[Ruling], now: datetime) -> int:
    """Write what changed, and commit per contract; returns the rows written."""
    changes = 0
    today = jst_day(now)
    for ruling in rulings:
        case = ruling.case
        if ruling.accelerate:
            changes += _accelerate(session, ruling, today, now)
        if not case.running:
            session.commit()
            continue
        if ruling.state is Standing.TERMINATE:
            notice = notices.termination(today, ruling.days, ruling.open_yen)
            changes += terminate(session, rules, case.contract_id, case.account, notice, now)
        elif ruling.state is Standing.SUSPEND and not case.suspended:
            notice = notices.suspension(today, ruling.days, ruling.open_yen)
            suspension_id = session.execute(
                sa.insert(suspension)
                .values(
                    contract_id=case.contract_id,
                    account=case.account,
                    from_at=now,
                    set_by="delinquency",
                    ground=f"fees unpaid for {ruling.days} days",
                    recorded_at=now,
                )
                .returning(suspension.c.id)
            ).scalar_one()
            occasion = f"suspension:{suspension_id}"
            changes += 1 + save_notice(session, case.account, case.contract_id, notice, occasion, now)
        elif ruling.state in (Standing.GOOD, Standing.OVERDUE) and case.suspended:
            changes += session.execute(
                sa.update(suspension)
                .where(
                    suspension.c.contract_id == case.contract_id,
                    suspension.c.set_by == "delinquency",
                    suspension.c.lifted_at.is_(None),
                )
                .values(lifted_at=now, lifted_by="delinquency")
            ).rowcount
        session.commit()
    return changes


def reconsider(session: Session, rules: Rules, contract_id: int, now: datetime) -> int:
    """Lift a suspension at once when a payment took its reason away; everything else waits for the night."""
    today = jst_day(now)
    rulings = [
        ruling
        for ruling in decide(rules, due(session, rules, today, contract_id=contract_id), today)
        if ruling.case.suspended and ruling.state in (Standing.GOOD, Standing.OVERDUE)
    ]
    return save(session, rules, [Ruling(r.case, r.state, r.days, ()) for r in rulings], now)


def _accelerate(session: Session, ruling: Ruling, today: date, now: datetime) -> int:
    session.execute(
        sa.update(invoice)
        .where(invoice.c.id.in_(ruling.accelerate), invoice.c.accelerated_on.is_(None))
        .values(accelerated_on=today)
    )
    yen = sum(each.open_yen for each in ruling.case.unpaid if each.invoice_id in ruling.accelerate)
    notice = notices.acceleration(today, yen)
    occasion = f"invoice:{min(ruling.accelerate)}"
    case = ruling.case
    return len(ruling.accelerate) + save_notice(session, case.account, case.contract_id, notice, occasion, now)
