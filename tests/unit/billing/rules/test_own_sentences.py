"""An operator's own words in letters: used where they are right, refused in one line where they are not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from keizoku.billing.rules.documents.letters import letter_text
from keizoku.scheduler.own_sentences import own_sentences
from keizoku.scheduler.settings import SettingsError, load_settings
from keizoku.terms.rendering import saying, sentence

NO_TEXT = "cannot be read: ours.toml: letter.greeting.ja is neither a sentence nor a table"
FACTS = {"claim": "c1", "outage_month": "2026-04", "received_on": date(2026, 5, 2)}


def written(folder: Path, text: str) -> Path:
    (folder / "ours.toml").write_text(text, encoding="utf-8")
    return folder


def test_single_sentences_are_said_in_own_words_and_the_rest_in_ours(tmp_path: Path) -> None:
    own, findings = own_sentences(
        written(
            tmp_path,
            '[letter.greeting]\nja = "いつもありがとうございます。"\n'
            '[letter.claim_received.main]\nja = "{received_on}に{outage_month}のご申請{claim}を承りました。"\n',
        )
    )
    assert findings == []
    ours = letter_text("claim_received", FACTS, "ja"), letter_text("claim_received", FACTS, "en")
    with saying(own):
        said = letter_text("claim_received", FACTS, "ja")
        assert letter_text("claim_received", FACTS, "en") == ours[1]
    assert said.paragraphs == (
        "いつもありがとうございます。",
        "2026年5月2日に2026年4月のご申請c1を承りました。",
        ours[0].paragraphs[2],
    )
    assert letter_text("claim_received", FACTS, "ja") == ours[0]  # elsewhere nothing is changed


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ('[letter.greetings]\nja = "x"', ["is no sentence of letters"]),
        ('[word.task.set_aside]\nja = "x"', ["is no sentence of letters"]),
        ('[letter.number]\nja = "番号"', ["lacks {number}"]),
        ('[letter.number]\nja = "{number} {account}"', ["has {account}"]),
        ('[letter.number]\nja = "{number.__class__}"', ["lacks {number}", "has {number.__class__}"]),
        ('[letter.number]\nja = "{number!r}"', ["lacks {number}", "has {number!r}"]),
        ('[letter.number]\nja = "{number"', ["its braces are wrong: expected '}' before end of string"]),
        ('[letter.greeting]\nja = " "', ["says nothing"]),
        ('[letter.greeting]\nfr = "Bonjour"', ["a sentence has ja and en"]),
        (
            "[letter.greeting]\nja = 7",
            [NO_TEXT],
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, rules: list[str]) -> None:
    _, findings = own_sentences(written(tmp_path, text))
    assert [each.rule for each in findings] == rules


def test_a_wrong_folder_is_refused_in_one_line_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEIZOKU_LETTERS_DIR", str(written(tmp_path, '[letter.number]\nja = "番号"\nen = "{number}"\n')))
    with pytest.raises(SettingsError) as refused:
        load_settings().own_letters()
    said = str(refused.value)
    assert said.startswith(f"KEIZOKU_LETTERS_DIR={tmp_path}: ")
    assert "letter.number ja" in said
    assert "lacks {number}" in said
    assert "\n" not in said
    written(tmp_path, '[letter.number]\nja = "書類 {number}"\n')
    with saying(load_settings().own_letters()):
        assert sentence("letter.number", "ja", {"number": "L7"}) == "書類 L7"
