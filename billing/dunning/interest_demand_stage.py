"""Demands for late interest: monthly on the first night, and at termination (premium/5.2).

A demand states the whole interest owed, rounded down once, and asks for what was not demanded before. It does not
restart the count. What the payer pays before it was demanded is booked then. It keeps the workings of every debt, so
that the document can be shown again as it was sent.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.documents.notices import details_text, pay_to
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables import account_holds
from keizoku.billing.receivables.interest_bookings import interest_booked_by, workings_of, write_bookings
from keizoku.billing.receivables.open_items import OpenItem, by_account, load_open_items
from keizoku.billing.rules.documents import notice_text
from keizoku.billing.rules.documents.late_interest_statement import interest_sentences
from keizoku.db.fence import Fence, in_halves, is_of_item
from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.money import demand, interest_checkpoint, invoice
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.rules import Rules


def demand_month(session: Session, rules: Rules, business_date: date, now: datetime, fence: Fence | None = None) -> int:
    """On the first night of a month: demand from everyone what has accrued and was not demanded; commits.

    The month is the clock's, as the sums are: a first that is run late demands for the month that it is by now.
    With a fence, an account that this fails for is set aside; without one, that is raised.
    """
    if business_date.day != 1 or not rules.discretion.demand_monthly:
        return 0
    today = jst_day(now)

    def of_all() -> int:
        return _demand_month(session, rules, load_open_items(session, rules, today, with_accrued=True), today, now)

    def of_some(session: Session, accounts: Sequence[str]) -> int:
        return _demand_month(session, rules, _items_of(session, rules, accounts, today), today, now)

    return _whole_or_in_halves(session, fence, of_all, of_some)


def demand_left(
    session: Session, rules: Rules, first: date, accounts: Sequence[str] | None, now: datetime, fence: Fence
) -> int:
    """What the night of a first could not demand, on a later day: from these accounts; commits.

    None: from all who were late on the first. Whoever fell late since then is asked on the next first.
    """
    if not rules.discretion.demand_monthly or (accounts is not None and not accounts):
        return 0
    today = jst_day(now)

    def of_all() -> int:
        return _demand_month(session, rules, load_open_items(session, rules, today, with_accrued=True), first, now)

    def of_some(session: Session, accounts: Sequence[str]) -> int:
        return _demand_month(session, rules, _items_of(session, rules, accounts, today), first, now)

    if accounts is not None:
        return in_halves(session, fence, "account", accounts, of_some)
    return _whole_or_in_halves(session, fence, of_all, of_some)


def _items_of(session: Session, rules: Rules, accounts: Sequence[str], today: date) -> list[OpenItem]:
    return [
        each
        for account in accounts
        for each in load_open_items(session, rules, today, account=account, with_accrued=True)
    ]


def _whole_or_in_halves(
    session: Session,
    fence: Fence | None,
    of_all: Callable[[], int],
    of_some: Callable[[Session, Sequence[str]], int],
) -> int:
    try:
        return of_all()
    except Exception as error:
        session.rollback()
        if fence is None or not is_of_item(error):
            raise
    owing = sa.or_(
        invoice.c.state == "open",
        sa.exists().where(
            interest_checkpoint.c.invoice_id == invoice.c.id, interest_checkpoint.c.accrued_unpaid_yen > 0
        ),
    )
    accounts = session.scalars(sa.select(invoice.c.account).where(owing).distinct().order_by(invoice.c.account)).all()
    return in_halves(session, fence, "account", accounts, of_some)


def _demand_month(session: Session, rules: Rules, items: Sequence[OpenItem], late_on: date, now: datetime) -> int:
    today = jst_day(now)
    held = account_holds.in_force(session, today) if items else set()
    late = {
        account: unpaid
        for account, unpaid in by_account(items).items()
        if account not in held
        and any(each.due_on < late_on or (late_on == today and each.accrued_unpaid_yen) for each in unpaid)
    }
    changes = demand_interest(session, rules, late, f"month:{Month.of(today)}", now)
    session.commit()
    return changes


def demand_interest(
    session: Session, rules: Rules, owing: Mapping[str, Sequence[OpenItem]], occasion: str, now: datetime
) -> int:
    """One demand per account for the floored total less what was demanded before; does not commit.

    `owing` holds all that each account has not paid, with the interest carried on paid fees.
    """
    if not owing:
        return 0
    today = jst_day(now)
    rate = rules.terms.at(today).late_interest.rate
    query = sa.select(demand.c.account).where(demand.c.occasion == occasion, demand.c.account == sa.any_(texts(owing)))
    demanded = set(session.scalars(query))
    booked = interest_booked_by(session, owing)
    found = [
        workings_of(account, owing[account], rules, today, booked.get(account, 0))
        for account in sorted(owing)
        if account not in demanded
    ]
    fresh = [each for each in found if each.new_yen]
    if not fresh:
        return 0
    rows = []
    named, references = pay_to(session, rules, [each.account for each in fresh])
    for each in fresh:
        calculation = each.to_json()
        said = notice_text.interest_demand(
            today,
            each.new_yen,
            each.total_yen,
            rate,
            interest_sentences(calculation, "ja"),
            interest_sentences(calculation, "en"),
            (named, references.get(each.account, "")),
        )
        told = said.body_ja, said.body_en, details_text(said)
        rows.append((each.account, today, each.new_yen, each.total_yen, occasion, now, *told, calculation))
    copy_rows(
        session,
        demand,
        (
            "account",
            "demanded_on",
            "interest_yen",
            "total_yen",
            "occasion",
            "written_at",
            "body_ja",
            "body_en",
            "details",
            "calculation",
        ),
        rows,
    )
    write_bookings(
        session, [(each.account, "demand", each.new_yen, today, now, f"demand:{occasion}") for each in fresh]
    )
    post(
        session,
        [
            Posting(
                "interest_demanded", f"demand:{each.account}:{occasion}", today, {"yen": each.new_yen}, each.account
            )
            for each in fresh
        ],
        now,
    )
    return 2 * len(fresh)
