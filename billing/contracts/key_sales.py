"""Product keys as they are sold: from then on they are owed for (1131 / 2125), not from their making.

Which keys of a batch were sold is not known, only how many: codes are kept as digests. What is used counts as sold.
"""

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.db.session import Session
from keizoku.db.tables.codes import code, code_batch, code_end, code_redemption, code_sale
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused


def sell(session: Session, name: str, codes: int, buyer: str, by: str, now: datetime) -> int:
    """Keys of a batch are sold today: they are owed for from now on. Commits; what they cost in all, yen."""
    today = jst_day(now)
    batch = session.execute(
        sa.select(code_batch).where(code_batch.c.name == name, code_batch.c.kind == "product_key").with_for_update()
    ).one_or_none()
    if batch is None:
        session.rollback()
        raise Refused("batch.unknown", f"batch {name!r} is not known", "(see `keizoku key list`)")
    ended = sa.select(sa.func.count()).select_from(code_end).join(code, code.c.id == code_end.c.code_id)
    gone = session.execute(ended.where(code.c.batch_id == batch.id)).scalar_one()
    left = batch.codes - gone - sold_alive(session, batch.id)
    if not 0 < codes <= left or batch.expires_on < today:
        session.rollback()
        raise Refused("batch.none_to_sell", f"batch {name!r}: between 1 and {left} keys can be sold, not {codes}")
    sale_id = note_sale(session, batch.id, "sold", codes, today, now, by, recipient=buyer or None)
    yen = codes * int(batch.yen)
    post(session, [Posting("key_sold", f"batch:{batch.id}:sold:{sale_id}", today, {"yen": yen})], now)
    session.commit()
    return yen


def sell_what_is_used(session: Session, contract_ids: Sequence[int], now: datetime) -> None:
    """Keys that are used and were never sold are booked as sold today. Does not commit."""
    batches_used = session.execute(
        sa.select(code_batch.c.id, code_batch.c.yen)
        .join(code, code.c.batch_id == code_batch.c.id)
        .join(code_redemption, code_redemption.c.code_id == code.c.id)
        .where(code_redemption.c.contract_id.in_(list(contract_ids)), code_batch.c.kind == "product_key")
        .distinct()
    ).all()
    for batch in batches_used:
        short = keys_used(session, batch.id) - sold_alive(session, batch.id)
        if short > 0:
            today = jst_day(now)
            ground = "used, and never noted as sold"
            sale_id = note_sale(session, batch.id, "sold", short, today, now, "keizoku", ground)
            key = f"batch:{batch.id}:sold:{sale_id}"
            post(session, [Posting("key_sold", key, today, {"yen": short * int(batch.yen)})], now)


def note_sale(
    session: Session,
    batch_id: int,
    kind: str,
    codes: int,
    on: date,
    now: datetime,
    by: str | None,
    ground: str | None = None,
    recipient: str | None = None,
    allowed_as: str | None = None,
) -> int:
    """Note that keys of a batch were sold, paid back or expired; the row's id. Does not commit.

    `allowed_as`: as which case of the law they may be paid back, where its limits bind.
    """
    values = {
        "batch_id": batch_id, "kind": kind, "codes": codes, "on_day": on, "author": by, "ground": ground,
        "recipient": recipient, "allowed_as": allowed_as, "recorded_at": now,
    }  # fmt: skip
    return int(session.execute(sa.insert(code_sale).values(values).returning(code_sale.c.id)).scalar_one())


def sold_alive(session: Session, batch_id: int) -> int:
    """Keys that were sold and neither paid back nor expired; those that are used among them."""
    signed = sa.case((code_sale.c.kind == "sold", code_sale.c.codes), else_=-code_sale.c.codes)
    query = sa.select(sa.func.coalesce(sa.func.sum(signed), 0)).where(code_sale.c.batch_id == batch_id)
    return int(session.execute(query).scalar_one())


def keys_used(session: Session, batch_id: int, *, held: bool = False) -> int:
    """Keys whose contract is formed; with `held` also those of applications that wait."""
    query = sa.select(sa.func.count()).select_from(code_redemption).join(code, code.c.id == code_redemption.c.code_id)
    query = query.where(code.c.batch_id == batch_id, code_redemption.c.released_at.is_(None))
    if not held:
        query = query.where(code_redemption.c.contract_id.is_not(None))
    return int(session.execute(query).scalar_one())
