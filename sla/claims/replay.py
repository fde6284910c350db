"""A month and all its claims worked out again: as they were known at an instant, under any readings. Saves nothing.

The same functions decide as in the night (`claim_stage`); only what is loaded differs: not what waits for a decision,
but everything that was recorded by `at`.
"""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import claim
from keizoku.sla.claims.claim_stage import is_same_answer
from keizoku.sla.claims.claim_store import load_account_months
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.claim_decision import MonthDecision
from keizoku.sla.rules.claims import Assessor, adjudicate_month
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms.calendar import Month
from keizoku.terms.rules import Rules

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

    `if_down`: the month if all its unknown time was down. None for an account whose answer depends on that: the night
    leaves its claims as they are.
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
