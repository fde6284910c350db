"""`keizoku sla budget`: the month while it runs, and how far it is from costing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Language, month_of
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail, table

if TYPE_CHECKING:
    from rich.console import Console

    from keizoku.sla.months.budget import MonthBudget


def add_to(app: typer.Typer) -> None:
    """Put it under `keizoku sla`."""
    app.command(
        "budget",
        help=japanese(
            "月の途中経過: これまでの利用不能時間、各段階までの残り、どの除外がそれを支えているか。"
            "50、80、100 % の警報は docs/how-to/operate.md。"
        ),
    )(budget)


def budget(
    month: Annotated[str, typer.Argument(help=both("The month; default: this one.", "月。省略すると今月。"))] = "",
    lang: Annotated[Language, typer.Option(help=both("The language.", "言語。"))] = SPOKEN,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help=both("Write it as a page, too (HTML).", "ページ(HTML)にも書き出します。"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Unusable seconds of a month so far, what is left to each tier, and which exclusions carry it.

    A month under way counts until now. An exclusion carries it where without it a higher tier would be reached.
    """
    from keizoku.sla.months.budget import budget_of
    from keizoku.sla.months.month_facts import NoPopulationError, keep_days
    from keizoku.terms.calendar import Month
    from keizoku.terms.policy import UncoveredDateError

    now = datetime.now(UTC)
    about = month_of(month) if month else Month.of(now)
    with open_services() as services:
        try:
            keep_days(services.session, services.rules, about, now)
            found = budget_of(services.session, services.rules, about, now)
        except (NoPopulationError, UncoveredDateError) as error:
            fail(str(error))
    if page is not None:
        _write(page, found, (lang.value,))
    emit(found.to_json(), as_json, lambda console: _print(console, found, lang.value == "ja"))


def _write(path: Path, found: MonthBudget, langs: tuple[str, ...]) -> None:
    from keizoku.scheduler.files import write_whole
    from keizoku.scheduler.reports.budget_page import budget_page

    try:
        write_whole(path, budget_page(found, langs))
    except OSError as error:
        fail(f"--page {path}: {error.strerror}")


def _print(console: Console, found: MonthBudget, ja: bool) -> None:
    from keizoku.sla.pictures.timeline import LOOKS
    from keizoku.terms.words import duration, percent

    so_far = f"{found.month}: {duration(found.unusable, ja)} ({found.unusable:,} s)"
    console.print(so_far if not ja else f"{so_far} の利用不能時間")
    heads = ("段階", "超える秒数", "残り", "%") if ja else ("credit", "over", "left", "%")
    reached = "到達" if ja else "reached"
    rows = (
        (
            percent(each.tier.rate, ja),
            f"{each.tier.over_seconds:,}",
            reached if each.left is None else f"{each.left:,}",
            each.percent_used,
        )
        for each in found.tiers
    )
    console.print(table(heads, rows))
    if found.exclusions:
        heads = ("除外", "秒", "なければ", "") if ja else ("exclusion", "seconds", "without it", "")
        carries = "支えている" if ja else "carries"
        rows_of = (
            (
                LOOKS[each.bucket].ja if ja else each.bucket,
                f"{each.seconds:,}",
                f"{each.unusable_without:,}",
                carries if each.carries else "",
            )
            for each in found.exclusions
        )
        console.print(table(heads, rows_of))
    if found.unknown:
        unknown = f"{found.unknown:,} s"
        worst = f"{found.unusable_if_unknown_was_down:,} s"
        en = f"{unknown} are unknown; if the service was down then, {worst} are unusable"
        console.print(f"不明 {unknown}。停止であったなら利用不能時間は {worst}" if ja else en, soft_wrap=True)
