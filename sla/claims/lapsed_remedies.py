"""Step of the night: another remedy that was agreed to and not performed by its day releases the credit it held."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.claims import alternative_consent, alternative_outcome

ENDED = sa.exists().where(alternative_outcome.c.consent_id == alternative_consent.c.id)
"""Of an agreement to another remedy: it was performed, withdrawn, or lapsed."""
_MAY_LAPSE = sa.and_(alternative_consent.c.by_on.is_not(None), ~ENDED)


def anything_to_lapse() -> sa.ColumnElement[bool]:
    """Whether an agreement with a last day is open."""
    return sa.exists().where(_MAY_LAPSE)


def lapse(session: Session, on: date, now: datetime) -> int:
    """Write `lapsed` for each whose last day is before the business day `on`, and commit; returns how many."""
    over = sa.select(alternative_consent.c.id).where(_MAY_LAPSE, alternative_consent.c.by_on < on)
    ids = session.scalars(over.order_by(alternative_consent.c.id)).all()
    ended = {"outcome": "lapsed", "on_day": on, "author": "the night", "recorded_at": now}
    rows = [{"consent_id": consent_id, **ended} for consent_id in ids]
    # what people have said of one meanwhile stands
    insert_new = insert(alternative_outcome).on_conflict_do_nothing().returning(alternative_outcome.c.id)
    lapsed = len(session.scalars(insert_new, rows).all()) if rows else 0
    session.commit()
    return lapsed
