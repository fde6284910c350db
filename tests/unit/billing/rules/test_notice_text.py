"""What users are told: every document in both languages, with its clause."""

from datetime import date

import pytest

from keizoku.billing.rules.documents import notice_text
from keizoku.billing.rules.documents.notice_text import SUBJECTS, Notice, OverdueFee

ON = date(2026, 4, 10)


def overdue(method: str, next_attempt_on: date | None, suspends_on: date | None = date(2026, 4, 11)) -> Notice:
    return notice_text.overdue(OverdueFee(date(2026, 4, 1), 5300, method, next_attempt_on, suspends_on))


def test_7_1_2__a_soft_decline_names_the_next_attempt_and_the_day_of_suspension() -> None:
    notice = overdue("card", date(2026, 4, 4))
    assert notice.body_ja == (
        "2026年4月1日が支払期日の利用料金5,300円のお支払いを確認できておりません。登録されたカードに2026年4月4日に改めて"
        "ご請求いたします。別のカードを登録いただくこともできます。未払いのままですと遅延損害金が発生し、2026年4月11日に"
        "サービスの提供を停止いたします。(第5条第2項、第4項、第7条第1項)"
    )
    assert notice.body_en == (
        "Your fee of 5,300 yen was due on 2026-04-01 and is not paid. Your card is charged again on 2026-04-04; you "
        "may register another one before. Until it is paid it bears late interest, and access is suspended on "
        "2026-04-11. (Articles 5.2, 5.4 and 7.1)"
    )


def test_5_4__a_hard_decline_asks_for_another_card_and_a_transfer_for_the_payment() -> None:
    assert "Please register another one" in overdue("card", None).body_en
    assert "新しいカードをご登録ください" in overdue("card", None).body_ja
    assert "Please pay it now" in overdue("other", None).body_en


def test_6_2__who_has_left_is_not_told_of_a_suspension() -> None:
    notice = overdue("other", None, None)
    assert "suspended" not in notice.body_en
    assert "発生いたします。" in notice.body_ja


@pytest.mark.parametrize(
    ("notice", "ja", "en"),
    [
        (notice_text.resumption(ON), "再開", "Article 7.1"),
        (
            notice_text.write_off(ON, date(2026, 3, 10), 500, 6),
            "2026年3月10日から始まる契約期間",
            "Whatever else is unpaid",
        ),
        (notice_text.write_off(ON, date(2026, 3, 10), 0, 8), "遅延損害金8円", "The late interest of 8 yen"),
        (notice_text.acceleration(ON, 500), "お支払いの遅れにより", "Because a fee is overdue, 500 yen"),
        (notice_text.acceleration(ON, 500, "虚偽の登録"), "虚偽の登録", "On this ground: 虚偽の登録, 500 yen"),
    ],
    ids=lambda value: value.kind if isinstance(value, Notice) else None,
)
def test_7__each_document_says_what_happened_in_both_languages(notice: Notice, ja: str, en: str) -> None:
    assert ja in notice.body_ja
    assert en in notice.body_en
    assert notice.kind in SUBJECTS
