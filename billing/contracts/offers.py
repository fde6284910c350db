"""Offers: computed from catalogue, terms and settings, kept with the applications that accept them.

    catalogue, terms, settings ──offer_of──> Offer ──keep──> offer (once per digest), offer_shown (per application)
                                                                       └──shown_to──> the approval's price

An application that comes without naming an offer accepts what is on offer on its day. One whose plan had no price on
that day was shown none: the approval then takes the price in force.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts.application import Application, check_application, intervals_of_plans
from keizoku.billing.contracts.price_lookup import load_prices
from keizoku.billing.rules.consent import related_in_force
from keizoku.billing.rules.documents.offer import Offer
from keizoku.billing.rules.payment_method import CARD
from keizoku.billing.rules.price_catalog import (
    NoPriceError,
    Price,
    ShownOffer,
    accepted_until,
    price_at,
    renewal_prices,
)
from keizoku.db.session import Session, copy_rows, numbers
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.people import offer as offer_table
from keizoku.db.tables.people import offer_shown
from keizoku.terms.calendar import Interval, jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def versions_in_force(rules: Rules, on: date) -> dict[str, str]:
    """name -> version of all terms that an application of that day agrees to. Raises UncoveredDateError."""
    return {
        rules.terms.contract: rules.terms.at(on).version,
        **related_in_force(rules.discretion.related_terms, on),
    }


def offer_of(
    rules: Rules,
    prices: Sequence[Price],
    plan: str,
    interval: Interval,
    method: str,
    on: date,
    *,
    account: str = "",
    months: int | None = None,
    fallback: str | None = None,
) -> Offer:
    """What is on offer to an account (""; anybody) on a day. Raises NoPriceError, UncoveredDateError."""
    policy, settings = rules.terms.at(on), rules.discretion
    return Offer(
        plan=plan,
        interval=interval,
        method=method,
        months=months,
        fallback=fallback,
        price_yen=price_at(prices, plan, account, on, False).yen,
        tax_rate=policy.tax.rate,
        renewals=renewal_prices(prices, plan, account, on),
        due_days=0 if method == CARD else settings.invoice_due_days_other,
        ask_days_before=settings.end_of_use_days_before,
        valid_days=settings.offer_valid_days,
        term_rule=policy.readings["term_rule"],
        versions=tuple(f"{name}/{version}" for name, version in versions_in_force(rules, on).items()),
    )


def keep(session: Session, shown: Iterable[tuple[int, str, Offer, datetime]], now: datetime) -> None:
    """Keep what was shown: (contract, account, offer, instant). Does not commit."""
    rows = list(shown)
    if not rows:
        return
    offers = {each.digest: each for each in {id(offer): offer for _, _, offer, _ in rows}.values()}
    digests = {id(offer): offer.digest for offer in offers.values()}
    session.execute(
        insert(offer_table).on_conflict_do_nothing(index_elements=["digest"]),
        [
            {"digest": digest, "price_yen": each.price_yen, "content": each.content(), "recorded_at": now}
            for digest, each in offers.items()
        ],
    )
    copy_rows(
        session,
        offer_shown,
        ("contract_id", "account", "digest", "shown_at", "recorded_at"),
        (
            (contract_id, account, digests.get(id(offer)) or offer.digest, shown_at, now)
            for contract_id, account, offer, shown_at in rows
        ),
    )


def shown_to(session: Session, contract_ids: Sequence[int]) -> Mapping[int, ShownOffer]:
    """contract -> the offer that it accepts: the one that was shown last."""
    rows = session.execute(
        sa.select(offer_shown.c.contract_id, offer_table.c.price_yen, offer_shown.c.shown_at, offer_table.c.digest)
        .join(offer_table, offer_table.c.digest == offer_shown.c.digest)
        .where(offer_shown.c.contract_id == sa.any_(numbers(contract_ids)))
        .order_by(offer_shown.c.id)
    )
    return {row.contract_id: ShownOffer(row.price_yen, jst_day(row.shown_at), row.digest) for row in rows}


def refuse_outlived(rules: Rules, account: str, shown: ShownOffer | None, on: date) -> None:
    """Refused for an approval on a day on which what was shown holds no more (setting offer_valid_days)."""
    last_on = None if shown is None else accepted_until(shown.shown_on, rules.discretion.offer_valid_days)
    if last_on is None or shown is None or on <= last_on:
        return
    raise Refused(
        "offer.outlived",
        f"account {account}: what it was shown on {shown.shown_on} ({shown.price_yen} yen) could be accepted until "
        f"{last_on}, not on {on}",
        "show the offer anew, and record that it was accepted: `keizoku contract show-again`",
    )


class OffersOf:
    """What is on offer, remembered within one call: thousands of applications accept a handful of offers."""

    def __init__(self, rules: Rules, prices: Sequence[Price], intervals: Mapping[str, Interval]) -> None:
        self._rules, self._prices, self._intervals = rules, prices, intervals
        self._has_cohorts = any(each.cohort is not None for each in prices)
        self._known: dict[tuple[object, ...], Offer | None] = {}

    def accepted(self, application: Application) -> Offer | None:
        """The offer that an application accepts. Raises Refused where it names another than was on offer."""
        on = jst_day(application.shown_at or application.at)
        account = application.account if self._has_cohorts else ""
        key = (account, application.plan, application.method, application.months, application.fallback, on)
        if key not in self._known:
            self._known[key] = self._on_offer(application, account, on)
        found = self._known[key]
        if application.offer is not None and (found is None or found.digest != application.offer):
            raise Refused(
                "offer.other",
                f"account {application.account}: {application.offer[:80]!r} is not what was on offer on {on}",
                f"show the offer again: `keizoku offer {application.plan}`",
            )
        if application.shown_at is not None and found is not None:
            if application.shown_at > application.at:
                raise Refused(
                    "offer.other", f"account {application.account}: the offer was shown after it was accepted"
                )
            shown = ShownOffer(found.price_yen, on, found.digest)
            refuse_outlived(self._rules, application.account, shown, jst_day(application.at))
        return found

    def _on_offer(self, application: Application, account: str, on: date) -> Offer | None:
        try:
            return offer_of(
                self._rules,
                self._prices,
                application.plan,
                self._intervals[application.plan],
                application.method,
                on,
                account=account,
                months=application.months,
                fallback=application.fallback,
            )
        except NoPriceError:
            return None


def on_offer(session: Session, rules: Rules, asked: Application) -> Offer:
    """What an application of this kind would accept. Saves nothing. Raises Refused where nothing is on offer."""
    intervals = intervals_of_plans(session)
    check_application(asked, intervals)
    on = jst_day(asked.at)
    try:
        found = OffersOf(rules, load_prices(session), intervals).accepted(asked)
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None
    if found is None:
        raise Refused(
            "plan.no_price",
            f"plan {asked.plan} has no price for new contracts on {on}",
            "record one: `keizoku price add`",
        )
    return found


def show_again(
    session: Session, rules: Rules, account: str, digest: str | None, shown_at: datetime | None, now: datetime
) -> ShownOffer:
    """A waiting application accepts another offer than before: what it was shown since. Commits."""
    row = session.execute(
        sa.select(contract)
        .where(contract.c.account == account, contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None))
        .with_for_update()
    ).first()
    if row is None:
        session.rollback()
        raise Refused("application.none_waiting", f"account {account}: no application is waiting", "register it first")
    asked = Application(
        account, row.plan, row.method, now, row.paid_months, row.fallback, offer=digest, shown_at=shown_at
    )
    try:
        found = on_offer(session, rules, asked)
    except Refused:
        session.rollback()
        raise
    at = shown_at or now
    keep(session, [(row.id, account, found, at)], now)
    session.commit()
    return ShownOffer(found.price_yen, jst_day(at), found.digest)
