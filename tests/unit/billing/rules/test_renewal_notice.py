"""What a user is told before a renewal (premium/3.3, premium/4.3): on which day, once, and in which words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from keizoku.billing.rules.contract_lifecycle import NewTerm
from keizoku.billing.rules.documents.renewal_notice import RenewalNotified, Windows, renewal_notices
from keizoku.terms.calendar import day_start_at
from keizoku.terms.rendering import saying

STARTS = date(2028, 2, 29)
TERM = NewTerm(
    contract_id=7,
    account="hanako",
    seq=1,
    starts_on=STARTS,
    ends_on=date(2028, 3, 31),
    follows_on=STARTS,
    starts_at=day_start_at(STARTS),
    method="card",
    plan="monthly",
    interval="month",
    price_yen=600,
    terms_version="2024-12-02",
)
WINDOWS = Windows(renewal_days=5, price_days=10, end_of_use_days_before=3)
NOTHING = RenewalNotified(False, ())


def told_on(
    days_before: int, told: RenewalNotified = NOTHING, now_yen: int = 500, term: NewTerm = TERM
) -> list[tuple[str, str]]:
    today = STARTS - timedelta(days=days_before)
    return [(occasion, text.kind) for occasion, text in renewal_notices(term, now_yen, told, WINDOWS, today)]


@pytest.mark.parametrize(
    ("days_before", "kinds"),
    [(11, []), (10, ["price"]), (6, ["price"]), (5, ["renewal", "price"]), (1, ["renewal", "price"]), (0, [])],
)
def test_3_3__notices_are_due_within_their_days_and_not_after_the_renewal(days_before: int, kinds: list[str]) -> None:
    assert [kind for _, kind in told_on(days_before)] == kinds


def test_4_3__a_price_is_told_once_and_again_when_it_changes_or_is_withdrawn() -> None:
    assert told_on(9) == [("term:2028-02-29:1:600", "price")]
    assert told_on(9, RenewalNotified(True, (600,))) == []
    assert told_on(9, RenewalNotified(True, (550,))) == [("term:2028-02-29:2:600", "price")]
    withdrawn = TERM._replace(price_yen=500)
    assert told_on(9, RenewalNotified(True, (600,)), term=withdrawn) == [("term:2028-02-29:2:500", "price")]
    assert told_on(9, RenewalNotified(True, (600, 500)), term=withdrawn) == []
    assert told_on(9, now_yen=600) == []


@pytest.mark.parametrize("method", ["coupon", "product_key", "app_store"])
def test_3_3__what_is_paid_in_advance_or_by_a_store_is_not_told(method: str) -> None:
    assert told_on(3, term=TERM._replace(method=method)) == []


def test_the_same_notice_is_worded_once_and_anew_in_other_words() -> None:
    def main() -> str:
        ((_, told),) = renewal_notices(TERM._replace(price_yen=500), 500, NOTHING, WINDOWS, STARTS - timedelta(days=1))
        return told.body_en.splitlines()[0]

    ours = main()
    for words in ("On {starts_on}.", "From {starts_on}."):
        with saying({"letter.renewal.main": {"en": words}}):
            assert main() == words.format(starts_on="29 February 2028")
    assert main() == ours


def test_3_3__the_documents_name_days_yen_and_the_last_day_to_ask() -> None:
    found = renewal_notices(TERM, 500, NOTHING, WINDOWS, STARTS - timedelta(days=1))
    (_, renewal), (_, price) = found
    assert renewal.body_ja.splitlines() == [
        "ご契約は、2028年2月29日に自動更新されます。更新後の期間、利用料金と決済手段は下記のとおりです。(第3条第3項)",
        (
            "更新を希望されない場合は、2028年2月25日までに利用終了のお手続きをお願いいたします。更新を希望される場合、お手続きは"
            "必要ありません。(第6条第1項)"
        ),
    ]
    assert [(each["ja"], each.get("ja_text", each.get("yen"))) for each in renewal.items] == [
        ("更新後の契約期間", "2028年2月29日〜2028年3月30日"),
        ("決済手段", "クレジットカード"),
        ("利用終了のお手続きの期限", "2028年2月25日"),
        ("更新後の利用料金(税込)", 600),
    ]
    assert price.body_en.splitlines() == [
        (
            "From the term that begins on 29 February 2028 your fee changes from 500 yen to 600 yen, tax included. "
            "(Article 4.3)"
        ),
        (
            "If you do not wish to go on at that price, please ask to end use by 25 February 2028; going on counts as "
            "consent. (Articles 4.3 and 6.1)"
        ),
    ]
    assert [(each["en"], each.get("en_text", each.get("yen"))) for each in price.items] == [
        ("Ask to end use by", "25 February 2028"),
        ("Fee now, tax included", 500),
        ("Fee afterwards, tax included", 600),
    ]
    ((_, withdrawn),) = renewal_notices(
        TERM._replace(price_yen=500), 500, RenewalNotified(True, (600,)), WINDOWS, date(2028, 2, 27)
    )
    assert withdrawn.body_en == (
        "The change of price that we told you of is withdrawn: the term from 29 February 2028 costs 500 yen as before, "
        "tax included. There is nothing that you need to do. (Article 4.3)"
    )
