"""Stage 8, revenue: recognition for the days passed, one journal entry per day and plan.

Due: days before the business date whose recognised yen differ from what is posted. The amount of a day is the sum,
over the terms that cover it, of what each fee has earned to the end of the day less that to its start; its tax
likewise, at the rate of the day on which the term began. The database works it out, by the expressions that
rules/books/revenue_recognition.py renders. A term that ended early is recognised to its end at once if it is paid, else
when it is paid.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.rules.books.revenue_recognition import (
    Recognised,
    recognised_between,
    recognised_tax_sql,
    recognised_through_sql,
)
from keizoku.billing.rules.payment_method import POSTED_ONLY
from keizoku.db.session import PreparedQuery, Rows, Session, copy_rows, plain_array
from keizoku.db.tables.books import revenue_posting, term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import invoice, settlement
from keizoku.terms.money import tax_included_yen, tax_parts
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class DayDue:
    """The yen that a day of a plan has still to recognise."""

    day: date
    plan: str
    revision: int
    yen: int
    tax_yen: int


def _through(day_after: str) -> str:
    """What a term has earned before a day of its own, or before the one after its last."""
    return recognised_through_sql("term.price_yen", "term.starts_on", "term.ends_on", day_after, inside=True)


def _tax(recognised_yen: str) -> str:
    return recognised_tax_sql(recognised_yen, "tax_over", "tax_under")


_DUE_DAYS = PreparedQuery(
    sa.text(
        f"""
    WITH first AS (
        SELECT least(
            (SELECT min(starts_on) FROM term WHERE id > :above),
            coalesce((SELECT max(day) + 1 FROM revenue_posting), (SELECT min(starts_on) FROM term))
        ) AS on_day
    ), days AS (
        SELECT CAST(day AS date) AS day
        FROM first, generate_series(first.on_day, CAST(:last_on AS date), '1 day') AS day
    ), rate AS (
        SELECT * FROM unnest(CAST(:from_on AS date[]), CAST(:until_on AS date[]), CAST(:tax_over AS bigint[]),
                             CAST(:tax_under AS bigint[])) AS rate (from_on, until_on, tax_over, tax_under)
    ), through AS (
        SELECT days.day, term.plan, tax_over, tax_under,
               {_through("days.day")} AS before_yen, {_through("days.day + 1")} AS after_yen
        FROM days JOIN term ON term.starts_on <= days.day AND term.ends_on > days.day
             AND (term.closed_on IS NULL OR term.closed_on > days.day) AND term.method <> 'coupon'
             JOIN rate ON rate.from_on <= term.starts_on AND term.starts_on < rate.until_on
        WHERE term.ends_on > (SELECT on_day FROM first)
          AND (SELECT on_day FROM first) <= CAST(:last_on AS date)  -- no term is read where no day is due
    ), expected AS (
        SELECT day, plan, sum(after_yen - before_yen) AS yen,
               sum({_tax("after_yen")} - {_tax("before_yen")}) AS tax_yen
        FROM through GROUP BY day, plan
    ), posted AS (
        SELECT day, plan, max(revision) AS revision, sum(yen) AS yen, sum(tax_yen) AS tax_yen
        FROM revenue_posting WHERE day BETWEEN (SELECT on_day FROM first) AND :last_on GROUP BY day, plan
    )
    SELECT day, plan, coalesce(posted.revision, 0) + 1 AS revision,
           CAST(coalesce(expected.yen, 0) - coalesce(posted.yen, 0) AS bigint) AS yen,
           CAST(coalesce(expected.tax_yen, 0) - coalesce(posted.tax_yen, 0) AS bigint) AS tax_yen
    FROM expected FULL JOIN posted USING (day, plan)
    WHERE coalesce(expected.yen, 0) <> coalesce(posted.yen, 0)
       OR coalesce(expected.tax_yen, 0) <> coalesce(posted.tax_yen, 0)
    ORDER BY day, plan
    """  # noqa: S608 - all of it is ours
    ).bindparams(sa.bindparam("above", type_=sa.BigInteger()), sa.bindparam("last_on", type_=sa.Date()))
)


_its_invoice = sa.and_(invoice.c.contract_id == term.c.contract_id, invoice.c.term_id == term.c.id)
"""Also by contract, whose index covers all invoices; the index over terms leaves out void ones."""

_CLOSABLE = sa.and_(
    term.c.closed_on.is_not(None),
    sa.or_(
        term.c.method.in_(POSTED_ONLY),
        sa.exists().where(_its_invoice, invoice.c.state != "open"),
    ),
    ~sa.exists().where(term_closure.c.term_id == term.c.id),
)


def anything_to_close() -> sa.ColumnElement[bool]:
    """Whether `close_terms` would find a term."""
    return sa.exists(sa.select(term.c.id).where(_CLOSABLE))


def recognised_to(session: Session) -> date | None:
    """The first day whose revenue is not recognised yet; None where there is no term."""
    posted = sa.select(sa.func.max(revenue_posting.c.day) + 1).scalar_subquery()
    begun = sa.select(sa.func.min(term.c.starts_on)).scalar_subquery()
    found: date | None = session.execute(sa.select(sa.func.coalesce(posted, begun))).scalar_one()
    return found


def due(session: Session, rules: Rules, business_date: date, *, above: int = 0) -> list[DayDue]:
    """Days before the business date whose posted revenue is not what it should be.

    Looked at: every day since the last one posted, and every day that a term recorded since the last certificate
    (id above `above`) covers.
    """
    asked = {"above": above, "last_on": business_date - timedelta(days=1)} | _tax_rates(rules)
    return [DayDue(**row) for row in _DUE_DAYS.rows(session, asked)]


def _tax_rates(rules: Rules) -> dict[str, str]:
    """The tax rate in a term's fee, by the day on which the term begins, as its invoice shows it."""
    held = [(version, tax_parts(version.policy.tax.rate)) for version in rules.terms.versions if version.policy]
    return {
        "from_on": plain_array(version.in_force_from for version, _ in held),
        "until_on": plain_array(version.in_force_until or date.max for version, _ in held),
        "tax_over": plain_array(over for _, (over, _) in held),
        "tax_under": plain_array(under for _, (_, under) in held),
    }


