"""`keizoku payments`: charges whose answer never came.

The night looks each one up and sends it again under its own key within 23 hours. A night that begins a charge at 02:30
is followed by the next only after 24: run `keizoku payments settle` some time in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.ids import AttemptId, RefundId
from keizoku.scheduler.cli.shared.inputs import AsJson, File
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit, report_findings

if TYPE_CHECKING:
    from keizoku.db.session import Session
    from keizoku.terms.read_model import ReadModel

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


MadeSureBy = Annotated[str, typer.Option("--by", help=both("Who made sure.", "確認した人。"))]
HowKnown = Annotated[
    str,
    typer.Option(
        "--ground", help=both("How: the gateway's own page, its support, …", "方法: 決済代行の画面、問合せなど。")
    ),
]


@app.callback(help=both("Charges whose answer never came: look up, decide.", "結果が届かない決済: 照会、判断。"))
def _payments() -> None:
    """Charges whose answer never came: look up, decide."""


@app.command(help=japanese("結果の届かない決済(あれば終了コード 1)。"))
def unknown(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Charges without an answer (exit 1 if there are any)."""
    from keizoku.billing.accounts.account_views import unknown_charges

    _print_list(
        unknown_charges, Page.wanted(limit, after, everything), "no charge waits for an answer", as_json, "attempt"
    )


@app.command(help=japanese("一つずつ照会し、安全なら同じキーで送り直します(不明が残れば終了コード 1)。"))
def settle(as_json: AsJson = False) -> None:
    """Look each one up, and send it again under its own key where that is still safe (exit 1 if some stay unknown)."""
    from keizoku.billing.accounts.account_views import unknown_charges

    with open_services() as services:
        written = services.billing.settle_unknown(now=datetime.now(UTC))
        left = len(unknown_charges(services.session))
    emit({"rows_written": written, "still_unknown": left}, as_json)
    if left:
        raise typer.Exit(1)


@app.command(
    "nothing-charged",
    help=japanese("決済がカードに届かなかったことを担当者が確認しました。次の夜に改めて決済できます。"),
)
def nothing_charged(
    attempt: AttemptId,
    by: MadeSureBy,
    ground: HowKnown,
) -> None:
    """People have made sure that a charge never reached the card: the next night may try again."""
    with services_now() as (services, now):
        services.billing.nothing_charged(attempt, by=by, ground=ground, now=now)
    emit(f"attempt {attempt} is over; the fee is due to be charged again")


@app.command(help=japanese("結果の届かないカード返金(あれば終了コード 1)。"))
def refunds(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Refunds to a card without an answer (exit 1 if there are any)."""
    from keizoku.billing.gateway.refunds import unknown_refunds

    _print_list(unknown_refunds, Page.wanted(limit, after, everything), "no refund waits for an answer", as_json, "key")


@app.command("failed-refunds", help=japanese("失敗し、担当者を待つ返金(あれば終了コード 1)。"))
def failed_refunds(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Refunds that failed, at once or days later, and wait for people (exit 1 if there are any)."""
    from keizoku.billing.gateway.refunds import failed_refunds as list_failed

    nothing = "every failed refund has been dealt with"
    _print_list(list_failed, Page.wanted(limit, after, everything), nothing, as_json, "refund")


@app.command(
    "import-balance",
    help=japanese(
        "Stripe の API が使えないときに、balance.csv または支払い照合の明細(itemised)を取り込みます。"
        "あとで API から来た分は重複しません。テストや別口座のファイルは拒みます。使えない行があれば終了コード 1。"
    ),
)
def import_balance(
    file: File,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            help=both(
                "Who says that the file is of our account and mode, where nothing in it shows that.",
                "ファイルの内容から当社の口座・モードのものと分からないときに、そうと確認した人。",
            ),
        ),
    ] = "",
    ground: Annotated[str, typer.Option("--ground", help=both("How that is known.", "そう分かる理由。"))] = "",
    as_json: AsJson = False,
) -> None:
    """Take Stripe's balance.csv, or its itemised payout reconciliation report, where the API cannot be read.

    What comes by the API later is recorded once. A file of a test or of another account is refused. Exit 1 if a row
    could not be used.
    """
    with services_now() as (services, now):
        read, changes = services.billing.import_balance(file, by=by, ground=ground, now=now)
    told = {"movements": len(read.found), "payouts": len(read.paid), "rows_written": changes}
    sentence = f"{len(read.found)} movements and {len(read.paid)} payouts read, {changes} rows written"
    emit({**told, "findings": [asdict(each) for each in read.findings]} if as_json else sentence, as_json)
    raise typer.Exit(report_findings(read.findings))


