"""`keizoku bank`: incoming transfers, imported from the bank's file and matched to their payers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.scheduler.cli.money.bank_formats import formats
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.ids import PaymentId
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, File, Ground, Recorder, day, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages, number_after
from keizoku.scheduler.cli.shared.money_files import LayoutFile, end_of_import, layout_of
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both("Incoming transfers: import, list, match to their payers.", "入金: 取込み、一覧、支払人との照合。"),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Incoming transfers: those with our reference find their payer by themselves, the others wait in 2145.",
        "入金: 当社の番号のあるものは自動で支払人に結び付き、その他は 2145 で待ちます。",
    )
)
def _bank() -> None:
    """Incoming transfers: those with our reference find their payer by themselves, the others wait in 2145."""


@app.command(
    "import",
    help=japanese(
        "銀行のファイルを取り込みます(CSV: date, amount, payer, refer"
        "ence。UTF-8 か cp932。他の列名は --mapping で指定)。\n\n"
        "同じ行は、どのファイルにあっても一度だけ取り込みます。一つのファイルに同じ行が二つあれば、二"
        "つの入金です。金額のない行や負の行は飛ばします。使えない行があれば終了コード 1。"
    ),
)
def import_file(file: File, mapping: LayoutFile = None, author: Recorder = "", as_json: AsJson = False) -> None:
    """Take a bank's file (CSV: date, amount, payer, reference; UTF-8 or cp932; other columns by a mapping).

    A line is taken once, whichever file shows it; two equal lines in one file are two payments. Rows without an
    amount, or below zero, are passed over. Exit 1 if a row could not be used.
    """
    from keizoku.billing.receivables.bank_transfers import COLUMNS

    layout = layout_of(mapping, COLUMNS)
    with open_services() as services:
        done = services.billing.import_bank(file, layout=layout, author=recorder(author), now=datetime.now(UTC))
    end_of_import(done, as_json)


app.command("formats", help=japanese("自動で判別できる銀行ファイルの形式と、--preset に書く名前の一覧。"))(formats)


@app.command("list", help=japanese("入金: 誰のもので、誰がそう決めたか。見つからなければその理由。"))
def list_payments(
    open_only: Annotated[
        bool, typer.Option("--open", help=both("Only those that wait for their payer.", "支払人が未定のものだけ。"))
    ] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Incoming payments: whose each is and who said so, or why nobody was found."""
    from keizoku.billing.receivables.bank_list import line_count, lines

    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            last = number_after(after, "payment")
            return lines(services.session, open_only=open_only, limit=limit, after=last)

        pages = Pages(read, lambda: line_count(services.session, open_only=open_only))
        emit_pages(pages, Page.wanted(limit, after, everything), "no payments", as_json)


@app.command(help=japanese("入金をアカウントのものとします。銀行に届いた日から効力があります。"))
def match(
    account: Account,
    payment: PaymentId,
    author: Author,
    ground: Ground,
    term: Annotated[
        str,
        typer.Option(
            help=both(
                "The debt that the payer names: its term's first day.", "支払人が指定した債務。その契約期間の最初の日。"
            )
        ),
    ] = "",
    costs: Annotated[
        int,
        typer.Option(
            min=0, help=both("Costs of the payment that the payer owes, yen.", "支払人が負担する支払の費用(円)。")
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """This payment is the account's: it counts from the day on which the bank had it."""
    named = day(term) if term else None
    with services_now() as (services, now):
        services.billing.match_payment(payment, account, costs=costs, term=named, by=author, ground=ground, now=now)
    emit({"payment": payment, "account": account} if as_json else f"payment {payment} is {account}'s", as_json)


@app.command(help=japanese("別の人の入金でした。消し込んだものは未払いに戻り、入金は支払人を待ちます。"))
def unmatch(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """It was another's: what it settled stands open again, and it waits for its payer."""
    with services_now() as (services, now):
        account = services.billing.unmatch_payment(payment, by=author, ground=ground, now=now)
    sentence = f"payment {payment} is {account}'s no more; match it, or send it back"
    emit({"payment": payment, "was": account} if as_json else sentence, as_json)


@app.command("send-back", help=japanese("支払人が見つからないため、送り主に戻したことを記録します。"))
def send_back(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Nobody can be found: record that the payment went back to where it came from."""
    with services_now() as (services, now):
        services.billing.send_payment_back(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "returned"} if as_json else f"payment {payment} went back", as_json)


@app.command(help=japanese("決済代行からの入金で、その残高から記帳済みです。支払人を待ちません。"))
def payout(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """It is the card processor's payout, booked already from its balance: it waits for no payer."""
    with services_now() as (services, now):
        services.billing.payment_is_payout(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "payout"} if as_json else f"payment {payment} is a payout", as_json)


@app.command(help=japanese("支払人が振込に書ける番号: アカウントのものと、未払いの請求ごとのもの。"))
def references(account: Account, as_json: AsJson = False) -> None:
    """What the payer can state with a transfer: the account's reference, and one for each open invoice."""
    from keizoku.billing.receivables.bank_transfers import references_of

    with services_now() as (services, _):
        found = references_of(services.session, account)
    emit(found, as_json)