def save(session: Session, days: Iterable[DayDue], now: datetime) -> int:
    """Post each day's entry and commit; returns the rows written."""
    days = list(days)
    if not days:
        return 0
    post(
        session,
        [
            Posting(
                "revenue_recognised",
                f"revenue:{each.day}:{each.plan}:{each.revision}",
                each.day,
                {"yen": each.yen, "tax_yen": each.tax_yen},
            )
            for each in days
        ],
        now,
        beside=lambda entry_ids: Rows(
            revenue_posting,
            ("day", "plan", "revision", "yen", "tax_yen", "entry_id", "recorded_at"),
            (
                (each.day, each.plan, each.revision, each.yen, each.tax_yen, entry_id, now)
                for each, entry_id in zip(days, entry_ids, strict=True)
            ),
        ),
    )
    session.commit()
    return len(days)


def close_terms(session: Session, rules: Rules, now: datetime) -> int:
    """Recognise the rest of terms that ended early and are paid (premium/6.3, premium/7.2); commits."""
    reduced = (
        sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0))
        .join(invoice, invoice.c.id == settlement.c.invoice_id)
        .where(_its_invoice, settlement.c.kind == "reduction")
        .scalar_subquery()
    )
    paid_on = sa.select(invoice.c.paid_on).where(_its_invoice).scalar_subquery()
    rows = session.execute(
        sa.select(term, paid_on.label("paid_on"), reduced.label("reduced_yen")).where(_CLOSABLE)
    ).all()
    postings, closures = [], []
    for row in rows:
        tax_rate = rules.terms.at(row.starts_on).tax.rate
        before = recognised_between(row.price_yen, row.starts_on, row.ends_on, row.starts_on, row.closed_on, tax_rate)
        owed_yen = row.price_yen - int(row.reduced_yen)
        rest = Recognised(owed_yen - before.yen, tax_included_yen(owed_yen, tax_rate) - before.tax_yen)
        on = max(row.closed_on, row.paid_on or row.closed_on)
        closures.append((row.id, before.yen, rest.yen, rest.tax_yen, on, now))
        if rest.yen:
            postings.append(Posting("term_ended_early_paid", f"term:{row.id}:closed", on, rest._asdict(), row.account))
    if closures:
        post(session, postings, now)
        copy_rows(
            session,
            term_closure,
            ("term_id", "recognised_before_yen", "rest_yen", "rest_tax_yen", "closed_on", "recorded_at"),
            closures,
        )
        session.commit()
    return len(closures)
