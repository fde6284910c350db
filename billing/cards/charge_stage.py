"""Stage 6, payments: charge what is due, once.

due    ──> attempt row committed (own key) ──> gateway asked ──> definite answer saved
                                                    └─ unknown ──> looked up ──> found: saved, on its own date
                                                                        └─ nothing: same attempt, same key again,
                                                                           within 23 h; later people decide

Our own fault is never a decline: nothing moved, the attempt is abandoned with its code, the fee is due as it was and
its days do not count against the user; where it is everybody's, the stage ends in one line.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from keizoku.billing.cards.charge_answers import save_results
from keizoku.billing.gateway import restored
from keizoku.billing.gateway.keys import key_prefix
from keizoku.billing.gateway.port import (
    NOT_SENT,
    REPLAYED,
    Answer,
    ChargeRequest,
    ChargeResult,
    Gateway,
    GatewayRefusesUsError,
)
from keizoku.billing.receivables import account_holds, customer_deposits
from keizoku.billing.receivables.open_items import load_open_items, plain_fees
from keizoku.billing.rules.payment_method import next_attempt_wanted_on
from keizoku.db.act_keys import is_rehearsed
from keizoku.db.fence import MOST_ALONE, Fence, fenced
from keizoku.db.keys import next_ids
from keizoku.db.probes import TODAY
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session, copy_rows, numbers
from keizoku.db.tables.money import invoice, payment_attempt, review_task
from keizoku.db.writer import WRITERS, BackgroundWriter, Write
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules

CHUNK = 5_000
"""Attempts that are committed together, before the first of them is sent."""
ANSWERS = 1_000
"""Answers that are booked together, while the gateway is asked on."""
_UNANSWERED = payment_attempt.c.outcome.is_(None)
_PAYABLE = sa.and_(invoice.c.state == "open", invoice.c.method == "card", invoice.c.due_on <= TODAY)


@dataclass(frozen=True, slots=True)
class InFlight:
    """An attempt without a definite answer."""

    request: ChargeRequest
    started_at: datetime
    open_yen: int


class DueAttempt(NamedTuple):
    """An attempt to be made: an invoice's open yen and due date, the day since when to charge, the attempt's number."""

    due_on: date
    invoice_id: int
    account: str
    yen: int
    wanted_on: date
    number: int


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `charge_due` would find an attempt in flight, or an open fee for a card or a deposit."""
    return sa.or_(sa.exists().where(_UNANSWERED), sa.exists().where(_PAYABLE), customer_deposits.anything_due())


