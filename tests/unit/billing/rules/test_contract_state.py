"""What a contract is by its facts."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from keizoku.billing.rules.contract_lifecycle import Wish
from keizoku.billing.rules.contract_state import (
    ContractFacts,
    ContractState,
    LastTerm,
    OpenSuspension,
    RecordedEnd,
    contract_state,
)
from keizoku.terms.calendar import parse_instant

TERM = LastTerm(0, date(2026, 4, 10), date(2026, 5, 10), "card", 500)
RUNS = ContractFacts(
    contract_id=7,
    account="hanako",
    plan="monthly",
    interval="month",
    method="card",
    rejected=None,
    term=TERM,
    end=None,
    paid_months=None,
    prepaid_method=None,
    fallback=None,
    wishes=(),
    suspensions=(),
)
COUPON = replace(
    RUNS, term=replace(TERM, method="coupon"), method="coupon", paid_months=1, prepaid_method="coupon", fallback=None
)
BY_PEOPLE = OpenSuspension("people", "spam")
LAST_DAY = date(2026, 5, 9)


def state(facts: ContractFacts, today: date = LAST_DAY, *, suspended_term_renews: bool = False) -> ContractState:
    return contract_state(facts, today, end_of_use_days_before=0, suspended_term_renews=suspended_term_renews)


def test_3_3__an_application_waits_and_a_rejection_has_its_ground() -> None:
    waiting = state(replace(RUNS, term=None))
    assert (waiting.state, waiting.access, waiting.renews, waiting.method) == ("applied", False, False, "card")
    rejected = state(replace(RUNS, term=None, rejected="screening"))
    assert (rejected.state, rejected.reason, rejected.ended_on) == ("rejected", "screening", None)


def test_3_3__what_nothing_ends_runs_on_past_its_last_term() -> None:
    for today in (LAST_DAY, TERM.ends_on, TERM.ends_on + timedelta(days=9)):
        found = state(RUNS, today)
        assert (found.state, found.access, found.renews, found.ends_on) == ("active", True, True, None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(RUNS, wishes=(Wish("end_of_use", parse_instant("2026-05-01 09:00")),)), "end_of_use"),
        (replace(RUNS, suspensions=(BY_PEOPLE,)), "suspension"),
        (COUPON, "prepaid_used_up"),
    ],
)
def test_6_1__what_nothing_renews_ends_with_its_last_term(facts: ContractFacts, reason: str) -> None:
    runs = state(facts)
    assert (runs.state in ("active", "suspended"), runs.renews, runs.ends_on) == (True, False, TERM.ends_on)
    assert (runs.reason, runs.ended_on) == (None, None)
    over = state(facts, TERM.ends_on)
    assert (over.state, over.access, over.ended_on, over.reason) == ("ended", False, TERM.ends_on, reason)


def test_5_1_1_b__a_coupon_is_not_used_up_while_something_pays_for_the_next_term() -> None:
    assert state(COUPON).used_up
    assert not state(replace(COUPON, paid_months=2)).used_up
    assert not state(replace(COUPON, fallback="card")).used_up
    asked = Wish("change_method", parse_instant("2026-05-01 09:00"), "other")
    assert not state(replace(COUPON, wishes=(asked,))).used_up


def test_7_1__a_suspension_takes_access_and_says_why() -> None:
    by_people = state(replace(RUNS, suspensions=(BY_PEOPLE,)), suspended_term_renews=True)
    assert (by_people.state, by_people.access, by_people.suspended_for) == ("suspended", False, "spam")
    assert (by_people.suspended, by_people.renews) == (True, True)
    overdue = state(replace(RUNS, suspensions=(OpenSuspension("delinquency", "14 days"),)))
    assert overdue.suspended_for == "overdue"


def test_6_2__a_recorded_end_is_the_end() -> None:
    left = state(replace(RUNS, end=RecordedEnd(date(2026, 4, 20), "leave_service"), suspensions=(BY_PEOPLE,)))
    assert (left.state, left.ended_on, left.reason) == ("ended", date(2026, 4, 20), "leave_service")
