"""Notices to users as rows: written with their occasion, sent by the outbox."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from keizoku.billing.rules.documents.notice_text import Notice
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.db.session import CopyText, Session, copy_rows, texts
from keizoku.db.tables.contracts import account
from keizoku.db.tables.money import user_notice
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def details_text(notice: Notice) -> CopyText:
    """The list of a notice as COPY takes it."""
    return CopyText(json.dumps(notice.items, ensure_ascii=False))


def pay_to(session: Session, rules: Rules, accounts: Collection[str]) -> tuple[str, Mapping[str, str]]:
    """The bank account for transfers, and what each account states with one; empty where none is set."""
    named = rules.discretion.transfer_account
    if not named:
        return "", {}
    rows = session.execute(sa.select(account.c.id, account.c.number).where(account.c.id == sa.any_(texts(accounts))))
    return named, {row.id: str(Reference(ACCOUNT, row.number)) for row in rows}


def transfer_of(session: Session, rules: Rules, account: str) -> tuple[str, str]:
    """The same for one account: the bank account, and what it states; both empty where none is set."""
    named, references = pay_to(session, rules, [account])
    return named, references.get(account, "")


class ConcernedContract(Protocol):
    """A contract that a notice is about."""

    @property
    def account(self) -> str:
        """Whose it is."""
        ...

    @property
    def contract_id(self) -> int:
        """Its id."""
        ...


def save_notices(session: Session, notices: Iterable[tuple[ConcernedContract, str, Notice]], now: datetime) -> int:
    """Write many at once, each with its contract and occasion; the rows written. Does not commit."""
    columns = (
        "account", "contract_id", "kind", "occasion", "written_on", "written_at", "body_ja", "body_en", "details",
    )  # fmt: skip
    return copy_rows(
        session,
        user_notice,
        columns,
        (
            (
                of.account,
                of.contract_id,
                notice.kind,
                occasion,
                jst_day(now),
                now,
                notice.body_ja,
                notice.body_en,
                details_text(notice),
            )
            for of, occasion, notice in notices
        ),
    )


def save_notice(session: Session, account: str, contract_id: int, notice: Notice, occasion: str, now: datetime) -> int:
    """Write a notice document; `occasion` names its cause, once per contract. Does not commit.

    Sending it is the mailer's (outbox): a declaration counts from the day on which it reaches the user.
    """
    session.execute(
        sa.insert(user_notice).values(
            account=account,
            contract_id=contract_id,
            kind=notice.kind,
            occasion=occasion,
            written_on=jst_day(now),
            written_at=now,
            body_ja=notice.body_ja,
            body_en=notice.body_en,
            details=list(notice.items),
        )
    )
    return 1
