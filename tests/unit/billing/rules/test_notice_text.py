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


def test_7_1__a_suspension_says_until_when_payment_helps_and_what_comes_otherwise() -> None:
    notice = notice_text.suspension(date(2026, 4, 30), 10, 500, date(2026, 5, 20))
    assert notice.body_ja == (
        "利用料金500円のお支払いが10日遅れているため、2026年4月30日よりサービスの提供を停止いたしました。2026年5月19日までに"
        "お支払いを確認できましたら、ただちに再開いたします。確認できない場合、ご契約は2026年5月20日に終了し、未払いの利用料金は"
        "引き続きお支払いいただく必要があります。停止中も契約期間の利用料金は発生いたします。(第7条第1項、第4条第2項)"
    )
    assert notice.body_en == (
        "Your fee of 500 yen is 10 days overdue, so access is suspended from 2026-04-30. It resumes when the fee is "
        "paid, up to 2026-05-19. If it is not paid by then, the contract ends on 2026-05-20, and what is unpaid "
        "stays owed. The fee of the running term stays due meanwhile. (Articles 7.1 and 4.2)"
    )


def test_7_1__a_suspension_by_people_says_what_the_end_of_the_term_brings() -> None:
    notice = notice_text.suspension_by_people(date(2026, 4, 12), "調査中", date(2026, 5, 10))
    assert notice.body_ja == (
        "2026年4月12日よりサービスの提供を停止いたしました。理由: 調査中。2026年5月10日の時点で停止が続いている場合、"
        "ご契約は更新されず、同日に終了いたします。(第7条第1項)"
    )
    assert notice.body_en == (
        "Access is suspended from 2026-04-12. Ground: 調査中. If it is still off on 2026-05-10, the contract is not "
        "renewed and ends then. (Article 7.1)"
    )


def test_5_2__an_overdue_letter_names_the_bank_account_and_the_payers_reference() -> None:
    fee = OverdueFee(
        date(2026, 4, 1), 5300, "other", None, date(2026, 4, 11), "継続銀行 本店 普通 1234567", "100004220"
    )
    assert notice_text.overdue(fee).body_ja == (
        "2026年4月1日が支払期日の利用料金5,300円のお支払いを確認できておりません。お早めにお振込みください。振込先: "
        "継続銀行 本店 普通 1234567。振込依頼人名の前に、お支払い番号100004220をご入力ください。"
        "未払いのままですと遅延損害金が発生し、2026年4月11日にサービスの提供を停止いたします。(第5条第2項、第4項、第7条第1項)"
    )
    assert notice_text.overdue(fee).body_en == (
        "Your fee of 5,300 yen was due on 2026-04-01 and is not paid. Please pay it now. Account: 継続銀行 本店 普通 "
        "1234567. Please put the number 100004220 before your name. Until it is paid it bears late interest, and "
        "access is suspended on 2026-04-11. (Articles 5.2, 5.4 and 7.1)"
    )
