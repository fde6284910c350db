"""What every kind of letter about a decision says, whole, in both languages: kind, facts, Japanese, English."""

from __future__ import annotations

from typing import Any

CLAIM = {"claim": "c1", "outage_month": "2026-04", "received_on": "2026-05-02"}
GRANTED = {
    **CLAIM, "recognised_seconds": 14_400, "rate": "0.2", "new_yen": 100, "month_yen": 100, "usable_on": "2026-06-01",
    "goes_to": "bill",
}  # fmt: skip
REJECTED = {
    **CLAIM, "recognised_seconds": 12_960, "reason": "threshold", "deadline_at": "2026-06-01T00:00:00+09:00",
    "threshold_seconds": 12_960,
}  # fmt: skip
REMEDY = {
    "claim": "c1", "outage_month": "2026-04", "what": "翌月分のご優待", "agreed_on": "2026-05-10",
    "by_on": "2026-06-19",
}  # fmt: skip
CREDIT = {
    "invoice": 12, "issued_on": "2026-06-20", "due_on": "2026-06-20", "total_yen": 500, "credit_yen": 100,
    "charged_yen": 400, "credits": [["2026-04", 100]],
}  # fmt: skip
REFUND = {"outage_month": "2026-04", "yen": 100, "refunded_on": "2026-06-02", "paid_on": "2026-05-20"}

