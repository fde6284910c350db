"""Stage 6, payments: charge what is due, once.

due    ──> attempt row committed (own key) ──> gateway asked ──> definite answer saved
                                                    └─ unknown ──> looked up ──> found: saved, on its own date
                                                                        └─ nothing: same attempt, same key again,
                                                                           within 23 h; later people decide
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from keizoku.billing.gateway import restored
from keizoku.billing.gateway.keys import key_prefix
from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult, Gateway
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables import customer_deposits
from keizoku.billing.receivables.open_items import OpenItem, load_open_items, lock_accounts, plain_fees
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import settle_fee
from keizoku.billing.rules.payment_method import decline_kind, next_attempt_wanted_on
from keizoku.db.fence import MOST_ALONE, Fence, fenced
from keizoku.db.keys import next_ids
from keizoku.db.probes import TODAY
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session, copy_rows, numbers, plain_array, text_array
from keizoku.db.tables.money import interest_checkpoint, invoice, payment_attempt
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
            attempts = _begin(session, wanted, now)
            changes += len(attempts)
            unknown = False
            answers = gateway.charge_many([each.request for each in attempts], now)
            if len(attempts) > ANSWERS and writer is None:
                writer = stack.enter_context(BackgroundWriter(session, WRITERS, ahead=CHUNK // ANSWERS))
            while results := list(islice(answers, ANSWERS)):
                unknown = unknown or any(result.answer is Answer.UNKNOWN for result in results)
                save = _saving(rules, attempts, results, now, fence)
                changes += save(session) if writer is None else writer.submit(save)
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
    held = restored.held_accounts(session) if again else set()
    again = _still_unanswered(session, [each for each in again if each.request.account not in held])
    if again and not restored.is_waiting(session):
        results = list(gateway.charge_many([each.request for each in again], now))
        changes += _saving(rules, again, results, now, fence)(session)
    for each in attempts:
        answered = found.get(each.request.key)
        if each.started_at <= oldest and (answered is None or answered.answer is Answer.UNKNOWN):
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


def look_up(session: Session, rules: Rules, gateway: Gateway, attempt_id: int, now: datetime) -> int:
    """Look one attempt up, if it has no answer yet, and save a definite one; nothing is sent again. Commits."""
    waiting = [each for each in _in_flight(session) if each.request.attempt_id == attempt_id]
    found = gateway.find_charges([each.request for each in waiting], now) if waiting else {}
    changes = save_results(session, rules, waiting, found.values(), now)
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
    bound = most_alone or max(2, min(len(answers), MOST_ALONE))

    def of_some(session: Session, attempt_ids: Sequence[int]) -> int:
        return save_results(session, rules, attempts, [answers[each] for each in attempt_ids], now)

    return fenced(fence, "attempt", list(answers), partial(of_some, attempt_ids=list(answers)), of_some, bound)


def save_results(
    session: Session,
    rules: Rules,
    attempts: Sequence[InFlight],
    results: Iterable[ChargeResult],
    now: datetime,
) -> int:
    """Write definite answers, what they settle and their entries, and commit; unknown ones stay in flight."""
    requests = {each.request.key: each.request for each in attempts}
    definite = [(requests[result.key], result) for result in results if result.answer is not Answer.UNKNOWN]
    answers = [(request, result, result.happened_at or now) for request, result in definite]
    if not answers:
        return 0
    hard_codes = rules.discretion.hard_decline_codes
    rows = session.execute(
        sa.text(
            "UPDATE payment_attempt SET outcome = answer.outcome, code = answer.code, gateway_id = answer.gateway_id, "
            "settled_on = answer.settled_on, settled_at = answer.settled_at, answer_recorded_at = :now FROM "
            "unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]), "
            "CAST(:gateway_ids AS text[]), CAST(:days AS date[]), CAST(:instants AS timestamptz[])) "
            "AS answer (id, outcome, code, gateway_id, settled_on, settled_at) "
            "WHERE payment_attempt.id = answer.id AND payment_attempt.outcome IS NULL RETURNING payment_attempt.id"
        ),
        {
            "ids": plain_array(request.attempt_id for request, _, _ in answers),
            "outcomes": text_array([_outcome(result, hard_codes) for _, result, _ in answers]),
            "codes": text_array([result.code for _, result, _ in answers]),
            "gateway_ids": text_array([result.gateway_id for _, result, _ in answers]),
            "days": plain_array(jst_day(at) for _, _, at in answers),
            "instants": plain_array(at for _, _, at in answers),
            "now": now,
        },
    )
    saved = set(rows.scalars())  # an answer that somebody else saved meanwhile is not saved again
    paid = [
        (request, jst_day(at))
        for request, result, at in answers
        if result.answer is Answer.SUCCEEDED and request.attempt_id in saved
    ]
    if paid:
        _save_paid(session, rules, paid, now)
    session.commit()
    return len(saved) + len(paid)


def _save_paid(session: Session, rules: Rules, paid: Sequence[tuple[ChargeRequest, date]], now: datetime) -> None:
    """A card charge settles one invoice's open fee whole; interest accrued on it stays owed and is marked."""
    lock_accounts(session, {request.account for request, _ in paid})
    by_invoice = {request.invoice_id: (request, on) for request, on in paid}
    plain = plain_fees(session, by_invoice).values()
    fees = {each.invoice_id: each.open_yen for each in plain if by_invoice[each.invoice_id][1] <= each.due_on}
    owed: dict[int, OpenItem] = {}
    for day in sorted({on for request, on in paid if request.invoice_id not in fees}):
        ids = [request.invoice_id for request, on in paid if on == day and request.invoice_id not in fees]
        owed |= {each.invoice_id: each for each in load_open_items(session, rules, day, invoice_ids=ids)}
    fees |= {invoice_id: each.open_yen for invoice_id, each in owed.items()}
    settled: list[tuple[ChargeRequest, date, int]] = []
    for invoice_id, (request, on) in by_invoice.items():
        open_yen = fees.get(invoice_id, 0)
        if open_yen:
            settled.append((request, on, min(open_yen, request.yen)))
        if request.yen > open_yen:
            open_task(
                session,
                "charged_too_much",
                f"attempt {request.attempt_id}",
                {"account": request.account, "invoice": invoice_id, "yen": request.yen - open_yen},
                now,
            )
    settle(session, [Settled(r.invoice_id, r.account, "card", yen, on, r.attempt_id) for r, on, yen in settled], now)
    late = [(owed[r.invoice_id], on) for r, on, _ in settled if r.invoice_id in owed]
    _checkpoint_interest(session, rules, late, now)
    post(
        session,
        [
            Posting("card_charge_succeeded", f"attempt:{r.attempt_id}", on, {"yen": yen}, r.account)
            for r, on, yen in settled
        ]
        + [
            Posting("card_overcharged", f"attempt:{r.attempt_id}:over", on, {"yen": over}, r.account)
            for r, on in paid
            if (over := r.yen - fees.get(r.invoice_id, 0)) > 0
        ],
        now,
    )


