"""Disputes of cardholders: what the gateway says of each, state by state, and what follows for fee and books.

    inquiry a cardholder asks; nothing has moved (closed, prevented: and nothing will)
    opened  the money and the gateway's fee leave the balance (1132, 6112 / 1131); the fee still counts as paid
    won     the money comes back (1131 / 1132; after a loss, on appeal: 1131 / 1140)
    lost    the claim stays: the fee is open again, as if it fell due on the day of the loss (1140 / 1132);
            or the sale is void: nothing is owed, revenue is taken back, a term that still runs ends

Which of the two is a setting (`dispute_lost`), unless people chose for the dispute. Always holds: a state is recorded
and booked once, whatever events came, how often and in which order. An event is only a reason to fetch again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts.renewal_stage import save_end
from keizoku.billing.dunning.write_off import Act, record_act
from keizoku.billing.gateway import events, restored
from keizoku.billing.gateway.books import NO_MONEY, Dispute
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.open_items import interest_owed, load_open_items, lock_accounts
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.books.revenue_recognition import divide_claim, remaining
from keizoku.billing.rules.contract_lifecycle import SALE_VOID, ContractEnd
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.probes import NOW
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.books import term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.gateway import dispute_choice, gateway_dispute, gateway_event, saved_card
from keizoku.db.tables.money import interest_checkpoint, invoice, payment_attempt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.rules import Rules

CLAIM_STAYS, SALE_VOIDED = "claim_stays", "sale_void"
_REPORTED = sa.literal_column("starts_with(gateway_event.kind, 'charge.dispute.')", sa.Boolean())
_OVER = ("won", "closed", "prevented")
APPEAL_DAYS = 120
"""For so long a lost dispute is asked about: it may be won on appeal."""
NEWS_DAYS = 30
CURSOR = "disputes"


def _undecided() -> sa.Select[Any]:
    """Disputes to ask for: told of and not known, not over, lost not long ago, or with news since we knew it."""
    event, known = gateway_event, gateway_dispute
    of_event = known.c.dispute == event.c.about
    told = sa.select(event.c.about.label("dispute")).where(
        _REPORTED,
        sa.or_(
            ~sa.exists().where(of_event),
            sa.and_(
                event.c.happened_at > NOW - timedelta(days=NEWS_DAYS),
                ~sa.exists().where(of_event, known.c.recorded_at >= event.c.recorded_at),
            ),
        ),
    )
    later = known.alias("later")
    over = sa.exists().where(
        later.c.dispute == known.c.dispute,
        sa.or_(
            later.c.state.in_(_OVER),
            sa.and_(later.c.state == "lost", later.c.happened_at < NOW - timedelta(days=APPEAL_DAYS)),
        ),
    )
    return sa.select(told.union(sa.select(known.c.dispute).where(~over)).subquery("undecided").c.dispute)


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is a dispute to ask the gateway for, or a card at a gateway that may tell of new ones."""
    return sa.or_(sa.exists(_undecided().subquery().select()), sa.exists(sa.select(saved_card.c.id)))


def sync_events(session: Session, rules: Rules, gateway: Gateway, now: datetime, fence: Fence | None = None) -> int:
    """Fetch every dispute that is not over and those that began, and record and book what is new.

    Commits; returns the rows written. New ones are listed at the gateway as well, whatever events came. With a fence,
    a dispute that cannot be booked is set aside; without one, that is raised.
    """
    if restored.is_waiting(session):  # a charge of before the restore would be taken for nobody's
        session.rollback()
        return 0
    changes = 0
    taken: set[str] = set()
    books = gateway.books
    if books is not None:
        written, all_booked = _take_each(session, rules, books.disputes(events.since(session, CURSOR, now)), now, fence)
        changes += sum(written.values())
        taken = set(written)
        if all_booked:  # what could not be booked is listed again
            events.move_cursor(session, CURSOR, events.seen_to(books, now))
    ids = sorted(set(session.scalars(_undecided(), {NOW.key: now})) - taken)
    session.commit()
    written, _ = _take_each(session, rules, gateway.disputes(ids, now), now, fence)
    return changes + sum(written.values())


def _take_each(
    session: Session, rules: Rules, found: Iterable[Dispute], now: datetime, fence: Fence | None
) -> tuple[dict[str, int], bool]:
    """The rows written for each dispute, and whether each could be booked; commits."""
    written: dict[str, int] = {}
    all_booked = True
    for each in found:
        try:
            written[each.id] = _take(session, rules, each, now)
            session.commit()
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error):
                raise
            charge = charge_of(session, each.payment)
            session.rollback()
            fence.aside("dispute", each.id, error, account=None if charge is None else charge.account)
            if charge is not None:
                fence.unpaid.add(charge.account)
            written[each.id], all_booked = 0, False
    return written, all_booked


