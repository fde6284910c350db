"""What a dispute's money does in the books: each movement and each end once, by difference from what was recorded.

    left        1132, 6112 / 1131
    came back   1131 / 1132; what was lost before: 1131 / 1140 as far as the fee is owed, the rest is the payer's
                (1131 / 2140, task `dispute_won_late`)
    fee         6112 / 1131, also alone, also given back
    over        what still stands in 1132 is lost: 1140 / 1132, or the sale is void

`held` of a row is what stands in 1132 for the dispute after it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts.renewal_stage import save_end
from keizoku.billing.dunning.write_off import Act, record_act
from keizoku.billing.gateway.books import NO_MONEY, Dispute, DisputeMove
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.customer_deposits import CARD, DepositUse, use_deposit
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.open_items import interest_owed, load_open_items
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.books.revenue_recognition import divide_claim, remaining
from keizoku.billing.rules.contract_lifecycle import SALE_VOID, ContractEnd
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.books import entry, term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import dispute_choice, gateway_dispute
from keizoku.db.tables.money import interest_checkpoint, invoice, payment_attempt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.rules import Rules

CLAIM_STAYS, SALE_VOIDED = "claim_stays", "sale_void"
ENDED = ("won", "lost")
"""States in which no more money is waited for: what has not come back is lost."""
WON_LATE: Final = "dispute_won_late"


@dataclass(frozen=True, slots=True)
class Disputed:
    """The charge that a dispute is about, if it is one of ours."""

    attempt_id: int
    account: str
    invoice_id: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is recorded of a dispute: its newest row, whole yen so far, and the states and movements of all its rows.

    `ours`: its charge was one of ours when it was first seen.
    """

    number: int = 0
    state: str = ""
    happened_at: datetime | None = None
    taken: int = 0
    returned: int = 0
    held: int = 0
    fee: int = 0
    ours: bool = True
    states: frozenset[str] = frozenset()
    movements: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """The next row of a dispute: the state it is in then, and the movement that led to it, if one did."""

    state: str
    happened_at: datetime
    move: DisputeMove | None = None
    fee_changed: int = 0


def known_of(session: Session, dispute_id: str) -> Known:
    """What is recorded of a dispute so far."""
    rows = session.execute(
        sa.select(gateway_dispute).where(gateway_dispute.c.dispute == dispute_id).order_by(gateway_dispute.c.number)
    ).all()
    if not rows:
        return Known()
    last = rows[-1]
    return Known(
        number=last.number,
        state=last.state,
        happened_at=last.happened_at,
        taken=0 if last.state in NO_MONEY else last.amount,
        returned=last.returned,
        held=last.held,
        fee=last.fee,
        ours=rows[0].attempt_id is not None,
        states=frozenset(row.state for row in rows),
        movements=frozenset(row.movement for row in rows if row.movement is not None),
    )


def chosen(session: Session, dispute_id: str) -> sa.Row[Any] | None:
    """What people chose last for a dispute, if anything."""
    return session.execute(
        sa.select(dispute_choice)
        .where(dispute_choice.c.dispute == dispute_id)
        .order_by(dispute_choice.c.id.desc())
        .limit(1)
    ).first()


def charge_of(session: Session, payment: str) -> Disputed | None:
    """The charge of ours that a payment is, if it is one."""
    row = session.execute(
        sa.select(payment_attempt.c.id, payment_attempt.c.account, payment_attempt.c.invoice_id).where(
            payment_attempt.c.gateway_id == payment, payment_attempt.c.outcome == "succeeded"
        )
    ).first()
    return None if row is None else Disputed(*row)