WHOLE: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "claim_received",
        CLAIM,
        (
            "2026年4月分の使用不能時間についてのご申請(受付番号: c1)を、2026年5月2日に受け付けました。(第9条第2項"
            ")\n"
            "2026年4月が終わったのちに審査し、結果を書面でお知らせいたします。それまでにお願いするお手続きはありま"
            "せん。"
        ),
        (
            "We received your claim for unusable time in April 2026 (number: c1) on 2 May 2026. (Article 9.2)\n"
            "It is decided when April 2026 is over, and you will have a letter with the result. There is nothing "
            "that you need to do until then."
        ),
    ),
    (
        "claim_granted",
        GRANTED,
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "この金額は、2026年6月1日以後に発行する最初のご請求から差し引きます。差し引ききれない分は、その次のご"
            "請求に繰り越します。ご契約の終了などにより今後のご請求がない場合は、お支払いに使われたカードへ返金いたします。お手続きは必要ありません。\n"
            "今回お認めした減額: 100円"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "It is taken off the first bill that is issued on or after 1 June 2026; what is left over is taken of"
            "f the next one. If no bill comes any more, as when your contract ends, "
            "it is refunded to the card that you paid with. There is nothing that you need to do.\n"
            "Given back now: 100 yen"
        ),
    ),
    (
        "claim_granted",
        {**GRANTED, "goes_to": "card"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "今後カードへのご請求の予定がないため、この金額は、お支払いに使われたカードへ返金いたします。カードへ"
            "返金できない場合は、返金の方法をあらためてお尋ねいたします。\n"
            "今回お認めした減額: 100円"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "As no further bill to a card will come, it is refunded to the card that you paid with. If that canno"
            "t be done, we will ask you how to send it.\n"
            "Given back now: 100 yen"
        ),
    ),
    (
        "claim_granted",
        {**GRANTED, "goes_to": "remedy"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "この月については別の方法による対応にご同意いただいていますので、この金額は、その対応が済むまで差し引"
            "きも返金もいたしません。対応が済めば、この金額に代わるものとなります。対応が行われなかった場合は、こ"
            "の金額をお使いいただけます。\n"
            "今回お認めした減額: 100円"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "For this month you have agreed to another remedy, so nothing is taken off or refunded while that is "
            "under way. Once it is done it takes the place of this amount; if it is not done, you get this amount"
            ".\n"
            "Given back now: 100 yen"
        ),
    ),
    (
        "claim_granted",
        {**GRANTED, "goes_to": "remedy_done"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "この月については、ご同意をいただいた別の方法による対応が済んでいます。この金額はその対応に代えられて"
            "いますので、差し引きも返金もいたしません。\n"
            "今回お認めした減額: 100円"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "For this month you had another remedy that you agreed to. It took the place of this amount, so nothi"
            "ng is taken off or refunded.\n"
            "Given back now: 100 yen"
        ),
    ),
    (
        "claim_granted",
        {**GRANTED, "month_yen": 200},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "この金額は、2026年6月1日以後に発行する最初のご請求から差し引きます。差し引ききれない分は、その次のご"
            "請求に繰り越します。ご契約の終了などにより今後のご請求がない場合は、お支払いに使われたカードへ返金いたします。お手続きは必要ありません。\n"
            "今回お認めした減額: 100円\n"
            "2026年4月分の減額の合計: 200円"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "It is taken off the first bill that is issued on or after 1 June 2026; what is left over is taken of"
            "f the next one. If no bill comes any more, as when your contract ends, "
            "it is refunded to the card that you paid with. There is nothing that you need to do.\n"
            "Given back now: 100 yen\n"
            "Given back for April 2026 in all: 200 yen"
        ),
    ),
    (
        "claim_granted",
        {**GRANTED, "new_yen": 0},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査し、使用不能時間を4時間と認めまし"
            "た。つきましては、月額利用料金の20%に当たる金額を減額いたします。(第9条第2項)\n"
            "この月の減額は、すでにお認めした合計100円のとおりです。今回新たに加わる金額はありません。"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. We recognis"
            "e 4 h of unusable time, so 20% of the monthly fee is given back. (Article 9.2)\n"
            "What is given back for this month is the 100 yen that we granted before; nothing is added to it now."
        ),
    ),
    (
        "claim_rejected",
        REJECTED,
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査いたしましたが、次の理由により、減"
            "額または返金の対象とはなりませんでした。\n"
            "お認めできた使用不能時間は3時間36分でした。減額または返金の対象となるには、1ヶ月間に3時間36分を超える"
            "ことが必要です。(第9条第2項)\n"
            "計算の内訳をご希望の場合、または事実と異なる点がある場合は、受付番号を添えてお問い合わせください。"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. For the fol"
            "lowing reason nothing is given back.\n"
            "The unusable time that we recognise is 3 h 36 min. It takes more than 3 h 36 min in a month. (Articl"
            "e 9.2)\n"
            "If you would like to see the workings, or if something is not as it was, please write to us with the"
            " number of your claim."
        ),
    ),
    (
        "claim_rejected",
        {**REJECTED, "reason": "deadline"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査いたしましたが、次の理由により、減"
            "額または返金の対象とはなりませんでした。\n"
            "ご申請が受付の期限を過ぎていました。2026年4月分のご申請は、2026年5月31日までに届く必要がありました。(第9条第5項)\n"
            "計算の内訳をご希望の場合、または事実と異なる点がある場合は、受付番号を添えてお問い合わせください。"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. For the fol"
            "lowing reason nothing is given back.\n"
            "The claim came after its deadline. A claim for April 2026 had to arrive by 31 May 2026. (Article 9.5)\n"
            "If you would like to see the workings, or if something is not as it was, please write to us with the"
            " number of your claim."
        ),
    ),
    (
        "claim_rejected",
        {**REJECTED, "reason": "not_member"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査いたしましたが、次の理由により、減"
            "額または返金の対象とはなりませんでした。\n"
            "2026年4月には、プレミアムサービスのご契約期間がありませんでした。その月にプレミアムサービスのご契約期"
            "間があることが必要です。(第9条第2項)\n"
            "計算の内訳をご希望の場合、または事実と異なる点がある場合は、受付番号を添えてお問い合わせください。"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. For the fol"
            "lowing reason nothing is given back.\n"
            "There was no term of the premium service in April 2026. It takes a term that runs in that month. (Ar"
            "ticle 9.2)\n"
            "If you would like to see the workings, or if something is not as it was, please write to us with the"
            " number of your claim."
        ),
    ),
    (
        "claim_rejected",
        {**REJECTED, "reason": "method"},
        (
            "2026年5月2日に受け付けました2026年4月分のご申請(受付番号: c1)を審査いたしましたが、次の理由により、減"
            "額または返金の対象とはなりませんでした。\n"
            "2026年4月のご契約期間は、クレジットカード以外の決済手段によるものでした。その月に、クレジットカードで"
            "お支払いいただいたご契約期間があることが必要です。(第9条第6項)\n"
            "計算の内訳をご希望の場合、または事実と異なる点がある場合は、受付番号を添えてお問い合わせください。"
        ),
        (
            "We have decided your claim for April 2026 (number: c1), which we received on 2 May 2026. For the fol"
            "lowing reason nothing is given back.\n"
            "The terms in April 2026 were not paid by card. It takes a term in that month that is paid by card. ("
            "Article 9.6)\n"
            "If you would like to see the workings, or if something is not as it was, please write to us with the"
            " number of your claim."
        ),
    ),
    (
        "remedy",
        REMEDY,
        (
            "2026年4月分の減額または返金に代えて、次の方法で対応することに、2026年5月10日にご同意をいただきました"
            ": 翌月分のご優待(第9条第2項)\n"
            "この対応は2026年6月19日までに行います。\n"
            "対応が済むまで、2026年4月分の減額は差し引きも返金もいたしません。対応が済めば減額に代わるものとなり、"
            "対応が行われなかった場合またはご同意を取り消された場合は、減額をお使いいただけます。"
        ),
        (
            "On 10 May 2026 you agreed to the following instead of a reduction or refund for April 2026: 翌月分の"
            "ご優待 (Article 9.2)\n"
            "It will be done by 19 June 2026.\n"
            "Until then the reduction for April 2026 is neither taken off nor refunded. Once the remedy is done i"
            "t takes its place; if it is not done, or you withdraw your consent, you get the reduction."
        ),
    ),
    (
        "remedy",
        {**REMEDY, "outcome": "performed", "outcome_on": "2026-05-11"},
        (
            "2026年4月分の減額または返金に代えて、次の方法で対応することに、2026年5月10日にご同意をいただきました"
            ": 翌月分のご優待(第9条第2項)\n"
            "この対応は2026年5月11日に済みました。2026年4月分の減額に代わるものですので、減額の差引きも返金もいたしません。"
        ),
        (
            "On 10 May 2026 you agreed to the following instead of a reduction or refund for April 2026: 翌月分の"
            "ご優待 (Article 9.2)\n"
            "It was done on 11 May 2026 and took the place of the reduction for April 2026, which is neither taken "
            "off nor refunded."
        ),
    ),
    (
        "remedy",
        {**REMEDY, "outcome": "withdrawn", "outcome_on": "2026-05-11"},
        (
            "2026年4月分の減額または返金に代えて、次の方法で対応することに、2026年5月10日にご同意をいただきました"
            ": 翌月分のご優待(第9条第2項)\n"
            "このご同意は2026年5月11日に取り消されましたので、2026年4月分の減額をお使いいただけます。"
        ),
        (
            "On 10 May 2026 you agreed to the following instead of a reduction or refund for April 2026: 翌月分の"
            "ご優待 (Article 9.2)\n"
            "You withdrew that on 11 May 2026, so you get the reduction for April 2026."
        ),
    ),
    (
        "remedy",
        {**REMEDY, "outcome": "lapsed", "outcome_on": "2026-05-11"},
        (
            "2026年4月分の減額または返金に代えて、次の方法で対応することに、2026年5月10日にご同意をいただきました"
            ": 翌月分のご優待(第9条第2項)\n"
            "この対応は期日までに行われませんでしたので、2026年4月分の減額をお使いいただけます。"
        ),
        (
            "On 10 May 2026 you agreed to the following instead of a reduction or refund for April 2026: 翌月分の"
            "ご優待 (Article 9.2)\n"
            "It was not done by its day, so you get the reduction for April 2026."
        ),
    ),
    (
        "remedy",
        {**REMEDY, "by_on": None},
        (
            "2026年4月分の減額または返金に代えて、次の方法で対応することに、2026年5月10日にご同意をいただきました"
            ": 翌月分のご優待(第9条第2項)\n"
            "対応が済むまで、2026年4月分の減額は差し引きも返金もいたしません。対応が済めば減額に代わるものとなり、"
            "対応が行われなかった場合またはご同意を取り消された場合は、減額をお使いいただけます。"
        ),
        (
            "On 10 May 2026 you agreed to the following instead of a reduction or refund for April 2026: 翌月分の"
            "ご優待 (Article 9.2)\n"
            "Until then the reduction for April 2026 is neither taken off nor refunded. Once the remedy is done i"
            "t takes its place; if it is not done, or you withdraw your consent, you get the reduction."
        ),
    ),
    (
        "credit",
        CREDIT,
        (
            "2026年6月20日発行のご請求(請求番号: 12)から、サービス停止による減額分を差し引きました。(第9条第2項)\n"
            "差引き後のご請求額は400円、お支払期日は2026年6月20日です。\n"
            "利用料金(税込): 500円\n"
            "サービス停止による減額(2026年4月分): -100円\n"
            "差引きご請求額: 400円"
        ),
        (
            "Reductions for service outages were taken off the bill of 20 June 2026 (number: 12). (Article 9.2)\n"
            "What is left to pay is 400 yen, due on 20 June 2026.\n"
            "Fee, tax included: 500 yen\n"
            "Reduction for service outages in April 2026: -100 yen\n"
            "To pay: 400 yen"
        ),
    ),
    (
        "credit",
        {**CREDIT, "method": "other", "pay_to": "みずほ銀行 本店 普通 1234567"},
        (
            "2026年6月20日発行のご請求(請求番号: 12)から、サービス停止による減額分を差し引きました。(第9条第2項)\n"
            "差引き後のご請求額は400円、お支払期日は2026年6月20日です。\n"
            "下記の口座へのお振込みでもお支払いいただけます。\n振込依頼人名の前に、お支払い番号をご入力ください。\n"
            "お振込先: みずほ銀行 本店 普通 1234567\nお支払い番号: 200001294\n"
            "利用料金(税込): 500円\n"
            "サービス停止による減額(2026年4月分): -100円\n"
            "差引きご請求額: 400円"
        ),
        (
            "Reductions for service outages were taken off the bill of 20 June 2026 (number: 12). (Article 9.2)\n"
            "What is left to pay is 400 yen, due on 20 June 2026.\n"
            "You may also pay by transfer to the account below.\nPlease put the payment number before your name.\n"
            "Account: みずほ銀行 本店 普通 1234567\nPayment number: 200001294\n"
            "Fee, tax included: 500 yen\n"
            "Reduction for service outages in April 2026: -100 yen\n"
            "To pay: 400 yen"
        ),
    ),
    (
        "credit",
        {**CREDIT, "credits": [["2026-03", 200], ["2026-04", 300]], "credit_yen": 500, "charged_yen": 0},
        (
            "2026年6月20日発行のご請求(請求番号: 12)から、サービス停止による減額分を差し引きました。(第9条第2項)\n"
            "差引き後のご請求額は0円です。お支払いいただく金額はありません。\n"
            "利用料金(税込): 500円\n"
            "サービス停止による減額(2026年3月分): -200円\n"
            "サービス停止による減額(2026年4月分): -300円\n"
            "差引きご請求額: 0円"
        ),
        (
            "Reductions for service outages were taken off the bill of 20 June 2026 (number: 12). (Article 9.2)\n"
            "Nothing is left to pay.\n"
            "Fee, tax included: 500 yen\n"
            "Reduction for service outages in March 2026: -200 yen\n"
            "Reduction for service outages in April 2026: -300 yen\n"
            "To pay: 0 yen"
        ),
    ),
    (
        "refund",
        REFUND,
        (
            "2026年4月のサービス停止による減額分を、2026年5月20日のお支払いに使われたカードへ、2026年6月2日に返金"
            "いたしました。(第9条第2項)\n"
            "ご利用明細に現れる日は、カード会社により異なります。\n"
            "ご返金額: 100円"
        ),
        (
            "The reduction for service outages in April 2026 was refunded on 2 June 2026 to the card that paid on 2"
            "0 May 2026. (Article 9.2)\n"
            "When it shows on your statement depends on your card company.\n"
            "Refunded: 100 yen"
        ),
    ),
]
