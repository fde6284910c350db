"""Coupons and product keys by the batch: issued, listed, expired, revoked (premium/5.1.1.b).

    made ──> sold: 1131 / 2125 ──> redeemed (with an application) ──> used (its contract is formed): 2125 / 2120
       ├────> expired unused: 2125 / 7120, of what was sold
       └────> revoked with a ground, its buyer paid back: 2125 / 1131, of what was sold

A key is booked when it is sold (key_sales.py), not when it is made; one that is used and was not sold is booked as sold
that day. What is given away is a coupon, for which nothing is posted. Codes leave this file once, to the caller, before
anything is committed; only salted digests are kept.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts.key_sales import keys_used, note_sale, sold_alive
from keizoku.billing.contracts.prepaid_report import allowed_as, check_case
from keizoku.billing.contracts.price_lookup import load_interval, load_prices
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.codes import MOST_BATCHES, Code, compose, draw_secret
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.billing.rules.prepaid_refunds import SMALL
from keizoku.billing.rules.price_catalog import NoPriceError, price_at
from keizoku.db.keys import next_ids
from keizoku.db.probes import TODAY
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.codes import code, code_batch, code_end, code_redemption, code_sale
from keizoku.db.tables.contracts import contract
from keizoku.limits import id_flaw
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused

MOST_CODES = 1_000_000  # of one batch


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """What is to be issued. `yen`: the price of one key, tax included; None: the plan's price for its months."""

    name: str
    kind: str
    plan: str
    months: int
    codes: int
    expires_on: date
    yen: int | None = None
    sold: int = 0  # how many are sold today; the others are booked when they are (key_sales.py)


def issue(
    session: Session,
    order: BatchOrder,
    by: str,
    now: datetime,
    hand_out: Callable[[Sequence[Code]], None],
    draw: Callable[[], str] = draw_secret,
) -> int:
    """Issue a batch and commit; returns its id. `hand_out` takes the codes, once, before the commit."""
    today = jst_day(now)
    yen = _price(session, order, today)
    (batch_id,) = next_ids(session, code_batch, 1)
    if batch_id > MOST_BATCHES:
        raise Refused(
            "batch.too_many", f"batch {order.name!r}: there are {MOST_BATCHES} batches already, no more fit into a code"
        )
    salt = secrets.token_bytes(32)
    codes = [compose(batch_id, draw()) for _ in range(order.codes)]
    session.execute(
        sa.insert(code_batch).values(
            id=batch_id,
            name=order.name,
            kind=order.kind,
            plan=order.plan,
            months=order.months,
            codes=order.codes,
            yen=yen,
            salt=salt,
            issued_on=today,
            expires_on=order.expires_on,
            author=by,
            recorded_at=now,
        )
    )
    copy_rows(session, code, ("batch_id", "digest"), ((batch_id, each.digest(salt)) for each in codes))
    sold = order.sold
    if not 0 <= sold <= order.codes:
        session.rollback()
        raise Refused("batch.form", f"batch {order.name!r}: of {order.codes} codes {sold} cannot be sold")
    if yen and sold:
        note_sale(session, batch_id, "sold", sold, today, now, by)
        post(session, [Posting("key_sold", f"batch:{batch_id}:sold", today, {"yen": yen * sold})], now)
    try:
        hand_out(codes)
    except BaseException:
        session.rollback()
        raise
    session.commit()
    return int(batch_id)


_OVER = sa.and_(code_batch.c.closed_at.is_(None), code_batch.c.expires_on < TODAY)


def anything_to_expire() -> sa.ColumnElement[bool]:
    """Whether `expire_due` would find a batch."""
    return sa.exists(sa.select(code_batch.c.id).where(_OVER))


def expire_due(session: Session, now: datetime) -> int:
    """Codes whose last day is over and that nobody holds end; what was paid for them is income. Commits; the rows."""
    batches = session.execute(
        sa.select(code_batch).where(_OVER).order_by(code_batch.c.id).with_for_update(), {TODAY.key: jst_day(now)}
    ).all()
    changes = sum(_end(session, batch, "expired", "key_expired", now) for batch in batches)
    changes += sum(_close(session, batch.id, now) for batch in batches)
    if changes:
        session.commit()
    return changes


