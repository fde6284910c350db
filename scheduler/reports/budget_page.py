"""The month's budget as a page: what is unusable so far, what is left to each tier, and what carries the month.

    write_whole(path, budget_page(found, ("ja", "en")))

It opens offline, runs no script and asks for nothing else; of one `MonthBudget`, it says what the command says.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from keizoku.scheduler.reports.templates import Langs, file_page
from keizoku.sla.months.budget import MonthBudget
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.rules.intervals import as_iso
from keizoku.terms import words
from keizoku.terms.rendering import Lang

__all__ = ["budget_page"]


def budget_page(found: MonthBudget, langs: Langs) -> str:
    """The page, whole in each language."""
    return file_page("budget.html.j2", langs, lambda lang, ids: _page_facts(found, lang, ids), f"{found.month}")


def _page_facts(found: MonthBudget, lang: Lang, ids: str) -> dict[str, Any]:
    ja = lang == "ja"
    return {
        "found": found,
        "month": words.month(found.month, ja),
        "at": words.instant(found.at, ja),
        "tiers": [
            (words.percent(each.tier.rate, ja), each, min(each.used * 100 / each.tier.over_seconds, 100))
            for each in found.tiers
        ],
        "next_tier": next((each for each in found.tiers if each.left is not None), None),
        "picture": Markup(month_on_page(found.measured, found.policy, lang, ids=f"kz{ids}")),  # noqa: S704
        "days": [(words.day(day.on, ja), day) for day in found.days],
        "unknown": words.windows(as_iso(found.measured.unknown), ja).splitlines() if found.measured.unknown else [],
    }
