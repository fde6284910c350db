"""Screenings as they are recorded (premium/3.5): rejections, what a rule left to people, the facts that a rule sees.

Each outcome is a row with author and ground; the approval itself, which forms the contract, is in registration.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.rules.screening import PEOPLE, Applicant, EarlierContract, unlisted
from keizoku.db.session import Session, copy_rows, numbers, texts
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.money import invoice
from keizoku.db.tables.people import consent, screening
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def reject(session: Session, rules: Rules, account: str, ground: str, now: datetime, *, by: str = PEOPLE) -> None:
    """Turn the account's application down, with its ground (premium/3.5); refused where none is waiting."""
    why = unlisted(ground, rules.discretion.screening_grounds)
    if why is not None:
        raise Refused("screening.ground_unlisted", f"account {account}: {why}")
    contract_id = session.execute(
        sa.update(contract)
        .where(contract.c.account == account, contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None))
        .values(rejected_at=now, rejected_ground=ground)
        .returning(contract.c.id)
    ).scalar_one_or_none()
    if contract_id is None:
        session.rollback()
        raise Refused("application.none_waiting", f"account {account}: no application is waiting (premium/3.5)")
    note_screening(session, [(contract_id, account, now)], "rejected", by, ground, now)
    session.commit()


def refer(session: Session, contract_id: int, account: str, ground: str, now: datetime, *, by: str) -> None:
    """Note that a rule left an application to people, unless the last note says the same."""
    last = session.execute(
        sa.select(screening.c.author, screening.c.ground)
        .where(screening.c.contract_id == contract_id)
        .order_by(screening.c.id.desc())
        .limit(1)
    ).first()
    if last is None or (last.author, last.ground) != (by, ground):
        note_screening(session, [(contract_id, account, now)], "referred", by, ground, now)
    session.commit()


def applicants(session: Session) -> dict[int, Applicant]:
    """contract id -> the facts that a rule sees of each waiting application, oldest first."""
    waiting = session.execute(
        sa.select(contract)
        .where(contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None))
        .order_by(contract.c.id)
    ).all()
    accounts = sa.any_(texts([row.account for row in waiting]))
    earlier: dict[str, list[EarlierContract]] = {}
    rejections: dict[str, int] = {}
    for row in session.execute(
        sa.select(contract)
        .where(
            contract.c.account == accounts,
            sa.or_(contract.c.ended_on.is_not(None), contract.c.rejected_at.is_not(None)),
        )
        .order_by(contract.c.id)
    ):
        if row.rejected_at is not None:
            rejections[row.account] = rejections.get(row.account, 0) + 1
        else:
            earlier.setdefault(row.account, []).append(EarlierContract(row.approved_at, row.ended_on, row.ended_reason))
    owed: dict[str, int] = {
        row.account: int(row.yen)
        for row in session.execute(
            sa.select(invoice.c.account, sa.func.sum(invoice.c.open_yen).label("yen"))
            .where(invoice.c.account == accounts, invoice.c.state == "open")
            .group_by(invoice.c.account)
        )
    }
    agreed = agreed_versions(session, [row.id for row in waiting])
    return {
        row.id: Applicant(
            account=row.account,
            plan=row.plan,
            method=row.method,
            applied_at=row.applied_at,
            months=row.paid_months,
            fallback=row.fallback,
            consents=tuple(f"{name}/{version}" for name, version in agreed.get(row.id, {}).items()),
            earlier=tuple(earlier.get(row.account, ())),
            rejections=rejections.get(row.account, 0),
            owed_yen=owed.get(row.account, 0),
        )
        for row in waiting
    }


def agreed_versions(session: Session, contract_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """contract id -> terms -> version agreed to."""
    rows = session.execute(
        sa.select(consent.c.contract_id, consent.c.terms, consent.c.version)
        .where(consent.c.contract_id == sa.any_(numbers(contract_ids)))
        .order_by(consent.c.id)
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.contract_id, {})[row.terms] = row.version
    return found


def note_screening(
    session: Session,
    screened: Sequence[tuple[int, str, datetime]],
    outcome: str,
    by: str,
    ground: str | None,
    now: datetime,
) -> None:
    """Record one outcome for each (contract id, account, instant). Does not commit."""
    copy_rows(
        session,
        screening,
        ("contract_id", "account", "outcome", "author", "ground", "decided_at", "recorded_at"),
        ((contract_id, account, outcome, by, ground, at, now) for contract_id, account, at in screened),
    )
