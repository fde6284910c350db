"""`keizoku tasks`: all that waits for people, in one list; what ends each; done by a word, or put off until a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headed
from keizoku.scheduler.cli.shared.ids import TaskId, task_id
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Author, Ground, Language, OnlyAccount, day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages
from keizoku.scheduler.cli.shared.output import FOUND, emit

if TYPE_CHECKING:
    from keizoku.scheduler.reports.work.work_list import WorkItem

app = typer.Typer(
    help=both(
        "All that waits for people: list, show, done, snooze.", "担当者を待つすべて: 一覧、表示、処理済み、先送り。"
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Lang = Annotated[Language, typer.Option(help=both("The language of the output.", "説明の言語。"))]
NOTHING = both("nothing waits for people", "担当者を待つものはありません")


@app.command("list", help=japanese("担当者を待つもの。古い順。あれば終了コード 1。"))
def list_tasks(
    kind: Annotated[
        list[str] | None, typer.Option(help=both("Only this kind; may be repeated.", "この種類だけ。繰り返し可。"))
    ] = None,
    account: OnlyAccount = None,
    min_age: Annotated[
        int,
        typer.Option(
            "--min-age",
            min=0,
            max=36_500,
            help=both("Only what has waited at least so many days.", "この日数以上待つものだけ。"),
        ),
    ] = 0,
    snoozed: Annotated[
        bool, typer.Option("--snoozed", help=both("What was snoozed, instead.", "先送りにしたものを表示します。"))
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """What waits for people, the oldest first; exit 1 if anything does."""
    from keizoku.scheduler.reports.work.work_list import waiting_counts, waiting_for_people

    page = Page.wanted(limit, task_id(after) if after else "", everything)
    chosen: dict[str, Any] = {
        "kinds": kind or (),
        "account": account,
        "min_age_days": min_age,
        "snoozed": snoozed,
        "most_missed": settings_of_this_process().most_missed_nights,
    }
    now = datetime.now(UTC)
    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[dict[str, Any]]:
            found = waiting_for_people(services.session, now, limit=limit, after=after, **chosen)
            return [each.to_json() if as_json else _row(each, lang) for each in found]

        def count() -> int:
            return sum(waiting_counts(services.session, now, **chosen).values())

        pages = Pages(read, count)
        emit_pages(pages, page, NOTHING, as_json, lambda rows: emit([headed(row, lang.value) for row in rows]))
        waits = count()
    if waits and not snoozed:
        raise typer.Exit(FOUND)


@app.command(help=japanese("一つの項目: 内容、条項、処理するコマンド。"))
def show(number: TaskId, lang: Lang = SPOKEN, as_json: AsJson = False) -> None:
    """One of them: what it is, since when, under which clause, and the command that ends it."""
    from keizoku.scheduler.reports.work.work_list import work_item

    with services_now() as (services, now):
        item = work_item(services.session, number, now, settings_of_this_process().most_missed_nights)
    if as_json:
        emit(item.to_json(), as_json=True)
        return
    shown: dict[str, Any] = {
        **_row(item, lang),
        "when": item.since,
        "clause": item.clause or "",
        "until": item.snoozed_until or "",
        **{str(name): value for name, value in item.detail.items() if name not in ("clause", "remedy")},
        "what to do": item.remedy,
    }
    emit(headed(shown, lang.value))


@app.command(
    help=japanese("担当者が処理しました。一覧から消え、記録は残ります。専用のコマンドで終わるものは、それを示します。")
)
def done(number: TaskId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """People have dealt with it: it leaves the list and stays on record. For the rest, it names the command."""
    from keizoku.scheduler.reports.work.work_list import done as record

    with services_now() as (services, now):
        record(services.session, number, author, ground, now)
    emit(
        {"id": number, "done": True} if as_json else both(f"{number} is done", f"{number} を処理済みにしました"),
        as_json,
    )


@app.command(help=japanese("その日まで一覧から外します。`tasks list --snoozed` で見られます。"))
def snooze(
    number: TaskId,
    until: Annotated[
        str,
        typer.Option("--until", metavar="DATE", help=both("The day it comes back, in Japan.", "一覧に戻る日(日本)。")),
    ],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """Put it off until a day: it is left out of the list until then; `tasks list --snoozed` shows it."""
    from keizoku.scheduler.reports.work.work_list import snooze as record

    until_on = day(until)
    with services_now() as (services, now):
        record(services.session, number, until_on, author, ground, now)
    told = both(f"{number} comes back on {until_on}", f"{number} は{until_on}に一覧に戻ります")
    emit({"id": number, "snoozed_until": until_on} if as_json else told, as_json)


def _row(item: WorkItem, lang: Language) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "account": item.account or "",
        "days": item.age_days,
        "yen": item.amount_yen,
        "subject": item.what_ja if lang is Language.JA else item.what_en,
    }
