"""What is said of a refusal in Japanese: its registered sentence, its facts, its remedy; no English among them."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from keizoku.terms.refusal import Refused
from keizoku.web.pages.shared.told import told_by
from keizoku.web.pages.shared.words import every_word

ACTS: Any = {"accounts.release": SimpleNamespace(name="accounts.release", kind="act", command="account release")}


@pytest.mark.parametrize(
    ("refused", "title", "facts", "remedy"),
    [
        (
            Refused("account.held", "account u7: taro holds it until 2026-05-09", "`keizoku account release`"),
            "このアカウントはすでに保留されています。",
            "対象: アカウント u7、2026-05-09",
            "「アカウントの保留を解除する」",
        ),
        (
            Refused("account.hold_over", "account a7: 2026-01-02 is over", "name a day to come"),
            "保留の最終日はすでに過ぎています。",
            "対象: アカウント a7、2026-01-02",
            "今日以降の日を指定してください。",
        ),
        (
            Refused("account.held", "account u7: 1,500 yen of invoice 12 since 2026-04-30 10:00", "`keizoku night`"),
            "このアカウントはすでに保留されています。",
            "対象: アカウント u7、1,500円、請求 12、2026-04-30 10:00",
            "`keizoku night`",
        ),
        (Refused("account.not_held", "nobody holds it"), "このアカウントは保留されていません。", "", ""),
    ],
    ids=["the act of a command", "a day", "a sum and numbers", "nothing more"],
)
def test_a_refusal_is_told_whole(refused: Refused, title: str, facts: str, remedy: str) -> None:
    problem: dict[str, Any] = {
        "type": f"/v1/problems/{refused.code}", "title": "", "detail": refused.sentence, "remedy": refused.remedy,
        "clause": None, "findings": [],
    }  # fmt: skip
    told = told_by(problem, "ja", ACTS)
    assert (told["title"], told["detail"], told["remedy"]) == (title, facts, remedy)


def test_every_remedy_in_japanese_is_japanese() -> None:
    for english, japanese in every_word()["remedy"].items():
        assert re.search("[ぁ-ん]", japanese), english
        assert japanese.endswith("。"), english