def take_step(
    session: Session, rules: Rules, dispute: Dispute, charge: Disputed | None, known: Known, step: Step, now: datetime
) -> tuple[Known, int]:
    """Record a step and book what it moved; what is recorded then, and the rows written. Does not commit."""
    amount = 0 if step.move is None else step.move.amount
    fee_yen = step.fee_changed if step.move is None else step.move.fee
    out, back = max(0, -amount), max(0, amount)
    released = min(back, known.held)
    held = 0 if charge is None else known.held + out - released
    lost = min(held, _settled_by(session, charge)) if charge is not None and step.state in ENDED else 0
    then = replace(
        known,
        number=known.number + 1,
        state=step.state,
        happened_at=step.happened_at,
        taken=known.taken + out,
        returned=known.returned + back,
        held=held - lost,
        fee=known.fee + fee_yen,
        states=known.states | {step.state},
    )
    row_id = session.execute(
        insert(gateway_dispute)
        .values(
            dispute=dispute.id,
            number=then.number,
            movement=None if step.move is None else step.move.id,
            payment=dispute.payment,
            attempt_id=None if charge is None else charge.attempt_id,
            amount=dispute.amount if step.state in NO_MONEY else then.taken,
            returned=then.returned,
            held=then.held,
            fee=then.fee,
            currency=dispute.currency,
            state=step.state,
            happened_at=step.happened_at,
            recorded_at=now,
        )
        .on_conflict_do_nothing()
        .returning(gateway_dispute.c.id)
    ).scalar_one_or_none()
    if row_id is None or charge is None:  # another was faster; or it is not in our books, nor is what becomes of it
        return then, 0 if row_id is None else 1
    on = jst_day(step.happened_at)
    first = step.state not in known.states
    key = f"dispute:{dispute.id}:{step.state}" + ("" if first else f":{then.number}")
    postings = []
    if out:
        with_it = max(fee_yen, 0)
        amounts = {"yen": out, "fee_yen": with_it}
        postings.append(Posting("dispute_opened", key, on, amounts, charge.account))
        fee_yen -= with_it
    if fee_yen:
        postings.append(Posting("dispute_fee", f"{key}:fee", on, {"yen": fee_yen}, charge.account))
    if released:
        postings.append(Posting("dispute_won", key, on, {"yen": released}, charge.account))
    post(session, postings, now)
    changes = 1 + len(postings)
    if back > released:
        changes += _late(session, rules, dispute.id, charge, row_id, back - released, key, on, now)
    if lost < held and step.state in ENDED:
        detail = {"account": charge.account, "invoice": charge.invoice_id, "yen": held - lost}
        changes += open_task(session, "dispute_beyond_fee", f"dispute {dispute.id}", detail, now)
    if lost:
        as_loss = f"dispute:{dispute.id}:lost" + ("" if step.state == "lost" and first else f":{then.number}")
        changes += _lose(session, rules, dispute.id, charge, row_id, lost, as_loss, on, now)
    return then, changes


def _late(
    session: Session,
    rules: Rules,
    dispute_id: str,
    charge: Disputed,
    row_id: int,
    yen: int,
    key: str,
    on: date,
    now: datetime,
) -> int:
    """Money that was lost came back: it pays what the loss left open, and the rest is the payer's; rows written."""
    taken_back = -int(
        session.execute(
            sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0))
            .join(gateway_dispute, gateway_dispute.c.id == settlement.c.source_id)
            .where(settlement.c.kind == "dispute", gateway_dispute.c.dispute == dispute_id)
        ).scalar_one()
    )
    owed = sa.select(invoice.c.open_yen).where(invoice.c.id == charge.invoice_id, invoice.c.state == "open")
    open_yen = session.execute(owed).scalar_one_or_none() or 0
    paid = min(yen, taken_back, open_yen)
    changes = 0
    postings = []
    if paid:
        settle(session, [Settled(charge.invoice_id, charge.account, "dispute", paid, on, row_id)], now)
        if paid == open_yen:
            _count_anew(session, charge, on, 0, now)  # the card had paid all the time
        # of a part nothing is marked: interest goes on from where it began, on what is left
        appeal = f"{key}:appeal"
        postings.append(Posting("dispute_won_on_appeal", appeal, on, {"yen": paid}, charge.account))
        postings += _interest_too_much(session, rules, charge.account, appeal, now)
    if yen > paid:
        # what the loss left open was paid, or voided, since: the payer has paid twice
        ground = f"dispute {dispute_id} was won after its fee had been paid or voided"
        use = DepositUse(charge.account, "dispute", CARD, paid - yen, "keizoku", ground)
        use_deposit(session, use, now, used_on=on)
        postings.append(Posting("dispute_won_late", f"{key}:late", on, {"yen": yen - paid}, charge.account))
        detail = {"account": charge.account, "invoice": charge.invoice_id, "yen": yen - paid}
        changes += 1 + open_task(session, WON_LATE, f"dispute {dispute_id}", detail, now)
    post(session, postings, now)
    return changes + len(postings)


