"""Letters about contracts that ended, whole: facts in, both languages out, below the greeting."""

from __future__ import annotations

from typing import Any

ENDED = {"reason": "end_of_use", "ended_on": "2026-06-20", "last_on": "2026-06-19", "owed_yen": 0, "credit_yen": 0}

WHOLE: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "terms",
        {"version": "2027-04-01", "published_on": "2027-01-15", "effective_on": "2027-04-01", "place": "規約のページ"},
        (
            "プレミアムサービスの利用規約を変更いたします。変更後の規約は2027年4月1日に効力を生じ、同日以後に始まるご契"
            "約期間から適用されます。(第2条第3項、民法第548条の4)\n"
            "変更の内容は、2027年1月15日より次の場所に掲載しております: 規約のページ\n"
            "変更後の規約でのご利用を希望されない場合は、次の更新の前に利用終了のお手続きをお願いいたします。引き続き"
            "ご利用いただく場合、お手続きは必要ありません。(第6条第1項)"
        ),
        (
            "The terms of the premium service change. The new ones take effect on 1 April 2027, for terms of your cont"
            "ract that begin on that day or later. (Article 2.3, Civil Code 548-4)\n"
            "What changes has been published since 15 January 2027 here: 規約のページ\n"
            "If you do not wish to go on under them, please ask to end use before your next renewal. To go on, there i"
            "s nothing that you need to do. (Article 6.1)"
        ),
    ),
    (
        "contract_end",
        ENDED,
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "ご利用終了のお手続きをいただいたため、更新いたしませんでした。(第3条第3項、第6条第1項)\n"
            "お支払いいただく利用料金は残っておりません。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "It was not renewed because you asked to end use. (Articles 3.3 and 6.1)\n"
            "No fee is left to pay.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)"
        ),
    ),
    (
        "contract_end",
        {**ENDED, "reason": "suspension", "owed_yen": 500},
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "サービスの提供を停止した状態で契約期間が満了したため、更新いたしませんでした。(第7条第1項)\n"
            "未払いの利用料金は、ご契約の終了後も全額お支払いいただく必要があります。お支払いまでの遅延損害金が加"
            "わります。(第4条第1項、第5条第2項)\n"
            "恐れ入りますが、至急お支払いくださいますようお願い申し上げます。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)\n"
            "未払いの利用料金: 500円"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "It was not renewed because it was suspended when its term ended. (Article 7.1)\n"
            "Unpaid fees stay owed in full after the end of the contract, with late interest until they are paid."
            " (Articles 4.1 and 5.2)\n"
            "Please pay it now.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)\n"
            "Unpaid fees: 500 yen"
        ),
    ),
    (
        "contract_end",
        {
            **ENDED,
            "reason": "leave_service",
            "owed_yen": 500,
            "owed_due_on": "2026-06-30",
            "written_on": "2026-06-20",
            "pay_to": "みずほ銀行 本店 普通 1234567",
            "payer_number": 42,
        },
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "サービスの利用契約を解約されたため、プレミアムサービスもご利用いただけなくなりました。(第6条第2項、第13条)\n"
            "未払いの利用料金は、ご契約の終了後も全額お支払いいただく必要があります。お支払いまでの遅延損害金が加"
            "わります。(第4条第1項、第5条第2項)\n"
            "恐れ入りますが、支払期日の2026年6月30日までにお支払いくださいますようお願い申し上げます。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)\n"
            "下記の口座へのお振込みでもお支払いいただけます。\n振込依頼人名の前に、お支払い番号をご入力ください。\n"
            "お振込先: みずほ銀行 本店 普通 1234567\nお支払い番号: 100004285\n未払いの利用料金: 500円"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "You left the service, and the premium service with it. (Articles 6.2 and 13)\n"
            "Unpaid fees stay owed in full after the end of the contract, with late interest until they are paid."
            " (Articles 4.1 and 5.2)\n"
            "Please pay them by 30 June 2026, when the last of them is due.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)\n"
            "You may also pay by transfer to the account below.\nPlease put the payment number before your name.\n"
            "Account: みずほ銀行 本店 普通 1234567\nPayment number: 100004285\nUnpaid fees: 500 yen"
        ),
    ),
    (
        "contract_end",
        {**ENDED, "reason": "leave_service", "credit_yen": 100},
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "サービスの利用契約を解約されたため、プレミアムサービスもご利用いただけなくなりました。(第6条第2項、第"
            "13条)\n"
            "お支払いいただく利用料金は残っておりません。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)\n"
            "サービス停止による減額のうちまだ差し引いていない100円は、お支払いに使われたカードへ返金いたします。カードへ返金できない場合は、返金の方法をあらためてお尋ねいたします。("
            "第9条第2項)"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "You left the service, and the premium service with it. (Articles 6.2 and 13)\n"
            "No fee is left to pay.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)\n"
            "The 100 yen of reductions for service outages that are not used yet are refunded to the card that you "
            "paid with. If that cannot be done, we will ask you how to send it. (Article 9.2)"
        ),
    ),
    (
        "contract_end",
        {**ENDED, "reason": "delete_user"},
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "ユーザーIDが削除されたため、プレミアムサービスもご利用いただけなくなりました。(第6条第2項、第13条)\n"
            "お支払いいただく利用料金は残っておりません。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "Your user id was deleted, and the premium service ended with it. (Articles 6.2 and 13)\n"
            "No fee is left to pay.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)"
        ),
    ),
    (
        "contract_end",
        {**ENDED, "reason": "prepaid_used_up"},
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "クーポンまたはプロダクトキーでお支払いいただいた期間が満了いたしました。(第5条第1項第1号イ)\n"
            "お支払いいただく利用料金は残っておりません。\n"
            "すでにお支払いいただいた利用料金の払戻しはいたしません。(第6条第2項、第3項)"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "The time that your coupon or product key paid for is over. (Article 5.1.1)\n"
            "No fee is left to pay.\n"
            "Fees that were paid are not refunded. (Articles 6.2 and 6.3)"
        ),
    ),
    (
        "contract_end",
        {**ENDED, "reason": "sale_void"},
        (
            "プレミアムサービスのご契約は、2026年6月19日をもって終了いたしました。\n"
            "カード会社を通じてお支払いが取り消されたため、ご契約を終了いたしました。\n"
            "お支払いいただく利用料金は残っておりません。"
        ),
        (
            "Your premium contract ended; its last day was 19 June 2026.\n"
            "The payment was taken back through your card company, so the contract has ended.\n"
            "No fee is left to pay."
        ),
    ),
]
