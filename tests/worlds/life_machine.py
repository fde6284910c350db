"""Three accounts of a shop that live at random: acts of users, payers, cards and people, and nights in between.

    acts ── nights ── acts ── …      years, night by night where something is due

After every step everything that has to hold is looked at (tests/worlds/lives.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, owed_view
from keizoku.billing.gateway.simulated import CARD_OUTCOMES
from keizoku.db.tables.contracts import METHODS
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.run_log import StageRun, note
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import jst_day
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.life_acts import ACCOUNTS, ONE_DAY, STARTS, accounts, act, drawn_act, minutes, number, pick
from tests.worlds.life_article9 import ClaimActs
from tests.worlds.lives import Lived, next_busy_night, open_shop
from tests.worlds.world import rows, services_on

WORKS_BACK = {"deposit_use": "when_due", "set_off_effect": "works_back"}
"""The readings by which money that we hold meets debts as early as it can: the defaults."""
WAITS = {"deposit_use": "kept_until_asked", "set_off_effect": "on_notice"}
"""The others: until somebody says so."""
NARROW = {"late_interest_scope": "card_only", "late_interest_day_count": "fixed_365"}
"""The rate of the contract for cards alone, days counted as 365ths below the ceiling of the law."""
STATED = {"due_on_holiday": "as_stated"}


ANOTHER_VERSION = "another"
OFFER_DAYS = 30
"""The setting `offer_valid_days` as it comes."""


def with_another_version(terms: Terms, from_on: date) -> Terms:
    """Followed from a day on by a version that has one clause less, and the same numbers."""
    last = terms.versions[-1]
    clauses = {name: clause for name, clause in last.clauses.items() if name != "premium/11.1"}
    another = replace(last, version=ANOTHER_VERSION, in_force_from=from_on, clauses=clauses)
    return replace(terms, versions=(*terms.versions[:-1], replace(last, in_force_until=from_on), another))


class Lives(ClaimActs):
    """Three accounts of a shop, from a day on; `now` goes forward with every act, and nights run on their time."""

    make_engine: Callable[[], sa.Engine]

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.claims = self.stops = 0
        self.last: NightResult | None = None
        self.lived = Lived()

    def teardown(self) -> None:
        self.stack.close()

    # Time --------------------------------------------------------------------------------------------------------

    def begin(
        self,
        start: str,
        plans: Sequence[str],
        methods: Sequence[str],
        cards: Sequence[str],
        readings: tuple[bool, bool, bool],
        new_terms_in: int | None,
    ) -> None:
        works_back, narrow, stated = readings
        self.open(start, works_back=works_back, narrow=narrow, stated=stated, new_terms_in=new_terms_in)
        for account, plan, method, card in zip(ACCOUNTS, plans, methods, cards, strict=True):
            Simulator(self.services).cards.set_card(account, card)
            self.ask(60, "approve", account, plan, method)

    def open(
        self,
        start: str,
        *,
        works_back: bool = False,
        narrow: bool = False,
        stated: bool = False,
        new_terms_in: int | None = None,
    ) -> None:
        """A shop without accounts, by the readings as they are or by others; after so many days perhaps new terms."""
        chosen = {**(WORKS_BACK if works_back else WAITS), **(NARROW if narrow else {}), **(STATED if stated else {})}
        terms = Terms.load("premium").with_readings(chosen)
        self.night_on = self.first_on = date.fromisoformat(start)  # the business date of the next night
        self.new_terms_on = None if new_terms_in is None else self.first_on + new_terms_in * ONE_DAY
        if self.new_terms_on is not None:
            terms = with_another_version(terms, self.new_terms_on)
        self.services = self.stack.enter_context(services_on(self.make_engine(), Rules(terms)))
        self.now = night_at(self.night_on) - timedelta(hours=18)
        open_shop(self.services, self.now)

    def night(self) -> None:
        """Run the night that comes next, at its time."""
        self.now = night_at(self.night_on)
        self.last = run_night(self.services, self.night_on, self.now)
        self.lived.night_has_run(self.services, self.night_on, self.now)
        self.night_on += ONE_DAY

    def after(self, passed: int) -> datetime:
        """The instant so many minutes later; a night that comes in between runs before."""
        at = self.now + timedelta(minutes=passed)
        while night_at(self.night_on) <= at:
            self.night()
        self.now = at
        return at

    def look(self) -> None:
        """Every invariant, now."""
        if self.last is not None:
            assert (self.last.certificate, self.last.differences) == ("ok", ())
        last_night = self.last.business_date if self.last else None
        self.lived.check(self.services, self.now, last_night, at_night=self.at_night)

    @property
    def at_night(self) -> bool:
        return self.now == night_at(self.night_on - ONE_DAY)

    def time_passes(self, how: str, count: int) -> None:
        """Nights run, are left out, or run again."""
        if how == "all":
            for _ in range(count):
                self.night()
                self.look()
        elif how == "left out":
            self.night_on += (2 * count - 1) * ONE_DAY
            self.night()
            self.look()
        elif self.last is not None:
            self.a_night_runs_twice(back=7 * (count - 1))

    def days_pass_on_which_something_is_due(self, count: int) -> None:
        """What lies between is noted as run: on those nights nothing but revenue is due, which the next one makes."""
        for _ in range(count):
            busy = next_busy_night(self.services, self.night_on)
            quiet = [self.night_on + n * ONE_DAY for n in range((busy - self.night_on).days)]
            note(self.services.session, [StageRun(on, "audit", self.now, self.now, 0) for on in quiet])
            self.night_on = busy
            self.night()
            self.look()

    def a_night_runs_twice(self, back: int) -> None:
        if not self.at_night:
            self.night()
        before = rows(self.services.session)
        again = run_night(self.services, max(self.first_on, self.night_on - (1 + back) * ONE_DAY), self.now)
        assert rows(self.services.session) == before
        assert again.changes == 0
        assert again.certificate == "ok"

    # Users -------------------------------------------------------------------------------------------------------

    @act(
        6,
        account=accounts,
        plan=pick("monthly", "monthly", "yearly"),
        method=pick("card", "card", *METHODS),
        terms=number(1, 3),
        fallback=pick(None, "card"),
        at_once=pick(False, True, True),
        passed=minutes,
    )
    def registers(
        self, account: str, plan: str, method: str, terms: int, fallback: str | None, at_once: bool, passed: int
    ) -> None:
        prepaid = method in ("coupon", "product_key")
        months = terms * (12 if plan == "yearly" else 1) if prepaid else None
        more = {"months": months, "fallback": fallback if prepaid else None}
        self.ask(passed, "approve" if at_once else "register", account, plan, method, **more)

    @act(account=accounts, approved=pick(False, True), passed=minutes)
    def screening_ends(self, account: str, approved: bool, passed: int) -> None:
        """What was shown more than thirty days ago cannot be approved any more."""
        applied_at = self._waits_since(account, passed)
        refused = self.ask(passed, *(("approve", account) if approved else ("reject", account, "screening")))
        if approved and applied_at is not None and (jst_day(self.now) - jst_day(applied_at)).days > OFFER_DAYS:
            assert refused == "offer.outlived", (account, applied_at, refused)

    @act(account=accounts, passed=minutes)
    def is_shown_again(self, account: str, passed: int) -> None:
        self.ask(passed, "show_again", account)

    def _waits_since(self, account: str, passed: int) -> datetime | None:
        """When the account's waiting application was last shown its offer."""
        self.after(passed)
        shown: datetime | None = self.services.session.scalar(
            sa.text(
                "SELECT shown_at FROM contract JOIN offer_shown ON contract_id = contract.id "
                "WHERE contract.account = :account AND approved_at IS NULL AND rejected_at IS NULL "
                "AND ended_on IS NULL ORDER BY offer_shown.id DESC LIMIT 1"
            ),
            {"account": account},
        )
        self.services.session.rollback()
        return shown

    @act(2, account=accounts, withdrawn=pick(False, False, True), passed=minutes)
    def ends_use(self, account: str, withdrawn: bool, passed: int) -> None:
        self.ask(passed, "withdraw_end_of_use" if withdrawn else "end_of_use", account)

    @act(2, account=accounts, ago=pick(None, 0, 1, 5, 40), passed=minutes)
    def store_stops(self, account: str, ago: int | None, passed: int) -> None:
        on = None if ago is None else jst_day(self.after(passed)) - ago * ONE_DAY
        self.ask(0 if ago is not None else passed, "store_stop", account, stopped_on=on)

    @act(account=accounts, ahead=number(0, 2), again=pick(False, True), passed=minutes)
    def the_store_reports(self, account: str, ahead: int, again: bool, passed: int) -> None:
        """Its last term, or one after it: of a contract that is over, what the store charged on."""
        on = self.services.session.scalar(
            sa.text("SELECT max(starts_on) FROM term WHERE method = 'app_store' AND account = :account"),
            {"account": account},
        )
        self.services.session.rollback()
        if on is not None:
            self.ask(passed, "store_report", account, on + ahead * 31 * ONE_DAY, 500, 75)

    @act(account=accounts, method=pick(*METHODS), stopped=pick(False, True), passed=minutes)
    def changes_method(self, account: str, method: str, stopped: bool, passed: int) -> None:
        self.ask(passed, "change_method", account, method, store_stop_recorded=stopped)

    @act(account=accounts, kind=pick("leave_service", "delete_user"), passed=minutes)
    def leaves(self, account: str, kind: str, passed: int) -> None:
        self.ask(passed, kind, account)

    @act(account=accounts, outcome=pick(*CARD_OUTCOMES))
    def card_turns(self, account: str, outcome: str) -> None:
        Simulator(self.services).cards.set_card(account, outcome)

    @act(4, account=accounts, works=pick(False, True, True), passed=minutes)
    def registers_another_card(self, account: str, works: bool, passed: int) -> None:
        if works:
            Simulator(self.services).cards.set_card(account, "ok")
        self.ask(passed, "new_card", account)

    @act(
        8,
        account=accounts,
        of=pick("interest", "total", "total"),
        part=pick((0, 1), (1, 3), (1, 1), (1, 1), (5, 4)),
        more=number(-49, 40),  # some leave what is too little to charge a card
        costs=pick(0, 0, 110),
        named=pick(False, True),
        passed=minutes,
    )
    def pays(
        self, account: str, of: str, part: tuple[int, int], more: int, costs: int, named: bool, passed: int
    ) -> None:
        owed = owed_view(self.services.session, self.services.rules, account, self.now)
        yen = max(1, int(str(owed[of])) * part[0] // part[1] + more)
        term = self.services.session.scalars(
            sa.text("SELECT max(starts_on) FROM term JOIN invoice ON term_id = term.id WHERE state = 'open' "
                    "AND term.account = :account"), {"account": account},
        ).one() if named else None  # fmt: skip
        self.ask(passed, "pay", account, yen, costs=costs, costs_proof="a bill of the bank", term=term)

    @act(account=accounts, back=pick(None, 1, 100), passed=minutes)
    def asks_for_the_deposit(self, account: str, back: int | None, passed: int) -> None:
        by = {"by": "finance", "ground": "asked for"}
        self.ask(passed, *(("refund_deposit", account, back) if back else ("apply_deposit", account)), **by)

    # People ------------------------------------------------------------------------------------------------------

    @act(account=accounts, kind=pick("suspend", "resume", "terminate"), passed=minutes)
    def people_rule(self, account: str, kind: str, passed: int) -> None:
        self.ask(passed, kind, account, "ground")

    @act(account=accounts, latest=pick(False, True), passed=minutes)
    def gives_up(self, account: str, latest: bool, passed: int) -> None:
        terms = self.services.session.scalars(
            sa.text("SELECT starts_on FROM term JOIN invoice ON term_id = term.id WHERE state = 'open' "
                    "AND term.account = :account ORDER BY 1"), {"account": account},
        ).all()  # fmt: skip
        if terms:
            self.ask(passed, "write_off", account, terms[-1 if latest else 0], by="finance", ground="lost")

    @act(3, account=accounts, passed=minutes)
    def sets_off(self, account: str, passed: int) -> None:
        self.ask(passed, "set_off", account, by="finance")

    @act(passed=minutes)
    def unknown_charges_are_looked_after(self, passed: int) -> None:
        at = self.after(passed)
        self.services.billing.settle_unknown(now=at)
        old = sa.text("SELECT id FROM payment_attempt WHERE outcome IS NULL AND started_at < :old")
        for attempt in self.services.session.scalars(old, {"old": at - timedelta(hours=23)}).all():
            self.services.billing.nothing_charged(attempt, by="finance", ground="the gateway knows nothing", now=at)
        self.look()

    @act(
        plan=pick("monthly", "yearly"),
        yen=number(50, 9_000),
        new_in=number(0, 10),
        renewals_in=number(30, 45),
        cohort=pick(None, ACCOUNTS[:1]),
        ago=pick(0, 0, 0, 3, 20),
        proved=pick(False, True),
        passed=minutes,
    )
    def price_changes(
        self,
        plan: str,
        yen: int,
        new_in: int,
        renewals_in: int,
        cohort: tuple[str, ...] | None,
        ago: int,
        proved: bool,
        passed: int,
    ) -> None:
        """One that was announced before today needs ground and proof."""
        announced = jst_day(self.after(passed)) - ago * ONE_DAY
        shown = {"ground": "the page stood", "proof": "a printout"} if proved else {}
        refused = self.ask(
            0, "price", plan, yen, announced=announced, for_new_from=announced + (ago + new_in) * ONE_DAY,
            for_renewals_from=announced + renewals_in * ONE_DAY, cohort=cohort, **shown,
        )  # fmt: skip
        assert refused == ("price.announced_unproved" if ago and not proved else None)

    def new_terms_are_announced(self, before: int, beneficial: bool) -> None:
        """So many days before the day from which they hold, or after it where they are wholly to users' benefit."""
        at, effective_on = self.after(30), self.new_terms_on or self.first_on
        published_on = min([jst_day(at), effective_on - before * ONE_DAY])
        self.services.billing.announce_terms(
            ANOTHER_VERSION, published_on=published_on, effective_on=effective_on, place="the site",
            beneficial=beneficial, ground="recorded late", proof="a printout", by="sato", now=at,
        )  # fmt: skip
        self.look()

    @act(account=accounts)
    def what_support_sees_is_whole(self, account: str) -> None:
        shown = contract_view(self.services.session, self.services.rules, account, self.now)
        assert shown["state"] in (None, "applied", "rejected", "active", "suspended", "ended")
        assert shown.get("access", False) is (shown["state"] == "active")

    def live_at_random(self, random: Random, steps: int) -> None:
        """A whole life; what fails in it has all that happened as its note."""
        told: list[object] = []

        def do(name: str, **facts: Any) -> None:
            told.append((name, facts))
            getattr(self, name)(**facts)

        def three(*values: str) -> tuple[str, ...]:
            return tuple(random.choices(values, k=3))

        try:
            do(
                "begin", start=random.choice(STARTS), plans=three("monthly", "monthly", "yearly"),
                methods=three("card", "card", "other", "app_store"), cards=three(*["ok"] * 6, *CARD_OUTCOMES),
                readings=tuple(random.random() < 0.5 for _ in range(3)), new_terms_in=random.choice((None, None, 45)),
            )  # fmt: skip
            for _ in range(steps):
                kind = random.random()
                if kind < 0.6:
                    name, facts = drawn_act(random)
                    do(name, **facts)
                elif kind < 0.75:
                    do("days_pass_on_which_something_is_due", count=random.randint(1, 4))
                else:
                    how = random.choices(("all", "left out", "twice"), (8, 3, 1))[0]
                    do("time_passes", how=how, count=random.randint(1, 5))
                if self.new_terms_on is not None and random.random() < 0.05:
                    do("new_terms_are_announced", before=random.randint(-3, 60), beneficial=random.random() < 0.3)
        except Exception as error:
            error.add_note("\n".join(map(str, told)))
            raise
