"""The contract liability (2120) of a month, per plan: from opening to closing, and when what is left will be earned.

    opening 5,300 + billed 500 - recognised 450 - … = closing 5,350 = 2026-05: 450 + 2026-06: 436 + …

Always holds: the closing balance is that of the account, counted apart from plans and movements, and the schedule sums
to it plan by plan; where they differ nothing is shown (Refused). Whole yen; above zero is what we owe in
service. The month is that of the day on which an entry is posted.
SLA credits do not touch the account: they reduce revenue (4190) and are owed in 2130. Read only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from keizoku.billing.closing.export_files import balances_before
from keizoku.billing.ledger.reversal_sql import ORIGINS
from keizoku.billing.rules.books.deferred_revenue import Held, Part, schedule
from keizoku.db.session import Session
from keizoku.db.tables.books import revenue_posting
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused

ACCOUNT = "2120"
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "term_invoiced": "billed",
        "store_term_started": "billed",
        "key_redeemed": "billed",
        "revenue_recognised": "recognised",
        "term_ended_early_paid": "recognised",
        "fee_reduced": "given_up",
        "write_off": "given_up",
        "dispute_lost_sale_void": "taken_back",
        "sale_voided": "taken_back",
        "store_refunded": "taken_back",
        "by_people": "by_people",
        "reversal": "by_people",
    }
)
"""What each event that moves the account is in the roll-forward."""
COLUMNS: Final = ("opening", "billed", "recognised", "given_up", "taken_back", "by_people", "closing")


@dataclass(frozen=True, slots=True)
class PlanRoll:
    """What moved the account for a plan in a month; movements by event. The plan is empty for entries of no term."""

    plan: str
    opening_yen: int
    movements: tuple[tuple[str, int], ...]
    closing_yen: int

    def by_kind(self) -> dict[str, int]:
        """Opening, the movements by their kind, closing: COLUMNS."""
        sums = dict.fromkeys(COLUMNS, 0) | {"opening": self.opening_yen, "closing": self.closing_yen}
        for event, yen in self.movements:
            sums[KINDS[event]] += yen
        return sums


@dataclass(frozen=True, slots=True)
class RollForward:
    """The account in a month: per plan, in sum, and the months in which its closing balance will be earned."""

    month: Month
    from_on: date  # the first day that has not passed: the schedule is about the days from it on
    opening_yen: int
    closing_yen: int
    plans: tuple[PlanRoll, ...]
    schedule: tuple[Part, ...]

    @property
    def movements(self) -> tuple[tuple[str, int], ...]:
        """What moved the account, by event, over all plans."""
        sums: dict[str, int] = {}
        for plan in self.plans:
            for event, yen in plan.movements:
                sums[event] = sums.get(event, 0) + yen
        return tuple(sums.items())

    def rows(self) -> list[tuple[str, str, int]]:
        """(opening or event, plan, yen): they sum to the closing balance."""
        opening = [("opening", each.plan, each.opening_yen) for each in self.plans if each.opening_yen]
        return opening + [(event, each.plan, yen) for each in self.plans for event, yen in each.movements]


def contract_liability(session: Session, month: Month, today: date) -> RollForward:
    """The month's deferred revenue as booked by now; what nights recognised beyond today counts as earned.

    Refused where it does not tie.
    """
    rolled = roll_forward(session, month, today)
    _tied(rolled)
    return rolled


def roll_forward(session: Session, month: Month, today: date) -> RollForward:
    """The same, for a check that reports what does not tie."""
    recognised_to = session.execute(sa.select(sa.func.max(revenue_posting.c.day))).scalar_one()
    passed_to = max(today, recognised_to + timedelta(days=1)) if recognised_to is not None else today
    from_on = min(passed_to, month.end_on)
    opening: dict[str, int] = {}
    moved: dict[str, dict[str, int]] = {}
    by_people: dict[str, int] = {}
    for row in session.execute(_MOVED, {"first": month.first_on, "past": month.end_on}):
        plan, opening_yen, moved_yen = str(row.plan), int(row.opening_yen), int(row.moved_yen)
        opening[plan] = opening.get(plan, 0) + opening_yen
        moved.setdefault(plan, {}).update({str(row.event): moved_yen} if moved_yen else {})
        if KINDS[row.event] == "by_people":
            by_people[plan] = by_people.get(plan, 0) + opening_yen + moved_yen
    plans = tuple(
        PlanRoll(plan, opening[plan], tuple(events.items()), opening[plan] + sum(events.values()))
        for plan, events in sorted(moved.items())
        if events or opening[plan]
    )
    return RollForward(
        month=month,
        from_on=from_on,
        opening_yen=-balances_before(session, month).get(ACCOUNT, 0),
        closing_yen=-balances_before(session, month.next()).get(ACCOUNT, 0),
        plans=plans,
        schedule=_schedule(session, month, from_on, by_people),
    )


def _schedule(session: Session, month: Month, from_on: date, by_people: Mapping[str, int]) -> tuple[Part, ...]:
    past = {"past": month.end_on}
    recognised = {str(plan): int(yen) for plan, yen in session.execute(_RECOGNISED, past)}
    held = (Held(*row) for row in session.execute(_HELD, past, execution_options={"yield_per": 5_000}))
    return schedule(held, recognised, by_people, from_on)


def _tied(rolled: RollForward) -> None:
    """Refused where plans, schedule and account have different sums."""
    opening, closing = (sum(getattr(each, name) for each in rolled.plans) for name in ("opening_yen", "closing_yen"))
    if (opening, closing) != (rolled.opening_yen, rolled.closing_yen):
        raise _untied(
            rolled.month,
            f"its plans come to {opening} yen at first and {closing} at the end, "
            f"it stands at {rolled.opening_yen} and {rolled.closing_yen}",
        )
    ahead: dict[str, int] = {each.plan: 0 for each in rolled.plans}
    for part in rolled.schedule:
        ahead[part.plan] = ahead.get(part.plan, 0) + part.yen
    for each in rolled.plans:
        to_earn = ahead.pop(each.plan)
        if to_earn != each.closing_yen:
            about = f"plan {each.plan}" if each.plan else "entries of no term"
            raise _untied(rolled.month, f"{about}: {to_earn} yen are to be earned, {each.closing_yen} are in it")
    if any(ahead.values()):
        raise _untied(rolled.month, f"{ahead} yen are to be earned of plans that are not in it")


def _untied(month: Month, difference: str) -> Refused:
    remedy = f"see what `keizoku night --whole-audit` finds, and the entries in `keizoku ledger account {ACCOUNT}`"
    return Refused("liability.untied", f"account {ACCOUNT} does not tie in {month}: {difference}", remedy)


_LINES = f"""{ORIGINS}, posted AS (
        SELECT entry.id, entry.event, entry.posted_on, -line.yen AS yen,
               coalesce(first.id, entry.id) AS origin, coalesce(first.event_key, entry.event_key) AS origin_key
        FROM line JOIN entry ON entry.id = line.entry_id
        LEFT JOIN origins ON origins.entry_id = entry.id LEFT JOIN entry AS first ON first.id = origins.origin
        WHERE line.code = '2120' AND entry.posted_on < :past
    ), traced AS (
        SELECT posted.*, CASE
            WHEN origin_key LIKE 'term:%' THEN CAST(split_part(origin_key, ':', 2) AS bigint)
            WHEN origin_key LIKE 'act:%' THEN (
                SELECT invoice.term_id FROM contract_fact
                JOIN invoice ON invoice.id = CAST(contract_fact.detail ->> 'invoice' AS bigint)
                WHERE contract_fact.id = CAST(split_part(origin_key, ':', 2) AS bigint))
            WHEN origin_key LIKE 'dispute:%' THEN (
                SELECT invoice.term_id FROM gateway_dispute
                JOIN payment_attempt ON payment_attempt.id = gateway_dispute.attempt_id
                JOIN invoice ON invoice.id = payment_attempt.invoice_id
                WHERE concat('dispute:', gateway_dispute.dispute, chr(58), 'void') = origin_key
                   OR starts_with(origin_key, concat('dispute:', gateway_dispute.dispute, chr(58), 'void', chr(58)))
                LIMIT 1)
            END AS term_id
        FROM posted
    ), whose AS (
        SELECT traced.event, traced.posted_on, traced.yen, traced.term_id,
               coalesce(term.plan, revenue_posting.plan, '') AS plan
        FROM traced LEFT JOIN term ON term.id = traced.term_id
        LEFT JOIN revenue_posting ON revenue_posting.entry_id = traced.origin
    )"""  # noqa: S608 - all of it is ours
"""Every line of the account before the month's end, with its term or plan; the reversal of an
entry has those of the entry."""

_MOVED = sa.text(
    f"""{_LINES}
    SELECT plan, event, coalesce(sum(yen) FILTER (WHERE posted_on < :first), 0) AS opening_yen,
           coalesce(sum(yen) FILTER (WHERE posted_on >= :first), 0) AS moved_yen
    FROM whose GROUP BY plan, event ORDER BY plan, event"""  # noqa: S608 - all of it is ours
)
_RECOGNISED = sa.text(
    """
    SELECT plan, sum(yen) FROM revenue_posting JOIN entry ON entry.id = revenue_posting.entry_id
    WHERE entry.posted_on < :past GROUP BY plan"""
)
_HELD = sa.text(
    f"""{_LINES}, held AS (
        SELECT term_id, CAST(sum(yen) AS bigint) AS yen FROM whose
        WHERE term_id IS NOT NULL AND event NOT IN ('by_people', 'reversal') GROUP BY term_id
    )
    SELECT term.plan, term.price_yen, term.starts_on, term.ends_on,
           CASE WHEN term.closed_on < :past THEN term.closed_on END AS closed, held.yen, count(*)
    FROM held JOIN term ON term.id = held.term_id
    GROUP BY term.plan, term.price_yen, term.starts_on, term.ends_on, closed, held.yen"""  # noqa: S608
)
"""Equal terms as one row: a year of any number of contracts has a few thousand rows."""