@app.command(
    "refund-dealt-with",
    help=japanese("失敗した返金に担当者が対応しました。一覧から消えます。必要な記帳は担当者が行います。"),
)
def refund_dealt_with(
    refund: RefundId,
    by: Annotated[str, typer.Option("--by", help=both("Who dealt with it.", "対応した人。"))],
    ground: Annotated[
        str, typer.Option("--ground", help=both("How: paid by bank, set off, …", "方法: 銀行振込、相殺など。"))
    ],
) -> None:
    """People have dealt with a refund that failed: it leaves the list. People make any postings."""
    with services_now() as (services, now):
        services.billing.refund_dealt_with(refund, by=by, ground=ground, now=now)
    emit(f"{refund} has been dealt with")


@app.command(
    "nothing-refunded", help=japanese("返金が行われなかったことを担当者が確認しました。次の夜に改めて依頼します。")
)
def nothing_refunded(
    key: Annotated[
        str,
        typer.Argument(
            help=both(
                "The refund's key, as `keizoku payments refunds` lists it.",
                "`keizoku payments refunds` にある返金のキー。",
            )
        ),
    ],
    by: MadeSureBy,
    ground: HowKnown,
) -> None:
    """People have made sure that a refund was never made: the next night asks for it again."""
    with services_now() as (services, now):
        services.billing.nothing_refunded(key, by=by, ground=ground, now=now)
    emit(f"refund {key} is closed; the next night asks again")


@app.command(help=japanese("カード会員の異議と最新の状態。未決のものが先。"))
def disputes(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Disputes of cardholders, each with its newest state; the open ones first."""
    from keizoku.billing.cards.dispute_choices import disputes as list_disputes

    with open_services() as services:
        rows = list_disputes(services.session)
    emit_rows(rows, Page.wanted(limit, after, everything), "no charge has been disputed", as_json, "dispute")


class Choice(StrEnum):
    """What a lost dispute means."""

    CLAIM_STAYS = "claim_stays"
    SALE_VOID = "sale_void"


@app.command(
    "dispute-lost",
    help=japanese("異議に敗れたときの扱いを、その前でも後でも担当者が選びます(既定は設定 dispute_lost)。"),
)
def dispute_lost(
    dispute: Annotated[
        str,
        typer.Argument(
            help=both(
                "The dispute, as `keizoku payments disputes` lists it.", "`keizoku payments disputes` にある異議。"
            )
        ),
    ],
    choice: Annotated[
        Choice,
        typer.Option(
            "--choice",
            help=both("Is the fee owed again, or is nothing owed?", "料金は再び未払いになるか、何も残らないか。"),
        ),
    ],
    by: Annotated[str, typer.Option("--by", help=both("Who chose.", "選んだ人。"))],
    ground: Annotated[str, typer.Option("--ground", help=both("Why.", "理由。"))],
) -> None:
    """People choose what the loss of a dispute means, before or after it is lost (default: setting dispute_lost)."""
    with services_now() as (services, now):
        services.billing.dispute_lost(dispute, choice.value, by=by, ground=ground, now=now)
    emit(f"dispute {dispute}: if it is lost, {choice.value}")


def _print_list(
    waiting: Callable[[Session], Sequence[ReadModel]], page: Page, nothing: str, as_json: bool, key: str
) -> None:
    """What waits for somebody, or `nothing`; exit 1 if anything does."""
    with open_services() as services:
        rows = waiting(services.session)
    emit_rows(rows, page, nothing, as_json, key)
    if rows:
        raise typer.Exit(1)
