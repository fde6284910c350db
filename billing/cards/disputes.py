"""Disputes of cardholders: what the gateway says of each, state by state, and what follows for fee and books.

    opened  the money and the gateway's fee leave the balance (1132, 6112 / 1131); the fee still counts as paid
    won     the money comes back (1131 / 1132)
    lost    the claim stays: the fee is open again, as if it fell due on the day of the loss (1140 / 1132);
            or the sale is void: nothing is owed, revenue is taken back, a term that still runs ends

Which of the two is a setting (`dispute_lost`), unless people chose for the dispute. Always holds: a state is recorded
and booked once, whatever events came, how often and in which order. An event is only a reason to fetch again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts.renewal_stage import save_end
from keizoku.billing.dunning.write_off import Act, record_act
from keizoku.billing.gateway import restored
from keizoku.billing.gateway.books import Dispute
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.open_items import interest_owed, load_open_items, lock_accounts
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.books.revenue_recognition import divide_claim, remaining
from keizoku.billing.rules.contract_lifecycle import SALE_VOID, ContractEnd
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.books import term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import dispute_choice, gateway_dispute, gateway_event
from keizoku.db.tables.money import interest_checkpoint, invoice, payment_attempt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

CLAIM_STAYS, SALE_VOIDED = "claim_stays", "sale_void"
_REPORTED = sa.literal_column("starts_with(gateway_event.kind, 'charge.dispute.')", sa.Boolean())
_CLOSED = gateway_dispute.c.state.in_(("won", "lost"))


def _undecided() -> sa.CompoundSelect[Any]:
    """Disputes of which we were told, or know, and whose end we do not know."""
    reported = sa.select(gateway_event.c.about.label("dispute")).where(_REPORTED)
    known = sa.select(gateway_dispute.c.dispute)
    return sa.except_(reported.union(known), sa.select(gateway_dispute.c.dispute).where(_CLOSED))


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is a dispute to ask the gateway for."""
    return sa.exists(_undecided().subquery().select())


def sync_events(session: Session, rules: Rules, gateway: Gateway, now: datetime, fence: Fence | None = None) -> int:
    """Fetch every dispute that is not over, and record and book what is new; commits; returns the rows written.

    With a fence, a dispute that cannot be booked is set aside; without one, that is raised.
    """
    if restored.is_waiting(session):  # a charge of before the restore would be taken for nobody's
        session.rollback()
        return 0
    ids = sorted(session.scalars(_undecided()))
    session.commit()
    changes = 0
    for each in gateway.disputes(ids, now):
        try:
            changes += _take(session, rules, each, now)
            session.commit()
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error):
                raise
            charge = _charge_of(session, each.payment)
            session.rollback()
            fence.aside("dispute", each.id, error, account=None if charge is None else charge.account)
            if charge is not None:
                fence.unpaid.add(charge.account)
    return changes


@dataclass(frozen=True, slots=True)
class Disputed:
    """The charge that a dispute is about, if it is one of ours."""

    attempt_id: int
    account: str
    invoice_id: int


def _take(session: Session, rules: Rules, dispute: Dispute, now: datetime) -> int:
    charge = _charge_of(session, dispute.payment)
    if charge is not None:
        lock_accounts(session, [charge.account])
    else:
        detail = {"payment": dispute.payment, "yen": dispute.amount, "state": dispute.state}
        open_task(session, "dispute_of_unknown_payment", f"dispute {dispute.id}", detail, now)
    changes = _record(session, rules, dispute, charge, "open", dispute.happened_at, now)
    if dispute.state != "open":
        at = min(now, dispute.closed_at or _reported_at(session, dispute.id) or now)
        changes += _record(session, rules, dispute, charge, dispute.state, max(at, dispute.happened_at), now)
    return changes


def _charge_of(session: Session, payment: str) -> Disputed | None:
    row = session.execute(
        sa.select(payment_attempt.c.id, payment_attempt.c.account, payment_attempt.c.invoice_id).where(
            payment_attempt.c.gateway_id == payment, payment_attempt.c.outcome == "succeeded"
        )
    ).first()
    return None if row is None else Disputed(*row)


def _reported_at(session: Session, dispute_id: str) -> datetime | None:
    """When the gateway told that the dispute was closed."""
    reported: datetime | None = session.execute(
        sa.select(sa.func.max(gateway_event.c.happened_at)).where(
            _REPORTED, gateway_event.c.about == dispute_id, gateway_event.c.kind == "charge.dispute.closed"
        )
    ).scalar_one()
    return reported