def _lose(
    session: Session,
    rules: Rules,
    dispute_id: str,
    charge: Disputed,
    row_id: int,
    yen: int,
    key: str,
    on: date,
    now: datetime,
) -> int:
    """What the card had settled is taken back; then the choice: the claim stays, or the sale is void."""
    settle(session, [Settled(charge.invoice_id, charge.account, "dispute", -yen, on, row_id)], now)
    accrued_unpaid_yen = session.execute(
        sa.select(interest_checkpoint.c.accrued_unpaid_yen)
        .where(interest_checkpoint.c.invoice_id == charge.invoice_id)
        .order_by(interest_checkpoint.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    _count_anew(session, charge, on, accrued_unpaid_yen or 0, now)
    choice = chosen(session, dispute_id)
    if (choice.choice if choice is not None else rules.discretion.dispute_lost) == SALE_VOIDED:
        by, ground = (choice.author, choice.ground) if choice is not None else ("keizoku", "dispute_lost: sale_void")
        return 1 + void(session, rules, dispute_id, charge, Act(by, ground), yen, on, now, key)
    post(session, [Posting("dispute_lost_claim_stays", key, on, {"yen": yen}, charge.account)], now)
    return 1


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


def void(
    session: Session,
    rules: Rules,
    dispute_id: str,
    charge: Disputed,
    act: Act,
    disputed_yen: int,
    on: date,
    now: datetime,
    lost_key: str = "",
) -> int:
    """Nothing of the term is owed: what is open ends, revenue is taken back, and a term that still runs ends.

    `disputed_yen` of it stand in 1132 (under `lost_key` they leave it), the rest in 1140.
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
    amounts = {
        "unrecognised_yen": parts.unrecognised_yen,
        "recognised_yen": parts.recognised_yen,
        "tax_yen": tax_included_yen(parts.recognised_yen, tax_rate),
    }
    key = f"dispute:{dispute_id}:void"
    if session.execute(sa.select(entry.c.id).where(entry.c.event_key == key)).first() is not None:
        key += f":{fact_id}"  # voided, paid after all, and lost once more
    straight = disputed_yen == row.open_yen
    postings = [
        Posting("dispute_lost_sale_void" if straight else "sale_voided", key, on, amounts, charge.account),
    ]
    if disputed_yen and not straight:
        stays = {"yen": disputed_yen}
        postings.append(Posting("dispute_lost_claim_stays", lost_key, on, stays, charge.account))
    postings += _interest_too_much(session, rules, charge.account, key, now)
    post(session, postings, now)
    return 3 + len(settled)


def _interest_too_much(session: Session, rules: Rules, account: str, key: str, now: datetime) -> list[Posting]:
    """The entry by which interest that was demanded, and is not owed any more, is taken back; its booking is noted."""
    today = jst_day(now)
    unpaid = load_open_items(session, rules, today, account=account, with_accrued=True)
    left_yen, _ = interest_owed(unpaid, rules, today)
    too_much_yen = interest_booked(session, account) - left_yen
    if too_much_yen <= 0:
        return []
    book_interest(session, account, "correction", -too_much_yen, key, now)
    return [Posting("interest_reduced", f"{key}:interest", today, {"yen": too_much_yen}, account)]
