"""The month's report as one page that opens offline: figures that lead to the tables behind them, pictures, tables.

A figure stands once, with the month before beside it. Tables are sorted and filtered by a few lines of script of the
page's own; without it everything can still be read. A table of more than ON_PAGE rows shows the first ones, and the
whole is in the CSV beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import islice

from markupsafe import Markup

from keizoku.billing.rules.books.chart import CHART
from keizoku.scheduler.reports.finance import Column, FinanceReport
from keizoku.scheduler.reports.finance_rows import AGES, BESIDES, DUNNING, Row
from keizoku.scheduler.reports.templates import file_page
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.rules.intervals import length
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms import words
from keizoku.terms.calendar import jst_day
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
    ("by_people", "手入力の仕訳", "posted by hand"), (BESIDES, "仕訳だけにあるもの", BESIDES),
    ("start", "月初", "at the start"), ("joined", "入会", "joined"), ("left", "退会", "left"),
    ("month", "1か月", "month"), ("year", "1年", "year"), ("kept", "預り金へ", "kept as a deposit"),
)  # fmt: skip
_JA = {**{en: ja for _, ja, en in AGES}, **{code: ja for code, ja, _ in (*DUNNING, *_STATES)}}
_ACCOUNTS = {each.ja: each.en for each in CHART}
_EN = {**{code: en for code, _, en in (*DUNNING, *_STATES)}, **_ACCOUNTS}
_CODED: Mapping[str, tuple[str, ...]] = {
    "event": ("entry",), "kind": ("exception", "task"), "method": ("method",), "reason": ("reason",),
    "age": (), "interval": (), "name": (), "outcome": (), "state": (), "what": (), "when": (),
}  # fmt: skip
"""Columns of codes, which the page calls by their names: in the sentences under `word.*`, or above."""
TILES = ("revenue", "recurring", "invoiced")
MONEY = (
    "recurring_with_tax", "charged", "tax", "granted", "applied", "refunded", "deferred", "interest_owed", "claims",
    "exceptions",
)  # fmt: skip
"""Where a figure stands. `scheduled` is `deferred` once more, and stands in the workbook and the JSON alone."""


def finance_page(report: FinanceReport, lang: Lang) -> str:
    """The page in one language."""
    ja = lang == "ja"
    tables = []
    for table in report.tables:
        with table.reading() as every:
            rows = list(islice(every, ON_PAGE + 1))
        tables.append((table, [[_shown(value, column, lang) for value, column in zip(row, table.columns, strict=True)]
                               for row in rows[:ON_PAGE]], len(rows) > ON_PAGE,
                       _shares(rows[:ON_PAGE]) if table.key == "revenue" else []))  # fmt: skip
    last_on = min(report.month.end_on - timedelta(days=1), max(jst_day(report.made_at), report.month.first_on))
    available = Markup('<a href="#stops">{}</a>').format(availability(report.service))
    facts = {
        "report": report,
        "month": words.month(report.month, ja),
        "before": words.month(report.month.previous(), ja),
        "made_at": words.instant(report.made_at, ja),
        "recurring_on": words.day(last_on, ja),
        "available_link": available,
        "available_before": availability(report.service_before) if report.service_before else "—",
        "timeline": Markup(month_on_page(report.service, report.policy, lang, sums=True)),  # noqa: S704
        "tiles": [report.figure(key) for key in TILES],
        "members": report.members,
        "ages": [each for each in report.ages if each.key != "age_besides" or each.value or each.prior],
        "receivable": report.figure("receivable"),
        "money": [report.figure(key) for key in MONEY],
        "tables": tables,
        "on_page": ON_PAGE,
    }
    title = f"{words.month(report.month, ja)} {'月次報告' if ja else 'monthly report'}"
    return file_page("finance.html.j2", (lang,), lambda _lang, _ids: facts, title)


def availability(service: ServiceMonth) -> str:
    """The share of a month's seconds that were not unusable, rounded down to thousandths of a percent."""
    gross = service.month.days * 86_400
    return f"{(gross - length(service.unusable)) * 100_000 // gross / 1000:.3f}%"


def english_name(account: str) -> str:
    """What an account of the chart, called by its Japanese name, is called in English."""
    return _ACCOUNTS.get(account, account)


def _shares(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """What was earned on each day as thousandths of the most, and how it is drawn."""
    earned = [int(str(row[3])) for row in rows]
    most = max((abs(yen) for yen in earned), default=0) or 1
    return [(abs(yen) * 1000 // most, "bad" if yen < 0 else "") for yen in earned]


def _shown(value: object, column: Column, lang: Lang) -> tuple[str, str]:
    """A cell as it is read, and as it is sorted by."""
    if value is None:
        return "", ""
    if isinstance(value, int):
        return (str(value) if column.kind == "count" else f"{value:,}"), str(value)
    if isinstance(value, date):
        return value.isoformat(), value.isoformat()
    if column.key == "rate" and value != "":
        return words.percent(str(value), lang == "ja"), str(value)
    return _word(str(value), column, lang), str(value)


def _word(code: str, column: Column, lang: Lang) -> str:
    """What a code is called; other texts, such as an account called "open", as they are."""
    if column.key not in _CODED:
        return code
    known = (_JA if lang == "ja" else _EN).get(code)
    if known is not None:
        return known
    for group in _CODED[column.key]:
        key = f"word.{group}.{code}"
        if key in templates():
            return sentence(key, lang, {})
    return code
