"""Methods of payment, retries of a card, and the days that our own fault took."""

from datetime import date, timedelta

import pytest

from keizoku.billing.rules.payment_method import (
    INVOICED,
    POSTED_ONLY,
    Opening,
    PastAttempt,
    days_not_accruing,
    decline_kind,
    next_attempt_wanted_on,
    opening,
    prepaid_terms,
    refuse_change,
)
from keizoku.terms.calendar import day_start_at

DUE = date(2025, 4, 30)


def tried(on: date, outcome: str | None, *, wanted: date | None = None, settled: date | None = None) -> PastAttempt:
    return PastAttempt(wanted or on, day_start_at(on), on, outcome, (settled or on) if outcome else None)


def wanted(*attempts: PastAttempt, card_on: date | None = None) -> date | None:
    at = day_start_at(card_on) + timedelta(hours=9) if card_on else None
    return next_attempt_wanted_on(DUE, attempts, (3, 5, 7), at, card_on)


def test_5_1_1_a__a_term_paid_by_card_is_invoiced() -> None:
    assert opening("card") is Opening.INVOICE


def test_5_1_1_b__a_key_was_paid_before_and_a_coupon_owes_nothing() -> None:
    assert (opening("product_key"), opening("coupon")) == (Opening.KEY, Opening.FREE)


def test_5_1_1_c__a_term_paid_by_other_means_is_invoiced() -> None:
    assert opening("other") is Opening.INVOICE


def test_5_1_2__a_term_paid_in_a_store_is_billed_by_the_store() -> None:
    assert opening("app_store") is Opening.STORE


def test_5_3__whoever_pays_in_a_store_owes_us_no_due_date() -> None:
    assert "app_store" in POSTED_ONLY
    assert "app_store" not in INVOICED


def test_5_4__the_first_attempt_is_wanted_on_the_due_date() -> None:
    assert wanted() == DUE


def test_5_4__a_soft_decline_follows_the_schedule_and_missed_retries_collapse_into_one() -> None:
    soft = tried(DUE, "declined_soft")
    assert wanted(soft) == date(2025, 5, 3)
    assert wanted(soft, tried(date(2025, 5, 3), "declined_soft")) == date(2025, 5, 5)
    assert wanted(soft, tried(date(2025, 5, 6), "declined_soft")) == date(2025, 5, 7)
    assert wanted(soft, tried(date(2025, 5, 7), "declined_soft")) is None
    assert next_attempt_wanted_on(DUE, [soft], (), None, None) is None


@pytest.mark.parametrize("outcome", ["declined_hard", "needs_user"])
def test_5_4__a_hard_decline_waits_for_a_new_card_which_is_asked_at_once(outcome: str) -> None:
    hard = tried(DUE, outcome)
    assert wanted(hard) is None
    assert wanted(hard, card_on=date(2025, 5, 2)) == date(2025, 5, 2)
    assert wanted(tried(date(2025, 5, 4), outcome), card_on=date(2025, 5, 2)) is None


def test_5_4__an_attempt_in_flight_lets_nothing_else_begin() -> None:
    assert wanted(tried(DUE, None)) is None
    assert wanted(tried(DUE, None), card_on=date(2025, 5, 2)) is None


def test_5_1_1_b__months_pay_for_whole_terms_or_are_refused() -> None:
    assert (prepaid_terms(3, "month"), prepaid_terms(24, "year"), prepaid_terms(None, "year")) == (3, 2, 0)
    for months, interval in ((6, "year"), (0, "month")):
        with pytest.raises(ValueError, match="whole terms"):
            prepaid_terms(months, interval)


def test_5_1__from_a_store_to_a_card_only_with_the_stores_own_stop() -> None:
    assert refuse_change("app_store", "card", store_stop_recorded=True) is None
    assert "premium/5.1" in (refuse_change("app_store", "card", store_stop_recorded=False) or "")
    assert refuse_change("card", "other", store_stop_recorded=False) is None
    assert refuse_change("card", "coupon", store_stop_recorded=False) == (
        "a coupon is redeemed with an application: end this contract, then apply with the code"
    )


def test_5_2__codes_named_in_the_settings_are_hard() -> None:
    assert [decline_kind(code, ("lost_card",)) for code in ("lost_card", "insufficient_funds", None)] == [
        "declined_hard",
        "declined_soft",
        "declined_soft",
    ]


def days(*numbers: int) -> tuple[date, ...]:
    return tuple(DUE + timedelta(days=number) for number in numbers)


def test_5_2__days_between_a_wanted_attempt_and_its_answer_bear_no_interest() -> None:
    today = DUE + timedelta(days=20)
    assert days_not_accruing(DUE, None, [tried(DUE, "declined_soft")], None, today) == ()
    late = tried(DUE + timedelta(days=2), "declined_soft", wanted=DUE)
    assert days_not_accruing(DUE, None, [late], None, today) == (days(1, 3),)
    unknown = tried(DUE, None)
    assert days_not_accruing(DUE, None, [unknown], None, today) == (days(1, 21),)
    found = tried(DUE, "succeeded", settled=DUE)
    assert days_not_accruing(DUE, None, [found], None, today) == ()
    assert days_not_accruing(DUE, None, [], DUE, today) == (days(1, 21),)
    assert days_not_accruing(DUE, DUE + timedelta(days=4), [], None, today) == (days(1, 5),)


def test_5_2__a_late_retry_spares_the_user_only_if_it_would_have_settled_the_fee() -> None:
    today = DUE + timedelta(days=20)
    declined = tried(DUE, "declined_soft")

    def late_retry(outcome: str | None) -> PastAttempt:
        return tried(DUE + timedelta(days=6), outcome, wanted=DUE + timedelta(days=3))

    assert days_not_accruing(DUE, None, [declined, late_retry("declined_soft")], None, today) == ()
    assert days_not_accruing(DUE, None, [declined, late_retry("succeeded")], None, today) == (days(4, 7),)
    assert days_not_accruing(DUE, None, [declined, late_retry(None)], None, today) == (days(4, 21),)
    assert days_not_accruing(DUE, None, [declined], DUE + timedelta(days=3), today) == ()


def test_5_2__days_of_an_attempt_that_never_reached_the_card_do_not_count_until_the_next_begins() -> None:
    today = DUE + timedelta(days=20)
    lost = tried(DUE, "abandoned")
    assert days_not_accruing(DUE, None, [lost], DUE, today) == (days(1, 21),)
    late = tried(DUE + timedelta(days=9), "declined_soft", wanted=DUE)
    assert days_not_accruing(DUE, None, [lost, late], None, today) == (days(1, 10),)
    retry = tried(DUE + timedelta(days=3), "abandoned")
    asked = tried(DUE + timedelta(days=6), "declined_soft", wanted=DUE + timedelta(days=3))
    first = tried(DUE, "declined_soft")
    assert days_not_accruing(DUE, None, [first, retry], None, today) == (days(4, 21),)
    assert days_not_accruing(DUE, None, [first, retry, asked], None, today) == (days(4, 7),)
