"""`keizoku close`: close a month's books, verify the chain of what is closed, reopen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keizoku.scheduler.cli.shared.context import services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    Ground,
    MonthArgument,
    Recorder,
    month_of,
    recorder,
    row_bar,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.month_group import MonthGroup
from keizoku.scheduler.cli.shared.output import emit, table

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    cls=MonthGroup,
    help=both(
        "keizoku close 2026-04: check a month's books and lock them.",
        "keizoku close 2026-04: 月の帳簿を確かめて締めます。",
    ),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "What is closed stays as it is: later facts are posted on the first open day, and name their month.",
        "締めた月はそのまま残ります。後から分かったことは、開いている最初の日に、対象の月とともに記帳します。",
    )
)
def _close() -> None:
    """What is closed stays as it is: later facts are posted on the first open day, and name their month."""


@app.command(
    "month",
    help=japanese(
        "月のものがすべてそろい、照合が済んだことを確かめて締めます。もう一度締めても何も変わりません"
        "。\n\n"
        "確認が一つでも通らなければ締めずに終了コード 1。対処が並べて表示されます。"
    ),
)
def close(month: MonthArgument, author: Recorder = "", as_json: AsJson = False) -> None:
    """Check that everything of the month is there and reconciled, and close it. Closing twice changes nothing.

    Exit 1 where a check fails: nothing is closed then, and what to do stands beside it.
    """
    from keizoku.billing.closing.month_close import close_month

    wanted = month_of(month)
    with services_now() as (services, now), row_bar(f"closing {wanted}") as progress:
        done = close_month(
            services.session, services.gateway, wanted, recorder(author), now,
            lambda _, at, whole: progress(at, whole), bank_accounts=settings_of_this_process().bank_accounts,
        )  # fmt: skip
    emit(done, as_json, lambda console: _print(console, done))
    if not done.ok:
        raise typer.Exit(1)


@app.command("list", help=japanese("締めと再開の記録。古い順に、誰が、いつ、なぜ、連鎖のハッシュ。"))
def list_acts(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every close and reopening, oldest first: who, when, why, and its hash in the chain."""
    from keizoku.billing.closing.month_close import acts

    with services_now() as (services, _):
        found = acts(services.session)
    names = ("id", "month", "kind", "entries", "author", "ground", "recorded_at", "hash")
    rows = found if as_json else [{name: each[name] for name in names} for each in found]
    emit_rows(rows, Page.wanted(limit, after, everything), "nothing is closed", as_json)


@app.command("verify", help=japanese("仕訳から連鎖を計算し直します。合わない箇所があればすべて示して終了コード 1。"))
def verify(
    kept: Annotated[
        str,
        typer.Option(
            "--hash",
            help=both(
                "The hash of a close, kept elsewhere: the chain has to contain it.",
                "別に控えた締めのハッシュ。連鎖に含まれるはずです。",
            ),
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Work out the chain again from the entries; exit 1 with every place where it does not hold."""
    from keizoku.billing.closing.month_close import standing, verify

    with services_now() as (services, _), row_bar("verifying") as progress:
        wrong = verify(services.session, lambda _, done, whole: progress(done, whole), kept.strip().lower())
        closed = len(standing(services.session))
    fine = f"{closed} closed months are unchanged since they were closed"
    emit({"closed": closed, "wrong": wrong} if as_json else (wrong or fine), as_json)
    if wrong:
        raise typer.Exit(1)


@app.command("reopen", help=japanese("最後に締めた月を再び開きます。締めたこと、開いた人と理由は残ります。"))
def reopen(month: MonthArgument, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Open the last closed month again; that it was closed, by whom and why it is open again stays."""
    from keizoku.billing.closing.month_close import reopen_month

    with services_now() as (services, _):
        made = reopen_month(services.session, month_of(month), author, ground, datetime.now(UTC))
    emit({"month": month, "hash": made} if as_json else f"{month} is open again", as_json)


def _print(console: Console, done: Any) -> None:
    if done.checks:
        rows = [("ok" if each.ok else "fails", each.name, each.found, each.remedy) for each in done.checks]
        console.print(table(("", "check", "found", "what to do"), rows))
    for each in done.notes:
        console.print(f"note: {each}", soft_wrap=True)
    if not done.ok:
        console.print(f"{done.month} is not closed")
        return
    how = "is closed" if done.new else "is closed already; nothing changed"
    console.print(f"{done.month} {how}: {done.entries:,} entries, {done.hash}", soft_wrap=True)
