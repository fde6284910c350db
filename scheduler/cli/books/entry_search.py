"""`keizoku ledger find`: entries by day, sum and counterparty, late ones marked."""

from __future__ import annotations

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.headings import headed, heading
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, FromYen, Language, OnlyAccount, ToYen, day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages
from keizoku.scheduler.cli.shared.output import fail

__all__ = ["add_to"]

From = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help=both("Posted on or after this day.", "この日以後の記帳。"))
]
To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help=both("Posted on or before this day.", "この日以前の記帳。"))
]
LateAfter = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="DAYS",
        help=both("Recorded more days after its own: late.", "この日数を過ぎて記録したものを遅延入力とします。"),
    ),
]
LateOnly = Annotated[bool, typer.Option("--late", help=both("Only late ones.", "遅延入力だけ。"))]


def add_to(app: typer.Typer) -> None:
    """Add the command to `keizoku ledger`."""
    app.command(
        "find",
        help=japanese("仕訳を日付、金額、取引先の範囲で探します。条件は組み合わせられ、遅延入力に印が付きます。"),
    )(find)


def find(
    from_on: From = None,
    to_on: To = None,
    from_yen: FromYen = None,
    to_yen: ToYen = None,
    account: OnlyAccount = None,
    late_after: LateAfter = 7,
    late: LateOnly = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Annotated[Language, typer.Option(help=both("The language of the headings.", "見出しの言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Find entries by day, sum and account; conditions hold together, and late entries are marked."""
    from keizoku.billing.ledger.entry_search import Sought, entries_found, entry_count

    first, last = (day(written) if written else None for written in (from_on, to_on))
    sought = Sought(first, last, from_yen, to_yen, account, late_after, late)
    if after and not after.isdecimal():
        fail(f"--after {after}: a number is needed, as the list shows it")
    with services_now() as (services, _):

        def read(limit: int, after: str) -> list[dict[str, object]]:
            rows = [
                each.to_json() for each in entries_found(services.session, sought, limit=limit, after=int(after or 0))
            ]
            return rows if as_json else [dict(headed(row, lang.value)) for row in rows]

        pages = Pages(
            read,
            lambda: entry_count(services.session, sought),
            lambda row: str(row["id" if as_json else heading("id", lang.value)]),
        )
        nothing = "該当する仕訳はありません" if lang is Language.JA else "no entry matches"
        emit_pages(pages, Page.wanted(limit, after, everything), nothing, as_json)
