"""What an applicant is shown (premium/3.2), in the six items of the law, and what an approval takes of it (3.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.documents.offer import Offer, offer_text
from keizoku.billing.rules.price_catalog import (
    Price,
    RenewalPrice,
    ShownOffer,
    accepted_until,
    agreed_yen,
    renewal_prices,
)

MONTHLY = Offer(
    plan="monthly",
    interval="month",
    method="card",
    months=None,
    fallback=None,
    price_yen=500,
    tax_rate=Fraction(1, 10),
    renewals=(RenewalPrice(None, 500), RenewalPrice(date(2026, 6, 1), 600)),
    due_days=0,
    ask_days_before=0,
    valid_days=30,
    term_rule="anchored",
    versions=("premium/2024-12-02",),
)


def test_3_2__an_offer_says_the_six_items_of_the_law_and_the_terms() -> None:
    assert offer_text(MONTHLY, "en") == [
        (
            "What and how much",
            "Plan monthly for one month. It renews by itself every month, without an end, until you stop it.",
        ),
        (
            "Price",
            (
                "500 yen, tax included (45 yen of it at 10%). At today's prices the first year costs 6,000 yen. "
                "A renewed term costs 500 yen. From 1 June 2026 a renewed term costs 600 yen."
            ),
        ),
        (
            "When and how it is paid",
            "By card, charged on the first day of each term; your card company says when it bills you.",
        ),
        ("When use begins", "From the instant at which the application is approved."),
        (
            "How long the offer stands",
            "It holds for an approval within 30 days of the day on which it was shown; after that it is shown anew.",
        ),
        (
            "Taking it back and ending it",
            (
                "A running term cannot be ended. Ask to end use by the last day of the term and it does not renew; you "
                "can take that back until the term is over. Fees are not given back, except under the guarantee of "
                "availability."
            ),
        ),
        ("Terms agreed to", "premium/2024-12-02"),
    ]
    assert [heading for heading, _ in offer_text(MONTHLY, "ja")] == [
        "分量",
        "対価",
        "支払の時期と方法",
        "提供の時期",
        "申込みの期間",
        "申込みの撤回と解約",
        "同意する規約",
    ]
    assert dict(offer_text(MONTHLY, "ja"))["対価"] == (
        "500円(税込み。うち消費税45円、税率10%)。現在の料金で初めの1年に合計6,000円。更新後は1期間500円。"
        "2026年6月1日以後の更新では1期間600円。"
    )


@pytest.mark.parametrize(
    ("otherwise", "heading", "says"),
    [
        ({"method": "app_store"}, "Taking it back and ending it", "stopped in the app store"),
        ({"method": "app_store"}, "When and how it is paid", "To the app store"),
        ({"method": "other", "due_days": 14}, "When and how it is paid", "within 14 days of its issue"),
        ({"method": "coupon", "months": 2}, "What and how much", "for 2 months. It does not renew"),
        ({"method": "coupon", "months": 2, "fallback": "card"}, "What and how much", "renews by itself, paid by card"),
        ({"method": "product_key", "months": 3}, "Price", "Paid for by your code"),
        ({"interval": "year", "price_yen": 5_300}, "What and how much", "every year"),
        ({"ask_days_before": 3}, "Taking it back and ending it", "Ask to end use 3 days before the last day"),
        ({"valid_days": 0}, "How long the offer stands", "no period"),
    ],
)
def test_3_2__it_says_how_this_method_is_paid_and_ended(otherwise: dict[str, object], heading: str, says: str) -> None:
    offer = replace(MONTHLY, **otherwise)  # type: ignore[arg-type]
    assert says in dict(offer_text(offer, "en"))[heading]
    assert all(text for _, text in offer_text(offer, "ja"))


def test_6_1__an_offer_paid_in_a_store_promises_no_request_here() -> None:
    assert (
        "Ask to end use"
        not in dict(offer_text(replace(MONTHLY, method="app_store"), "en"))["Taking it back and ending it"]
    )


def test_3_2__the_digest_is_of_all_that_the_offer_says() -> None:
    assert MONTHLY.digest == replace(MONTHLY).digest
    assert len(MONTHLY.digest) == 64
    others = [
        replace(MONTHLY, price_yen=501),
        replace(MONTHLY, renewals=MONTHLY.renewals[:1]),
        replace(MONTHLY, method="other"),
        replace(MONTHLY, ask_days_before=1),
        replace(MONTHLY, versions=("premium/2024-12-02", "base/2025-04-01")),
        replace(MONTHLY, term_rule="civil_code"),
    ]
    assert len({each.digest for each in [MONTHLY, *others]}) == 7


def test_3_2__renewal_prices_are_those_in_force_and_those_ahead() -> None:
    first = Price.initial("monthly", "month", 500, date(2024, 12, 2))
    later = Price("monthly", "month", 600, date(2026, 3, 1), date(2026, 5, 25), date(2026, 6, 1), recorded=1)
    same = Price("monthly", "month", 600, date(2026, 3, 1), date(2026, 7, 1), date(2026, 7, 1), recorded=2)
    cohort = Price(
        "monthly", "month", 300, date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 1), frozenset({"a"}), recorded=3
    )
    known = [first, later, same, cohort]
    assert renewal_prices(known, "monthly", "", date(2026, 5, 24)) == (
        RenewalPrice(None, 500),
        RenewalPrice(date(2026, 6, 1), 600),
    )
    assert renewal_prices(known, "monthly", "a", date(2026, 5, 24)) == (
        RenewalPrice(None, 300),
        RenewalPrice(date(2026, 6, 1), 600),
    )
    assert renewal_prices(known, "monthly", "", date(2026, 6, 1)) == (RenewalPrice(None, 600),)
    assert renewal_prices([], "monthly", "", date(2026, 6, 1)) == ()


@given(shown=st.integers(1, 9_999), in_force=st.integers(1, 9_999))
def test_3_2__nobody_pays_more_than_what_was_shown_or_than_what_is_in_force(shown: int, in_force: int) -> None:
    agreed = agreed_yen(ShownOffer(shown, date(2026, 5, 24), "0" * 64), in_force)
    assert agreed == min(shown, in_force)
    assert agreed_yen(None, in_force) == in_force


def test_3_3__an_offer_is_accepted_within_its_validity() -> None:
    assert accepted_until(date(2026, 5, 1), 14) == date(2026, 5, 15)
    assert accepted_until(date(2026, 5, 1), 0) is None
