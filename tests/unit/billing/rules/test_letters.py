"""Letters about decisions: the whole letter of every kind, in both languages."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.letters import Heading, LetterText, PrintedLetter, letter_text, printed
from keizoku.db.tables.letters import LETTER_KINDS
from keizoku.terms.rendering import templates
from tests.worlds.whole_letters import ENDED
from tests.worlds.whole_letters import WHOLE as OF_PREMIUM
from tests.worlds.whole_link_letters import LINK_LETTERS

WHOLE = [*OF_PREMIUM, *LINK_LETTERS]
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
        if key.startswith("letter.") and "{" not in words["ja"] and key not in ("letter.greeting", "letter.closing")
    ]
    assert [words for words in fixed if words not in said] == ["ご契約を更新いたしませんでした。(第3条第3項)"]


def test_an_end_for_a_reason_without_words_of_its_own_is_told_all_the_same() -> None:
    told = letter_text("contract_end", {**ENDED, "reason": "new_reason"}, "en")
    assert told.paragraphs[2] == "It was not renewed. (Article 3.3)"


def test_a_letter_has_sender_addressee_date_subject_and_close() -> None:
    heading = Heading("L7", date(2026, 5, 3), Issuer("継続株式会社", "東京都港区1-2-3"), "山田 花子")
    assert printed(heading, "件名", LetterText(("本文",), (("ご返金額", 100),)), "ja") == PrintedLetter(
        lang="ja",
        number="文書番号 L7",
        date="2026年5月3日",
        addressee="山田 花子 様",
        sender=("継続株式会社", "東京都港区1-2-3"),
        subject="件名",
        paragraphs=("本文",),
        amounts=(("ご返金額", 100),),
        closing="以上",
        unit="円",
    )
