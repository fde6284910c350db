"""Plans and their dated prices (premium/4.3): record, list, simulate.

A price that breaks the operator's notice or migration period is Refused with the earliest days that would do.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts.contract_facts import load_wishes
from keizoku.billing.contracts.price_lookup import load_interval, load_prices
from keizoku.billing.rules.contract_lifecycle import Wish, use_ends_on
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.billing.rules.price_catalog import NoPriceError, Price, check_change, price_at
from keizoku.billing.rules.price_simulation import Simulation, Subscriber, simulate
from keizoku.billing.services.base import Service
from keizoku.db.session import texts
from keizoku.db.tables.contracts import INTERVALS, contract, plan, price, term
from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.terms.calendar import Interval, TermRule, boundary, jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class PriceService(Service):
    """Acts on plans and prices."""

    def add_plan(self, code: str, interval: str, *, now: datetime) -> None:
        """Declare a plan of monthly or yearly terms; the same plan again changes nothing."""
        if id_flaw(code):
            raise Refused(
                "plan.code_form", f"a plan needs a code of 1 to {LONGEST_ID} printable letters: {code[:80]!r}"
            )
        if interval not in INTERVALS:
            raise Refused(
                "plan.interval_unknown", f"plan {code}: an interval is one of {', '.join(INTERVALS)}, not {interval!r}"
            )
        self.session.execute(
            insert(plan).values(code=code, interval=interval, recorded_at=now).on_conflict_do_nothing()
        )
        self.session.commit()
        known = load_interval(self.session, code)
        if known != interval:
            raise Refused(
                "plan.interval_fixed",
                f"plan {code}: it is one of a {known} already",
                f"declare another plan for a {interval}",
            )

    def price(
        self,
        plan: str,
        yen: int,
        *,
        announced: date,
        for_new_from: date,
        for_renewals_from: date,
        cohort: Sequence[str] | None = None,
        initial: bool = False,
        ground: str | None = None,
        proof: str | None = None,
        by: str | None = None,
        key: str | None = None,
        now: datetime,
    ) -> None:
        """Record a price of a plan (premium/4.3); a plan's first price (`initial`) needs no announcement.

        An announcement is a fact: one of a day before today needs the ground on which it is recorded only now, and the
        proof of it (where it can be seen).
        """

        def record() -> None:
            change = self._change(plan, yen, announced, for_new_from, for_renewals_from, cohort)
            findings = [] if initial else self._findings(change)
            if findings:
                line = "; ".join(f"{each.value}: {each.rule}; {each.remedy}" for each in findings)
                raise Refused("price.too_short_notice", line, findings=findings)
            first = initial or not self._has_price(plan)
            if not first and announced < jst_day(now) and not ((ground or "").strip() and (proof or "").strip()):
                raise Refused(
                    "price.announced_unproved",
                    f"plan {plan}: announced on {announced}, a day before it is recorded, and nothing shows it",
                    "state ground and proof (a page, a file and its digest), or announce it today",
                )
            self._save(change, by, now, initial=first, ground=ground, proof=proof)

        content = {
            "plan": plan,
            "yen": yen,
            "days": [announced, for_new_from, for_renewals_from],
            "cohort": None if cohort is None else sorted(cohort),
            "initial": initial,
            "by": by,
        }
        if ground is not None or proof is not None:
            content |= {"ground": ground, "proof": proof}
        self._once(key, "price", content, record, now)

    def _has_price(self, code: str) -> bool:
        return self.session.execute(sa.select(price.c.id).where(price.c.plan == code).limit(1)).first() is not None

    def _save(
        self, change: Price, by: str | None, now: datetime, *, initial: bool, ground: str | None, proof: str | None
    ) -> None:
        self.session.execute(
            sa.insert(price).values(
                plan=change.plan,
                yen=change.yen,
                announced_on=change.announced_on,
                for_new_from=change.for_new_from,
                for_renewals_from=change.for_renewals_from,
                cohort=sorted(change.cohort) if change.cohort is not None else None,
                author=by,
                initial=initial,
                ground=ground,
                proof=proof,
                recorded_at=now,
            )
        )
        self.session.commit()

    def simulate_price(
        self,
        plan: str,
        yen: int,
        *,
        announced: date,
        for_new_from: date,
        for_renewals_from: date,
        cohort: Sequence[str] | None = None,
        now: datetime,
    ) -> tuple[Simulation, list[Finding]]:
        """Whom a change would touch, when, from what to what, and why it would be refused. Saves nothing."""
        change = self._change(plan, yen, announced, for_new_from, for_renewals_from, cohort)
        rule = cast("TermRule", self.rules.terms.at(jst_day(now)).readings["term_rule"])
        simulation = simulate(change, load_prices(self.session), self._subscribers(change, rule), rule)
        findings = self._findings(change)
        self.session.rollback()
        return simulation, findings

    def _change(
        self,
        code: str,
        yen: int,
        announced: date,
        for_new_from: date,
        for_renewals_from: date,
        cohort: Collection[str] | None,
    ) -> Price:
        interval = self._interval(code)
        least_yen = self.rules.discretion.minimum_card_charge_yen
        if not least_yen <= yen <= MOST_YEN:
            raise Refused(
                "price.amount",
                f"plan {code}: a price of {yen} yen is not one from {least_yen} to {MOST_YEN} yen, as a card takes",
            )
        if cohort is not None and not cohort:
            raise Refused(
                "price.cohort_empty",
                f"plan {code}: a cohort of nobody",
                "name its accounts, or leave it out for a price for all",
            )
        odd = sorted(account for account in cohort or () if id_flaw(account))
        if odd:
            raise Refused("price.cohort_account", f"plan {code}: {odd[0][:80]!r} is the id of no account")
        members = frozenset(cohort) if cohort is not None else None
        last = self.session.execute(sa.select(sa.func.max(price.c.id))).scalar_one() or 0
        return Price(code, interval, yen, announced, for_new_from, for_renewals_from, members, recorded=last + 1)

    def _findings(self, change: Price) -> list[Finding]:
        settings = self.rules.discretion
        return check_change(
            change, self._price_before(change), settings.price_announce_days, settings.price_migration_days
        )

    def _interval(self, code: str) -> Interval:
        interval = load_interval(self.session, code)
        if interval is None:
            known = ", ".join(self.session.scalars(sa.select(plan.c.code).order_by(plan.c.code))) or "none yet"
            raise Refused("plan.unknown", f"plan {code!r} is not known", f"there are: {known}")
        return interval

    def _price_before(self, change: Price) -> Price | None:
        """What renewals pay until then: for a cohort the least of what its members do, so that none is hurried."""
        prices = [each for each in load_prices(self.session) if each.plan == change.plan]
        found = []
        for account in sorted(change.cohort) if change.cohort is not None else [""]:
            try:
                found.append(price_at(prices, change.plan, account, change.for_renewals_from, True))
            except NoPriceError:
                continue
        return min(found, key=lambda each: each.yen, default=None)

    def _subscribers(self, change: Price, rule: TermRule) -> list[Subscriber]:
        """Running contracts of the plan (and cohort), with the day on which each ends, as far as that is known."""
        query = (
            sa.select(contract, term.c.seq, term.c.price_yen)
            .join(term, sa.and_(term.c.contract_id == contract.c.id, term.c.ends_on == contract.c.renews_on))
            .where(contract.c.plan == change.plan, contract.c.ended_on.is_(None))
            .order_by(contract.c.account)
        )
        if change.cohort is not None:
            query = query.where(contract.c.account == sa.any_(texts(change.cohort)))
        rows = self.session.execute(query).all()
        wishes = load_wishes(self.session, [row.id for row in rows])
        return [
            Subscriber(
                account=row.account,
                plan=row.plan,
                interval=change.interval,
                anchor_on=row.anchor_on,
                next_seq=row.seq + 1,
                prepaid_terms=prepaid_terms(row.paid_months, change.interval),
                price_yen=row.price_yen,
                ends_on=self._known_end(row, change.interval, wishes.get(row.id, ()), rule),
            )
            for row in rows
        ]

    def _known_end(
        self, row: sa.Row[tuple[object, ...]], interval: Interval, wishes: Sequence[Wish], rule: TermRule
    ) -> date | None:
        ends = [boundary(row.anchor_on, interval, row.seq + 1 + step, rule) for step in range(2)] if wishes else []
        asked = use_ends_on(wishes, ends, self.rules.discretion.end_of_use_days_before)
        if asked is not None or row.prepaid_method is None or row.fallback is not None:
            return asked
        if row.method != row.prepaid_method or any(wish.method is not None for wish in wishes):
            return None
        return boundary(row.anchor_on, interval, prepaid_terms(row.paid_months, interval), rule)


MOST_YEN = 99_999_999
"""More than any plan costs, and within what a card charge can be."""
