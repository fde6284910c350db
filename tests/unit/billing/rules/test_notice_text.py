"""What users are told: every document in both languages, with its clause, what to do by when, and its list."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

import pytest

from keizoku.billing.rules.documents import notice_text
from keizoku.billing.rules.documents.letters import FORMAL, notice_letter
from keizoku.billing.rules.documents.notice_text import SUBJECTS, Notice, OverdueFee, Termination
from keizoku.db.tables.letters import LETTER_KINDS, NOTICE_KINDS
from keizoku.terms.rendering import templates

ON = date(2026, 4, 10)
DUE = date(2026, 4, 1)
PAY_TO = "継続銀行 本店 普通 1234567"
CARD_AGAIN = notice_text.overdue(OverdueFee(DUE, 5300, "card", date(2026, 4, 4), date(2026, 4, 11), by_on=ON))
CARD_REFUSED = notice_text.overdue(OverdueFee(DUE, 5300, "card", None, None, PAY_TO))
TRANSFER = notice_text.overdue(OverdueFee(DUE, 5300, "other", None, date(2026, 4, 11), PAY_TO, "100004220", ON))
AT_ONCE = notice_text.overdue(OverdueFee(DUE, 5300, "other", None, None))
WHOLE: Sequence[tuple[Notice, str, str]] = [
    (
        CARD_AGAIN,
        (
            "2026年4月1日が支払期日の利用料金につきまして、5,300円のお支払いを確認できておりません。(第4条第1項"
            "、第5条第2項)\n"
            "登録されたカードに2026年4月4日に改めてご請求いたします。それまでに別のカードを登録いただくこともで"
            "きます。\n"
            "お支払いまでの間は遅延損害金が発生いたします。また、お支払いを確認できない場合は、2026年4月11日に"
            "サービスの提供を"
            "停止いたします。(第5条第2項、第7条第1項)\n"
            "本状と行き違いにお支払いいただいておりましたら、何とぞご容赦ください。\n"
            "支払期日: 2026年4月1日\n未払いの利用料金: 5,300円"
        ),
        (
            "Your fee of 5,300 yen was due on 1 April 2026 and is not paid. (Articles 4.1 and 5.2)\n"
            "Your card is charged again on 4 April 2026; you may register another one before.\n"
            "Until it is paid it bears late interest, and access is suspended on 11 April 2026. (Articles 5.2 a"
            "nd 7.1)\n"
            "If you have paid it in the meantime, please disregard this letter.\n"
            "Due on: 1 April 2026\nUnpaid fees: 5,300 yen"
        ),
    ),
    (
        CARD_REFUSED,
        (
            "2026年4月1日が支払期日の利用料金につきまして、5,300円のお支払いを確認できておりません。(第4条第1項"
            "、第5条第2項)\n"
            "登録されたカードではお支払いいただけませんでした。新しいカードをご登録ください。ただちにお支払いの"
            "手続きをいたします。"
            "(第5条第4項)\n"
            "下記の口座へのお振込みでもお支払いいただけます。\n"
            "お支払いまでの間は遅延損害金が発生いたします。(第5条第2項)\n"
            "本状と行き違いにお支払いいただいておりましたら、何とぞご容赦ください。\n"
            "支払期日: 2026年4月1日\nお振込先: 継続銀行 本店 普通 1234567\n未払いの利用料金: 5,300円"
        ),
        (
            "Your fee of 5,300 yen was due on 1 April 2026 and is not paid. (Articles 4.1 and 5.2)\n"
            "Your card was refused. Please register another one; it is charged at once. (Article 5.4)\n"
            "You may also pay by transfer to the account below.\n"
            "Until it is paid it bears late interest. (Article 5.2)\n"
            "If you have paid it in the meantime, please disregard this letter.\n"
            "Due on: 1 April 2026\nAccount: 継続銀行 本店 普通 1234567\nUnpaid fees: 5,300 yen"
        ),
    ),
    (
        TRANSFER,
        (
            "2026年4月1日が支払期日の利用料金につきまして、5,300円のお支払いを確認できておりません。(第4条第1項"
            "、第5条第2項)\n"
            "恐れ入りますが、2026年4月10日までにお支払いくださいますようお願い申し上げます。\n"
            "お振込みの際は、下記の口座をご利用ください。\n"
            "振込依頼人名の前に、お支払い番号をご入力ください。\n"
            "お支払いまでの間は遅延損害金が発生いたします。また、お支払いを確認できない場合は、2026年4月11日に"
            "サービスの提供を"
            "停止いたします。(第5条第2項、第7条第1項)\n"
            "本状と行き違いにお支払いいただいておりましたら、何とぞご容赦ください。\n"
            "支払期日: 2026年4月1日\nお振込先: 継続銀行 本店 普通 1234567\nお支払い番号: 100004220\n未払いの利"
            "用料金: 5,300円"
        ),
        (
            "Your fee of 5,300 yen was due on 1 April 2026 and is not paid. (Articles 4.1 and 5.2)\n"
            "Please pay it by 10 April 2026.\nPlease pay by transfer to the account below.\n"
            "Please put the payment number before your name.\n"
            "Until it is paid it bears late interest, and access is suspended on 11 April 2026. (Articles 5.2 a"
            "nd 7.1)\n"
            "If you have paid it in the meantime, please disregard this letter.\n"
            "Due on: 1 April 2026\nAccount: 継続銀行 本店 普通 1234567\nPayment number: 100004220\nUnpaid fees:"
            " 5,300 yen"
        ),
    ),
    (
        AT_ONCE,
        (
            "2026年4月1日が支払期日の利用料金につきまして、5,300円のお支払いを確認できておりません。(第4条第1項"
            "、第5条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n"
            "お支払いまでの間は遅延損害金が発生いたします。(第5条第2項)\n"
            "本状と行き違いにお支払いいただいておりましたら、何とぞご容赦ください。\n"
            "支払期日: 2026年4月1日\n未払いの利用料金: 5,300円"
        ),
        (
            "Your fee of 5,300 yen was due on 1 April 2026 and is not paid. (Articles 4.1 and 5.2)\n"
            "Please pay it now.\nUntil it is paid it bears late interest. (Article 5.2)\n"
            "If you have paid it in the meantime, please disregard this letter.\n"
            "Due on: 1 April 2026\nUnpaid fees: 5,300 yen"
        ),
    ),
    (
        notice_text.suspension(date(2026, 4, 30), 10, 500, date(2026, 5, 20)),
        (
            "利用料金500円のお支払いが10日遅れているため、2026年4月30日よりサービスの提供を停止いたしました。("
            "第7条第1項)\n"
            "2026年5月19日までにお支払いを確認できましたら、ただちに再開いたします。確認できない場合、ご契約は2"
            "026年5月20日に終了し、"
            "未払いの利用料金は引き続きお支払いいただく必要があります。\n"
            "停止中も契約期間の利用料金は発生いたします。(第4条第2項)\n未払いの利用料金: 500円"
        ),
        (
            "Your fee of 500 yen is 10 days overdue, so access is suspended from 30 April 2026. (Article 7.1)\n"
            "It resumes when the fee is paid, up to 19 May 2026. If it is not paid by then, the contract ends on "
            "20 May 2026, and what is unpaid stays owed.\n"
            "The fee of the running term stays due meanwhile. (Article 4.2)\nUnpaid fees: 500 yen"
        ),
    ),
    (
        notice_text.suspension(ON, 10, 500),
        (
            "利用料金500円のお支払いが10日遅れているため、2026年4月10日よりサービスの提供を停止いたしました。("
            "第7条第1項)\n"
            "お支払いを確認しだい再開いたします。\n停止中も契約期間の利用料金は発生いたします。(第4条第2項)\n未"
            "払いの利用料金: 500円"
        ),
        (
            "Your fee of 500 yen is 10 days overdue, so access is suspended from 10 April 2026. (Article 7.1)\n"
            "It resumes when the fee is paid.\nThe fee of the running term stays due meanwhile. (Article 4.2)\n"
            "Unpaid fees: 500 yen"
        ),
    ),
    (
        notice_text.suspension_by_people(date(2026, 4, 12), "調査中", date(2026, 5, 10)),
        (
            "2026年4月12日よりサービスの提供を停止いたしました。理由: 調査中(第7条第1項)\n"
            "2026年5月10日の時点で停止が続いている場合、ご契約は更新されず、同日に終了いたします。\n"
            "停止中も契約期間の利用料金は発生いたします。(第4条第2項)"
        ),
        (
            "Access is suspended from 12 April 2026. Ground: 調査中 (Article 7.1)\n"
            "If it is still off on 10 May 2026, the contract is not renewed and ends then.\n"
            "The fee of the running term stays due meanwhile. (Article 4.2)"
        ),
    ),
    (
        notice_text.resumption(ON),
        "2026年4月10日よりサービスの提供を再開いたしました。(第7条第1項)",
        "Your access is back from 10 April 2026. (Article 7.1)",
    ),
    (
        notice_text.termination(ON, Termination(40, 500), 500),
        (
            "利用料金500円のお支払いが40日遅れているため、2026年4月10日をもってご契約を解除いたしました。(第7条第1項)\n"
            "未払いの利用料金は全額お支払いいただく必要があります。(第7条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n未払いの利用料金: 500円"
        ),
        (
            "Your fee of 500 yen is 40 days overdue, so the contract is terminated as of 10 April 2026. (Article 7.1)\n"
            "What is unpaid stays owed in full. (Article 7.2)\nPlease pay it now.\nUnpaid fees: 500 yen"
        ),
    ),
    (
        notice_text.termination(ON, Termination(ground="虚偽の登録"), 0),
        "2026年4月10日をもってご契約を解除いたしました。理由: 虚偽の登録(第7条第1項)",
        "Your contract is terminated as of 10 April 2026. Ground: 虚偽の登録 (Article 7.1)",
    ),
    (
        notice_text.with_transfer(
            notice_text.termination(ON, Termination(ground="虚偽の登録"), 1_000, whole=False),
            "みずほ銀行 本店 普通 1234567",
            "100004220",
        ),
        (
            "2026年4月10日をもってご契約を解除いたしました。理由: 虚偽の登録(第7条第1項)\n"
            "解除の日までの利用料金のうち、未払いの分はお支払いいただく必要があります。(第7条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n"
            "下記の口座へのお振込みでもお支払いいただけます。\n振込依頼人名の前に、お支払い番号をご入力ください。\n"
            "お振込先: みずほ銀行 本店 普通 1234567\nお支払い番号: 100004220\n未払いの利用料金: 1,000円"
        ),
        (
            "Your contract is terminated as of 10 April 2026. Ground: 虚偽の登録 (Article 7.1)\n"
            "What is unpaid of the fees up to the day of termination stays owed. (Article 7.2)\nPlease pay it now.\n"
            "You may also pay by transfer to the account below.\nPlease put the payment number before your name.\n"
            "Account: みずほ銀行 本店 普通 1234567\nPayment number: 100004220\nUnpaid fees: 1,000 yen"
        ),
    ),
    (
        notice_text.acceleration(ON, 500),
        (
            "お支払いの遅れにより、期限の利益を失われました。支払期日前の請求分500円につきましても、2026年4月10"
            "日付で一括して"
            "お支払いいただく必要があります。(第7条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n一括してお支払いいただく金額: 500円"
        ),
        (
            "Because a fee is overdue, 500 yen that was invoiced for a later date is due at once, on 10 April 2026. "
            "(Article 7.2)\nPlease pay it now.\nDue at once: 500 yen"
        ),
    ),
    (
        notice_text.acceleration(ON, 500, "虚偽の登録"),
        (
            "次の理由により、期限の利益を失われました: 虚偽の登録 支払期日前の請求分500円につきましても、2026年"
            "4月10日付で一括して"
            "お支払いいただく必要があります。(第7条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n一括してお支払いいただく金額: 500円"
        ),
        (
            "On this ground: 虚偽の登録, 500 yen that was invoiced for a later date is due at once, on 10 April 2026. "
            "(Article 7.2)\nPlease pay it now.\nDue at once: 500 yen"
        ),
    ),
    (
        notice_text.set_off(ON, 100),
        (
            "サービス停止による減額のうち100円を、2026年4月10日付で未払いの利用料金等と相殺いたしました。(民法"
            "第505条、第506条)\n"
            "相殺した金額: 100円"
        ),
        (
            "Credits of 100 yen were set off against what you owe, on 10 April 2026. (Civil Code 505 and 506)\n"
            "Set off: 100 yen"
        ),
    ),
    (
        notice_text.write_off(ON, date(2026, 3, 10), 500, 6),
        (
            "2026年3月10日から始まる契約期間の未払いの利用料金500円とその遅延損害金は、2026年4月10日付で請求し"
            "ないことといたしました。"
            "(民法第519条)\nほかの未払いがある場合、その分は引き続きお支払いが必要です。\n請求しないこととした"
            "金額: 500円"
        ),
        (
            "The unpaid fee of 500 yen for the term that began on 10 March 2026, and the late interest on it, a"
            "re no longer "
            "asked of you as of 10 April 2026. (Civil Code 519)\nWhatever else is unpaid stays owed.\n"
            "No longer asked of you: 500 yen"
        ),
    ),
    (
        notice_text.write_off(ON, date(2026, 3, 10), 0, 8),
        (
            "2026年3月10日から始まる契約期間の利用料金に生じた遅延損害金8円は、2026年4月10日付で請求しないこと"
            "といたしました。"
            "(民法第519条)\nほかの未払いがある場合、その分は引き続きお支払いが必要です。\n請求しないこととした金額: 8円"
        ),
        (
            "The late interest of 8 yen on the fee for the term that began on 10 March 2026 is no longer asked "
            "of you as of "
            "10 April 2026. (Civil Code 519)\nWhatever else is unpaid stays owed.\nNo longer asked of you: 8 yen"
        ),
    ),
    (
        notice_text.recalculation(date(2026, 4, 3), 20_000, 500, 6, 0),
        (
            "2026年4月3日にいただいた20,000円のご入金を、その日に遡って反映いたしました。(第5条第2項)\n"
            "以後の遅延損害金とご入金の充当を計算し直した結果、現在の金額は下記のとおりです。\n"
            "未払いの利用料金: 500円\n遅延損害金: 6円\nお預かりしている金額: 0円"
        ),
        (
            "Your payment of 20,000 yen counts from 3 April 2026, the day on which it reached us. (Article 5.2)\n"
            "Late interest and what later payments paid were worked out again; what is open now is below.\n"
            "Unpaid fees: 500 yen\nLate interest: 6 yen\nKept for you: 0 yen"
        ),
    ),
    (
        notice_text.interest_demand(date(2026, 5, 1), 63, 70, Fraction(146, 1000), ["内訳"], ["workings"]),
        (
            "2026年5月1日現在の遅延損害金として、63円を新たにご請求いたします。すでにご請求した未払い分と合わせ"
            "た総額は70円です。"
            "(第5条第2項)\n"
            "遅延損害金は、支払期日の翌日からお支払日まで、未払いの利用料金に対して年14.6%の割合で発生いたしま"
            "す。消費税はかかりません。\n"
            "恐れ入りますが、未払いの利用料金と合わせ、至急お支払いくださいますようお願い申し上げます。\n計算の内"
            "訳は次のとおりです。\n"
            "内訳\n今回のご請求額: 63円\n遅延損害金の総額: 70円"
        ),
        (
            "Late interest as of 1 May 2026: 63 yen is demanded now; with what was demanded before and is not p"
            "aid it is "
            "70 yen in all. (Article 5.2)\n"
            "It accrues at 14.6% a year from the day after the due date to the day of payment, on unpaid fees o"
            "nly, without "
            "tax.\nPlease pay it now, together with the fees that are unpaid.\nIt is worked out as follows.\n"
            "workings\nDemanded now: 63 yen\nLate interest in all: 70 yen"
        ),
    ),
]
GREETING = {
    "ja": "平素より当社のサービスをご利用いただき、誠にありがとうございます。\n",
    "en": "Thank you for using our service.\n",
}


@pytest.mark.parametrize(("notice", "ja", "en"), WHOLE, ids=lambda each: each.kind if isinstance(each, Notice) else "")
def test_7__each_document_says_what_happened_and_what_to_do_in_both_languages(notice: Notice, ja: str, en: str) -> None:
    said = {"ja": (notice.body_ja, ja), "en": (notice.body_en, en)}
    for lang in ("ja", "en"):
        thanks = "" if notice.kind in FORMAL else GREETING[lang]
        assert notice_letter(notice.kind, said[lang][0], notice.items, lang).plain(lang) == thanks + said[lang][1]
    assert notice.kind in SUBJECTS


def test_every_kind_of_notice_and_every_sentence_is_in_a_whole_letter_here() -> None:
    assert {*SUBJECTS} == {*NOTICE_KINDS, *LETTER_KINDS, "demand"}  # each can be stored as it went out
    elsewhere = {"renewal", "price"}  # test_renewal_notice.py
    kinds = {notice.kind for notice, _, _ in WHOLE}
    assert kinds == {*NOTICE_KINDS, "demand"} - elsewhere
    said = "\n".join(ja for _, ja, _ in WHOLE)
    fixed = [
        words["ja"]
        for key, words in templates().items()
        if key.startswith("letter.") and key.split(".")[1] in kinds and "{" not in words["ja"]
    ]
    assert [words for words in fixed if words not in said] == []
