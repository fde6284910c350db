"""Stage 5, invoices: one per new term, credits applied oldest first, booked in the same transaction.

Due: terms that the last certificate does not cover yet and that nothing was opened for. Terms paid by card or by
other means get an invoice; a term paid through a store or by a key is opened in the journal only; a free coupon
owes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.remedies import IS_FREE
from keizoku.billing.receivables.settlement import Settled, write_settlements
from keizoku.billing.rules.invoice import InvoiceDraft, draft_invoice
from keizoku.billing.rules.payment_method import INVOICED, POSTED_ONLY, opening
from keizoku.billing.rules.sla_credit import OpenCredit
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.keys import next_ids
from keizoku.db.probes import FLOOR
from keizoku.db.session import Session, copy_rows, numbers, plain_array, texts
from keizoku.db.tables.books import entry
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import credit, credit_application, invoice
from keizoku.terms.rules import Rules

CHUNK = 10_000
_LAST = sa.bindparam("last", type_=sa.BigInteger())
_living, _voided = invoice.alias("living"), invoice.alias("voided")
_posted = (
    sa.select(sa.true().label("known"))
    .where(term.c.method.in_(POSTED_ONLY), entry.c.event_key == sa.func.concat("term:", term.c.id))
    .limit(1)
    .lateral("posted")
)


def _unopened(above: sa.ColumnElement[int]) -> sa.Select[*tuple[Any, ...]]:
    """Terms with an id above `above` that nothing was opened for.

    As joins that each have an index, and the bound on both sides: "no invoice, or no entry" as conditions beside an OR
    read every invoice for every term.
    """
    return (
        sa.select(term.c.id, term.c.contract_id, term.c.account, term.c.method, term.c.starts_on, term.c.price_yen)
        .outerjoin(
            _living, sa.and_(_living.c.term_id == term.c.id, _living.c.term_id > above, _living.c.state != "void")
        )
        .outerjoin(_voided, sa.and_(_voided.c.term_id == term.c.id, _voided.c.state == "void"))
        .outerjoin(_posted, sa.true())
        .where(
            term.c.id > above,
            term.c.method.in_((*INVOICED, *POSTED_ONLY)),
            _living.c.id.is_(None),
            _voided.c.id.is_(None),
            _posted.c.known.is_(None),
        )
    )


class NewTerm(NamedTuple):
    """A term that nothing was opened for."""

    term_id: int
    contract_id: int
    account: str
    method: str
    starts_on: date
    price_yen: int


@dataclass(frozen=True, slots=True)
class DueTerms:
    """A chunk of such terms and the credits that their accounts hold."""

    terms: tuple[NewTerm, ...]
    credits: dict[str, list[OpenCredit]]


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `due` would find a term above the floor."""
    return sa.exists(_unopened(FLOOR))


def contracts_due() -> sa.Select[int]:
    """The contracts of the terms that `due` would find above the floor."""
    return sa.select(_unopened(FLOOR).subquery().c.contract_id).distinct()


def due(
    session: Session,
    *,
    above: int = 0,
    contract_ids: Collection[int] | None = None,
    term_ids: Collection[int] | None = None,
    within: tuple[int, int] | None = None,
) -> DueTerms:
    """A chunk of terms with an id above `above` to open, in the order of their ids; their credits stay locked.

    Of all contracts, of some, of these terms, or of the contracts with an id from the first to the last of `within`.
    A chunk that is not full is the last.
    """
    query = _unopened(_LAST).order_by(term.c.id).limit(CHUNK)
    if contract_ids is not None:
        query = query.where(term.c.contract_id == sa.any_(numbers(contract_ids)))
    if term_ids is not None:
        query = query.where(term.c.id == sa.any_(numbers(term_ids)))
    if within is not None:
        query = query.where(term.c.contract_id.between(*within))
    terms = tuple(map(NewTerm._make, session.execute(query, {_LAST.key: above})))
    return DueTerms(terms, _credits(session, [each.account for each in terms]) if terms else {})


def all_due(session: Session, *, contract_ids: Collection[int]) -> Iterator[DueTerms]:
    """Chunk after chunk of these contracts; each has to be saved before the next is asked for."""
    after = 0
    while (facts := due(session, above=after, contract_ids=contract_ids)).terms:
        yield facts
        after = facts.terms[-1].term_id


