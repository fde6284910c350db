"""Loads plans and prices, and gives the pure renewal rules what they look up."""

from collections.abc import Sequence
from datetime import date
from typing import cast

import sqlalchemy as sa

from keizoku.billing.rules.contract_lifecycle import RenewalRules
from keizoku.billing.rules.price_catalog import Price, price_at
from keizoku.db.session import PreparedQuery, Session
from keizoku.db.tables.contracts import plan, price
from keizoku.terms.calendar import Interval, TermRule
from keizoku.terms.rules import Rules


def load_prices(session: Session) -> list[Price]:
    """Every price ever recorded, in the order of recording."""
    return [
        Price(
            plan=row["plan"],
            interval=row["interval"],
            yen=row["yen"],
            announced_on=row["announced_on"],
            for_new_from=row["for_new_from"],
            for_renewals_from=row["for_renewals_from"],
            cohort=frozenset(row["cohort"]) if row["cohort"] is not None else None,
            recorded=row["id"],
        )
        for row in _PRICES.rows(session)
    ]


_PRICES = PreparedQuery(sa.select(price, plan.c.interval).join(plan, plan.c.code == price.c.plan).order_by(price.c.id))


def load_interval(session: Session, code: str) -> Interval | None:
    """The interval of a plan, or None where there is no such plan."""
    return session.execute(sa.select(plan.c.interval).where(plan.c.code == code)).scalar_one_or_none()


def renewal_rules(rules: Rules, rows: Sequence[Price], on: date) -> RenewalRules:
    """The choices in force on a day, with prices and terms versions remembered per day within one call of a stage."""
    general: dict[tuple[str, date, bool], int] = {}
    versions: dict[date, str] = {}
    has_cohorts = any(row.cohort is not None for row in rows)

    def price_yen(code: str, account: str, first_day: date, renewal: bool) -> int:
        if has_cohorts:
            return price_at(rows, code, account, first_day, renewal).yen
        key = (code, first_day, renewal)
        if key not in general:
            general[key] = price_at(rows, code, account, first_day, renewal).yen
        return general[key]

    def terms_version(on: date) -> str:
        if on not in versions:
            versions[on] = rules.terms.at(on).version
        return versions[on]

    return RenewalRules(
        term_rule=cast("TermRule", rules.terms.at(on).readings["term_rule"]),
        end_of_use_days_before=rules.discretion.end_of_use_days_before,
        suspended_term_renews=rules.discretion.suspended_term_renews,
        price_yen=price_yen,
        terms_version=terms_version,
    )
