"""What happens in a random life under Article 9: stops, announced updates, claims, other remedies, late claims."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, day_start_at, jst_day
from tests.worlds.life_acts import ACCOUNTS, ONE_DAY, Acting, accounts, act, minutes, number, pick

which = number(0, 99)
"""One of what is there, counted from the newest."""


class ClaimActs(Acting):
    """Acts on the service, on claims and on what takes the place of a credit."""

    claims: int
    stops: int

    def _one_of(self, query: str, place: int) -> Any:
        found = self.services.session.scalars(sa.text(query)).all()
        self.services.session.rollback()
        return found[place % len(found)] if found else None

    def _who_has_paid_by_card(self, place: int) -> str | None:
        """One whose card was charged; where there is none, one who begins now, if anybody can."""
        query = (
            "SELECT contract.account FROM contract WHERE approved_at IS NOT NULL AND ended_on IS NULL "
            "AND method = 'card' AND EXISTS (SELECT 1 FROM payment_attempt WHERE outcome = 'succeeded' "
            "AND payment_attempt.account = contract.account) ORDER BY contract.account"
        )
        for account in ACCOUNTS:
            if self._one_of(query, place) is None:
                Simulator(self.services).cards.set_card(account, "ok")
                self.ask(1, "approve", account, "monthly", "card")
        found: str | None = self._one_of(query, place)
        return found

    def _claim_made(self, place: int) -> str | None:
        found: str | None = self._one_of("SELECT id FROM claim ORDER BY recorded_at DESC, id", place)
        return found

    @act(
        6,
        minutes_long=pick(9, 10, 217, 239, 240, 432, 433, 600, 900),
        affected=pick(50_000, 50_001, 60_000, 60_000),
        cause=pick("fault", "fault", "system_update"),
        passed=minutes,
    )
    def the_service_stops(self, minutes_long: int, affected: int, cause: str, passed: int) -> None:
        at = self.after(passed)
        self.stops += 1
        self.services.sla.record_outage(
            at - timedelta(minutes=minutes_long), at, affected, id=f"s{self.stops}", cause=cause, ground="log", now=at
        )

    @act(
        2,
        days=number(3, 7),
        early=pick(0, 30, 24 * 60),
        over=pick(0, 0, 45),
        hours=number(4, 9),
        passed=minutes,
    )
    def an_update_is_made(self, days: int, early: int, over: int, hours: int, passed: int) -> None:
        """Announced so many days before its window, begun perhaps before it and over perhaps after it."""
        at = self.after(passed)
        self.stops += 1
        from_at, to_at = at - timedelta(hours=hours), at - timedelta(minutes=over)
        published = day_start_at(jst_day(from_at) - days * ONE_DAY)
        self.services.sla.notice(f"n{self.stops}", published, from_at, to_at, now=at)
        self.services.sla.record_outage(
            from_at - timedelta(minutes=early), at, 60_000, id=f"s{self.stops}", cause="system_update", ground="log",
            now=at,
        )  # fmt: skip

    @act(place=which, less=number(-120, 400), affected=pick(50_000, 60_000), passed=minutes)
    def a_stop_is_known_better(self, place: int, less: int, affected: int, passed: int) -> None:
        stop = self._one_of("SELECT DISTINCT incident_id FROM incident ORDER BY 1", place)
        if stop is None:
            return
        at = self.after(passed)
        last = self.services.session.execute(
            sa.text("SELECT * FROM incident WHERE incident_id = :id ORDER BY revision DESC LIMIT 1"), {"id": stop}
        ).one()
        self.services.session.rollback()
        ends_at = min(at, last.to_at - timedelta(minutes=less))
        if ends_at > last.from_at:
            self.asked(0, self.services.sla, "correct_outage", stop, to_at=ends_at, affected=affected, ground="the log")

    @act(hours=number(1, 12), passed=minutes)
    def service_is_interrupted(self, hours: int, passed: int) -> None:
        at = self.after(passed)
        self.services.sla.interruption(at - timedelta(hours=hours), at, "an attack", "the head", now=at)

    @act(back=number(0, 20), hours=number(1, 30), passed=minutes)
    def the_form_was_down(self, back: int, hours: int, passed: int) -> None:
        """Around the last deadline, wherever it is known."""
        at = self.after(passed)
        from_at = Month.of(at).start_at - timedelta(hours=back)
        to_at = from_at + timedelta(hours=hours)
        if to_at <= at:
            self.services.sla.claim_form_down(from_at, to_at, now=at)

    @act(
        8,
        account=accounts,
        of_stop=pick(None, 0, 0, 0, 1, 2),
        ago=number(0, 2),
        part=pick(None, None, (0, 31), (0, 14), (10, 20)),
        passed=minutes,
    )
    def claims_time(
        self, account: str, of_stop: int | None, ago: int, part: tuple[int, int] | None, passed: int
    ) -> None:
        """Of the month of one of the last stops, or of one so many months ago; all of it, or days of it."""
        at = self.after(passed)
        self.claims += 1
        began = None if of_stop is None else self._one_of("SELECT from_at FROM incident ORDER BY id DESC", of_stop)
        month = Month.of(at).shift(-ago) if began is None else Month.of(began)
        windows = None
        if part is not None:
            bounds = [min(at, month.start_at + day * ONE_DAY) for day in part]
            windows = [(bounds[0], bounds[1])] if bounds[0] < bounds[1] else None
        self.asked(0, self.services.sla, "claim", f"c{self.claims}", account, month, windows=windows)

    @act(
        5,
        place=which,
        hours=pick(5, 8, 10),
        remedy=pick(None, None, None, "performed", "called off", "forgotten"),
        nights=number(2, 6),
        passed=number(760, 1_000),  # a night ends at 02:30: by day
    )
    def a_stop_is_claimed_to_its_end(
        self, place: int, hours: int, remedy: str | None, nights: int, passed: int
    ) -> None:
        """Who pays by card claims the month of a stop; it is decided, and its worth reaches an invoice or not."""
        account = self._one_of(
            "SELECT account FROM contract WHERE approved_at IS NOT NULL AND ended_on IS NULL AND method = 'card' "
            "ORDER BY account", place,
        )  # fmt: skip
        if account is None:
            return
        self.the_service_stops(60 * hours, 60_000, "fault", passed)
        self.claims_time(account, 0, 0, None, 1)
        if remedy is not None:
            self.another_remedy_is_agreed(0, 20, 1)
        self.days_pass_on_which_something_is_due(nights // 2)
        if remedy == "performed":
            self.the_remedy_is_performed(0, 0, 1)
        elif remedy == "called off":
            self.the_remedy_is_called_off(0, 1)
        self.days_pass_on_which_something_is_due(nights - nights // 2)

    @act(
        5,
        place=which,
        hours=pick(5, 8),
        how=pick("leave_service", "delete_user", "end_of_use", "change_method"),
        before=pick(False, True),
        remedy=pick(None, None, None, "called off"),
        nights=number(1, 3),
        passed=number(760, 1_000),
    )
    def a_stop_is_claimed_by_who_goes(
        self, place: int, hours: int, how: str, before: bool, remedy: str | None, nights: int, passed: int
    ) -> None:
        """Who pays by card claims, and before or after that goes, or goes on without a card: it comes back."""
        account = self._who_has_paid_by_card(place)
        if account is None:
            return
        self.the_service_stops(60 * hours, 60_000, "fault", passed)
        for goes in (before, not before):
            if goes:
                self.ask(1, how, account, *(("other",) if how == "change_method" else ()))
            else:
                self.claims_time(account, 0, 0, None, 1)
        if remedy is not None:
            self.another_remedy_is_agreed(0, 60, 1)
        month = Month.of(self.now)
        while Month.of(self.now) == month:
            self.days_pass_on_which_something_is_due(1)
        self.days_pass_on_which_something_is_due(nights)
        if remedy is not None:
            self.the_remedy_is_called_off(0, 1)
            self.days_pass_on_which_something_is_due(1)

    @act(account=accounts)
    def refunds_reach_the_card_no_more(self, account: str) -> None:
        Simulator(self.services).cards.set_refund_fails(account)

    @act(place=which, passed=minutes)
    def people_grant_a_late_claim(self, place: int, passed: int) -> None:
        if claim := self._claim_made(place):
            self.asked(passed, self.services.sla, "grant_late", claim, "nobody could know", "the head")

    @act(4, place=which, days=pick(None, 0, 3, 20), passed=minutes)
    def another_remedy_is_agreed(self, place: int, days: int | None, passed: int) -> None:
        if claim := self._claim_made(place):
            by_on = None if days is None else jst_day(self._later(passed)) + days * ONE_DAY
            self.asked(passed, self.services.sla, "consent_alternative", claim, "a book", by_on)

    @act(4, place=which, ago=number(0, 6), passed=minutes)
    def the_remedy_is_performed(self, place: int, ago: int, passed: int) -> None:
        """Recorded on the day, or some days later."""
        if claim := self._claim_made(place):
            on = jst_day(self._later(passed)) - ago * ONE_DAY
            self.asked(passed, self.services.sla, "perform_alternative", claim, on)

    @act(place=which, passed=minutes)
    def the_remedy_is_called_off(self, place: int, passed: int) -> None:
        if claim := self._claim_made(place):
            self.asked(passed, self.services.sla, "withdraw_alternative", claim)

    def _later(self, passed: int) -> datetime:
        return self.now + timedelta(minutes=passed)