def _record(
    session: Session,
    rules: Rules,
    dispute: Dispute,
    charge: Disputed | None,
    state: str,
    happened_at: datetime,
    now: datetime,
) -> int:
    """Write a state that is new, with its entries; returns the rows written."""
    fee_before = session.execute(
        sa.select(gateway_dispute.c.fee)
        .where(gateway_dispute.c.dispute == dispute.id)
        .order_by(gateway_dispute.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    row_id = session.execute(
        insert(gateway_dispute)
        .values(
            dispute=dispute.id,
            payment=dispute.payment,
            attempt_id=None if charge is None else charge.attempt_id,
            amount=dispute.amount,
            fee=dispute.fee,
            state=state,
            happened_at=happened_at,
            recorded_at=now,
        )
        .on_conflict_do_nothing(index_elements=["dispute", "state"])
        .returning(gateway_dispute.c.id)
    ).scalar_one_or_none()
    if row_id is None:
        return 0
    if charge is None:  # the charge is not in our books, so neither is what becomes of it
        return 1
    key, on = f"dispute:{dispute.id}:{state}", jst_day(happened_at)
    if state == "open":
        amounts = {"yen": dispute.amount, "fee_yen": dispute.fee}
        post(session, [Posting("dispute_opened", key, on, amounts, charge.account)], now)
        return 1
    more_fee_yen = dispute.fee - (fee_before or 0)
    if more_fee_yen:
        post(session, [Posting("dispute_fee", f"{key}:fee", on, {"yen": more_fee_yen}, charge.account)], now)
    if state == "won":
        post(session, [Posting("dispute_won", key, on, {"yen": dispute.amount}, charge.account)], now)
        return 1
    return 1 + _lose(session, rules, dispute, charge, row_id, on, now)


def _lose(
    session: Session, rules: Rules, dispute: Dispute, charge: Disputed, row_id: int, lost_on: date, now: datetime
) -> int:
    """What the card had settled is taken back; then the choice: the claim stays, or the sale is void."""
    yen = min(dispute.amount, _settled_by(session, charge))
    if yen < dispute.amount:
        detail = {"account": charge.account, "invoice": charge.invoice_id, "yen": dispute.amount - yen}
        open_task(session, "dispute_beyond_fee", f"dispute {dispute.id}", detail, now)
    if not yen:
        return 0
    settle(session, [Settled(charge.invoice_id, charge.account, "dispute", -yen, lost_on, row_id)], now)
    accrued_unpaid_yen = session.execute(
        sa.select(interest_checkpoint.c.accrued_unpaid_yen)
        .where(interest_checkpoint.c.invoice_id == charge.invoice_id)
        .order_by(interest_checkpoint.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    _count_anew(session, charge, lost_on, accrued_unpaid_yen or 0, now)
    chosen = _chosen(session, dispute.id)
    if (chosen.choice if chosen is not None else rules.discretion.dispute_lost) == SALE_VOIDED:
        by, ground = (chosen.author, chosen.ground) if chosen is not None else ("keizoku", "dispute_lost: sale_void")
        return 2 + _void(session, rules, dispute.id, charge, Act(by, ground), yen, lost_on, now)
    key = f"dispute:{dispute.id}:lost"
    post(session, [Posting("dispute_lost_claim_stays", key, lost_on, {"yen": yen}, charge.account)], now)
    return 2


def _settled_by(session: Session, charge: Disputed) -> int:
    """What the charge has settled of its fee and no dispute took back; whole yen."""
    disputes = sa.select(gateway_dispute.c.id).where(gateway_dispute.c.attempt_id == charge.attempt_id)
    query = sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0)).where(
        settlement.c.invoice_id == charge.invoice_id,
        sa.or_(
            sa.and_(settlement.c.kind == "card", settlement.c.source_id == charge.attempt_id),
            sa.and_(settlement.c.kind == "dispute", settlement.c.source_id.in_(disputes)),
        ),
    )
    return int(session.execute(query).scalar_one())


def _count_anew(session: Session, charge: Disputed, on: date, accrued_unpaid_yen: int, now: datetime) -> None:
    session.execute(
        sa.insert(interest_checkpoint).values(
            invoice_id=charge.invoice_id,
            account=charge.account,
            accrues_after=on,
            accrued_unpaid_yen=accrued_unpaid_yen,
            checkpoint_on=on,
            recorded_at=now,
        )
    )


def _void(
    session: Session,
    rules: Rules,
    dispute_id: str,
    charge: Disputed,
    act: Act,
    disputed_yen: int,
    on: date,
    now: datetime,
) -> int:
    """Nothing of the term is owed: what is open ends, revenue is taken back, and a term that still runs ends.

    `disputed_yen` of it stand in 1132, the rest in 1140.
    """
    today = jst_day(now)
    row = session.execute(
        sa.select(term, invoice.c.open_yen)
        .join(invoice, invoice.c.term_id == term.c.id)
        .where(invoice.c.id == charge.invoice_id)
    ).one()
    ends_on = row.closed_on or row.ends_on
    if ends_on > today:
        end = ContractEnd(row.contract_id, charge.account, today, now, SALE_VOID, "premium/5.2")
        save_end(session, end, now)
        ends_on = today
    tax_rate = rules.terms.at(row.starts_on).tax.rate
    earned = session.execute(sa.select(term_closure.c.term_id).where(term_closure.c.term_id == row.id)).first()
    unearned = remaining(row.price_yen, row.starts_on, row.ends_on, ends_on, tax_rate)
    parts = divide_claim(row.open_yen, 0 if earned is not None else unearned.yen)
    fact_id = record_act(
        session, row.contract_id, charge.account, "sale_void", act, now, {"invoice": charge.invoice_id}
    )
    settled = [
        Settled(charge.invoice_id, charge.account, kind, yen, on, fact_id)
        for kind, yen in (("reduction", parts.unrecognised_yen), ("sale_void", parts.recognised_yen))
        if yen
    ]
    settle(session, settled, now)
    session.execute(sa.update(invoice).where(invoice.c.id == charge.invoice_id).values(state="void", paid_on=None))
    _count_anew(session, charge, on, 0, now)
    left_yen, _ = interest_owed(
        load_open_items(session, rules, today, account=charge.account, with_accrued=True), rules, today
    )
    amounts = {
        "unrecognised_yen": parts.unrecognised_yen,
        "recognised_yen": parts.recognised_yen,
        "tax_yen": tax_included_yen(parts.recognised_yen, tax_rate),
    }
    key = f"dispute:{dispute_id}:void"
    straight = disputed_yen == row.open_yen
    postings = [
        Posting("dispute_lost_sale_void" if straight else "sale_voided", key, on, amounts, charge.account),
    ]
    if disputed_yen and not straight:
        stays = {"yen": disputed_yen}
        postings.append(Posting("dispute_lost_claim_stays", f"dispute:{dispute_id}:lost", on, stays, charge.account))
    too_much_yen = interest_booked(session, charge.account) - left_yen
    if too_much_yen > 0:
        book_interest(session, charge.account, "correction", -too_much_yen, key, now)
        postings.append(Posting("interest_reduced", f"{key}:interest", today, {"yen": too_much_yen}, charge.account))
    post(session, postings, now)
    return 3 + len(settled)


# What people choose and see


def choose(session: Session, rules: Rules, dispute_id: str, choice: str, act: Act, now: datetime) -> str:
    """People choose what a loss of this dispute means, before or after it is lost; commits; the account.

    Raises Refused where the dispute is unknown or won, or what was chosen cannot be had any more.
    """
    states = {
        row.state: row
        for row in session.execute(sa.select(gateway_dispute).where(gateway_dispute.c.dispute == dispute_id))
    }
    charge = _charge_of(session, states["open"].payment) if "open" in states else None
    if charge is None or "won" in states:
        session.rollback()
        see = "(see `keizoku payments disputes`)"
        if "won" in states:
            raise Refused("dispute.won", f"dispute {dispute_id}: it was won", see)
        raise Refused("dispute.unknown", f"dispute {dispute_id}: no charge of ours is known under it", see)
    lock_accounts(session, [charge.account])
    session.execute(
        sa.insert(dispute_choice).values(
            dispute=dispute_id, choice=choice, author=act.by, ground=act.ground, recorded_at=now
        )
    )
    if "lost" in states:
        fee = session.execute(sa.select(invoice).where(invoice.c.id == charge.invoice_id)).one()
        if choice == SALE_VOIDED and fee.state != "void":
            if not fee.open_yen:
                session.rollback()
                raise Refused(
                    "dispute.paid_since", f"dispute {dispute_id}: invoice {fee.id} was paid since; the sale stands"
                )
            _void(session, rules, dispute_id, charge, act, 0, jst_day(now), now)
        elif choice == CLAIM_STAYS and fee.state == "void":
            session.rollback()
            raise Refused(
                "dispute.sale_void", f"dispute {dispute_id}: the sale is void already; what is void is not owed again"
            )
    session.commit()
    return charge.account


def _chosen(session: Session, dispute_id: str) -> sa.Row[Any] | None:
    return session.execute(
        sa.select(dispute_choice)
        .where(dispute_choice.c.dispute == dispute_id)
        .order_by(dispute_choice.c.id.desc())
        .limit(1)
    ).first()


@dataclass(frozen=True, slots=True, eq=False)
class DisputeRow(ReadModel):
    """A dispute with its newest state; `choice` is what people chose its loss to mean, amounts are whole yen."""

    dispute: str
    state: str
    account: str | None
    invoice: int | None
    yen: int
    fee_yen: int
    opened_at: datetime | None
    decided_at: datetime | None
    choice: str | None


def disputes(session: Session) -> list[DisputeRow]:
    """Every dispute with its newest state, the open ones first."""
    rows: Sequence[Any] = session.execute(
        sa.select(gateway_dispute, payment_attempt.c.account, payment_attempt.c.invoice_id)
        .outerjoin(payment_attempt, payment_attempt.c.id == gateway_dispute.c.attempt_id)
        .order_by(gateway_dispute.c.id)
    ).all()
    newest = {row.dispute: row for row in rows}
    opened = {row.dispute: row.happened_at for row in rows if row.state == "open"}
    found = []
    for row in sorted(newest.values(), key=lambda each: (each.state != "open", each.id)):
        chosen = _chosen(session, row.dispute)
        found.append(
            DisputeRow(
                dispute=row.dispute,
                state=row.state,
                account=row.account,
                invoice=row.invoice_id,
                yen=row.amount,
                fee_yen=row.fee,
                opened_at=opened.get(row.dispute),
                decided_at=None if row.state == "open" else row.happened_at,
                choice=None if chosen is None else chosen.choice,
            )
        )
    return found
