"""The month's budget as a page: what is unusable so far, what is left to each tier, and what carries the month.

    write_whole(path, budget_page(found, ("ja", "en")))

It opens offline, runs no script and asks for nothing else; of one `MonthBudget`, it says what the command says.
"""

from __future__ import annotations

from markupsafe import Markup

from keizoku.scheduler.reports.templates import Langs, both, templates_in
from keizoku.sla.months.budget import MonthBudget
from keizoku.sla.pictures.timeline import month_svg
from keizoku.sla.rules.intervals import as_iso
from keizoku.terms import words

__all__ = ["budget_page"]


def budget_page(found: MonthBudget, langs: Langs) -> str:
    """The page in one language or both."""
    ja = langs[-1] == "ja"

    def say(japanese: object, english: object) -> Markup:
        return both(japanese, english, langs)

    tiers = [
        (
            say(words.percent(each.tier.rate, ja=True), words.percent(each.tier.rate, ja=False)),
            each,
            min(each.used * 100 / each.tier.over_seconds, 100),
        )
        for each in found.tiers
    ]
    shown = words.windows(as_iso(found.measured.unknown), ja).splitlines() if found.measured.unknown else []
    return (
        templates_in()
        .get_template("budget.html.j2")
        .render(
            langs=langs,
            say=say,
            found=found,
            title=f"{found.month}",
            month=say(words.month(found.month, ja=True), words.month(found.month, ja=False)),
            at=words.instant(found.at, ja),
            tiers=tiers,
            next_tier=next((each for each in found.tiers if each.left is not None), None),
            picture=Markup(month_svg(found.measured, found.policy, "ja" if ja else "en")),  # noqa: S704
            days=[(words.day(day.on, ja), day) for day in found.days],
            unknown=shown,
        )
    )
