"""Facts in people's words, and the files of sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from keizoku.terms.rendering import read_templates, templates
from keizoku.terms.words import spoken


@pytest.mark.parametrize(
    ("name", "value", "ja", "en"),
    [
        ("fee_yen", 1_234_567, "1,234,567円", "1,234,567 yen"),
        ("yen", -5, "-5円", "-5 yen"),
        ("stop_seconds", 12_961, "3時間36分1秒", "3 h 36 min 1 s"),
        ("seconds", 0, "0秒", "0 s"),
        ("seconds", 90_000, "25時間", "25 h"),
        ("late_seconds", -60, "-1分", "-1 min"),
        ("due_on", "2026-04-30", "2026年4月30日", "30 April 2026"),
        ("month", "2026-04", "2026年4月", "April 2026"),
        ("received_at", "2026-04-10T09:00:00+09:00", "2026年4月10日 09:00", "10 April 2026 09:00 JST"),
        ("received_at", "2026-04-09T15:00:01Z", "2026年4月10日 00:00:01", "10 April 2026 00:00:01 JST"),
        ("received_at", 0, "1970年1月1日 09:00", "1 January 1970 09:00 JST"),
        ("rate", "0.146", "14.6%", "14.6%"),
        ("quorum_share", Fraction(1, 20), "5%", "5%"),
        ("due_at", None, "—", "—"),
        ("affected", 50_001, 50_001, 50_001),
        ("others", ["c-1", "c-2"], "c-1、c-2", "c-1, c-2"),
        ("windows", [], "なし", "none"),
    ],
)
def test_a_fact_is_told_by_the_last_word_of_its_name(name: str, value: Any, ja: Any, en: Any) -> None:
    assert (spoken(name, value, "ja"), spoken(name, value, "en")) == (ja, en)


def test_windows_name_the_second_day_only_where_it_is_another() -> None:
    pairs = [
        ["2026-04-10T09:00:00+09:00", "2026-04-10T11:30:00+09:00"],
        ["2026-04-10T23:00:00+09:00", "2026-04-11T00:00:00+09:00"],
        ["2026-04-10T23:54:00+09:00", "2026-04-11T00:06:00+09:00"],
    ]
    assert spoken("recognised_windows", pairs, "ja") == (
        "2026年4月10日 09:00〜11:30、2026年4月10日 23:00〜24:00、2026年4月10日 23:54〜2026年4月11日 00:06"
    )
    assert spoken("recognised_windows", pairs, "en") == (
        "10 April 2026 09:00–11:30 JST, 10 April 2026 23:00–24:00 JST, 10 April 2026 23:54–11 April 2026 00:06 JST"
    )
    start = int(datetime(2026, 4, 10, tzinfo=UTC).timestamp())
    assert spoken("windows", [[start, start + 60]], "en") == "10 April 2026 09:00–09:01 JST"


def test_files_of_sentences_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[claim.late]\nja = "遅い"\nen = "late"\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text('["invoice"]\nja = "請求"\nen = "invoice"\n', encoding="utf-8")
    assert read_templates(tmp_path) == {
        "claim.late": {"ja": "遅い", "en": "late"},
        "invoice": {"ja": "請求", "en": "invoice"},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[claim.late]\nja = "遅い"\n', r"'claim.late' needs exactly ja and en, it has \['ja'\]"),
        ('[claim.late]\nja = "x"\nen = "x"\nde = "x"\n', "needs exactly ja and en"),
        ("[claim.late]\nja = 1\n", "claim.late.ja is neither a sentence nor a table"),
        ('[taken]\nja = "x"\nen = "x"\n', "'taken' is already in another file"),
    ],
)
def test_a_file_of_sentences_says_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.toml").write_text('[taken]\nja = "x"\nen = "x"\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        read_templates(tmp_path)


def test_both_languages_of_every_sentence_use_the_same_facts() -> None:
    def names(template: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(template) if name is not None}

    differing = {key: words for key, words in templates().items() if names(words["ja"]) != names(words["en"])}
    assert differing == {}
