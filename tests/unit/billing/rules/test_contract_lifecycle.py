"""The life of a contract: renewal, its end, and what counts in time.

The dates follow the readings contract_start, term_rule, end_of_use_request and suspended_term in
docs/reference/readings.md.
"""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.contract_lifecycle import (
    Approval,
    ContractEnd,
    NewTerm,
    Renewal,
    RenewalRules,
    RunningContract,
    Wish,
    decide_renewal,
    end_now,
    end_requested,
    first_term,
)
from keizoku.terms.calendar import Interval, day_start_at, parse_instant

RULES = RenewalRules(
    term_rule="anchored",
    end_of_use_days_before=0,
    suspended_term_renews=False,
    price_yen=lambda plan, account, on, renewal: 600 if renewal and on >= date(2025, 6, 1) else 500,
    terms_version=lambda on: "2024-12-02",
)


def running(
    anchor: date, *, wishes: tuple[Wish, ...] = (), method: str = "card", prepaid: int = 0, fallback: str | None = None
) -> RunningContract:
    return RunningContract(
        contract_id=7,
        account="hanako",
        plan="monthly",
        interval="month",
        method=method,
        anchor_on=anchor,
        next_seq=1,
        last_ends_on=_one_month_after(anchor),
        last_price_yen=500,
        prepaid_terms=prepaid,
        prepaid_method=method if prepaid else None,
        fallback=fallback,
        wishes=wishes,
    )


def _one_month_after(anchor: date) -> date:
    return first_of(anchor).ends_on


def first_of(anchor: date, interval: Interval = "month") -> NewTerm:
    return first_term(
        Approval(
            contract_id=7,
            account="hanako",
            plan="monthly",
            interval=interval,
            method="card",
            approved_at=parse_instant(f"{anchor} 15:30"),
            anchor_on=anchor,
        ),
        RULES,
    )


def never(on: date) -> bool:
    return False


def test_13__the_first_term_is_used_from_the_instant_of_approval() -> None:
    assert first_of(date(2025, 1, 31)) == NewTerm(
        contract_id=7,
        account="hanako",
        seq=0,
        starts_on=date(2025, 1, 31),
        ends_on=date(2025, 2, 28),
        follows_on=None,
        starts_at=parse_instant("2025-01-31 15:30"),
        method="card",
        plan="monthly",
        interval="month",
        price_yen=500,
        terms_version="2024-12-02",
    )


def test_3_3__every_term_that_should_have_begun_is_renewed_without_drift() -> None:
    renewal = decide_renewal(running(date(2025, 1, 31)), date(2025, 4, 30), never, RULES)
    assert [(term.seq, term.starts_on, term.ends_on, term.follows_on) for term in renewal.terms] == [
        (1, date(2025, 2, 28), date(2025, 3, 31), date(2025, 2, 28)),
        (2, date(2025, 3, 31), date(2025, 4, 30), date(2025, 3, 31)),
        (3, date(2025, 4, 30), date(2025, 5, 31), date(2025, 4, 30)),
    ]
    assert renewal.end is None


def test_3_3__nothing_is_renewed_before_the_last_day_is_over() -> None:
    assert decide_renewal(running(date(2025, 1, 31)), date(2025, 2, 27), never, RULES) == Renewal((), None)


def test_4_3__a_renewal_takes_the_price_of_its_first_day() -> None:
    renewal = decide_renewal(running(date(2025, 4, 10)), date(2025, 6, 10), never, RULES)
    assert [(term.starts_on, term.price_yen) for term in renewal.terms] == [
        (date(2025, 5, 10), 500),
        (date(2025, 6, 10), 600),
    ]


END = date(2025, 5, 10)


@pytest.mark.parametrize(
    ("wishes", "stands"),
    [
        ([], False),
        ([("end_of_use", "2025-05-09 23:59:59")], True),
        ([("end_of_use", "2025-05-10 00:00")], False),
        ([("end_of_use", "2025-04-20 09:00"), ("withdraw_end_of_use", "2025-05-09 23:59:59")], False),
        ([("end_of_use", "2025-04-20 09:00"), ("withdraw_end_of_use", "2025-05-10 00:00")], True),
        (
            [
                ("end_of_use", "2025-04-20 09:00"),
                ("withdraw_end_of_use", "2025-04-21 09:00"),
                ("end_of_use", "2025-04-22 09:00"),
            ],
            True,
        ),
    ],
)
def test_6_1__a_request_counts_until_the_last_day_is_over_and_can_be_withdrawn_until_then(
    wishes: list[tuple[str, str]], stands: bool
) -> None:
    made = [Wish(kind, parse_instant(at)) for kind, at in wishes]
    assert end_requested(made, END, 0) is stands
    assert end_requested(list(reversed(made)), END, 0) is stands