def revoke(
    session: Session,
    name: str,
    kind: str,
    by: str,
    ground: str,
    now: datetime,
    *,
    case: str = SMALL,
    issuer: str = "by_balance",
) -> int:
    """Take back every code of a batch that nobody has redeemed; its buyer is paid back. Commits; how many codes.

    `case`: as which case of the law sold keys are paid back, where its limits bind; `issuer`: the setting
    prepaid_issuer. Refused for more than the law allows (prepaid_report.py).
    """
    check_case(case)
    batch = session.execute(
        sa.select(code_batch).where(code_batch.c.name == name, code_batch.c.kind == kind).with_for_update()
    ).one_or_none()
    if batch is None:
        raise _unknown(session, name, kind)

    def allowed(yen: int) -> str | None:
        return allowed_as(session, name, batch.expires_on, batch.issued_on, yen, case, jst_day(now), issuer)

    try:
        ended = _end(session, batch, "revoked", "key_revoked", now, by, ground, allowed)
    except Refused:
        session.rollback()
        raise
    if not ended:
        session.rollback()
        raise Refused("batch.nothing_to_revoke", f"batch {name!r}: no code of it is left to revoke")
    _close(session, batch.id, now)
    session.commit()
    return ended


_NO_SECRET = [column for column in code_batch.c if column is not code_batch.c.salt]
"""What everybody may read of a batch (`keizoku db roles`)."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchRow(ReadModel):
    """A batch and what became of its codes; `yen` is the price of one, `liability_yen` what is still owed for them."""

    batch: str
    plan: str
    months: int
    yen: int
    issued_on: date
    expires_on: date
    codes: int
    sold: int
    used: int
    held: int
    expired: int
    revoked: int
    open: int
    liability_yen: int
    author: str


def batches(session: Session, kind: str, name: str | None = None) -> list[BatchRow]:
    """Every batch of a kind with what became of its codes; what is still owed for them. Refused for an unknown name."""
    used = sa.func.count(code_redemption.c.contract_id)
    held = sa.func.count(code_redemption.c.id) - used
    counted = (
        sa.select(code.c.batch_id, used.label("used"), held.label("held"))
        .join(code_redemption, code_redemption.c.code_id == code.c.id)
        .where(code_redemption.c.released_at.is_(None))
        .group_by(code.c.batch_id)
        .subquery()
    )
    ends = (
        sa.select(
            code.c.batch_id,
            sa.func.count().filter(code_end.c.kind == "expired").label("expired"),
            sa.func.count().filter(code_end.c.kind == "revoked").label("revoked"),
        )
        .join(code_end, code_end.c.code_id == code.c.id)
        .group_by(code.c.batch_id)
        .subquery()
    )
    signed = sa.case((code_sale.c.kind == "sold", code_sale.c.codes), else_=-code_sale.c.codes)
    sales = (
        sa.select(
            code_sale.c.batch_id,
            sa.func.sum(code_sale.c.codes).filter(code_sale.c.kind == "sold").label("sold"),
            sa.func.sum(signed).label("alive"),
        )
        .group_by(code_sale.c.batch_id)
        .subquery()
    )
    query = (
        sa.select(*_NO_SECRET, counted.c.used, counted.c.held, ends.c.expired, ends.c.revoked, sales.c.sold)
        .add_columns(sales.c.alive)
        .outerjoin(sales, sales.c.batch_id == code_batch.c.id)
        .outerjoin(counted, counted.c.batch_id == code_batch.c.id)
        .outerjoin(ends, ends.c.batch_id == code_batch.c.id)
        .where(code_batch.c.kind == kind)
        .order_by(code_batch.c.id)
    )
    if name is not None:
        query = query.where(code_batch.c.name == name)
    found = []
    for row in session.execute(query):
        gone = (row.used or 0) + (row.expired or 0) + (row.revoked or 0)
        found.append(
            BatchRow(
                batch=row.name,
                plan=row.plan,
                months=row.months,
                yen=row.yen,
                issued_on=row.issued_on,
                expires_on=row.expires_on,
                codes=row.codes,
                sold=row.sold or 0,
                used=row.used or 0,
                held=row.held or 0,
                expired=row.expired or 0,
                revoked=row.revoked or 0,
                open=row.codes - gone - (row.held or 0),
                liability_yen=((row.alive or 0) - (row.used or 0)) * row.yen if row.yen else 0,
                author=row.author,
            )
        )
    if name is not None and not found:
        raise _unknown(session, name, kind)
    return found


def _price(session: Session, order: BatchOrder, today: date) -> int:
    """What one code costs; everything about an order that cannot be is refused here."""
    who = f"batch {order.name[:80]!r}"
    if id_flaw(order.name) or not 0 < order.codes <= MOST_CODES:
        raise Refused("batch.form", f"{who}: a batch has a name and 1 to {MOST_CODES:,} codes, not {order.codes}")
    if order.expires_on < today:
        raise Refused("batch.expired", f"{who}: its last day, {order.expires_on}, is over already")
    if session.execute(sa.select(code_batch.c.id).where(code_batch.c.name == order.name)).first() is not None:
        raise Refused(
            "batch.duplicate", f"{who}: a batch of this name was issued before; its codes are not printed twice"
        )
    interval = load_interval(session, order.plan)
    if interval is None:
        raise Refused("plan.unknown", f"{who}: plan {order.plan!r} is not known")
    try:
        terms = prepaid_terms(order.months, interval)
    except ValueError as error:
        raise Refused("prepaid.no_whole_terms", f"{who}: {error}") from None
    if order.kind == "coupon":
        if order.yen:
            raise Refused("batch.coupon_sold", f"{who}: a coupon is free", "issue what is sold as a product key")
        return 0
    try:
        price = price_at(load_prices(session), order.plan, "", today, False).yen if order.yen is None else order.yen
    except NoPriceError as error:
        raise Refused("plan.no_price", f"{who}: {error}") from None
    yen = price * terms if order.yen is None else price
    if yen < terms or yen % terms:
        raise Refused(
            "batch.uneven_price",
            f"{who}: a key of {yen} yen does not pay {terms} terms of whole yen each",
            "what is given away is a coupon",
        )
    return yen


def _end(
    session: Session,
    batch: sa.Row[Any],
    kind: str,
    event: str,
    now: datetime,
    by: str | None = None,
    ground: str | None = None,
    allowed: Callable[[int], str | None] = lambda _: None,
) -> int:
    """End every code that nobody holds and book it; how many. The batch is locked. Does not commit."""
    today = jst_day(now)
    _release(session, batch.id, now)
    living = sa.exists().where(code_redemption.c.code_id == code.c.id, code_redemption.c.released_at.is_(None))
    over = sa.exists().where(code_end.c.code_id == code.c.id)
    open_codes = sa.select(
        code.c.id, sa.literal(kind), sa.literal(today), sa.literal(by), sa.literal(ground), sa.literal(now)
    ).where(code.c.batch_id == batch.id, ~living, ~over)
    ending = sa.insert(code_end).from_select(
        ["code_id", "kind", "ended_on", "author", "ground", "recorded_at"], open_codes
    )
    ended = len(session.scalars(ending.returning(code_end.c.code_id)).all())
    sold = min(ended, max(0, sold_alive(session, batch.id) - keys_used(session, batch.id, held=True)))
    if sold and batch.yen:
        key = f"batch:{batch.id}:{kind}:{today}"
        as_what = "refunded" if kind == "revoked" else "expired"
        case = allowed(sold * int(batch.yen))
        note_sale(session, batch.id, as_what, sold, today, now, by, ground, allowed_as=case)
        post(session, [Posting(event, key, today, {"yen": sold * batch.yen})], now)
    return ended


def _release(session: Session, batch_id: int, now: datetime) -> None:
    """Codes of applications that came to nothing are free again."""
    waiting = sa.exists().where(
        contract.c.account == code_redemption.c.account,
        contract.c.applied_at == code_redemption.c.redeemed_at,
        contract.c.rejected_at.is_(None),
    )
    session.execute(
        sa.update(code_redemption)
        .where(
            code_redemption.c.code_id.in_(sa.select(code.c.id).where(code.c.batch_id == batch_id)),
            code_redemption.c.contract_id.is_(None),
            code_redemption.c.released_at.is_(None),
            ~waiting,
        )
        .values(released_at=now)
    )


def _close(session: Session, batch_id: int, now: datetime) -> int:
    """A batch of which every code was used or has ended is not looked at again."""
    used = sa.exists().where(code_redemption.c.code_id == code.c.id, code_redemption.c.contract_id.is_not(None))
    over = sa.exists().where(code_end.c.code_id == code.c.id)
    return session.execute(
        sa.update(code_batch)
        .where(
            code_batch.c.id == batch_id,
            code_batch.c.closed_at.is_(None),
            ~sa.exists().where(code.c.batch_id == code_batch.c.id, ~used, ~over),
        )
        .values(closed_at=now)
    ).rowcount


def _unknown(session: Session, name: str, kind: str) -> Refused:
    known = session.scalars(sa.select(code_batch.c.name).where(code_batch.c.kind == kind).order_by(code_batch.c.id))
    return Refused("batch.unknown", f"batch {name!r} is not known", f"there are: {', '.join(known) or 'none yet'}")
