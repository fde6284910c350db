"""Names that are like a payer's, among many: found, and not by comparing each with each."""

import pytest

from keizoku.billing.receivables.bank import suggestions
from keizoku.billing.rules.bank.names import likeness


def test_of_many_names_only_those_that_share_letters_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counted(one: str, other: str) -> float:
        compared.append(other)
        return likeness(one, other)

    monkeypatch.setattr(suggestions, "likeness", counted)
    kana = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホ"
    many = [f"ヤマダ{one}{two}{three}" for one in kana for two in kana for three in kana[:4]]
    alike = suggestions._Alike([*many, "スズキハナコ", "スズキハナエ", "サトウ"])
    assert alike.of("スズキハナヨ") == ["スズキハナエ", "スズキハナコ"]
    assert len(compared) <= 50
    compared.clear()
    found = alike.of("ヤマダアイオ")
    assert "ヤマダアイウ" in found
    assert len(compared) == 50
    assert alike.of("ヤマダアイオ") == found
    assert (len(compared), alike.of(""), alike.of("ン")) == (50, [], [])
