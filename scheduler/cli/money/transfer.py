"""`keizoku transfer`: money out by bank, proposed by one person, approved by another, written for the bank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.ids import TransferId
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, Ground, day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(
    help=both("Transfers out: propose, approve, write the bank's file.", "振込: 起案、承認、総合振込ファイル。"),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Transfers out: a deposit goes back by bank, by two persons' word.",
        "総合振込: 預り金を銀行振込で返します。起案者と承認者は別の人です。",
    )
)
def _transfer() -> None:
    """Transfers out: a deposit goes back by bank, by two persons' word."""


@app.command(help=japanese("預り金を支払人の口座に返す振込を起案します。"))
def propose(
    account: Account,
    yen: Annotated[int, typer.Option(min=1, help=both("How much.", "金額(円)。"))],
    bank: Annotated[str, typer.Option(help=both("The bank's code, four digits.", "銀行コード(4桁)。"))],
    branch: Annotated[str, typer.Option(help=both("The branch's code, three digits.", "支店コード(3桁)。"))],
    number: Annotated[str, typer.Option(help=both("The account's number, up to seven digits.", "口座番号(7桁以内)。"))],
    holder: Annotated[str, typer.Option(help=both("Its holder, in kana.", "口座名義(カナ)。"))],
    author: Author,
    ground: Ground,
    kind: Annotated[
        str, typer.Option(help=both("1 ordinary, 2 current, 4 savings, 9 other.", "1 普通、2 当座、4 貯蓄、9 その他。"))
    ] = "1",
    as_json: AsJson = False,
) -> None:
    """Propose to send a deposit, or a part of it, to its payer's bank account."""
    from keizoku.billing.statements.transfer_file import BankAccount

    to = BankAccount(bank, branch, kind, number, holder)
    with services_now() as (services, now):
        made = services.billing.propose_transfer(account, yen, to, by=author, ground=ground, now=now)
    emit({"transfer": made} if as_json else f"transfer {made} is proposed; another person approves it", as_json)


@app.command(help=japanese("別の人が起案した振込を承認します。"))
def approve(transfer: TransferId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Approve a transfer that somebody else proposed."""
    with services_now() as (services, now):
        services.billing.decide_transfer(transfer, approve=True, by=author, ground=ground, now=now)
    emit({"transfer": transfer, "state": "approved"} if as_json else f"transfer {transfer} is approved", as_json)


@app.command(help=japanese("起案された振込を取りやめます。"))
def reject(transfer: TransferId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Reject a transfer that was proposed."""
    with services_now() as (services, now):
        services.billing.decide_transfer(transfer, approve=False, by=author, ground=ground, now=now)
    emit({"transfer": transfer, "state": "rejected"} if as_json else f"transfer {transfer} is rejected", as_json)


@app.command(
    help=japanese(
        "承認済みの振込を総合振込ファイル(全銀 120バイト)に書き出し、記帳します。`--again` で以前のファイルを"
        "同じ内容で書き直します。支払元は KEIZOKU_TRANSFER_PAYER。"
    )
)
def file(
    out: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help=both("Where to write it.", "書き出す場所。"))
    ],
    author: Author,
    on: Annotated[str, typer.Option(help=both("The day on which the bank is to pay.", "振込指定日。"))] = "",
    again: Annotated[
        int, typer.Option(min=0, help=both("Write this file once more.", "この番号のファイルを書き直します。"))
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Write what is approved into a file for the bank (Zengin, 120 bytes a record), and book it (2140 / 1110).

    `--again` writes a file of before once more, byte for byte. Who pays is KEIZOKU_TRANSFER_PAYER.
    """
    from keizoku.billing.statements.transfer_file import payer_of
    from keizoku.scheduler.files import whole_file

    payer = settings_of_this_process().transfer_payer
    if not again and not (on and payer):
        fail("a file of transfers needs --on DAY, and the setting KEIZOKU_TRANSFER_PAYER")
    with services_now() as (services, now):
        if again:
            made = services.billing.transfer_file_again(again)
        else:
            made = services.billing.send_transfers(payer_of(payer), day(on), by=author, now=now)
        try:
            with whole_file(out) as partial:  # the file appears when the rows are there
                partial.write_bytes(made.content)
                services.session.commit()
        except OSError as error:
            services.session.rollback()
            fail(f"{out}: {error.strerror}")
    told = {"file": made.number, "on": made.on.isoformat(), "transfers": made.transfers, "yen": made.yen}
    sentence = f"file {made.number}: {made.transfers} transfers of {made.yen:,} yen for {made.on} written to {out}"
    emit({**told, "sha256": made.sha256} if as_json else sentence, as_json)


@app.command("sent-back", help=japanese("銀行が振込できず資金が戻ったことを記録します。預り金に戻ります。"))
def sent_back(transfer: TransferId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """The bank could not pay it and gave the money back: it is a deposit of its payer again."""
    with services_now() as (services, now):
        services.billing.transfer_sent_back(transfer, by=author, ground=ground, now=now)
    emit({"transfer": transfer, "state": "failed"} if as_json else f"transfer {transfer} came back", as_json)


@app.command("list", help=japanese("振込の一覧: 起案、承認、送付、銀行の明細で確認済み。"))
def list_transfers(
    open_only: Annotated[bool, typer.Option("--open", help=both("Only those under way.", "途中のものだけ。"))] = False,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every transfer out: proposed, approved, sent, or done where the bank's line shows it."""
    from keizoku.billing.receivables.transfers_out import transfers

    with open_services() as services:
        rows = [each.to_json() for each in transfers(services.session, open_only=open_only)]
    emit_rows(rows, Page.wanted(limit, after, everything), "no transfers", as_json, "id")
