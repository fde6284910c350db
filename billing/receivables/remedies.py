"""Credits and another remedy in their place (premium/9.2): held from the consent on, extinguished once it is performed.

Consents and what became of them are rows of the claims (`alternative_consent`, `alternative_outcome`). A month's
credits are held while its consent is open, and for good once the remedy was performed: also those granted afterwards,
and those that a lapse had released before performance in time was recorded. What of them was used by then is a task.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session, numbers
from keizoku.db.tables.claims import alternative_consent, alternative_outcome, award, claim
from keizoku.db.tables.money import credit, credit_extinguishment, review_task
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.rules import Rules

_of_month = sa.and_(
    claim.c.id == alternative_consent.c.claim_id, claim.c.account == credit.c.account, claim.c.month == credit.c.month
)
_its_outcome = alternative_outcome.c.consent_id == alternative_consent.c.id
_performed = sa.exists().where(_its_outcome, alternative_outcome.c.outcome == "performed")
_ended = sa.exists().where(_its_outcome, alternative_outcome.c.outcome.in_(("withdrawn", "lapsed")))
_released = sa.and_(_ended, ~_performed)  # one that lapsed and had been performed in time after all is not
IS_FREE: sa.ColumnElement[bool] = ~sa.exists().where(_of_month, ~_released)
"""Of a credit: no other remedy takes its place."""
_USED: Final = (
    credit.c.granted_yen
    - credit.c.available_yen
    - sa.func.coalesce(
        sa.select(credit_extinguishment.c.yen)
        .where(credit_extinguishment.c.credit_id == credit.c.id)
        .scalar_subquery(),
        0,
    )
)
_TOLD: Final = sa.exists().where(
    review_task.c.kind == "remedy_and_credit", review_task.c.subject == sa.func.concat("credit ", credit.c.id)
)
_REPLACED = sa.and_(
    sa.exists().where(_of_month, _performed), sa.or_(credit.c.available_yen > 0, sa.and_(_USED > 0, ~_TOLD))
)


def anything_due() -> sa.ColumnElement[bool]:
    """Whether a credit was replaced by a remedy that was performed, and has something left or was used unsaid."""
    return sa.exists(sa.select(credit.c.id).where(_REPLACED))


def due_ids(session: Session) -> list[int]:
    """The credits that `extinguish` would take, in the order of their ids."""
    return list(session.scalars(sa.select(credit.c.id).where(_REPLACED).order_by(credit.c.id)))


def extinguish(session: Session, rules: Rules, credit_ids: Collection[int], now: datetime) -> int:
    """End what is left of these credits, whose remedy was performed: 2130 goes back to 4190 and 2170; commits.

    A credit of which something was used before is a task as well: its consent came while a night was using it, or the
    remedy was performed in time and recorded after it had lapsed. Returns how many.
    """
    consent = sa.select(sa.func.min(alternative_consent.c.id)).where(_of_month, _performed).scalar_subquery()
    rows = session.execute(
        sa.select(credit, award.c.decided_on, consent.label("consent_id"), _USED.label("used_yen"))
        .join(award, award.c.id == credit.c.award_id)
        .where(credit.c.id == sa.any_(numbers(credit_ids)), _REPLACED)
        .order_by(credit.c.id)
        .with_for_update(of=credit)
    ).all()
    today = jst_day(now)
    postings = []
    for row in rows:
        left_yen = row.available_yen
        if left_yen:
            values = {"credit_id": row.id, "consent_id": row.consent_id, "yen": left_yen, "extinguished_on": today}
            session.execute(sa.insert(credit_extinguishment).values(**values, recorded_at=now))
            tax_yen = tax_included_yen(left_yen, rules.terms.at(row.decided_on).tax.rate)
            amounts = {"yen": left_yen, "tax_yen": tax_yen}
            postings.append(Posting("remedy_performed", f"credit:{row.id}", today, amounts, row.account))
        if row.used_yen:
            used = {"account": row.account, "month": row.month, "yen": row.used_yen}
            open_task(session, "remedy_and_credit", f"credit {row.id}", used, now)
    session.execute(sa.update(credit).where(credit.c.id.in_([row.id for row in rows])).values(available_yen=0))
    post(session, postings, now)
    session.commit()
    return len(rows)