def _checkpoint_interest(session: Session, rules: Rules, paid: Sequence[tuple[OpenItem, date]], now: datetime) -> None:
    marks = []
    for each, on in paid:
        if on <= each.accrues_after and not each.accrued_unpaid_yen:
            continue  # nothing has accrued: most fees are paid on the day on which they are due
        left = settle_fee(each.debt, on, InterestRate.of(rules.terms.at(on)))
        if left.accrued_unpaid_yen:
            marks.append((each.invoice_id, each.account, on, left.accrued_unpaid_yen, now))
    if marks:
        copy_rows(
            session,
            interest_checkpoint,
            ("invoice_id", "account", "accrues_after", "accrued_unpaid_yen", "recorded_at"),
            marks,
        )


def abandon(session: Session, attempt_id: int, now: datetime) -> int:
    """People have made sure that nothing was charged: the attempt is over and another may begin. Does not commit."""
    return session.execute(
        sa.update(payment_attempt)
        .where(payment_attempt.c.id == attempt_id, payment_attempt.c.outcome.is_(None))
        .values(outcome="abandoned", code="by_people", settled_on=jst_day(now), settled_at=now, answer_recorded_at=now)
    ).rowcount


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
    held = restored.held_accounts(session)
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


def _in_flight(session: Session, contract_ids: Collection[int] | None = None) -> list[InFlight]:
    query = (
        sa.select(payment_attempt, invoice.c.open_yen)
        .join(invoice, invoice.c.id == payment_attempt.c.invoice_id)
        .where(_UNANSWERED, *_among(contract_ids))
        .order_by(payment_attempt.c.id)
    )
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


def _outcome(result: ChargeResult, hard_codes: Sequence[str]) -> str:
    if result.answer is Answer.SUCCEEDED:
        return "succeeded"
    if result.answer is Answer.NEEDS_USER:
        return "needs_user"
    return decline_kind(result.code, hard_codes)
