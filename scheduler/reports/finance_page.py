"""The month's report as one page that opens offline: figures that lead to the tables behind them, pictures, tables.

Tables are sorted and filtered by a few lines of script of the page's own; without it everything can still be read. A
table of more than ON_PAGE rows shows the first ones, and the whole is in the CSV beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from html import escape
from itertools import islice

from markupsafe import Markup

from keizoku.scheduler.reports.finance import Column, FinanceReport
from keizoku.scheduler.reports.finance_rows import AGES, DUNNING
from keizoku.scheduler.reports.templates import templates_in
from keizoku.sla.pictures.timeline import month_svg
from keizoku.sla.rules.intervals import length
from keizoku.terms import words
from keizoku.terms.rendering import Lang, sentence, templates

ON_PAGE = 2_000
"""Rows of a table that the page shows."""
_STATES = (
    ("applied", "充当", "applied"), ("granted", "決定", "granted"), ("refunded", "返金", "refunded"),
    ("rejected", "却下", "rejected"), ("pending", "判定前", "pending"), ("withdrawn", "取消し", "withdrawn"),
    ("open", "未了", "open"), ("paid", "支払済み", "paid"), ("void", "無効", "void"),
    ("resolved", "解決済み", "resolved"), ("opening", "月初残高", "opening"),
    ("unexplained", "説明なし", "unexplained"),
    ("deadline", "申請期限後", "after the deadline"), ("not_member", "会員期間なし", "not a member"),
    ("method", "カード以外", "not by card"), ("threshold", "基準時間以下", "at or below the threshold"),
    ("late", "計上が遅れている日", "days not recognised yet"), ("when_paid", "支払われたとき", "when paid"),
    ("by_people", "手入力の仕訳", "posted by hand"),
)  # fmt: skip
_JA = {**{en: ja for _, ja, en in AGES}, **{code: ja for code, ja, _ in (*DUNNING, *_STATES)}}
_EN = {code: en for code, _, en in (*DUNNING, *_STATES)}
_CODED: Mapping[str, tuple[str, ...]] = {
    "event": ("entry",), "kind": ("exception", "task"),
    "age": (), "outcome": (), "reason": (), "state": (), "what": (), "when": (),
}  # fmt: skip
"""Columns of codes, which the page calls by their names: in the sentences under `word.*`, or above."""
_BLUE, _RED, _INK = "#0059a3", "#a02c00", "#1b1f27"


def finance_page(report: FinanceReport, lang: Lang) -> str:
    """The page in one language."""
    ja = lang == "ja"
    gross = report.month.days * 86_400
    unusable = length(report.service.unusable)
    tables = []
    for table in report.tables:
        with table.reading() as every:
            rows = list(islice(every, ON_PAGE + 1))
        tables.append((table, [[_shown(value, column, lang) for value, column in zip(row, table.columns, strict=True)]
                               for row in rows[:ON_PAGE]], len(rows) > ON_PAGE))  # fmt: skip
    return templates_in().get_template("finance.html.j2").render(
        report=report,
        lang=lang,
        say=lambda japanese, english: japanese if ja else english,
        month=words.month(report.month, ja),
        made_at=words.instant(report.made_at, ja),
        unusable=words.duration(unusable, ja),
        available=f"{(gross - unusable) * 100_000 // gross / 1000:.3f}%",
        timeline=Markup(month_svg(report.service, report.policy, lang)),  # noqa: S704
        revenue=Markup(_bars([(day[5:], yen, "revenue", day) for day, yen in report.revenue], "¥")),  # noqa: S704
        ages=Markup(_bars([(each.ja if ja else each.en, each.value, "receivables", each.only)  # noqa: S704
                           for each in report.ages], "¥")),
        dunning=Markup(_bars([(each.ja if ja else each.en, each.value, "dunning", each.only)  # noqa: S704
                              for each in report.dunning], "")),
        tables=tables,
        on_page=ON_PAGE,
    )  # fmt: skip


def _bars(rows: Iterable[tuple[str, int, str, str]], sign: str) -> str:
    """Bars with their numbers, each a link to the rows that it counts."""
    drawn = list(rows)
    most = max((abs(value) for _, value, _, _ in drawn), default=0) or 1
    height = 24 * len(drawn) + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" class="bars" viewBox="0 0 720 {height}" width="720" role="img">']
    for at, (name, value, table, only) in enumerate(drawn):
        y = 24 * at + 4
        width = abs(value) * 420 // most
        amount = f"{'-' if value < 0 else ''}{sign}{abs(value):,}"
        parts.append(
            f'<a href="#t-{table}" data-only="{escape(only)}"><text x="0" y="{y + 14}">{escape(name)}</text>'
            f'<rect x="170" y="{y}" width="{width}" height="17" fill="{_RED if value < 0 else _BLUE}"/>'
            f'<text x="{178 + width}" y="{y + 14}" fill="{_INK}">{amount}</text></a>'
        )
    return "".join((*parts, "</svg>"))


def _shown(value: object, column: Column, lang: Lang) -> tuple[str, str]:
    """A cell as it is read, and as it is sorted by."""
    if value is None:
        return "", ""
    if isinstance(value, int):
        return (f"{value:,}" if column.kind == "yen" else str(value)), str(value)
    if isinstance(value, date):
        return value.isoformat(), value.isoformat()
    return _word(str(value), column, lang), str(value)


def _word(code: str, column: Column, lang: Lang) -> str:
    """What a code is called; other texts, such as an account called "open", as they are."""
    if column.key not in _CODED:
        return code
    for group in _CODED[column.key]:
        key = f"word.{group}.{code}"
        if key in templates():
            return sentence(key, lang, {})
    return (_JA if lang == "ja" else _EN).get(code, code)
