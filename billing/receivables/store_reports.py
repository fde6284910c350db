"""What an app store reports about the terms that it collected for us: its fee, the tax in it, and what it paid out.

The store's own customer contract decides when and what the user pays (premium/5.1.2, 5.3); we book its reports:
1133 / 2120 when the term begins, 6111 and 1180 / 1133 for the fee, 1110 / 1133 when it is paid out. A report of the
same term with the same figures is known already, and may tell its payout later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import cast

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.csv_layout import BadValueError, day_of, text_of, yen_of
from keizoku.billing.receivables.read_models import StoreTerm
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.bank import store_payout
from keizoku.db.tables.contracts import contract, term
from keizoku.db.tables.money import review_task, store_report
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import floor_yen
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

COLUMNS = ("store", "account", "term", "gross", "fee", "fee_tax", "currency", "paid_out_on", "payout_id")
NEEDED = ("store", "account", "term", "gross", "fee")
YEN = "JPY"


@dataclass(frozen=True, slots=True)
class StoreReport:
    """One term as a store reports it, in whole yen; `fee_tax_yen` None: the store does not state it."""

    account: str
    term_on: date
    gross_yen: int
    fee_yen: int
    store: str | None = None
    fee_tax_yen: int | None = None
    payout_id: str | None = None
    paid_out_on: date | None = None


def take_report(session: Session, rules: Rules, report: StoreReport, now: datetime, *, again: bool = False) -> int:
    """Record and book a store's report of one term, and its payout; commits; the rows written.

    A gross amount that differs from the fee goes to people; so does a charge for a term after the contract's end, which
    is kept as a task with its figures and books nothing. `again`: the same report may come once more, with its payout;
    else a second one is refused. Where the store does not name the tax in its fee, the fee without tax is rounded down.
    """
    who = f"account {report.account}"
    row = session.execute(
        sa.select(term.c.id, term.c.price_yen)
        .where(term.c.account == report.account, term.c.starts_on == report.term_on, term.c.method == "app_store")
        .with_for_update()
    ).first()
    try:
        ended_on = None if row is not None else store_contract_end(session, report.account, report.term_on)
        if row is None and ended_on is None:
            raise Refused("store.term_unknown", f"{who}: no term of {report.term_on} is paid through an app store")
        if not 0 <= report.fee_yen <= report.gross_yen:
            raise Refused(
                "store.fee",
                f"{who}: a store's fee lies between 0 and the gross {report.gross_yen} yen, not {report.fee_yen}",
            )
        tax_yen = report.fee_tax_yen
        if tax_yen is None:
            rate = Fraction(rules.terms.at(jst_day(now)).tax.rate)
            tax_yen = report.fee_yen - floor_yen(report.fee_yen / (1 + rate))
        if not 0 <= tax_yen <= report.fee_yen:
            raise Refused(
                "store.fee_tax",
                f"{who}: the tax in a store's fee lies between 0 and {report.fee_yen} yen, not {tax_yen}",
            )
        if row is not None:
            changes = _take(session, report, row.id, row.price_yen, tax_yen, now, again)
            changes += _pay_out(session, report, row.id, now)
        else:
            changes = _take_after_end(session, report, str(ended_on), now, again)
    except Refused:
        session.rollback()
        raise
    session.commit()
    return changes


def report_count(session: Session, account: str | None = None) -> int:
    """How many terms `reports` has in all."""
    query = sa.select(sa.func.count()).select_from(term).where(term.c.method == "app_store")
    return session.scalar(query.where(term.c.account == account) if account is not None else query) or 0


def reports(
    session: Session, account: str | None = None, *, limit: int | None = None, after: int | None = None
) -> list[StoreTerm]:
    """Every term that a store began for us, with what the store reported and paid out.

    At most `limit`, after the term with the id `after`.
    """
    query = (
        sa.select(term.c.id, term.c.account, term.c.starts_on, term.c.price_yen, store_report, store_payout.c.payout_id)
        .add_columns(store_payout.c.paid_out_on, store_payout.c.yen.label("paid_out_yen"))
        .outerjoin(store_report, store_report.c.term_id == term.c.id)
        .outerjoin(store_payout, store_payout.c.term_id == term.c.id)
        .where(term.c.method == "app_store")
        .order_by(term.c.starts_on, term.c.id)
        .limit(limit)
    )
    if account is not None:
        query = query.where(term.c.account == account)
    if after is not None:
        last = term.alias("last")
        place = sa.select(last.c.starts_on, last.c.id).where(last.c.id == after).scalar_subquery()
        query = query.where(sa.tuple_(term.c.starts_on, term.c.id) > place)
    return [
        StoreTerm(
            id=row.id,
            account=row.account,
            term=row.starts_on,
            price=row.price_yen,
            store=row.store,
            gross=row.gross_yen,
            fee=row.fee_yen,
            fee_tax=row.fee_tax_yen,
            paid_out=row.paid_out_yen,
            paid_out_on=row.paid_out_on,
            payout_id=row.payout_id,
        )
        for row in session.execute(query)
    ]


def _take(
    session: Session, report: StoreReport, term_id: int, price_yen: int, tax_yen: int, now: datetime, again: bool
) -> int:
    before = session.execute(sa.select(store_report).where(store_report.c.term_id == term_id)).one_or_none()
    if before is not None:
        stated = (before.gross_yen, before.fee_yen)
        if not again or stated != (report.gross_yen, report.fee_yen):
            raise Refused(
                "store.reported_already",
                f"account {report.account}: the store has reported the term of {report.term_on} already: "
                f"{stated[0]} yen, of which it keeps {stated[1]}",
            )
        return 0
    session.execute(
        sa.insert(store_report).values(
            term_id=term_id,
            account=report.account,
            store=report.store,
            gross_yen=report.gross_yen,
            fee_yen=report.fee_yen,
            fee_tax_yen=tax_yen,
            reported_at=now,
        )
    )
    if report.gross_yen != price_yen:
        detail = {"account": report.account, "price_yen": price_yen, "gross_yen": report.gross_yen}
        open_task(session, "store_gross_differs", f"term {term_id}", detail, now)
    amounts = {"yen": report.fee_yen, "tax_yen": tax_yen}
    post(session, [Posting("store_reported", f"term:{term_id}:store", jst_day(now), amounts, report.account)], now)
    return 1


def store_contract_end(session: Session, account: str, on: date) -> date | None:
    """The day on which the account's last contract with an app store ended, if it was over on a day; else None."""
    paid_there = sa.exists().where(term.c.contract_id == contract.c.id, term.c.method == "app_store")
    row = session.execute(
        sa.select(contract.c.ended_on)
        .where(contract.c.account == account, contract.c.approved_at.is_not(None), paid_there)
        .order_by(contract.c.id.desc())
        .limit(1)
    ).first()
    if row is None or row.ended_on is None or on < row.ended_on:
        return None
    return cast("date", row.ended_on)


