"""Within stage 7: notices to users before a renewal. Due, decide, save; a second run of a date writes nothing.

Candidates are found by the database: contracts whose next renewal is near and not yet notified, or whose price there is
not the one that they know. The renewal itself is decided as by the stage `terms`, as if nothing changed until then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts.price_lookup import load_prices, renewal_rules
from keizoku.billing.contracts.renewal_stage import CHUNK, DueContract, load_facts, running, suspended_at
from keizoku.billing.documents.notices import save_notices
from keizoku.billing.rules.contract_lifecycle import NewTerm, RenewalRules, decide_renewal
from keizoku.billing.rules.documents.notice_text import Notice
from keizoku.billing.rules.documents.renewal_notice import RenewalNotified, Windows, renewal_notices
from keizoku.billing.rules.price_catalog import NoPriceError, Price, price_at
from keizoku.db.fence import Fence, fenced, in_halves, is_of_item
from keizoku.db.probes import NOTIFIES_MONTHLY
from keizoku.db.session import Session, numbers, texts
from keizoku.db.tables.contracts import contract, plan, price, term
from keizoku.db.tables.money import user_notice
from keizoku.terms.discretion import Discretion
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A contract that will renew: the coming term, the price now, the notices sent of it."""

    term: NewTerm
    interval: str
    now_yen: int
    notified: RenewalNotified


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is a plan of which `due` might find a contract: by its interval, or by prices that differ."""
    other_prices = sa.select(price.c.plan).group_by(price.c.plan)
    return sa.or_(
        NOTIFIES_MONTHLY,
        sa.exists().where(plan.c.interval != "month"),
        sa.exists(other_prices.having(sa.func.min(price.c.yen) != sa.func.max(price.c.yen))),
        sa.exists().where(price.c.cohort.is_not(None)),
    )


def due(session: Session, rules: Rules, today: date, fence: Fence | None = None) -> Iterator[list[Upcoming]]:
    """Chunks of contracts that may have to be told something; each is saved before the next is asked for.

    With a fence, a contract whose renewal cannot be decided is set aside; without one, that is raised.
    """
    settings = rules.discretion
    longest = max(settings.renewal_notice_days_month, settings.renewal_notice_days_year, settings.price_notice_days)
    if not longest:
        return
    prices = load_prices(session)
    plans = _plans(prices, settings, today)
    wanted = _wanted(prices, settings, today) if plans else None
    if wanted is None:
        return
    query = (
        running()
        # implied by the others; alone, it keeps the server from joining every contract with its terms first
        .where(contract.c.plan == sa.any_(texts(plans)))
        .where(contract.c.renews_on > today, contract.c.renews_on <= today + timedelta(days=longest), wanted)
        .order_by(contract.c.id)
        .limit(CHUNK)
    )
    choices = renewal_rules(rules, prices, today)
    last = 0
    while rows := session.execute(query.where(contract.c.id > last)).all():
        last = rows[-1].id
        notified = _notified(session, {row.id: row.renews_on for row in rows})
        facts = _facts(session, rules, rows, today, fence)
        yield [
            found for each in facts if (found := _upcoming(each, rules, choices, notified, today, fence)) is not None
        ]
        if len(rows) < CHUNK:
            return


def _facts(
    session: Session, rules: Rules, rows: Sequence[sa.Row[Any]], today: date, fence: Fence | None
) -> list[DueContract]:
    """What bears on these contracts; one that cannot be read stands alone behind the fence."""
    try:
        return load_facts(session, rules, rows, today)
    except Exception as error:
        if fence is None or not is_of_item(error):
            raise
    found: list[DueContract] = []
    by_id = {row.id: row for row in rows}

    def read(session: Session, ids: Sequence[int]) -> int:
        found.extend(load_facts(session, rules, [by_id[each] for each in ids], today))
        return 0

    in_halves(session, fence, "contract", list(by_id), read)
    return sorted(found, key=lambda each: each.contract.contract_id)


def decide(rules: Rules, upcoming: Sequence[Upcoming], today: date) -> list[tuple[NewTerm, str, Notice]]:
    """The notices that are due, each with its term and occasion."""
    settings = rules.discretion
    renewal_days = {"month": settings.renewal_notice_days_month, "year": settings.renewal_notice_days_year}
    return [
        (each.term, occasion, notice)
        for each in upcoming
        for occasion, notice in renewal_notices(
            each.term,
            each.now_yen,
            each.notified,
            Windows(renewal_days[each.interval], settings.price_notice_days, settings.end_of_use_days_before),
            today,
        )
    ]


def save(
    session: Session, notices: Sequence[tuple[NewTerm, str, Notice]], now: datetime, fence: Fence | None = None
) -> int:
    """Write the documents for the mailer to take, and commit; returns the rows written.

    With a fence, a contract whose document the database refuses is set aside; without one, that is raised.
    """
    of_contract: dict[int, list[tuple[NewTerm, str, Notice]]] = {}
    for each in notices:
        of_contract.setdefault(each[0].contract_id, []).append(each)

    def of_some(session: Session, ids: Sequence[int]) -> int:
        return _write(session, [each for contract_id in ids for each in of_contract[contract_id]], now)

    return fenced(fence, "contract", list(of_contract), partial(_write, notices=notices, now=now), of_some)(session)


def _write(session: Session, notices: Sequence[tuple[NewTerm, str, Notice]], now: datetime) -> int:
    written = save_notices(session, notices, now)
    session.commit()
    return written


def _wanted(prices: Sequence[Price], settings: Discretion, today: date) -> sa.ColumnElement[bool] | None:
    """The condition of a candidate; None where nobody can be one."""
    first_day = sa.func.to_char(contract.c.renews_on, "YYYY-MM-DD")
    of_term = sa.select(user_notice.c.occasion).where(user_notice.c.contract_id == contract.c.id)
    notified = of_term.where(
        user_notice.c.kind == "renewal", user_notice.c.occasion == sa.func.concat("term:", first_day)
    )
    conditions: list[sa.ColumnElement[bool]] = [
        sa.and_(plan.c.interval == interval, contract.c.renews_on <= today + timedelta(days=days), ~notified.exists())
        for interval, days in (
            ("month", settings.renewal_notice_days_month),
            ("year", settings.renewal_notice_days_year),
        )
        if days
    ]
    ahead = _prices_to_come(prices, today, settings.price_notice_days)
    if ahead:
        last_notified = (
            of_term.where(
                user_notice.c.kind == "price", user_notice.c.occasion.like(sa.func.concat("term:", first_day, ":%"))
            )
            .order_by(user_notice.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        known_yen = sa.func.coalesce(
            sa.cast(sa.func.split_part(last_notified, ":", 4), sa.BigInteger), term.c.price_yen
        )
        other = sa.or_(
            *(
                sa.and_(
                    contract.c.plan == code,
                    contract.c.renews_on >= from_on,
                    contract.c.renews_on < to_on,
                    known_yen != yen,
                )
                for code, from_on, to_on, yen in ahead
            )
        )
        members = sorted({account for each in prices for account in each.cohort or ()})
        if members:
            other = sa.or_(other, contract.c.account == sa.any_(texts(members)))
        conditions.append(sa.and_(contract.c.renews_on <= today + timedelta(days=settings.price_notice_days), other))
    return sa.or_(*conditions) if conditions else None


def _plans(prices: Sequence[Price], settings: Discretion, today: date) -> list[str]:
    """Plans of which a contract may have to be told something: by their interval, or by a price ahead."""
    days = {"month": settings.renewal_notice_days_month, "year": settings.renewal_notice_days_year}
    if settings.price_notice_days and any(each.cohort for each in prices):
        return sorted({each.plan for each in prices})
    by_interval = {each.plan for each in prices if days[each.interval]}
    return sorted({*by_interval, *(code for code, *_ in _prices_to_come(prices, today, settings.price_notice_days))})


def _prices_to_come(prices: Sequence[Price], today: date, days: int) -> list[tuple[str, date, date, int]]:
    """(plan, from, to, yen) of the general price of renewals in the days ahead, for plans with more than one price."""
    several = {each.plan for each in prices if any(one.plan == each.plan and one.yen != each.yen for one in prices)}
    found = []
    for code in sorted(several) if days else ():
        starts = {today + timedelta(days=1)} | {
            each.for_renewals_from
            for each in prices
            if each.plan == code and today < each.for_renewals_from <= today + timedelta(days=days)
        }
        ends = [*sorted(starts)[1:], today + timedelta(days=days + 1)]
        for from_on, to_on in zip(sorted(starts), ends, strict=True):
            try:
                found.append((code, from_on, to_on, price_at(prices, code, "", from_on, True).yen))
            except NoPriceError:
                continue
    return found


def _upcoming(
    facts: DueContract,
    rules: Rules,
    choices: RenewalRules,
    notified: dict[int, RenewalNotified],
    today: date,
    fence: Fence | None,
) -> Upcoming | None:
    """The term to come, or None: it does not renew as things stand, or has no price yet."""
    each = facts.contract
    suspended = partial(suspended_at, facts, rules, today)
    try:
        renewal = decide_renewal(each, each.last_ends_on, lambda _: suspended(), choices)
    except NoPriceError:
        return None
    except Exception as error:
        if fence is None or not is_of_item(error):
            raise
        fence.aside("contract", each.contract_id, error)
        return None
    if not renewal.terms:
        return None
    return Upcoming(
        renewal.terms[0], each.interval, each.last_price_yen, notified.get(each.contract_id, RenewalNotified(False, ()))
    )


def _notified(session: Session, renews_on: dict[int, date]) -> dict[int, RenewalNotified]:
    """contract id -> the notices sent of its coming term."""
    rows = session.execute(
        sa.select(user_notice.c.contract_id, user_notice.c.kind, user_notice.c.occasion)
        .where(
            user_notice.c.contract_id == sa.any_(numbers(renews_on)),
            user_notice.c.kind.in_(("renewal", "price")),
        )
        .order_by(user_notice.c.id)
    ).all()
    found: dict[int, RenewalNotified] = {}
    for row in rows:
        _, on, *rest = row.occasion.split(":")
        if on != renews_on[row.contract_id].isoformat():
            continue
        before = found.get(row.contract_id, RenewalNotified(False, ()))
        found[row.contract_id] = (
            RenewalNotified(True, before.prices_yen)
            if row.kind == "renewal"
            else RenewalNotified(before.renewal, (*before.prices_yen, int(rest[1])))
        )
    return found
