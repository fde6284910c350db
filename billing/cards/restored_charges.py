"""Stage 6, payments, before the charges: what the gateway charged before a restore settles the invoices it was for.

restored_act (charge) ──> the invoice of its number, account and amount; else the only one of the account and
                          amount that was due ──> attempt and settlement on the charge's own day
                            └─ none, or several: people, and the account is not charged meanwhile
restored_act (refund) ──> whoever asks for it anew finds it; after a night in which nobody did: people
transfers out that were approved before the restore: people, as a file may have sent them since
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.cards.charge_answers import save_results
from keizoku.billing.gateway import restored
from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult, Gateway
from keizoku.billing.receivables.transfers_out import leave_to_people_after_restore
from keizoku.db.fence import is_of_item
from keizoku.db.keys import next_ids
from keizoku.db.session import Session
from keizoku.db.tables.money import invoice, payment_attempt
from keizoku.db.tables.restoration import restored_act
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def take_over(session: Session, rules: Rules, gateway: Gateway, now: datetime) -> int:
    """Read the gateway where a restore waits for it, and adopt what it did; commits; returns the rows written."""
    changes = restored.read_gateway(session, gateway, now)
    changes += leave_to_people_after_restore(session, now)
    session.commit()
    for act in restored.unexplained(session):
        invoice_id = _invoice_of(session, act) if act.kind == "charge" else None
        if invoice_id is not None:
            try:
                changes += _adopt(session, rules, act, invoice_id, now)
            except Exception as error:
                session.rollback()
                if not is_of_item(error):
                    raise
                changes += restored.leave_to_people(session, act, now)
                session.commit()
        elif act.kind == "charge" or act.recorded_at < now or not _may_be_asked(session, act):
            # the night that read the gateway gives back after this; a refund that none asks for by then, none may ever
            changes += restored.leave_to_people(session, act, now)
            session.commit()
    session.commit()
    return changes


def _invoice_of(session: Session, act: sa.Row[Any]) -> int | None:
    """The invoice that a charge was for, where it can be one only."""
    if act.account is None:
        return None
    attempted = sa.exists().where(payment_attempt.c.invoice_id == invoice.c.id, payment_attempt.c.outcome.is_(None))
    rows = session.execute(
        sa.select(invoice.c.id).where(
            invoice.c.account == act.account,
            invoice.c.method == "card",
            invoice.c.state == "open",
            invoice.c.open_yen == act.yen,
            invoice.c.due_on <= jst_day(act.happened_at),
            ~attempted,
        )
    )
    found = set(rows.scalars())
    if act.invoice_id in found:
        return int(act.invoice_id)
    return found.pop() if len(found) == 1 else None


def _adopt(session: Session, rules: Rules, act: sa.Row[Any], invoice_id: int, now: datetime) -> int:
    """Write the attempt as it must have been, and its answer with all that follows, in one transaction."""
    [attempt_id] = next_ids(session, payment_attempt, 1)
    taken = session.execute(sa.select(payment_attempt.c.id).where(payment_attempt.c.key == act.key)).first()
    key = act.key if taken is None else f"{act.key}:{act.gateway_id}"
    on = jst_day(act.happened_at)
    session.execute(
        sa.insert(payment_attempt).values(
            id=attempt_id,
            invoice_id=invoice_id,
            account=act.account,
            key=key,
            yen=act.yen,
            wanted_on=on,
            started_on=on,
            started_at=act.happened_at,
        )
    )
    restored.explain(session, act, now, ground=f"attempt {attempt_id} of invoice {invoice_id}")
    request = ChargeRequest(key, act.account, attempt_id, invoice_id, act.yen, act.happened_at)
    result = ChargeResult(key, Answer.SUCCEEDED, gateway_id=act.gateway_id, happened_at=act.happened_at)
    return 1 + save_results(session, rules, [request], [result], now)


def _may_be_asked(session: Session, act: sa.Row[Any]) -> bool:
    """Whether a refund is of a charge that our rows know or are about to: it may be asked for anew, and is found."""
    ours = sa.exists().where(payment_attempt.c.gateway_id == act.charge_gateway_id)
    coming = sa.exists().where(restored_act.c.gateway_id == act.charge_gateway_id)
    return bool(session.execute(sa.select(sa.or_(ours, coming))).scalar_one())
