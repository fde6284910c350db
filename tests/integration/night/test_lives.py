"""Random but legal lives of a few accounts, on the real database, held against invariants after every step.

    acts of users, payers, cards and people ── nights ── acts ── …      years, night by night where something is due

The small profile runs always and is the same each time. `make soak` runs many and longer lives, different each time:
KEIZOKU_TEST_SOAK=200 pytest -n 0 tests/integration/night/test_lives.py
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from keizoku.billing.accounts.account_views import contract_view, owed_view
from keizoku.billing.gateway.simulated import CARD_OUTCOMES
from keizoku.db.tables.contracts import METHODS
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.run_log import StageRun, note
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.lives import check, next_busy_night, open_shop
from tests.worlds.world import rows, services_on

SOAK = int(os.environ.get("KEIZOKU_TEST_SOAK", "0"))
"""How many lives; 0: the few of every test run."""

ONE_DAY = timedelta(days=1)
ACCOUNTS = ("hanako", "jiro", "taro")
STARTS = ("2024-12-30", "2025-01-29", "2026-03-31", "2027-12-30", "2028-02-27")  # around what is odd in a calendar

WORKS_BACK = {"deposit_use": "when_due", "set_off_effect": "works_back"}
"""The readings by which money that we hold meets debts as early as it can: the defaults."""
WAITS = {"deposit_use": "kept_until_asked", "set_off_effect": "on_notice"}
"""The others: until somebody says so."""

accounts = st.sampled_from(ACCOUNTS)
minutes = st.integers(1, 600)

ACTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {}
"""What can happen to an account between two nights: a method of Lives, and the strategy of its keywords."""

T = TypeVar("T", bound=Callable[..., None])


OFTEN: dict[str, int] = {}
"""Acts that come more often than others, by what every life should see of them."""


def act(often: int = 1, /, **facts: st.SearchStrategy[Any]) -> Callable[[T], T]:
    """The method is one of the ACTS."""

    def keep(method: T) -> T:
        ACTS[method.__name__] = st.fixed_dictionaries(facts)
        OFTEN[method.__name__] = often
        return method

    return keep


class Lives(RuleBasedStateMachine):
    """Three accounts of a shop, from a day on; `now` goes forward with every act, and nights run on their time."""

    make_engine: Callable[[], sa.Engine]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.claims = 0
        self.last: NightResult | None = None

    def teardown(self) -> None:
        self.stack.close()

    # Time --------------------------------------------------------------------------------------------------------

    @initialize(
        start=st.sampled_from(STARTS),
        plans=st.tuples(*[st.sampled_from(("monthly", "yearly"))] * 3),
        methods=st.tuples(*[st.sampled_from(("card", "card", "other", "app_store"))] * 3),
        cards=st.tuples(*[st.sampled_from(("ok", *CARD_OUTCOMES))] * 3),
        works_back=st.booleans(),
    )
    def begin(
        self, start: str, plans: Sequence[str], methods: Sequence[str], cards: Sequence[str], works_back: bool
    ) -> None:
        self.open(start, works_back=works_back)
        for account, plan, method, card in zip(ACCOUNTS, plans, methods, cards, strict=True):
            Simulator(self.services).cards.set_card(account, card)
            self.ask(60, "approve", account, plan, method)

    def open(self, start: str, *, works_back: bool = False) -> None:
        """A shop without accounts, by the readings as they are or by the others."""
        terms = Terms.load("premium").with_readings(WORKS_BACK if works_back else WAITS)
        self.services = self.stack.enter_context(services_on(self.make_engine(), Rules(terms)))
        self.night_on = self.first_on = date.fromisoformat(start)  # the business date of the next night
        self.now = night_at(self.night_on) - timedelta(hours=18)
        open_shop(self.services, self.now)

    def night(self) -> None:
        """Run the night that comes next, at its time."""
        self.now = night_at(self.night_on)
        self.last = run_night(self.services, self.night_on, self.now)
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
        check(self.services, self.now, self.last.business_date if self.last else None, at_night=self.at_night)

    @property
    def at_night(self) -> bool:
        return self.now == night_at(self.night_on - ONE_DAY)

    def ask(self, passed: int, method: str, account: str, *facts: Any, **more: Any) -> None:
        """One act at the desk, which may say no."""
        at = self.after(passed)
        try:
            getattr(self.services.billing, method)(account, *facts, now=at, **more)
        except Refused:
            self.services.session.rollback()
        self.look()

    @rule(count=st.integers(1, 6))
    def nights_pass(self, count: int) -> None:
        for _ in range(count):
            self.night()
            self.look()

    def days_pass_on_which_something_is_due(self, count: int) -> None:
        """What lies between is noted as run: on those nights nothing but revenue is due, which the next one makes."""
        for _ in range(count):
            busy = next_busy_night(self.services, self.night_on)
            quiet = [self.night_on + n * ONE_DAY for n in range((busy - self.night_on).days)]
            note(self.services.session, [StageRun(on, "audit", self.now, self.now, 0) for on in quiet])
            self.night_on = busy
            self.night()
            self.look()

    @rule(count=st.integers(1, 9))
    def nights_are_left_out(self, count: int) -> None:
        self.night_on += count * ONE_DAY
        self.night()
        self.look()

    @precondition(lambda self: self.last is not None)
    @rule(back=st.integers(0, 40))
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
        account=accounts,
        plan=st.sampled_from(("monthly", "yearly")),
        method=st.sampled_from(METHODS),
        terms=st.integers(1, 3),
        fallback=st.sampled_from((None, "card")),
        at_once=st.booleans(),
        passed=minutes,
    )
    def registers(
        self, account: str, plan: str, method: str, terms: int, fallback: str | None, at_once: bool, passed: int
    ) -> None:
        prepaid = method in ("coupon", "product_key")
        months = terms * (12 if plan == "yearly" else 1) if prepaid else None
        more = {"months": months, "fallback": fallback if prepaid else None}
        self.ask(passed, "approve" if at_once else "register", account, plan, method, **more)

    @act(account=accounts, approved=st.booleans(), passed=minutes)
    def screening_ends(self, account: str, approved: bool, passed: int) -> None:
        self.ask(passed, *(("approve", account) if approved else ("reject", account, "screening")))

    @act(2, account=accounts, withdrawn=st.sampled_from((False, False, True)), passed=minutes)
    def ends_use(self, account: str, withdrawn: bool, passed: int) -> None:
        self.ask(passed, "withdraw_end_of_use" if withdrawn else "end_of_use", account)

    @act(account=accounts, method=st.sampled_from(METHODS), stopped=st.booleans(), passed=minutes)
    def changes_method(self, account: str, method: str, stopped: bool, passed: int) -> None:
        self.ask(passed, "change_method", account, method, store_stop_recorded=stopped)

    @act(account=accounts, kind=st.sampled_from(("leave_service", "delete_user")), passed=minutes)
    def leaves(self, account: str, kind: str, passed: int) -> None:
        self.ask(passed, kind, account)

    @act(account=accounts, outcome=st.sampled_from(CARD_OUTCOMES))
    def card_turns(self, account: str, outcome: str) -> None:
        Simulator(self.services).cards.set_card(account, outcome)

    @act(account=accounts, works=st.booleans(), passed=minutes)
    def registers_another_card(self, account: str, works: bool, passed: int) -> None:
        if works:
            Simulator(self.services).cards.set_card(account, "ok")
        self.ask(passed, "new_card", account)

    @act(
        4,
        account=accounts,
        of=st.sampled_from(("interest", "total", "total")),
        part=st.sampled_from(((0, 1), (1, 3), (1, 1), (5, 4))),
        more=st.integers(0, 40),
        costs=st.sampled_from((0, 0, 110)),
        named=st.booleans(),
        passed=minutes,
    )
    def pays(
        self, account: str, of: str, part: tuple[int, int], more: int, costs: int, named: bool, passed: int
    ) -> None:
        owed = owed_view(self.services.session, self.services.rules, account, self.now)
        yen = int(str(owed[of])) * part[0] // part[1] + more
        term = self.services.session.scalars(
            sa.text("SELECT max(starts_on) FROM term JOIN invoice ON term_id = term.id WHERE state = 'open' "
                    "AND term.account = :account"), {"account": account},
        ).one() if named else None  # fmt: skip
        self.ask(passed, "pay", account, yen, costs=costs, costs_proof="a bill of the bank", term=term)

    @act(account=accounts, back=st.sampled_from((None, 1, 100)), passed=minutes)
    def asks_for_the_deposit(self, account: str, back: int | None, passed: int) -> None:
        by = {"by": "finance", "ground": "asked for"}
        self.ask(passed, *(("refund_deposit", account, back) if back else ("apply_deposit", account)), **by)

    # People ------------------------------------------------------------------------------------------------------

    @act(account=accounts, kind=st.sampled_from(("suspend", "resume", "terminate")), passed=minutes)
    def people_rule(self, account: str, kind: str, passed: int) -> None:
        self.ask(passed, kind, account, "ground")

    @act(account=accounts, latest=st.booleans(), passed=minutes)
    def gives_up(self, account: str, latest: bool, passed: int) -> None:
        terms = self.services.session.scalars(
            sa.text("SELECT starts_on FROM term JOIN invoice ON term_id = term.id WHERE state = 'open' "
                    "AND term.account = :account ORDER BY 1"), {"account": account},
        ).all()  # fmt: skip
        if terms:
            self.ask(passed, "write_off", account, terms[-1 if latest else 0], by="finance", ground="lost")

    @act(account=accounts, passed=minutes)
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
        plan=st.sampled_from(("monthly", "yearly")),
        yen=st.integers(50, 9_000),
        new_in=st.integers(0, 10),
        renewals_in=st.integers(30, 45),
        cohort=st.sampled_from((None, ACCOUNTS[:1])),
        passed=minutes,
    )
    def price_changes(
        self, plan: str, yen: int, new_in: int, renewals_in: int, cohort: tuple[str, ...] | None, passed: int
    ) -> None:
        today = jst_day(self.after(passed))
        self.services.billing.price(
            plan, yen, announced=today, for_new_from=today + new_in * ONE_DAY,
            for_renewals_from=today + renewals_in * ONE_DAY, cohort=cohort, now=self.now,
        )  # fmt: skip

    # Article 9 ---------------------------------------------------------------------------------------------------

    @act(hours=st.integers(4, 16), passed=minutes)
    def the_service_stops(self, hours: int, passed: int) -> None:
        at = self.after(passed)
        self.services.sla.stop(from_at=at - timedelta(hours=hours), to_at=at, affected=60_000, now=at)

    @act(account=accounts, ago=st.integers(0, 2), passed=minutes)
    def claims_time(self, account: str, ago: int, passed: int) -> None:
        at = self.after(passed)
        self.claims += 1
        month = Month.of(at).shift(-ago)
        self.services.sla.claim(id=f"c{self.claims}", account=account, month=month, now=at)

    @act(account=accounts)
    def what_support_sees_is_whole(self, account: str) -> None:
        shown = contract_view(self.services.session, self.services.rules, account, self.now)
        assert shown["state"] in (None, "applied", "rejected", "active", "suspended", "ended")
        assert shown.get("access", False) is (shown["state"] == "active")

    @rule(
        acts=st.lists(
            st.one_of([st.tuples(st.just(name), facts) for name, facts in ACTS.items() for _ in range(OFTEN[name])]),
            min_size=2,
            max_size=6,
        ),
        nights=st.integers(0, 5),
    )
    def something_happens(self, acts: Sequence[tuple[str, dict[str, Any]]], nights: int) -> None:
        """One rule for all acts: as a rule each, most of them would be left out of most lives."""
        for name, facts in acts:
            getattr(self, name)(**facts)
        if nights:
            self.days_pass_on_which_something_is_due(nights)


@pytest.fixture
def lived(engine_with_tables: Callable[[], sa.Engine]) -> Iterator[Lives]:
    """Lives whose acts a test tells one by one; what has to hold is looked at after each of them."""

    class Here(Lives):
        make_engine = staticmethod(engine_with_tables)

    lives = Here()
    try:
        yield lives
    finally:
        lives.teardown()


def test_5_2__interest_is_carried_past_a_payment_too_small_for_it_and_past_a_card_charge(lived: Lives) -> None:
    lived.open("2025-04-29")
    Simulator(lived.services).cards.set_card("hanako", "lost_card")
    lived.ask(0, "approve", "hanako", "yearly", "card")  # due on 28 April

    def owed(days: int) -> tuple[object, object]:
        shown = owed_view(lived.services.session, lived.services.rules, "hanako", lived.after(days * 24 * 60))
        return shown["principal"], shown["interest"]

    assert owed(days=6) == (5_300, 12)  # 12.72
    lived.ask(1, "pay", "hanako", 5)
    assert owed(days=2) == (5_300, 11)  # 7 are left, and 4.24 from the next day on
    lived.registers_another_card("hanako", works=True, passed=1)
    assert owed(days=3) == (0, 11)
    lived.ask(1, "pay", "hanako", 20)
    assert owed(days=0) == (0, 0)


def test_5_2__the_debt_that_the_payer_names_is_paid_before_the_one_due_first(lived: Lives) -> None:
    lived.open("2025-04-29")
    lived.ask(0, "approve", "jiro", "yearly", "other")  # due on 12 May
    lived.leaves("jiro", "leave_service", passed=1)
    lived.ask(2 * 24 * 60, "approve", "jiro", "monthly", "other")  # due on 14 May
    lived.after(20 * 24 * 60)
    lived.ask(1, "pay", "jiro", 18 + 100, term=date(2025, 4, 30))  # interest of 8 and 6 days: 16.96 and 1.2
    left = lived.services.session.execute(sa.text("SELECT open_yen FROM invoice ORDER BY id")).all()
    assert left == [(5_300,), (400,)]
    lived.days_pass_on_which_something_is_due(3)


def test_lives_keep_every_invariant(engine_with_tables: Callable[[], sa.Engine]) -> None:
    class Here(Lives):
        make_engine = staticmethod(engine_with_tables)

    lives = settings(
        max_examples=SOAK or 8,
        stateful_step_count=50 if SOAK else 12,
        derandomize=not SOAK,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if SOAK else [Phase.generate],  # a life that fails is told whole
        print_blob=bool(SOAK),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=lives)
