"""What users and people do to a contract, as rows that are never rewritten: a card changed, a fee given up.

What follows from a fact is derived by stages and services. Instants are aware UTC.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.contracts import contract_fact


def record_fact(
    session: Session,
    contract_id: int,
    account: str,
    kind: str,
    now: datetime,
    *,
    author: str | None = None,
    ground: str | None = None,
    detail: Mapping[str, object] | None = None,
    occurred_at: datetime | None = None,
) -> int:
    """Record what happens to a contract now, or happened earlier; its id. Does not commit."""
    inserted = session.execute(
        sa.insert(contract_fact)
        .values(
            contract_id=contract_id,
            account=account,
            kind=kind,
            occurred_at=occurred_at or now,
            recorded_at=now,
            author=author,
            ground=ground,
            detail=dict(detail) if detail is not None else None,
        )
        .returning(contract_fact.c.id)
    )
    return int(inserted.scalar_one())
