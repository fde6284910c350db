"""The life of a contract: registration, and what users ask for. Prices: `services/prices.py`.

One method per act, with the account, what is asked, and the instant `now` at which it is received. Each act is
committed; what cannot be done is Refused in one line. The night does the rest.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from keizoku.billing.cards import charge_stage
from keizoku.billing.contracts import offers, registration, renewal_stage, screening_records
from keizoku.billing.contracts.application import ANYBODY, Application
from keizoku.billing.contracts.application_import import TakenFile, import_applications
from keizoku.billing.contracts.contract_events import record_fact
from keizoku.billing.contracts.contract_facts import WISHES, fact_taken_back, load_wishes
from keizoku.billing.contracts.price_lookup import load_interval
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.rules import contract_lifecycle as life
from keizoku.billing.rules.documents.offer import Offer
from keizoku.billing.rules.payment_method import APP_STORE, CARD, PREPAID, refuse_change
from keizoku.billing.rules.price_catalog import ShownOffer
from keizoku.billing.rules.screening import PEOPLE, Rule, apply_rule
from keizoku.billing.services.base import Service
from keizoku.db.review_tasks import open_task
from keizoku.db.roles import want_to_add
from keizoku.db.tables.contracts import CHANGE_TO, contract, contract_fact, term
from keizoku.db.tables.money import payment_attempt, store_report
from keizoku.terms.calendar import TermRule, boundary, day_start_at, iso_jst, jst_day
from keizoku.terms.refusal import Refused

MONTH_AT_LEAST_DAYS = 28
AT_THE_STORE = (
    "the user cancels it in the store (App Store: Settings, the name, Subscriptions; Google Play: Payments & "
    "subscriptions, Subscriptions); then record the stop: `keizoku contract store-stop"
)


@dataclass(frozen=True, slots=True)
class Screened:
    """What became of an application under a rule, and on which ground."""

    account: str
    outcome: str
    ground: str | None


@dataclass(frozen=True, slots=True)
class ContractService(Service):
    """Acts on contracts."""

    # Registration (Article 3) -----------------------------------------------------------------------------------

    def register(
        self,
        account: str,
        plan: str,
        method: str,
        *,
        months: int | None = None,
        fallback: str | None = None,
        consents: Sequence[str] = (),
        offer: str | None = None,
        shown_at: datetime | None = None,
        order: str | None = None,
        now: datetime,
    ) -> int:
        """Take an application; returns the contract's id. A second one while one runs is refused.

        `consents` are the versions that the applicant agreed to, as terms/version (premium/3.2); none: those in force.
        `offer` is the digest of what was shown at `shown_at` (default: now); none: what is on offer now.
        `order` is the app store's number of the purchase: its reports find this account by it (5.1(2)).
        """
        self._bring_up_to_date(account, now)
        application = Application(account, plan, method, now, months, fallback, tuple(consents), offer, shown_at, order)
        return registration.register(self.session, self.rules, [application], now)[0]

    def approve(
        self,
        account: str,
        plan: str | None = None,
        method: str | None = None,
        *,
        months: int | None = None,
        fallback: str | None = None,
        consents: Sequence[str] = (),
        by: str = PEOPLE,
        ground: str | None = None,
        charge: bool = True,
        now: datetime,
    ) -> int:
        """Form the contract at this instant: its first term starts, is invoiced and charged; returns its id.

        With plan and method the account registers and is approved at once. Without `charge` the card is charged by
        the next `charge_open`, or by night.
        """
        if plan is not None and method is not None:
            self._bring_up_to_date(account, now)
            application = Application(account, plan, method, now, months, fallback, tuple(consents))
            registration.register(self.session, self.rules, [application], now, commit=False)
        contract_id = self.session.execute(
            sa.select(contract.c.id).where(
                contract.c.account == account, contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None)
            )
        ).scalar_one_or_none()
        if contract_id is None:
            raise Refused(
                "application.none_waiting", f"account {account}: no application is waiting", "register it first"
            )
        self._form({contract_id: now}, now, by=by, ground=ground, charge=charge)
        return int(contract_id)

    def offer(
        self,
        plan: str,
        method: str = CARD,
        *,
        account: str = "",
        months: int | None = None,
        fallback: str | None = None,
        now: datetime,
    ) -> Offer:
        """What is on offer now, to an account or to anybody (premium/3.2). Saves nothing."""
        asked = Application(account or ANYBODY, plan, method, now, months, fallback)
        return offers.on_offer(self.session, self.rules, asked)

    def show_again(
        self, account: str, *, offer: str | None = None, shown_at: datetime | None = None, now: datetime
    ) -> ShownOffer:
        """A waiting application accepts what is on offer now, or what was shown at `shown_at` with this digest."""
        return offers.show_again(self.session, self.rules, account, offer, shown_at, now)

    def import_applications(self, path: Path, *, now: datetime) -> TakenFile:
        """Take the applications of a CSV file: the good rows, and a finding for each of the others."""
        return import_applications(self.session, self.rules, path, now, self._bring_up_to_date)

    def enrol(self, applications: Sequence[Application], *, now: datetime) -> list[int]:
        """Register and approve many at once, each at its own instant, and charge them at `now`; returns their ids."""
        if not applications:
            return []
        ids = registration.register(self.session, self.rules, applications, now, commit=False)
        approvals = {contract_id: each.at for contract_id, each in zip(ids, applications, strict=True)}
        self._form(approvals, now)
        return ids

    def reject(self, account: str, ground: str, *, by: str = PEOPLE, now: datetime) -> None:
        """Turn an application down, with a ground of the operator's list (premium/3.5)."""
        screening_records.reject(self.session, self.rules, account, ground, now, by=by)

    def screen(
        self,
        rule: Rule,
        *,
        accounts: Collection[str] | None = None,
        by: str = "rule",
        charge: bool = True,
        now: datetime,
    ) -> list[Screened]:
        """Let the operator's rule decide on the waiting applications; what it refers stays with people."""
        done = []
        grounds = self.rules.discretion.screening_grounds
        for contract_id, applicant in screening_records.applicants(self.session).items():
            if accounts is not None and applicant.account not in accounts:
                continue
            ruling = apply_rule(rule, applicant, grounds)
            try:
                match ruling.outcome:
                    case "approved":
                        self._form({contract_id: now}, now, by=by, ground=ruling.ground, charge=charge)
                    case "rejected":
                        screening_records.reject(
                            self.session, self.rules, applicant.account, ruling.ground or "", now, by=by
                        )
                    case "referred":
                        screening_records.refer(
                            self.session, contract_id, applicant.account, ruling.ground or "", now, by=by
                        )
                done.append(Screened(applicant.account, ruling.outcome, ruling.ground))
            except Refused as why:
                done.append(Screened(applicant.account, "referred", str(why)))
        return done

    # The user's wishes -------------------------------------------------------------------------------------------

    def end_of_use(self, account: str, *, now: datetime) -> date:
        """The user asks not to renew (premium/6.1); returns the first day without the contract."""
        row = self._running(account, now)
        wishes = load_wishes(self.session, [row.id]).get(row.id, [])
        why = life.refuse_end_of_use(row.method, wishes)
        before = self._use_ends_on(row, ())
        if before is not None:
            raise Refused(
                "contract.end_requested", f"account {account}: use ends on {before} already, by an earlier request"
            )
        if why is not None:
            raise Refused("contract.ends_in_store", f"account {account}: {why}", f"{AT_THE_STORE} {account}`")
        ends_on = self._use_ends_on(row, (life.Wish(life.END_OF_USE, now),))
        if ends_on is None:
            raise Refused(
                "contract.request_older",
                f"account {account}: a request of {iso_jst(now)} is older than one that is recorded already",
            )
        record_fact(self.session, row.id, account, life.END_OF_USE, now)
        self.session.commit()
        return ends_on

    def withdraw_end_of_use(self, account: str, *, now: datetime) -> None:
        """The user takes that back, until the term ends."""
        row = self._running(account, now)
        if self._use_ends_on(row, ()) is None:
            raise Refused(
                "contract.no_end_requested",
                f"account {account}: no request to end use stands, so none can be withdrawn",
            )
        record_fact(self.session, row.id, account, "withdraw_end_of_use", now)
        self.session.commit()

    def store_stop(self, account: str, *, stopped_on: date | None = None, now: datetime) -> date | None:
        """The app store has stopped the renewal (premium/6.1): the first day without the contract.

        None: the user goes on with another method, asked for before. `stopped_on`: the JST day on which it was stopped
        in the store; None: now. Of a day before the running term began here, the contract ends with that term, and its
        fee, which the store does not collect, is a task. Raises Refused for a day ahead or before the contract, and for
        one before a term that the store has reported.
        """
        row = self._running(account, now)
        if row.method != APP_STORE:
            raise Refused(
                "store.not_paid_there",
                f"account {account}: its running term is paid by {row.method}, not in an app store",
                f"end it here: `keizoku contract end-of-use {account}`",
            )
        before = self._use_ends_on(row, ())
        if before is not None:
            raise Refused(
                "contract.end_requested", f"account {account}: use ends on {before} already, by an earlier stop"
            )
        if stopped_on is not None and (late := self._begun_after_stop(row, stopped_on, now)):
            yen = sum(each.price_yen for each in late)
            first = late[0].starts_on
            why = f"stopped in the store on {stopped_on}; terms began here from {first} on: {yen} yen do not come"
            detail = {"account": account, "stopped_on": str(stopped_on), "term": str(first), "yen": yen, "why": why}
            open_task(self.session, "store_stopped_before_term", f"contract {row.id}", detail, now)
        at = now
        if stopped_on is not None and stopped_on < jst_day(now):  # some time on that day, so at its very end
            at = day_start_at(stopped_on + timedelta(days=1)) - timedelta(seconds=1)
        record_fact(self.session, row.id, account, life.STORE_STOP, now, occurred_at=at)
        self.session.commit()
        return self._use_ends_on(row, ())

    def _begun_after_stop(
        self, row: sa.Row[tuple[object, ...]], stopped_on: date, now: datetime
    ) -> Sequence[sa.Row[Any, Any, Any]]:
        """Terms in the store that began here after the day of its stop, oldest first."""
        who = f"account {row.account}"
        if not row.anchor_on <= stopped_on <= jst_day(now):
            raise Refused(
                "store.stop_day",
                f"{who}: its contract began on {row.anchor_on} and today is {jst_day(now)}: "
                f"the store cannot have stopped it on {stopped_on}",
            )
        late = self.session.execute(
            sa.select(term.c.starts_on, term.c.price_yen, store_report.c.term_id)
            .outerjoin(store_report, store_report.c.term_id == term.c.id)
            .where(term.c.contract_id == row.id, term.c.method == APP_STORE, term.c.starts_on > stopped_on)
            .order_by(term.c.starts_on)
        ).all()
        reported = [each.starts_on for each in late if each.term_id is not None]
        if reported:
            raise Refused(
                "store.stop_day",
                f"{who}: the store reported its charge for the term of {reported[-1]}, so it was not stopped "
                f"on {stopped_on}",
                "ask the store, and correct the day",
            )
        return late

    def change_method(self, account: str, method: str, *, store_stop_recorded: bool = False, now: datetime) -> None:
        """The user asks for another method from the next renewal on (premium/5.1)."""
        if method not in (*CHANGE_TO, *PREPAID):
            meant = get_close_matches(method.casefold(), CHANGE_TO, 1, 0.5)
            raise Refused(
                "method.unknown",
                f"account {account}: {method!r} is no method to change to",
                f"there are {', '.join(CHANGE_TO)}" + (f"; the nearest is {meant[0]}" if meant else ""),
            )
        row = self._running(account, now)
        wishes = load_wishes(self.session, [row.id]).get(row.id, [])
        stopped = store_stop_recorded or any(wish.kind == life.STORE_STOP for wish in wishes)
        why = refuse_change(row.method, method, store_stop_recorded=stopped)
        if why is not None:
            raise Refused("method.change", f"account {account}: {why}")
        self._record(account, "change_method", now, detail={"method": method})

    def void_fact(self, account: str, kind: str, *, by: str, ground: str, now: datetime) -> int:
        """People take back the last fact of a kind that was recorded by mistake (WISHES); the fact's id.

        It stays on record, and no later renewal looks at it. What a term was made of before stays as it is. Raises
        Refused where there is nothing of the kind to take back.
        """
        row = self._latest(account)
        if kind not in WISHES:
            known = ", ".join(WISHES)
            raise Refused(
                "fact.kind", f"account {account}: {kind!r} is no fact that can be taken back", f"there are {known}"
            )
        if not by.strip() or not ground.strip():
            raise Refused("fact.ground", f"account {account}: who takes it back, and why, belong to it")
        facts = self.session.execute(
            sa.select(contract_fact.c.id, contract_fact.c.kind, contract_fact.c.detail)
            .where(contract_fact.c.contract_id == row.id, contract_fact.c.kind.in_((kind, "void_fact")))
            .order_by(contract_fact.c.id.desc())
        ).all()
        void = {fact_taken_back(each.detail) for each in facts if each.kind == "void_fact"}
        standing = next((each.id for each in facts if each.kind == kind and each.id not in void), None)
        if standing is None:
            raise Refused("fact.none", f"account {account}: no {kind} of its contract stands")
        record_fact(
            self.session, row.id, account, "void_fact", now, author=by, ground=ground, detail={"fact": standing}
        )
        self.session.commit()
        return int(standing)

    def new_card(self, account: str, *, charge: bool = True, now: datetime) -> None:
        """The user registered another card (premium/5.4): what is open is charged to it at once.

        Without `charge` it is charged by the next `charge_open`, or by night.
        """
        row = self._latest(account)
        record_fact(self.session, row.id, account, "new_card", now)
        self.session.commit()
        if charge:
            self.charge_open(account, now=now)

    def charge_open(self, account: str, *, now: datetime) -> None:
        """Charge what is due of an account to its card; again, it finds nothing to do."""
        want_to_add(self.session, payment_attempt)  # before anything is looked up, also where nothing is due
        contract_ids = self.session.scalars(sa.select(contract.c.id).where(contract.c.account == account)).all()
        charge_stage.charge_due(self.session, self.rules, self.gateway, now, contract_ids=contract_ids)
        self._reconsider(account, now)

    def leave_service(self, account: str, *, now: datetime) -> None:
        """The user left the service (premium/6.2): access ends at once, nothing is given back."""
        self._end(account, "leave_service", life.LEFT_SERVICE, now)

    def delete_user(self, account: str, *, now: datetime) -> None:
        """The user id was deleted (premium/13): access ends at once, nothing is given back."""
        self._end(account, "delete_user", life.USER_DELETED, now)

    # Inside ------------------------------------------------------------------------------------------------------

    def _form(
        self,
        approvals: Mapping[int, datetime],
        now: datetime,
        *,
        by: str = PEOPLE,
        ground: str | None = None,
        charge: bool = True,
    ) -> None:
        """Contracts formed and committed, each at its own instant; then their first terms are charged at `now`."""
        registration.approve(self.session, self.rules, approvals, now, by=by, ground=ground)
        if not charge:
            return
        charge_stage.charge_due(self.session, self.rules, self.gateway, now, contract_ids=list(approvals))

    def _use_ends_on(self, row: sa.Row[tuple[object, ...]], more: Sequence[life.Wish]) -> date | None:
        """When use ends by the wishes so far and `more`; the terms ahead are looked at as far as a request can wait."""
        anchor_on, renews_on = row.anchor_on, row.renews_on
        interval = load_interval(self.session, row.plan) or "month"
        rule = cast("TermRule", self.rules.terms.at(renews_on).readings["term_rule"])
        days_before = self.rules.discretion.end_of_use_days_before
        ahead = 2 + days_before // MONTH_AT_LEAST_DAYS
        seq = self.session.execute(sa.select(sa.func.max(term.c.seq)).where(term.c.contract_id == row.id)).scalar_one()
        ends = [boundary(anchor_on, interval, seq + 1 + step, rule) for step in range(ahead)]
        wishes = load_wishes(self.session, [row.id]).get(row.id, [])
        return life.use_ends_on([*wishes, *more], ends, days_before)

    def _record(self, account: str, kind: str, now: datetime, detail: dict[str, object] | None = None) -> None:
        row = self._running(account, now)
        record_fact(self.session, row.id, account, kind, now, detail=detail)
        self.session.commit()

    def _end(self, account: str, kind: str, reason: str, now: datetime) -> None:
        self._running(account, now)
        lock_accounts(self.session, [account])
        row = self._running(account, now)  # two at once: the second finds it ended
        record_fact(self.session, row.id, account, kind, now)
        renewal_stage.save_end(self.session, life.end_now(row.id, account, now, jst_day(now), reason), now)
        self.session.commit()
