"""Notices to users as rows: written with their occasion, sent by the outbox."""

import json
from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.rules.documents.notice_text import Notice
from keizoku.db.session import CopyText, Session
from keizoku.db.tables.money import user_notice
from keizoku.terms.calendar import jst_day


def details_text(notice: Notice) -> CopyText:
    """The list of a notice as COPY takes it."""
    return CopyText(json.dumps(notice.items, ensure_ascii=False))


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