def charge_due(
    session: Session,
    rules: Rules,
    gateway: Gateway,
    now: datetime,
    *,
    contract_ids: Collection[int] | None = None,
    fence: Fence | None = None,
) -> int:
    """Settle what is in flight and what deposits pay, then charge every fee that wants it today; the rows written."""
    changes = settle_in_flight(session, rules, gateway, now, contract_ids=contract_ids, fence=fence)
    changes += customer_deposits.apply_due(session, rules, now, contract_ids=contract_ids)
    if restored.is_waiting(session):
        session.commit()
        return changes
    with ExitStack() as stack:
        writer: BackgroundWriter | None = None
        for wanted in _wanted(session, rules, jst_day(now), contract_ids):
            gateway.check_account()  # before anything is written
            attempts = _begin(session, wanted, now)
            changes += len(attempts)
            unknown = False
            answers = gateway.charge_many([each.request for each in attempts], now)
            if len(attempts) > ANSWERS and writer is None and not is_rehearsed(session):
                writer = stack.enter_context(BackgroundWriter(session, WRITERS, ahead=CHUNK // ANSWERS))
            ours: list[ChargeResult] = []
            for results in _as_answered(answers):
                unknown = unknown or any(result.answer is Answer.UNKNOWN for result in results)
                ours += [result for result in results if result.answer is Answer.OURS]
                save = _saving(rules, attempts, results, now, fence)
                changes += save(session) if writer is None else writer.submit(save)
            _set_aside(attempts, ours, fence)
            if unknown:
                changes += writer.wait() if writer is not None else 0
                changes += settle_in_flight(session, rules, gateway, now, contract_ids=contract_ids, fence=fence)
        changes += writer.wait() if writer is not None else 0
    session.commit()
    return changes


def settle_in_flight(
    session: Session,
    rules: Rules,
    gateway: Gateway,
    now: datetime,
    *,
    contract_ids: Collection[int] | None = None,
    fence: Fence | None = None,
) -> int:
    """Look up every attempt without an answer; resend it under its own key, or leave it to people when too old."""
    attempts = _in_flight(session, contract_ids)
    if not attempts:
        return 0
    found = gateway.find_charges([each.request for each in attempts], now)
    changes = _saving(rules, attempts, list(found.values()), now, fence, MOST_ALONE)(session)
    subjects = {each.request.key: f"attempt {each.request.attempt_id}" for each in attempts}
    for key, result in found.items():
        if result.answer is not Answer.UNKNOWN:
            close_task(session, "attempt_unknown", subjects[key], "keizoku", "the gateway has answered", now)
    missing = [each for each in attempts if each.request.key not in found]
    oldest = now - timedelta(hours=rules.discretion.retry_resend_hours)
    # what was paid in another way meanwhile is not charged again
    again = [each for each in missing if each.started_at > oldest and each.open_yen >= each.request.yen]
    held = _held(session, jst_day(now)) if again else set()
    again = _still_unanswered(session, [each for each in again if each.request.account not in held])
    replayed: set[str] = set()  # looked up from now on, and never sent again
    if again and not restored.is_waiting(session):
        left = _left_to_people(session) if again else set()
        again = [each for each in again if subjects[each.request.key] not in left]
        ours: list[ChargeResult] = []
        for answered_now in _as_answered(gateway.charge_many([each.request for each in again], now)):
            # not sent this time says nothing of the first time: it stays in flight, and no new attempt begins
            results = [each for each in answered_now if each.code != NOT_SENT]
            ours += [result for result in results if result.answer is Answer.OURS]
            changes += _saving(rules, again, results, now, fence)(session)
            replayed |= {each.key for each in results if each.code == REPLAYED}
        _set_aside(again, ours, fence)
    for each in attempts:
        answered = found.get(each.request.key)
        too_old = each.started_at <= oldest and (answered is None or answered.answer is Answer.UNKNOWN)
        if too_old or each.request.key in replayed:
            changes += open_task(
                session,
                "attempt_unknown",
                f"attempt {each.request.attempt_id}",
                {
                    "account": each.request.account,
                    "invoice": each.request.invoice_id,
                    "yen": each.request.yen,
                    "first_sent_at": each.started_at.isoformat(),
                },
                now,
            )
    session.commit()
    return changes


def _as_answered(answers: Iterator[ChargeResult]) -> Iterator[list[ChargeResult]]:
    """Answers in the portions in which they are booked; what came before we were refused is handed on first."""
    results: list[ChargeResult] = []
    try:
        for each in answers:
            results.append(each)
            if len(results) == ANSWERS:
                yield results
                results = []
    except GatewayRefusesUsError:
        if results:
            yield results
        raise
    if results:
        yield results


def _set_aside(attempts: Sequence[InFlight], results: Sequence[ChargeResult], fence: Fence | None) -> None:
    """A task for each account whose charge alone could not be made by our own fault; the fee stays due."""
    ours = {each.key: each.code for each in results if each.answer is Answer.OURS}
    for each in attempts if fence is not None and ours else ():
        if fence is not None and each.request.key in ours:
            why = f"not charged by no fault of its own ({ours[each.request.key]}): look at its customer and card there"
            fence.aside("account", each.request.account, GatewayRefusesUsError(why))


def _held(session: Session, today: date) -> set[str]:
    """Accounts that are not charged: since a restore for something that we cannot tell, or people hold them."""
    return restored.held_accounts(session) | account_holds.in_force(session, today)


def _left_to_people(session: Session) -> set[str]:
    """Attempts that wait for people: they are looked up, and not sent again."""
    return set(
        session.scalars(
            sa.select(review_task.c.subject).where(
                review_task.c.kind == "attempt_unknown", review_task.c.closed_at.is_(None)
            )
        )
    )


def look_up(session: Session, rules: Rules, gateway: Gateway, attempt_id: int, now: datetime) -> int:
    """Look one attempt up, if it has no answer yet, and save a definite one; nothing is sent again. Commits."""
    waiting = _in_flight(session, attempt_id=attempt_id)
    found = gateway.find_charges([each.request for each in waiting], now) if waiting else {}
    changes = save_results(session, rules, [each.request for each in waiting], found.values(), now)
    session.commit()
    return changes


def _saving(
    rules: Rules,
    attempts: Sequence[InFlight],
    results: Sequence[ChargeResult],
    now: datetime,
    fence: Fence | None,
    most_alone: int = 0,
) -> Write:
    """`save_results` behind a fence: what cannot be booked stands alone; where nothing can, no card is charged on."""
    ids = {each.request.key: each.request.attempt_id for each in attempts}
    answers = {ids[each.key]: each for each in results if each.answer is not Answer.UNKNOWN}
    requests = [each.request for each in attempts]
    bound = most_alone or max(2, min(len(answers), MOST_ALONE))

    def of_some(session: Session, attempt_ids: Sequence[int]) -> int:
        return save_results(session, rules, requests, [answers[each] for each in attempt_ids], now)

    return fenced(fence, "attempt", list(answers), partial(of_some, attempt_ids=list(answers)), of_some, bound)


def _wanted(
    session: Session,
    rules: Rules,
    today: date,
    contract_ids: Collection[int] | None,
) -> Iterable[list[DueAttempt]]:
    """Chunks of open card invoices that want an attempt by today, in the order in which they fell due.

    They stay locked until their attempts are committed; what somebody else is charging just now is left out.
    """
    retries = rules.discretion.retry_after_days
    query = sa.select(invoice.c.id).where(_PAYABLE, *_among(contract_ids))
    held = _held(session, today)
    if held:
        query = query.where(invoice.c.account.not_in(held))
    payable = session.scalars(query.order_by(invoice.c.id), {TODAY.key: today}).all()
    for begun in range(0, len(payable), CHUNK):
        locked = (
            sa.select(invoice.c.id)
            .where(invoice.c.id == sa.any_(numbers(payable[begun : begun + CHUNK])), invoice.c.method == "card")
            .order_by(invoice.c.id)
            .with_for_update(skip_locked=True)
        )
        ids = session.scalars(locked).all()
        untried = plain_fees(session, ids, untried=True)
        fees = [
            DueAttempt(fee.due_on, fee.invoice_id, fee.account, fee.open_yen, wanted_on, 1)
            for fee in untried.values()
            if (wanted_on := next_attempt_wanted_on(fee.due_on, (), retries, None, None)) is not None
        ]
        others = [each for each in ids if each not in untried]
        fees += [
            DueAttempt(
                each.due_on, each.invoice_id, each.account, each.open_yen, each.wanted_on, len(each.attempts) + 1
            )
            for each in (load_open_items(session, rules, today, invoice_ids=others) if others else ())
            if each.wanted_on is not None
        ]
        least_yen = rules.discretion.minimum_card_charge_yen
        wanted = sorted(fee for fee in fees if fee.wanted_on <= today and fee.yen >= least_yen)
        if wanted:
            yield wanted


def _begin(session: Session, wanted: Sequence[DueAttempt], now: datetime) -> list[InFlight]:
    """Commit one attempt row per fee, each with its own key, before anything is asked of the gateway."""
    today = jst_day(now)
    ids, prefix = next_ids(session, payment_attempt, len(wanted)), key_prefix(session)
    requests = [
        ChargeRequest(
            f"{prefix}-{each.invoice_id}-{each.number}", each.account, attempt_id, each.invoice_id, each.yen, now
        )
        for attempt_id, each in zip(ids, wanted, strict=True)
    ]
    copy_rows(
        session,
        payment_attempt,
        ("id", "invoice_id", "account", "key", "yen", "wanted_on", "started_on", "started_at"),
        (
            (r.attempt_id, r.invoice_id, r.account, r.key, r.yen, each.wanted_on, today, now)
            for r, each in zip(requests, wanted, strict=True)
        ),
    )
    session.commit()
    return [InFlight(request, now, request.yen) for request in requests]


def _among(contract_ids: Collection[int] | None) -> list[sa.ColumnElement[bool]]:
    """Whose invoices."""
    return [] if contract_ids is None else [invoice.c.contract_id == sa.any_(numbers(contract_ids))]


def _in_flight(
    session: Session, contract_ids: Collection[int] | None = None, attempt_id: int | None = None
) -> list[InFlight]:
    query = (
        sa.select(payment_attempt, invoice.c.open_yen)
        .join(invoice, invoice.c.id == payment_attempt.c.invoice_id)
        .where(_UNANSWERED, *_among(contract_ids))
        .order_by(payment_attempt.c.id)
    )
    if attempt_id is not None:
        query = query.where(payment_attempt.c.id == attempt_id)
    return [
        InFlight(
            ChargeRequest(row.key, row.account, row.id, row.invoice_id, row.yen, row.started_at),
            row.started_at,
            row.open_yen,
        )
        for row in session.execute(query)
    ]


def _still_unanswered(session: Session, attempts: Sequence[InFlight]) -> list[InFlight]:
    """Those that nobody has settled while they were looked up: asked of the session, which ends with our lead."""
    ids = numbers(each.request.attempt_id for each in attempts)
    still = set(
        session.scalars(sa.select(payment_attempt.c.id).where(payment_attempt.c.id == sa.any_(ids), _UNANSWERED))
    )
    return [each for each in attempts if each.request.attempt_id in still]
