"""Letters about decisions: the whole letter of every kind, in both languages."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest

from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer, issuer_changes
from keizoku.billing.rules.documents.letters import (
    Heading,
    LetterText,
    PrintedLetter,
    addressed,
    letter_text,
    printed,
    printed_of_json,
)
from keizoku.db.tables.letters import LETTER_KINDS
from keizoku.terms.rendering import templates
from tests.worlds.whole_end_letters import ENDED
from tests.worlds.whole_end_letters import WHOLE as OF_ENDS
from tests.worlds.whole_letters import REJECTED
from tests.worlds.whole_letters import WHOLE as OF_PREMIUM
from tests.worlds.whole_link_letters import LINK_LETTERS

WHOLE = [*OF_PREMIUM, *OF_ENDS, *LINK_LETTERS]
HELLO_JA = "平素より当社のサービスをご利用いただき、誠にありがとうございます。"
HELLO_EN = "Thank you for using our service."


@pytest.mark.parametrize(("kind", "facts", "ja", "en"), WHOLE)
def test_9_2__each_letter_says_what_was_decided_and_what_comes_of_it(
    kind: str, facts: dict[str, Any], ja: str, en: str
) -> None:
    assert letter_text(kind, facts, "ja").plain("ja") == HELLO_JA + "\n" + ja
    assert letter_text(kind, facts, "en").plain("en") == HELLO_EN + "\n" + en


def test_every_kind_of_letter_and_every_sentence_is_in_a_whole_letter_here() -> None:
    assert {kind for kind, *_ in WHOLE} == set(LETTER_KINDS)
    said = "\n".join(ja for _, _, ja, _ in WHOLE)
    fixed = [
        words["ja"]
        for key, words in templates().items()
        if key.split(".")[0] == "letter" and key.split(".")[1] in LETTER_KINDS and "{" not in words["ja"]
    ]
    assert [words for words in fixed if words not in said] == ["ご契約を更新いたしませんでした。(第3条第3項)"]


def test_an_end_for_a_reason_without_words_of_its_own_is_told_all_the_same() -> None:
    told = letter_text("contract_end", {**ENDED, "reason": "new_reason"}, "en")
    assert told.paragraphs[2] == "It was not renewed. (Article 3.3)"


def step(clause: str, key: str, **facts: object) -> dict[str, object]:
    return {"clause": clause, "key": key, "facts": facts}


def test_9_2__a_letter_about_a_claim_says_what_was_measured_and_what_each_clause_took() -> None:
    night = [["2026-04-11T01:00:00+09:00", "2026-04-11T03:40:00+09:00"]]
    counts = [["2026-04-10T21:10:00+09:00", "2026-04-11T01:00:00+09:00"]]
    workings = [
        step("premium/9.3", "claim.stops", month="2026-04", quorum_share="0.05", gross_seconds=23_400),
        step("premium/9.4.1", "claim.excluded.night", night_from="01:00", night_to="06:00",
             excluded_seconds=9_600, excluded_windows=night),
        step("premium/9.2", "claim.recognised", recognised_seconds=13_800, recognised_windows=counts),
    ]  # fmt: skip
    granted = next(facts for kind, facts, *_ in WHOLE if kind == "claim_granted")
    plain = letter_text("claim_granted", granted, "ja").paragraphs
    told = letter_text("claim_granted", {**granted, "workings": workings}, "ja").paragraphs
    assert told == (
        *plain[:2],
        "2026年4月に、全利用者の5%を超える方がご利用になれなかった時間は、合計6時間30分でした。(第9条第3項)",
        (
            "このうち2時間40分は、01:00から06:00まで(日本時間)の夜間ですので、含みません(2026年4月11日 01:00〜03:40)。"
            "(第9条第4項第1号)"
        ),
        "認められた使用不能時間は3時間50分です(2026年4月10日 21:10〜2026年4月11日 01:00)。(第9条第2項)",
        *plain[2:],
    )
    rejected = {**REJECTED, "reason": "threshold", "threshold_seconds": 12_960, "workings": workings}
    english = letter_text("claim_rejected", rejected, "en").paragraphs
    assert english[2:6] == (
        "The unusable time that we recognise is 3 h 36 min. It takes more than 3 h 36 min in a month. (Article 9.2)",
        "In April 2026, more than 5% of all users could not use the service for 6 h 30 min in total. (Article 9.3)",
        (
            "Of this, 2 h 40 min lies in the night hours from 01:00 to 06:00, Japan time, and is not counted "
            "(11 April 2026 01:00–03:40 JST). (Article 9.4.1)"
        ),
        (
            "The unusable time that we recognise is 3 h 50 min (10 April 2026 21:10–11 April 2026 01:00 JST)."
            " (Article 9.2)"
        ),
    )


def test_9_5__a_deadline_within_a_day_is_told_to_the_minute() -> None:
    facts = {**REJECTED, "reason": "deadline", "deadline_at": "2026-06-01T08:00:00+09:00"}
    assert letter_text("claim_rejected", facts, "ja").paragraphs[2] == (
        "ご申請が受付の期限を過ぎていました。2026年4月分のご申請は、2026年6月1日 08:00より前に届く必要がありました。"
        "(第9条第5項)"
    )


def test_a_letter_has_sender_addressee_date_subject_and_close() -> None:
    issuer = Issuer("継続株式会社", "東京都港区1-2-3", contact="03-1234-5678")
    heading = Heading("L7", date(2026, 5, 3), issuer, "hanako")
    to_account = printed(heading, "件名", LetterText(("本文",), (("ご返金額", 100),), (("支払期日", "本日"),)), "ja")
    assert to_account == PrintedLetter(
        lang="ja",
        number="文書番号 L7",
        date="2026年5月3日",
        addressee="hanako 様",
        sender=("継続株式会社", "東京都港区1-2-3", "お問い合わせ先 03-1234-5678"),
        subject="件名",
        paragraphs=("本文",),
        amounts=(("ご返金額", 100),),
        closing="以上",
        unit="円",
        details=(("支払期日", "本日"),),
        note="記",
    )
    named = addressed(to_account, "hanako", Addressee("山田 花子", ("〒150-0001", "東京都渋谷区1-2-3")))
    assert named == replace(
        to_account,
        addressee="山田 花子 様",
        customer="お客様番号 hanako",
        address=("〒150-0001", "東京都渋谷区1-2-3"),
    )
    assert printed_of_json(json.loads(json.dumps(asdict(named)))) == named


def test_a_letter_is_from_whoever_the_issuer_was_on_its_day() -> None:
    issuer = Issuer("旧株式会社", "港区", changes=issuer_changes(("2026-05-03/新株式会社/", "2026-06-01//渋谷区")))
    senders = [
        printed(Heading("L7", on, issuer, "hanako"), "件名", LetterText(("本文",)), "ja").sender
        for on in (date(2026, 5, 2), date(2026, 5, 3), date(2026, 6, 1))
    ]
    assert senders == [("旧株式会社", "港区"), ("新株式会社", "港区"), ("新株式会社", "渋谷区")]