def test_6_1__with_days_of_notice_a_late_request_counts_for_the_next_term() -> None:
    late = [Wish("end_of_use", parse_instant("2025-05-08 09:00"))]
    assert not end_requested(late, END, 5)
    assert end_requested(late, date(2025, 6, 10), 5)


def test_6_1__a_requested_end_comes_at_the_end_of_the_term() -> None:
    wish = Wish("end_of_use", parse_instant("2025-05-01 09:00"))
    assert decide_renewal(running(date(2025, 4, 10), wishes=(wish,)), date(2025, 9, 1), never, RULES) == Renewal(
        (), ContractEnd(7, "hanako", END, day_start_at(END), "end_of_use", "premium/6.1")
    )


def test_7_1__what_is_suspended_when_a_term_ends_is_not_renewed() -> None:
    renewal = decide_renewal(running(date(2025, 4, 10)), date(2025, 7, 1), lambda on: on == date(2025, 6, 10), RULES)
    assert [term.starts_on for term in renewal.terms] == [END]
    assert renewal.end == ContractEnd(
        7, "hanako", date(2025, 6, 10), day_start_at(date(2025, 6, 10)), "suspension", "premium/7.1"
    )


@pytest.mark.parametrize(
    ("fallback", "methods", "end"),
    [("card", ["coupon", "card", "card"], None), (None, ["coupon"], "prepaid_used_up")],
)
def test_5_1_1_b__a_coupon_pays_its_terms_then_the_fallback_or_the_end(
    fallback: str | None, methods: list[str], end: str | None
) -> None:
    contract = running(date(2025, 4, 10), method="coupon", prepaid=2, fallback=fallback)
    renewal = decide_renewal(contract, date(2025, 7, 10), never, RULES)
    assert [term.method for term in renewal.terms] == methods
    assert (renewal.end.reason if renewal.end else None) == end


def test_5_1__a_change_of_method_takes_effect_at_the_next_renewal() -> None:
    wish = Wish("change_method", parse_instant("2025-06-09 23:00"), "other")
    renewal = decide_renewal(running(date(2025, 4, 10), wishes=(wish,)), date(2025, 6, 10), never, RULES)
    assert [(term.starts_on, term.method) for term in renewal.terms] == [
        (date(2025, 5, 10), "card"),
        (date(2025, 6, 10), "other"),
    ]


@pytest.mark.parametrize(
    ("reason", "clause"),
    [("leave_service", "premium/6.2"), ("delete_user", "premium/6.2"), ("termination", "premium/7.1")],
)
def test_6_2__leaving_and_termination_end_use_at_that_instant(reason: str, clause: str) -> None:
    at = parse_instant("2025-05-01 23:30")
    assert end_now(7, "hanako", at, date(2025, 5, 1), reason) == ContractEnd(
        7, "hanako", date(2025, 5, 1), at, reason, clause
    )


@given(
    anchor=st.dates(date(2024, 12, 2), date(2030, 12, 31)),
    nights=st.lists(st.integers(1, 500), min_size=1, max_size=6),
    rule=st.sampled_from(["anchored", "civil_code"]),
)
def test_3_3__however_nights_fall_the_terms_are_the_same_without_gap_or_overlap(
    anchor: date, nights: list[int], rule: str
) -> None:
    rules = RenewalRules(rule, 0, False, RULES.price_yen, RULES.terms_version)  # type: ignore[arg-type]
    last = anchor.toordinal() + sum(nights)

    def lived(through: list[int]) -> list[tuple[date, date]]:
        first = first_term(
            Approval(
                contract_id=7,
                account="a",
                plan="monthly",
                interval="month",
                method="card",
                approved_at=datetime.combine(anchor, datetime.min.time(), tzinfo=day_start_at(anchor).tzinfo),
                anchor_on=anchor,
            ),
            rules,
        )
        terms = [first]
        for ordinal in through:
            contract = RunningContract(
                7, "a", "monthly", "month", "card", anchor, terms[-1].seq + 1, terms[-1].ends_on, 500, 0, None, None, ()
            )
            terms += decide_renewal(contract, date.fromordinal(ordinal), never, rules).terms
        return [(term.starts_on, term.ends_on) for term in terms]

    steps = [anchor.toordinal() + sum(nights[: place + 1]) for place in range(len(nights))]
    terms = lived(steps)
    assert terms == lived([last])
    assert [end for _, end in terms[:-1]] == [start for start, _ in terms[1:]]
    assert terms[-1][1].toordinal() > last
