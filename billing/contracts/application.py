"""An application for a contract, and whether it can be one at all (premium/3.2). What it accepts: offers.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.receivables.store_orders import check_order, order_of
from keizoku.billing.rules.payment_method import APP_STORE, CARD, PREPAID, prepaid_terms
from keizoku.db.session import Session
from keizoku.db.tables.contracts import METHODS
from keizoku.db.tables.contracts import plan as plan_table
from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.terms.calendar import Interval
from keizoku.terms.refusal import Refused

ANYBODY = "anybody"
"""Who is shown an offer before there is an account; a price for a cohort is for none of them."""


@dataclass(frozen=True, slots=True)
class Application:
    """What a user asks for. `months`: how long a coupon or key pays; `fallback`: the method after it (card).

    `consents` are the versions that the applicant agreed to, as terms/version; none: those in force on that day.
    `offer` is the digest of what the applicant was shown at `shown_at`; none: what is on offer at the application.
    `order` is the app store's number of the purchase, by which its reports name this contract.
    """

    account: str
    plan: str
    method: str
    at: datetime
    months: int | None = None
    fallback: str | None = None
    consents: tuple[str, ...] = ()
    offer: str | None = None
    shown_at: datetime | None = None
    order: str | None = None


def check_account(name: str) -> None:
    """Refused for a text that can be no account's id."""
    if id_flaw(name):
        shown = repr(name) if len(name) <= LONGEST_ID else f"of {len(name)} letters"
        raise Refused(
            "account.id_form", f"account {shown}: an account has an id of 1 to {LONGEST_ID} printable letters"
        )


def check_application(application: Application, intervals: Mapping[str, Interval]) -> None:
    """Refused where plan, method, months or fallback are not what an application can have."""
    name = application.account
    check_account(name)
    who = f"account {application.account}"
    if application.plan not in intervals:
        known = ", ".join(sorted(intervals)) or "none yet"
        raise Refused("plan.unknown", f"{who}: plan {application.plan!r} is not known", f"there are: {known}")
    if application.method not in METHODS:
        raise Refused(
            "method.unknown",
            f"{who}: {application.method!r} is no method of payment",
            f"there are {', '.join(METHODS)}",
        )
    if (application.method in PREPAID) != (application.months is not None):
        raise Refused(
            "prepaid.months_misplaced",
            f"{who}: months are stated for a coupon or a key, and only there; the method is {application.method}",
        )
    try:
        prepaid_terms(application.months, intervals[application.plan])
    except ValueError as error:
        raise Refused("prepaid.no_whole_terms", f"{who}: {error}") from None
    if application.order is not None:
        if application.method != APP_STORE:
            raise Refused(
                "store.order_misplaced",
                f"{who}: an order is an app store's, and the method is {application.method}",
            )
        check_order(order_of(application.order))
    if application.fallback not in (None, CARD):
        raise Refused(
            "method.fallback", f"{who}: after a coupon or key only a card can follow, not {application.fallback!r}"
        )


def intervals_of_plans(session: Session) -> dict[str, Interval]:
    """Plan -> its interval."""
    return {row.code: row.interval for row in session.execute(sa.select(plan_table.c.code, plan_table.c.interval))}