def _take_after_end(session: Session, report: StoreReport, ended_on: str, now: datetime, again: bool) -> int:
    """The store goes on charging a contract that is over (premium/6.1): people stop it there and give it back."""
    subject = _after_end(report.account, report.term_on)
    detail = {
        "account": report.account,
        "ended_on": ended_on,
        "store": report.store,
        "term": report.term_on.isoformat(),
        "yen": report.gross_yen,
        "fee_yen": report.fee_yen,
        "payout_id": report.payout_id,
        "why": f"the store charged {report.gross_yen} yen for {report.term_on}; the contract ended on {ended_on}",
    }
    if open_task(session, "store_charged_after_end", subject, detail, now):
        return 1
    task = charge_after_end(session, report.account, report.term_on)
    before = cast("dict[str, int]", task.detail if task is not None else {})
    if not again or (before["yen"], before["fee_yen"]) != (report.gross_yen, report.fee_yen):
        raise Refused(
            "store.reported_already",
            f"account {report.account}: the store has reported its charge of {report.term_on} already: "
            f"{before['yen']} yen, of which it keeps {before['fee_yen']}",
        )
    return 0


def charge_after_end(session: Session, account: str, term_on: date) -> sa.Row[tuple[object, ...]] | None:
    """The task of a store's charge after the contract's end, with its detail, or None."""
    one = review_task.c.kind == "store_charged_after_end", review_task.c.subject == _after_end(account, term_on)
    return session.execute(sa.select(review_task).where(*one)).one_or_none()


def _after_end(account: str, term_on: date) -> str:
    return f"account {account} term {term_on}"


def _pay_out(session: Session, report: StoreReport, term_id: int, now: datetime) -> int:
    if report.paid_out_on is None:
        return 0
    before = session.execute(sa.select(store_payout).where(store_payout.c.term_id == term_id)).one_or_none()
    if before is not None:
        if (before.payout_id, before.paid_out_on) != (report.payout_id, report.paid_out_on):
            raise Refused(
                "store.paid_out_already",
                f"account {report.account}: the term of {report.term_on} was paid out on {before.paid_out_on} "
                f"with {before.payout_id} already",
            )
        return 0
    yen = report.gross_yen - report.fee_yen
    session.execute(
        sa.insert(store_payout).values(
            term_id=term_id, payout_id=report.payout_id, paid_out_on=report.paid_out_on, yen=yen, recorded_at=now
        )
    )
    key = f"term:{term_id}:payout"
    post(session, [Posting("store_paid_out", key, report.paid_out_on, {"yen": yen}, report.account)], now)
    return 1


def report_of(values: Mapping[str, str], today: date) -> StoreReport:
    """A row of our own columns. Raises BadValueError."""
    currency = values.get("currency", "") or YEN
    if currency.upper() != YEN:
        raise BadValueError(currency, f"reports are in {YEN}", "have the store report in yen, or book it by hand")
    paid_on, payout_id = values.get("paid_out_on", ""), text_of(values.get("payout_id", ""))
    if bool(paid_on) != bool(payout_id):
        raise BadValueError(paid_on or payout_id, "a payout has its day and its id", "state both, or neither")
    paid_out_on = day_of(paid_on) if paid_on else None
    if paid_out_on is not None and paid_out_on > today:
        raise BadValueError(paid_on, "the payout lies ahead", "import it when it has arrived")
    tax = values.get("fee_tax", "")
    return StoreReport(
        account=values["account"],
        term_on=day_of(values["term"]),
        gross_yen=yen_of(values["gross"]),
        fee_yen=yen_of(values["fee"]),
        store=text_of(values["store"]) or None,
        fee_tax_yen=yen_of(tax) if tax else None,
        payout_id=payout_id or None,
        paid_out_on=paid_out_on,
    )