def decide(rules: Rules, facts: DueTerms, fence: Fence | None = None) -> list[tuple[NewTerm, InvoiceDraft | None]]:
    """The invoice of each term, or None where the term is only opened in the journal.

    Within a chunk an account's credits are drawn down in the order of its terms; where there are none, invoices of the
    same price, method and day are one and the same draft. With a fence, a term that no invoice can be drafted for is
    set aside; without one, that is raised.
    """
    drafts: list[tuple[NewTerm, InvoiceDraft | None]] = []
    alike: dict[tuple[int, str, date], InvoiceDraft] = {}
    for each in facts.terms:
        if each.method not in INVOICED:
            drafts.append((each, None))
            continue
        credits = facts.credits.get(each.account, [])
        known = None if credits else alike.get(kind := (each.price_yen, each.method, each.starts_on))
        if known is not None:
            drafts.append((each, known))
            continue
        try:
            policy = rules.terms.at(each.starts_on)
            draft = draft_invoice(
                price_yen=each.price_yen,
                method=each.method,
                starts_on=each.starts_on,
                credits=credits,
                due_days_other=rules.discretion.invoice_due_days_other,
                moves_to_bank_day=policy.readings["due_on_holiday"] == "next_business_day",
                minimum_card_yen=rules.discretion.minimum_card_charge_yen,
                tax_rate=policy.tax.rate,
            )
        except Exception as error:
            if fence is None or not is_of_item(error):
                raise
            fence.aside("term", each.term_id, error)
            continue
        if not credits:
            alike[kind] = draft
        if draft.applied:
            used = dict(draft.applied)
            facts.credits[each.account] = [
                OpenCredit(c.credit_id, c.available_yen - used.get(c.credit_id, 0), c.usable_from) for c in credits
            ]
        drafts.append((each, draft))
    return drafts


def save(
    session: Session,
    drafts: Sequence[tuple[NewTerm, InvoiceDraft | None]],
    now: datetime,
    *,
    commit: bool = True,
) -> int:
    """Write invoices, applied credits and entries in one transaction; returns the rows written."""
    invoiced = [(each, draft) for each, draft in drafts if draft is not None]
    ids = next_ids(session, invoice, len(invoiced))
    with_ids = [(invoice_id, each, draft) for invoice_id, (each, draft) in zip(ids, invoiced, strict=True)]
    copy_rows(
        session,
        invoice,
        (
            "id",
            "term_id",
            "contract_id",
            "account",
            "method",
            "total_yen",
            "credit_yen",
            "tax_yen",
            "issued_on",
            "due_on",
            "issued_at",
            "state",
            "open_yen",
            "paid_on",
        ),
        (
            (
                invoice_id,
                t.term_id,
                t.contract_id,
                t.account,
                t.method,
                d.total_yen,
                d.credit_yen,
                d.tax_yen,
                d.issued_on,
                d.due_on,
                now,
                "open" if d.charged_yen else "paid",
                d.charged_yen,
                None if d.charged_yen else d.issued_on,
            )
            for invoice_id, t, d in with_ids
        ),
    )
    applied = [(i, t, d, credit_id, yen) for i, t, d in with_ids for credit_id, yen in d.applied]
    if applied:
        _save_applied(session, applied, now)
    postings = [
        Posting("term_invoiced", f"term:{t.term_id}", d.issued_on, {"yen": d.total_yen}, t.account)
        for _, t, d in with_ids
    ]
    postings += [
        Posting(
            "credit_applied",
            f"invoice:{i}:credit",
            d.issued_on,
            {"yen": d.credit_yen, "tax_adjustment_yen": d.tax_adjustment_yen},
            t.account,
        )
        for i, t, d in with_ids
        if d.credit_yen
    ]
    postings += [
        Posting(opening(t.method), f"term:{t.term_id}", t.starts_on, {"yen": t.price_yen}, t.account)
        for t, draft in drafts
        if draft is None
    ]
    post(session, postings, now)
    if commit:
        session.commit()
    return len(drafts)


def _save_applied(
    session: Session, applied: Sequence[tuple[int, NewTerm, InvoiceDraft, int, int]], now: datetime
) -> None:
    ids = next_ids(session, credit_application, len(applied))
    copy_rows(
        session,
        credit_application,
        ("id", "credit_id", "invoice_id", "yen", "applied_on", "recorded_at"),
        (
            (own_id, credit_id, i, yen, d.issued_on, now)
            for own_id, (i, _, d, credit_id, yen) in zip(ids, applied, strict=True)
        ),
    )
    write_settlements(
        session,
        (
            Settled(i, t.account, "credit", yen, d.issued_on, own_id)
            for own_id, (i, t, d, _, yen) in zip(ids, applied, strict=True)
        ),
        now,
    )
    used: dict[int, int] = {}
    for _, _, _, credit_id, yen in applied:
        used[credit_id] = used.get(credit_id, 0) + yen
    session.execute(
        sa.text(
            "UPDATE credit SET available_yen = available_yen - used.yen FROM "
            "unnest(CAST(:ids AS bigint[]), CAST(:yen AS bigint[])) AS used (id, yen) WHERE credit.id = used.id"
        ),
        {"ids": plain_array(used), "yen": plain_array(used.values())},
    )


def _credits(session: Session, accounts: Sequence[str]) -> dict[str, list[OpenCredit]]:
    rows = session.execute(
        sa.select(credit.c.account, credit.c.id, credit.c.available_yen, credit.c.usable_from)
        .where(
            credit.c.available_yen > 0,
            credit.c.account == sa.any_(texts(accounts)),
            IS_FREE,
        )
        .order_by(credit.c.usable_from, credit.c.id)
        .with_for_update()
    )
    grouped: dict[str, list[OpenCredit]] = {}
    for account, credit_id, available_yen, usable_from in rows:
        grouped.setdefault(account, []).append(OpenCredit(credit_id, available_yen, usable_from))
    return grouped
