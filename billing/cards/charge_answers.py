"""Booking what a gateway answered to charges: the attempt's outcome, what it settles, its entries.

Definite answers only; an unknown one stays in flight. Always holds: an answer is saved once, whoever brings it.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.gateway.port import Answer, ChargeRequest, ChargeResult
from keizoku.billing.gateway.refusal_words import refusal_words
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.open_items import OpenItem, load_open_items, lock_accounts, plain_fees
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import settle_fee
from keizoku.billing.rules.payment_method import decline_kind
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session, copy_rows, plain_array, text_array
from keizoku.db.tables.money import interest_checkpoint, payment_attempt
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def save_results(
    session: Session,
    rules: Rules,
    asked: Iterable[ChargeRequest],
    results: Iterable[ChargeResult],
    now: datetime,
) -> int:
    """Write definite answers, what they settle and their entries, and commit; unknown ones stay in flight."""
    requests = {each.key: each for each in asked}
    definite = [(requests[result.key], result) for result in results if result.answer is not Answer.UNKNOWN]
    answers = [(request, result, result.happened_at or now) for request, result in definite]
    if not answers:
        return 0
    hard_codes = rules.discretion.hard_decline_codes
    rows = session.execute(
        sa.text(
            "UPDATE payment_attempt SET outcome = answer.outcome, code = answer.code, advice = answer.advice, "
            "gateway_id = answer.gateway_id, "
            "settled_on = answer.settled_on, settled_at = answer.settled_at, answer_recorded_at = :now FROM "
            "unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]), "
            "CAST(:advice AS text[]), "
            "CAST(:gateway_ids AS text[]), CAST(:days AS date[]), CAST(:instants AS timestamptz[])) "
            "AS answer (id, outcome, code, advice, gateway_id, settled_on, settled_at) "
            "WHERE payment_attempt.id = answer.id AND payment_attempt.outcome IS NULL RETURNING payment_attempt.id"
        ),
        {
            "ids": plain_array(request.attempt_id for request, _, _ in answers),
            "outcomes": text_array([_outcome(result, hard_codes, jst_day(at)) for _, result, at in answers]),
            "codes": text_array([result.code for _, result, _ in answers]),
            "advice": text_array([result.advice for _, result, _ in answers]),
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


def _outcome(result: ChargeResult, hard_codes: Sequence[str], on: date) -> str:
    if result.answer is Answer.SUCCEEDED:
        return "succeeded"
    if result.answer is Answer.NEEDS_USER:
        return "needs_user"
    if result.answer is Answer.OURS:
        return "abandoned"
    words = refusal_words(on)
    return decline_kind(
        result.code,
        words.new_card.union(hard_codes),
        result.advice,
        card_holder_codes=words.card_holder,
        hard_advice=words.advice_new_card,
        card_holder_advice=words.advice_card_holder,
    )
