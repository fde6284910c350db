"""The payer is told when an earlier payment changed what later ones had paid."""

from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.documents.notices import save_notice, transfer_of
from keizoku.billing.receivables.customer_deposits import deposit_of
from keizoku.billing.receivables.open_items import interest_owed, load_open_items
from keizoku.billing.rules.documents import notice_text
from keizoku.db.session import Session
from keizoku.db.tables.contracts import contract
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def tell_payer(session: Session, rules: Rules, account: str, on: date, yen: int, now: datetime) -> None:
    """Write what is owed and kept after everything was worked out again from `on`. Does not commit."""
    contract_id = session.execute(
        sa.select(sa.func.max(contract.c.id)).where(contract.c.account == account, contract.c.approved_at.is_not(None))
    ).scalar_one()
    if contract_id is None:
        return
    today = jst_day(now)
    unpaid = load_open_items(session, rules, today, account=account, with_accrued=True)
    interest_yen, _ = interest_owed(unpaid, rules, today)
    open_yen = sum(each.open_yen for each in unpaid)
    notice = notice_text.recalculation(on, yen, open_yen, interest_yen, deposit_of(session, account).yen)
    if open_yen or interest_yen:
        notice = notice_text.with_transfer(notice, *transfer_of(session, rules, account))
    save_notice(session, account, contract_id, notice, f"{on}:{now.isoformat()}", now)