@dataclass(frozen=True, slots=True)
class Disputed:
    """The charge that a dispute is about, if it is one of ours."""

    attempt_id: int
    account: str
    invoice_id: int


def _take(session: Session, rules: Rules, dispute: Dispute, now: datetime) -> int:
    charge = charge_of(session, dispute.payment)
    if charge is not None:
        lock_accounts(session, [charge.account])
    elif dispute.state not in NO_MONEY:
        detail = {"payment": dispute.payment, "yen": dispute.amount, "state": dispute.state}
        open_task(session, "dispute_of_unknown_payment", f"dispute {dispute.id}", detail, now)
    if dispute.currency != "jpy":  # it is not of our charges; the movement is for people
        return 0
    began = "inquiry" if dispute.state in NO_MONEY else "open"
    changes = _record(session, rules, dispute, charge, began, dispute.happened_at, now)
    if dispute.state != began:
        at = min(now, dispute.closed_at or _reported_at(session, dispute.id) or now)
        changes += _record(session, rules, dispute, charge, dispute.state, max(at, dispute.happened_at), now)
    return changes


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
    before = {
        row.state: row.fee
        for row in session.execute(
            sa.select(gateway_dispute.c.state, gateway_dispute.c.fee)
            .where(gateway_dispute.c.dispute == dispute.id)
            .order_by(gateway_dispute.c.id)
        )
    }
    moved = state not in NO_MONEY
    yen = dispute.returned if state == "won" and dispute.returned is not None else dispute.amount
    if state == "won" and "lost" in before and charge is not None and not _still_owed(session, charge, yen):
        # what the loss left open was paid, or voided, since: whose the money is now is for people
        detail = {"account": charge.account, "invoice": charge.invoice_id, "yen": yen}
        return open_task(session, "dispute_won_late", f"dispute {dispute.id}", detail, now)
    row_id = session.execute(
        insert(gateway_dispute)
        .values(
            dispute=dispute.id,
            payment=dispute.payment,
            attempt_id=None if charge is None else charge.attempt_id,
            amount=yen,
            fee=dispute.fee if moved else 0,
            state=state,
            happened_at=happened_at,
            recorded_at=now,
        )
        .on_conflict_do_nothing(index_elements=["dispute", "state"])
        .returning(gateway_dispute.c.id)
    ).scalar_one_or_none()
    if row_id is None:
        return 0
    if (
        charge is None or not moved
    ):  # nothing moved, or the charge is not in our books and neither is what becomes of it
        return 1
    key, on = f"dispute:{dispute.id}:{state}", jst_day(happened_at)
    if state == "open":
        amounts = {"yen": yen, "fee_yen": dispute.fee}
        post(session, [Posting("dispute_opened", key, on, amounts, charge.account)], now)
        return 1
    more_fee_yen = dispute.fee - (list(before.values())[-1] if before else 0)
    if more_fee_yen:
        post(session, [Posting("dispute_fee", f"{key}:fee", on, {"yen": more_fee_yen}, charge.account)], now)
    if state == "won" and "lost" in before:
        settle(session, [Settled(charge.invoice_id, charge.account, "dispute", yen, on, row_id)], now)
        _count_anew(session, charge, on, 0, now)  # the card had paid all the time
        won = Posting("dispute_won_on_appeal", key, on, {"yen": yen}, charge.account)
        post(session, [won, *_interest_too_much(session, rules, charge.account, key, now)], now)
        return 2
    if state == "won":
        post(session, [Posting("dispute_won", key, on, {"yen": yen}, charge.account)], now)
        return 1
    return 1 + _lose(session, rules, dispute, charge, row_id, on, now)


def _still_owed(session: Session, charge: Disputed, yen: int) -> bool:
    """Whether the fee is open by at least so much: what a loss took back is still to be paid."""
    open_yen = sa.select(invoice.c.open_yen).where(invoice.c.id == charge.invoice_id, invoice.c.state == "open")
    return (session.execute(open_yen).scalar_one_or_none() or 0) >= yen


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
    choice = chosen(session, dispute.id)
    if (choice.choice if choice is not None else rules.discretion.dispute_lost) == SALE_VOIDED:
        by, ground = (choice.author, choice.ground) if choice is not None else ("keizoku", "dispute_lost: sale_void")
        return 2 + void(session, rules, dispute.id, charge, Act(by, ground), yen, lost_on, now)
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


def void(
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
