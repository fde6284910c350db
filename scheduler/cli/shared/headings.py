"""Headings of tables in Japanese. What can be typed (states, plans, methods, kinds, codes) stays as it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["headed", "heading", "headings"]

JA: Final = {
    "access": "利用",
    "account": "アカウント",
    "amount": "金額",
    "author": "記録者",
    "balance": "残高",
    "belongs_to": "対象の月",
    "body": "本文",
    "clause": "条項",
    "code": "コード",
    "control": "統制",
    "credit": "貸方",
    "credit_yen": "減額の残り",
    "date": "日付",
    "days": "日数",
    "days_overdue": "遅延日数",
    "debit": "借方",
    "deposit_yen": "預り金",
    "ended_on": "終了日",
    "entry": "仕訳",
    "event": "出来事",
    "exception": "例外",
    "handed_over_at": "送付日時",
    "handed_over_by": "送付者",
    "held_until": "保留の最終日",
    "id": "番号",
    "interest_yen": "遅延損害金",
    "issued_on": "発行日",
    "issuer": "発行者",
    "key": "キー",
    "kind": "種類",
    "late": "遅延入力",
    "ledger account": "勘定科目",
    "matched": "一致",
    "method": "支払方法",
    "one side": "一方",
    "other side": "他方",
    "plan": "プラン",
    "posted_on": "記帳日",
    "price_yen": "料金",
    "reason": "理由",
    "recorded_on": "記録日",
    "registration": "登録番号",
    "rows": "行数",
    "side": "側",
    "state": "状態",
    "stored_at": "保存日時",
    "subject": "件名",
    "supersedes": "置き換えた書類",
    "suspends_on": "停止予定日",
    "tax_yen": "うち消費税",
    "term": "契約期間",
    "terminates_on": "解除予定日",
    "type": "区分",
    "until": "先送り",
    "unpaid_yen": "未払い料金",
    "version": "版",
    "what to do": "対処",
    "when": "時期",
    "written_at": "作成日時",
    "yen": "円",
}


def heading(name: str, lang: str) -> str:
    """One heading; a name that has none stays."""
    return JA.get(name, name) if lang == "ja" else name.removeprefix("ledger ")


def headings(lang: str, *names: str) -> list[str]:
    """Several headings of a table."""
    return [heading(name, lang) for name in names]


def headed(row: Mapping[str, Any] | Iterable[tuple[str, Any]], lang: str) -> dict[str, Any]:
    """A row under the headings of a language."""
    pairs = row.items() if isinstance(row, Mapping) else row
    words = {True: "はい", False: "いいえ"} if lang == "ja" else {}
    return {heading(name, lang): words.get(value, value) if isinstance(value, bool) else value for name, value in pairs}
