"""The billing desk: every act of people and of other systems on a contract or on money.

One method per act, with the account, what is asked, and the instant `now` at which it is received. Each act is
committed; what cannot be done is Refused in one line. The night does the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from billing import contract as life
from billing import notices, registration
from billing.catalog import NoPriceError, Price, check_change, price_at
from billing.gateway.port import Gateway
from billing.giving_up import Act, set_off, write_off
from billing.payment_method import refuse_change
from billing.people import close_task
from billing.receiving import receive
from billing.refusal import Refused
from billing.registration import Application
from billing.stages import delinquency, invoices, payments, terms
from billing.stages.prices import load_interval, load_prices
from billing.stages.termination import save_notice, terminate
from billing.stores import take_report
from db.session import Session
from db.tables.contracts import contract, contract_fact, plan, price, suspension
from terms.calendar import Interval, jst_day
from terms.rules import Rules


@dataclass(frozen=True, slots=True)
class BillingDesk:
    """Acts on contracts, on one session, under the rules, with a gateway for cards."""

    session: Session
    rules: Rules
    gateway: Gateway

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

    # Acts of people ----------------------------------------------------------------------------------------------

    def suspend(self, account: str, ground: str, *, by: str = "people", now: datetime) -> None:
        """Switch access off, for a ground that people state (premium/7.1)."""
        row = self._running(account, now)
        open_one = sa.select(suspension.c.id).where(
            suspension.c.contract_id == row.id,
            suspension.c.set_by == "people",
            suspension.c.lifted_at.is_(None),
        )
        if self.session.execute(open_one).first() is not None:
            raise Refused(f"account {account}: people have suspended it already; resume it first (premium/7.1)")
        self._fact(row.id, account, "suspend", now, author=by, ground=ground)
        suspension_id = self.session.execute(
            sa.insert(suspension)
            .values(contract_id=row.id, account=account, from_at=now, set_by="people", ground=ground, recorded_at=now)
            .returning(suspension.c.id)
        ).scalar_one()
        notice = notices.suspension_by_people(jst_day(now), ground)
        save_notice(self.session, account, row.id, notice, f"suspension:{suspension_id}", now)
        self.session.commit()

    def resume(self, account: str, ground: str, *, by: str = "people", now: datetime) -> None:
        """Lift every suspension; one for fees that are still unpaid comes back by night."""
        row = self._running(account, now)
        self._fact(row.id, account, "resume", now, author=by, ground=ground)
        lifted = self.session.execute(
            sa.update(suspension)
            .where(suspension.c.contract_id == row.id, suspension.c.lifted_at.is_(None))
            .values(lifted_at=now, lifted_by=by)
        ).rowcount
        self.session.commit()
        if not lifted:
            raise Refused(f"account {account}: it is not suspended (premium/7.1)")

    def terminate(self, account: str, ground: str, *, by: str = "people", now: datetime) -> None:
        """End the contract for a ground that people state (premium/7.1); what is unpaid stays owed."""
        row = self._running(account, now)
        self._fact(row.id, account, "terminate", now, author=by, ground=ground)
        notice = notices.termination_by_people(jst_day(now), ground)
        terminate(self.session, self.rules, row.id, account, notice, now)
        self.session.commit()

    def pay(
        self,
        account: str,
        yen: int,
        via: str = "bank",
        *,
        costs: int = 0,
        term: date | None = None,
        now: datetime,
    ) -> None:
        """The payer sent money: costs, then interest, then fees; the rest is kept as a deposit (Civil Code 489)."""
        self._latest(account)
        receive(self.session, self.rules, account, yen, via=via, costs_yen=costs, for_term_on=term, now=now)
        self._reconsider(account, now)

    def settle_unknown(self, *, now: datetime) -> int:
        """Look up, and send again within the hours of the setting, every charge without an answer; rows written."""
        return payments.settle_in_flight(self.session, self.rules, self.gateway, now)

    def nothing_charged(self, attempt: int, *, by: str, ground: str, now: datetime) -> None:
        """People have made sure that a charge without an answer never reached the card; another may be tried."""
        if not payments.abandon(self.session, attempt, now):
            self.session.rollback()
            raise Refused(f"attempt {attempt}: it is not waiting for an answer (see `keizoku payments unknown`)")
        close_task(self.session, "attempt_unknown", f"attempt {attempt}", by, ground, now)
        self.session.commit()

    def write_off(self, account: str, term: date, *, by: str, ground: str, now: datetime) -> None:
        """Give up the unpaid fee of a term that is over, and the interest on it."""
        write_off(self.session, self.rules, account, term, Act(by, ground), now)
        self._reconsider(account, now)

    def set_off(self, account: str, *, by: str, now: datetime) -> None:
        """Set open credits off against what is owed, by notice."""
        set_off(self.session, self.rules, account, Act(by, "set-off by notice"), now)
        self._reconsider(account, now)

    def dispute(self, account: str, term: date, outcome: str, *, decided_on: date, now: datetime) -> None:
        """A cardholder disputes a charge."""
        raise NotImplementedError("not built yet: dispute")

    def store_report(self, account: str, term: date, gross: int, fee: int, *, now: datetime) -> None:
        """A store reports what it collected for a term."""
        take_report(self.session, self.rules, account, term, gross, fee, now)

    # Inside ------------------------------------------------------------------------------------------------------

    def _interval(self, code: str) -> Interval:
        interval = load_interval(self.session, code)
        if interval is None:
            known = ", ".join(self.session.scalars(sa.select(plan.c.code).order_by(plan.c.code))) or "none yet"
            raise Refused(f"plan {code!r} is not known; there are: {known}")
        return interval

    def _reconsider(self, account: str, now: datetime) -> None:
        """A suspension whose reason a payment or an act took away is lifted at once."""
        for contract_id in self.session.scalars(
            sa.select(contract.c.id).where(contract.c.account == account, contract.c.ended_on.is_(None))
        ).all():
            delinquency.reconsider(self.session, self.rules, contract_id, now)

    def _price_before(self, change: Price) -> Price | None:
        try:
            account = min(change.cohort) if change.cohort else ""
            return price_at(load_prices(self.session), change.plan, account, change.for_renewals_from, True)
        except NoPriceError:
            return None

    def _latest(self, account: str) -> sa.Row[tuple[object, ...]]:
        row = self.session.execute(
            sa.select(contract)
            .where(contract.c.account == account, contract.c.approved_at.is_not(None))
            .order_by(contract.c.id.desc())
            .limit(1)
        ).first()
        if row is None:
            raise Refused(f"account {account!r} has no contract; approve one first")
        return row

    def _running(self, account: str, now: datetime) -> sa.Row[tuple[object, ...]]:
        self._latest(account)
        self._bring_up_to_date(account, now)
        row = self._latest(account)
        if row.ended_on is not None:
            raise Refused(f"account {account}: its contract ended on {row.ended_on}")
        return row

    def _bring_up_to_date(self, account: str, now: datetime) -> None:
        """A contract whose last term is over by now, before its night has run, is renewed or ended first."""
        today = jst_day(now)
        for contract_id in self.session.scalars(
            sa.select(contract.c.id).where(
                contract.c.account == account, contract.c.ended_on.is_(None), contract.c.renews_on <= today
            )
        ).all():
            for chunk in terms.due(self.session, self.rules, today, contract_id=contract_id):
                terms.save(self.session, terms.decide(self.session, self.rules, chunk, today, now), now)
            for opened in invoices.due(self.session, contract_ids=[contract_id]):
                invoices.save(self.session, invoices.decide(self.rules, opened), now)

    def _record(self, account: str, kind: str, now: datetime, detail: dict[str, object] | None = None) -> None:
        row = self._running(account, now)
        self._fact(row.id, account, kind, now, detail=detail)
        self.session.commit()

    def _fact(
        self,
        contract_id: int,
        account: str,
        kind: str,
        now: datetime,
        *,
        author: str | None = None,
        ground: str | None = None,
        detail: dict[str, object] | None = None,
    ) -> None:
        self.session.execute(
            sa.insert(contract_fact).values(
                contract_id=contract_id,
                account=account,
                kind=kind,
                occurred_at=now,
                recorded_at=now,
                author=author,
                ground=ground,
                detail=detail,
            )
        )

    def _end(self, account: str, kind: str, reason: str, now: datetime) -> None:
        row = self._running(account, now)
        self._fact(row.id, account, kind, now)
        terms.save_end(self.session, life.end_now(row.id, account, now, jst_day(now), reason), now)
        self.session.commit()
