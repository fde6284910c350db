"""A month and all its claims worked out again: as they were known at an instant, under any readings. Saves nothing.

The same functions decide as in the night (`sla.stages`); only what is loaded differs: not what waits for a decision,
but everything that was recorded by `at`.
"""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from db.session import Session
from db.tables.claims import claim
from sla.claim_decision import MonthDecision
from sla.claims import Assessor, adjudicate_month
from sla.review import policy_of
from sla.stages import is_same_answer
from sla.store import load_account_months
from sla.unusable import ServiceMonth
from terms.calendar import Month
from terms.rules import Rules

CHUNK_ACCOUNTS = 5_000


def replayed_claims(
    session: Session,
    rules: Rules,
    service: ServiceMonth,
    at: datetime,
    if_down: ServiceMonth | None = None,
    chunk_accounts: int = CHUNK_ACCOUNTS,
) -> Iterator[tuple[str, MonthDecision | None]]:
    """(account, what would be decided on all its claims of the month), account by account.

    `if_down`: the month if all its unknown time was down. None for an account whose answer hangs on that: the night
    leaves its claims as they stand.
    """
    month, policy = service.month, policy_of(rules, service.month)
    assessor = Assessor(service, policy)
    other = Assessor(if_down, policy) if if_down is not None else None
    after = ""
    while accounts := _accounts(session, month, at, after, chunk_accounts):
        for among in load_account_months(session, month, policy, accounts, at):
            made = adjudicate_month(among, assessor)
            held = other is not None and not is_same_answer(made, adjudicate_month(among, other))
            yield among.account, None if held else made
        after = accounts[-1]


def _accounts(session: Session, month: Month, at: datetime, after: str, limit: int) -> list[str]:
    query = (
        sa.select(claim.c.account)
        .where(claim.c.month == str(month), claim.c.recorded_at <= at, claim.c.account > after)
        .distinct()
        .order_by(claim.c.account)
        .limit(limit)
    )
    return list(session.execute(query).scalars())
