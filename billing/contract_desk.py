"""The desk for the life of a contract: plans and prices, registration, what users ask for.

One method per act, with the account, what is asked, and the instant `now` at which it is received. Each act is
committed; what cannot be done is Refused in one line. The night does the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from billing import contract as life
from billing import registration
from billing.catalog import NoPriceError, Price, check_change, price_at
from billing.desk_base import Desk
from billing.payment_method import refuse_change
from billing.refusal import Refused
from billing.registration import Application
from billing.stages import payments, terms
from billing.stages.prices import load_interval, load_prices
from db.tables.contracts import contract, plan, price
from terms.calendar import Interval, jst_day


@dataclass(frozen=True, slots=True)
class ContractDesk(Desk):
    """Acts on contracts."""

    # Plans and prices ------------------------------------------------------------------------------------------

    def add_plan(self, code: str, interval: str, *, now: datetime) -> None:
        """Declare a plan of monthly or yearly terms."""
        self.session.execute(
            insert(plan).values(code=code, interval=interval, recorded_at=now).on_conflict_do_nothing()
        )
        self.session.commit()

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
        now: datetime,
    ) -> None:
        """Record a price of a plan (premium/4.3); the first price of a plan (`initial`) needs no announcement."""
        interval = self._interval(plan)
        least_yen = self.rules.discretion.minimum_card_charge_yen
        if yen < least_yen:
            raise Refused(f"plan {plan}: a price of {yen} yen is less than a card can be charged, {least_yen} yen")
        row = Price(
            plan=plan,
            interval=interval,
            yen=yen,
            announced_on=announced,
            for_new_from=for_new_from,
            for_renewals_from=for_renewals_from,
            cohort=frozenset(cohort) if cohort is not None else None,
        )
        if not initial:
            settings = self.rules.discretion
            findings = check_change(
                row, self._price_before(row), settings.price_announce_days, settings.price_migration_days
            )
            if findings:
                raise Refused("; ".join(str(finding) for finding in findings))
        self.session.execute(
            sa.insert(price).values(
                plan=plan,
                yen=yen,
                announced_on=announced,
                for_new_from=for_new_from,
                for_renewals_from=for_renewals_from,
                cohort=sorted(cohort) if cohort is not None else None,
                recorded_at=now,
            )
        )
        self.session.commit()

    # Registration (Article 3) -----------------------------------------------------------------------------------

    def register(
        self,
        account: str,
        plan: str,
        method: str,
        *,
        months: int | None = None,
        fallback: str | None = None,
        now: datetime,
    ) -> int:
        """Take an application; returns the contract's id. A second one while one runs is refused."""
        self._bring_up_to_date(account, now)
        application = Application(account, plan, method, now, months, fallback)
        return registration.register(self.session, [application], now)[0]

    def approve(
        self,
        account: str,
        plan: str | None = None,
        method: str | None = None,
        *,
        months: int | None = None,
        fallback: str | None = None,
        now: datetime,
    ) -> int:
        """Form the contract at this instant: its first term starts, is invoiced and charged; returns its id."""
        if plan is not None and method is not None:
            self._bring_up_to_date(account, now)
            application = Application(account, plan, method, now, months, fallback)
            registration.register(self.session, [application], now, commit=False)
        contract_id = self.session.execute(
            sa.select(contract.c.id).where(
                contract.c.account == account, contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None)
            )
        ).scalar_one_or_none()
        if contract_id is None:
            raise Refused(f"account {account}: no application is waiting; register it first (premium/3.3)")
        registration.approve(self.session, self.rules, self.gateway, {contract_id: now}, now)
        return int(contract_id)

    def enrol(self, applications: Sequence[Application], *, now: datetime) -> list[int]:
        """Register and approve many at once, each at its own instant, and charge them at `now`; returns their ids."""
        ids = registration.register(self.session, applications, now, commit=False)
        approvals = {contract_id: each.at for contract_id, each in zip(ids, applications, strict=True)}
        registration.approve(self.session, self.rules, self.gateway, approvals, now)
        return ids

    def reject(self, account: str, ground: str, *, now: datetime) -> None:
        """Turn an application down, with its ground (premium/3.5)."""
        done = self.session.execute(
            sa.update(contract)
            .where(
                contract.c.account == account,
                contract.c.approved_at.is_(None),
                contract.c.rejected_at.is_(None),
            )
            .values(rejected_at=now, rejected_ground=ground)
        ).rowcount
        self.session.commit()
        if not done:
            raise Refused(f"account {account}: no application is waiting (premium/3.5)")

    # The user's wishes -------------------------------------------------------------------------------------------

    def end_of_use(self, account: str, *, now: datetime) -> None:
        """The user asks not to renew (premium/6.1)."""
        self._record(account, "end_of_use", now)

    def withdraw_end_of_use(self, account: str, *, now: datetime) -> None:
        """The user takes that back, until the term ends."""
        self._record(account, "withdraw_end_of_use", now)

    def change_method(self, account: str, method: str, *, store_stop_recorded: bool = False, now: datetime) -> None:
        """The user asks for another method from the next renewal on (premium/5.1)."""
        row = self._running(account, now)
        why = refuse_change(row.method, method, store_stop_recorded=store_stop_recorded)
        if why is not None:
            raise Refused(f"account {account}: {why}")
        self._record(account, "change_method", now, detail={"method": method})

    def new_card(self, account: str, *, now: datetime) -> None:
        """The user registered another card (premium/5.4): what is open is charged to it at once."""
        row = self._latest(account)
        self._fact(row.id, account, "new_card", now)
        self.session.commit()
        contract_ids = self.session.scalars(sa.select(contract.c.id).where(contract.c.account == account)).all()
        payments.charge_due(self.session, self.rules, self.gateway, now, contract_ids=contract_ids)
        self._reconsider(account, now)

    def leave_service(self, account: str, *, now: datetime) -> None:
        """The user left the service (premium/6.2): access ends at once, nothing is given back."""
        self._end(account, "leave_service", life.LEFT_SERVICE, now)

    def delete_user(self, account: str, *, now: datetime) -> None:
        """The user id was deleted (premium/13): access ends at once, nothing is given back."""
        self._end(account, "delete_user", life.USER_DELETED, now)

    # Inside ------------------------------------------------------------------------------------------------------

    def _interval(self, code: str) -> Interval:
        interval = load_interval(self.session, code)
        if interval is None:
            known = ", ".join(self.session.scalars(sa.select(plan.c.code).order_by(plan.c.code))) or "none yet"
            raise Refused(f"plan {code!r} is not known; there are: {known}")
        return interval

    def _price_before(self, change: Price) -> Price | None:
        try:
            account = min(change.cohort) if change.cohort else ""
            return price_at(load_prices(self.session), change.plan, account, change.for_renewals_from, True)
        except NoPriceError:
            return None

    def _record(self, account: str, kind: str, now: datetime, detail: dict[str, object] | None = None) -> None:
        row = self._running(account, now)
        self._fact(row.id, account, kind, now, detail=detail)
        self.session.commit()

    def _end(self, account: str, kind: str, reason: str, now: datetime) -> None:
        row = self._running(account, now)
        self._fact(row.id, account, kind, now)
        terms.save_end(self.session, life.end_now(row.id, account, now, jst_day(now), reason), now)
        self.session.commit()
