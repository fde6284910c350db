"""`keizoku reconcile`: a month's books against the gateway's and the bank's, and what people make of differences."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keizoku.scheduler.cli.books.manual_entry_options import hand_lines
from keizoku.scheduler.cli.shared.context import services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headings
from keizoku.scheduler.cli.shared.inputs import (
    SPOKEN,
    AsJson,
    Author,
    Ground,
    Language,
    MonthArgument,
    Recorder,
    month_of,
    recorder,
    row_bar,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.money_files import LayoutFile, layout_of
from keizoku.scheduler.cli.shared.month_group import MonthGroup
from keizoku.scheduler.cli.shared.output import emit, errors, fail, note, table

if TYPE_CHECKING:
    from rich.console import Console

    from keizoku.billing.closing.reconciliation_run import Reconciled
    from keizoku.scheduler.app import Services

app = typer.Typer(
    cls=MonthGroup,
    help=both(
        "keizoku reconcile 2026-04: a month's books against the gateway's and the bank's, nothing left unexplained.",
        "keizoku reconcile 2026-04: 月の帳簿を決済代行と銀行の記録と照合し、説明のつかないものを残しません。",
    ),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Sides: our events and the ledger, the gateway's movements, payouts, bank lines. Every row ends in one place.",
        "照合する側: 当社の出来事と帳簿、決済代行の動き、入金、銀行の行。どの行も一か所に収まります。",
    )
)
def _reconcile() -> None:
    """Sides: our events and the ledger, the gateway's movements, payouts, bank lines. Every row ends in one place."""


@app.command(
    "month",
    help=japanese(
        "月を照合します: 一致したもの、例外ごとに両側、金額、日数、対処。\n\n"
        "担当者を待つ例外があれば終了コード 1。もう一度照合しても何も変わりません。"
    ),
)
def reconcile(
    month: MonthArgument,
    bank: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=both("The bank's file, imported first if it is new.", "銀行のファイル。新しければ先に取り込みます。"),
        ),
    ] = None,
    bank_mapping: LayoutFile = None,
    store: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=both("A store's report, imported first; repeatable.", "先に取り込むストアの報告。繰り返し可。"),
        ),
    ] = None,
    author: Recorder = "",
    lang: Annotated[
        Language,
        typer.Option(
            "--lang", help=both("Suggested actions in Japanese or English.", "対処の案の言語(日本語か英語)。")
        ),
    ] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Reconcile a month: what matches, every exception with both sides, amount, age, what to do about it.

    Exit 1 while an exception waits for people. Reconciling again changes nothing.
    """
    wanted = month_of(month)
    with services_now() as (services, now):
        _take_files(services, bank, bank_mapping, store or [], recorder(author))
        found = reconciled_with_bar(services, wanted, now)
    emit(found.shown(), as_json, lambda console: _print(console, found, lang))
    for each in found.unexplained:
        errors.print(f"[red]unexplained[/]: {each}", soft_wrap=True)
    if found.open or found.unexplained:
        raise typer.Exit(1)


@app.command(
    "resolve",
    help=japanese(
        "例外が何であるかを、誰がなぜそう言うのかとともに記録します。--entry があれば、その日(締めた月なら"
        "開いている最初の日)に記帳もします。"
    ),
)
def resolve(
    month: MonthArgument,
    exception: Annotated[
        str,
        typer.Argument(
            metavar="EXCEPTION",
            help=both("As `keizoku reconcile MONTH` names it.", "`keizoku reconcile MONTH` が示す番号。"),
        ),
    ],
    author: Author,
    ground: Ground,
    entry: Annotated[
        list[str] | None,
        typer.Option(
            "--entry",
            metavar="CODE=YEN",
            help=both(
                "A line of an entry to post for it, debit positive; repeatable.",
                "あわせて記帳する仕訳の行。借方が正。繰り返し可。",
            ),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what an exception is, who says so and why; with --entry it is posted on its day, or on the first open day."""
    from keizoku.billing.closing import reconciliation_run

    with services_now() as (services, now):
        found = reconciled_with_bar(services, month_of(month), now)
        posted = reconciliation_run.resolve(
            services.session,
            found,
            exception,
            author,
            ground,
            datetime.now(UTC),
            lines=hand_lines(entry) if entry else None,
        )
    progress = f"{exception} is resolved" + (f", entry {posted} is posted" if posted else "")
    emit({"exception": exception, "entry": posted} if as_json else progress, as_json)


def reconciled_with_bar(services: Services, month: Any, now: datetime) -> Reconciled:
    """The month reconciled, with a bar of its steps on stderr."""
    from keizoku.billing.closing.reconciliation_run import keep_for_people, reconcile_month

    with row_bar(f"reconciling {month}") as progress:
        found = reconcile_month(
            services.session, services.gateway, month, now, lambda _, done, whole: progress(done, whole)
        )
    keep_for_people(services.session, found, now)
    return found


def _take_files(services: Services, bank: Path | None, mapping: Path | None, stores: list[Path], author: str) -> None:
    from keizoku.billing.receivables.bank.bank_transfers import COLUMNS

    now = datetime.now(UTC)
    ours = settings_of_this_process().bank_accounts
    taken = (
        [services.billing.import_bank(bank, layout=layout_of(mapping, COLUMNS), author=author, now=now, ours=ours)]
        if bank
        else []
    )
    taken += [services.billing.import_store_reports(each, author=author, now=now) for each in stores]
    for done in taken:
        note(f"{done.source}: {done.rows_new} new, {done.rows_known} known, {done.rows_refused} refused")
        for finding in done.findings:
            errors.print(str(finding), soft_wrap=True, markup=False)
    if any(done.rows_refused for done in taken):
        fail("a file has rows that cannot be used: correct them, then reconcile", 1)


def _print(console: Console, found: Reconciled, lang: Language) -> None:
    outcome, ja = found.outcome, lang is Language.JA
    console.print(f"[bold]{outcome.month}[/bold]")
    sides = [(side, rows, outcome.sums[side]) for side, rows in outcome.rows.items()]
    console.print(table(headings(lang.value, "side", "rows", "yen"), sides))
    console.print(table(headings(lang.value, "matched", "rows"), outcome.matched.items()))
    console.print(table(headings(lang.value, "control", "yen"), found.controls.items()))
    if not found.bank_given:
        missing = "there is no bank statement for the month: --bank FILE, or `keizoku bank import`"
        missing_ja = "この月の銀行の記録がありません: --bank FILE か `keizoku bank import`"
        console.print(f"[dim]{missing_ja if ja else missing}[/dim]")
    if not outcome.exceptions:
        console.print("例外はありません" if ja else "no exceptions")
        return
    rows = [
        (
            each.key,
            f"{each.left.where} {each.left.yen:,} {each.left.on}" if each.left else "",
            f"{each.right.where} {each.right.yen:,} {each.right.on}" if each.right else "",
            each.yen,
            each.age_days,
            f"{'解決' if ja else 'resolved by'} {found.resolved[each.key].by}: {found.resolved[each.key].ground}"
            if each.key in found.resolved
            else (each.action_ja if lang is Language.JA else each.action_en),
        )
        for each in outcome.exceptions
    ]
    console.print(table(headings(lang.value, "exception", "one side", "other side", "yen", "days", "what to do"), rows))
