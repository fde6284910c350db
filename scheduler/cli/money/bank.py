"""`keizoku bank`: incoming transfers, imported from the bank's file and matched to their payers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.money.bank_formats import formats
from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.ids import ImportId, PaymentId
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, File, Ground, Recorder, day, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import (
    SHOWN,
    After,
    All,
    Limit,
    Page,
    Pages,
    Row,
    emit_pages,
    emit_rows,
    number_after,
)
from keizoku.scheduler.cli.shared.money_files import LayoutFile, end_of_import, layout_of
from keizoku.scheduler.cli.shared.output import emit

if TYPE_CHECKING:
    from rich.console import Console

    from keizoku.billing.closing.bank_control import BankControl

app = typer.Typer(
    help=both("Incoming transfers: import, list, match to their payers.", "入金: 取込み、一覧、支払人との照合。"),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Incoming transfers: those with our reference are matched automatically, the others wait in 2145.",
        "入金: 当社の番号のあるものは自動で支払人に結び付き、その他は 2145 で待ちます。",
    )
)
def _bank() -> None:
    """Incoming transfers: those with our reference are matched automatically, the others wait in 2145."""


@app.command(
    "import",
    help=japanese(
        "銀行のファイルを取り込みます(`keizoku bank formats` の形式、または date, amount, payer, "
        "reference の CSV。他の列名は --mapping で指定)。\n\n"
        "入出金のすべての行を一度だけ取り込みます。同じ内容の行は、銀行の番号、残高、またはファイル内の"
        "数で区別します。円の入金でない行は明細帳に残り、passed over と数えます。使えない行があれば"
        "終了コード 1。"
    ),
)
def import_file(
    file: File,
    mapping: LayoutFile = None,
    bank_account: Annotated[
        str,
        typer.Option(
            "--account",
            help=both(
                "Our account at the bank, where the file does not say which.",
                "ファイルに口座の記載がないときの、当社の口座。",
            ),
        ),
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help=both(
                "Read it as this format (`keizoku bank formats`), whatever its content says.",
                "内容の判別によらず、この形式として読みます(`keizoku bank formats`)。",
            )
        ),
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Take a bank's file: any format of `keizoku bank formats`, or date, amount, payer, reference; others by a mapping.

    Every line in and out is taken once; equal lines are told apart by the bank's own number, the balance, or their
    count in the file. What is no yen received stays in the book and counts as passed over. Exit 1 if a row could not
    be used.
    """
    from keizoku.billing.receivables.bank.bank_transfers import COLUMNS

    layout = layout_of(mapping, COLUMNS)
    with open_services() as services:
        done = services.billing.import_bank(
            file, layout=layout, author=recorder(author), now=datetime.now(UTC), account=bank_account, preset=preset,
            ours=settings_of_this_process().bank_accounts,
        )  # fmt: skip
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
    from keizoku.billing.receivables.bank.bank_list import line_count, lines

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
    costs_proof: Annotated[
        str | None,
        typer.Option(
            "--costs-proof",
            help=both("What shows that the costs were really paid.", "実際に支払った費用の証憑(請求書など)。"),
        ),
    ] = None,
    remember: Annotated[
        bool,
        typer.Option(
            "--remember",
            help=both(
                "Confirm that payments under this payer's name are the account's, from now on.",
                "今後、この名義の入金をこのアカウントのものとすることを確認します。",
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """This payment is the account's: it counts from the day on which the bank had it. Tells what it paid."""
    named = day(term) if term else None
    with services_now() as (services, now):
        done = services.billing.match_payment(
            payment,
            account,
            costs=costs,
            costs_proof=costs_proof,
            term=named,
            by=author,
            ground=ground,
            now=now,
            remember=remember,
        )
    emit(done if as_json else done.sentence(), as_json)


@app.command(help=japanese("支払人が未定の入金について、考えられるアカウントと理由。決めるのは人です。"))
def suggest(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Whose the payments that wait may be, with reasons; people decide."""
    from keizoku.billing.receivables.bank.suggestions import suggestions

    with open_services() as services:
        found = suggestions(services.session)
    emit_rows(found, Page.wanted(limit, after, everything), "nothing to suggest", as_json)


@app.command("rules", help=japanese("人が確認した、名義ごとの規則。次の入金から自動で照合します。"))
def payer_rules(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """What people confirmed of payers: their next payments are matched by it."""
    from keizoku.billing.ledger.payer_rules import every_rule

    with open_services() as services:
        found = every_rule(services.session)
    rows = [each.listed() for each in found]
    emit_rows(rows, Page.wanted(limit, after, everything), "no rules", as_json)


@app.command(help=japanese("名義の規則をやめます。過去の照合はそのままです。"))
def forget(
    rule: Annotated[int, typer.Argument(help=both("The number of a rule.", "規則の番号。"))],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """A rule about a payer holds no more; what it matched stays matched."""
    with services_now() as (services, now):
        services.billing.forget_payer(rule, by=author, ground=ground, now=now)
    emit({"rule": rule, "state": "withdrawn"} if as_json else f"rule {rule} holds no more", as_json)


@app.command(help=japanese("別の人の入金でした。消し込んだものは未払いに戻り、入金は支払人を待ちます。"))
def unmatch(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """It was another's: what it settled is unpaid again, and it waits for its payer."""
    with services_now() as (services, now):
        account = services.billing.unmatch_payment(payment, by=author, ground=ground, now=now)
    sentence = f"payment {payment} is no longer {account}'s; match it, or send it back"
    emit({"payment": payment, "was": account} if as_json else sentence, as_json)


@app.command("send-back", help=japanese("支払人が見つからないため、送り主に戻したことを記録します。"))
def send_back(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Nobody can be found: record that the payment went back to where it came from."""
    with services_now() as (services, now):
        services.billing.send_payment_back(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "returned"} if as_json else f"payment {payment} went back", as_json)


@app.command(
    help=japanese("決済代行・ストアからの入金または当社からの返金で、その側から記帳済みです。支払人を待ちません。")
)
def payout(
    payment: PaymentId,
    author: Author,
    ground: Ground,
    kept: Annotated[
        int,
        typer.Option(min=0, help=both("What the bank kept of it as its fee, yen.", "銀行が差し引いた手数料(円)。")),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """It is the processor's or a store's payout, or money we sent back, booked from that side: it waits for nobody."""
    with services_now() as (services, now):
        kind = services.billing.payment_is_payout(payment, by=author, ground=ground, now=now, kept=kept)
    state, word = ("refund", "money we sent back") if kind == "refund" else ("payout", "a payout")
    emit({"payment": payment, "state": state} if as_json else f"payment {payment} is {word}", as_json)


@app.command(help=japanese("支払人が振込に書ける番号: アカウントのものと、未払いの請求ごとのもの。"))
def references(account: Account, as_json: AsJson = False) -> None:
    """What the payer can state with a transfer: the account's reference, and one for each open invoice."""
    from keizoku.billing.receivables.bank.bank_transfers import references_of

    with services_now() as (services, _):
        found = references_of(services.session, account)
    emit(found, as_json)


@app.command("statement", help=japanese("明細帳: すべての口座の入出金の全行と、それぞれが何か。"))
def statement(
    bank_account: Annotated[
        str, typer.Option("--account", help=both("Only of this account at the bank.", "この口座だけ。"))
    ] = "",
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """The bank's book: every line in and out of every account, and what became of it."""
    from keizoku.billing.receivables.bank.bank_list import statement_count, statement_lines

    of = bank_account or None
    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            return statement_lines(services.session, of, limit=limit, after=number_after(after, "payment"))

        pages = Pages(read, lambda: statement_count(services.session, of))
        emit_pages(pages, Page.wanted(limit, after, everything), "no lines", as_json)


@app.command("imports", help=japanese("取り込んだ銀行のファイル。番号は take-back で使います。"))
def imports(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """The bank's files that were taken, with the number that `take-back` wants."""
    from keizoku.billing.receivables.import_log import import_list

    with open_services() as services:
        found = import_list(services.session, "bank")
    rows = [each.listed() for each in found]
    emit_rows(rows, Page.wanted(limit, after, everything), "no file was taken", as_json)


@app.command(
    "take-back",
    help=japanese("誤った読み替えで取り込んだファイルを取り消します。記帳は反対仕訳となり、再び取り込めます。"),
)
def take_back(number: ImportId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """A file was read by a wrong mapping: what it posted is reversed, and it may be read again."""
    with services_now() as (services, now):
        lines = services.billing.take_import_back(number, by=author, ground=ground, now=now)
    emit({"import": number, "lines": lines} if as_json else f"import {number}: {lines} lines are taken back", as_json)


@app.command(help=japanese("この出金は銀行の手数料です(消費税を含む)。"))
def fee(payment: PaymentId, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """This line out is the bank's fee, with the tax in it."""
    with services_now() as (services, now):
        services.billing.payment_is_fee(payment, by=author, ground=ground, now=now)
    emit({"payment": payment, "state": "fee"} if as_json else f"payment {payment} is a fee", as_json)


@app.command(help=japanese("この二行は自社口座間の振替です(一方は出金、他方は入金)。"))
def transfer(
    payment: PaymentId,
    other: Annotated[int, typer.Argument(help=both("The line on the other account.", "もう一方の口座の行。"))],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """These two lines are one transfer between our own accounts: one out, one in."""
    with services_now() as (services, now):
        services.billing.payments_are_transfer(payment, other, by=author, ground=ground, now=now)
    sentence = f"payments {payment} and {other} are one transfer"
    emit({"payment": payment, "other": other, "state": "transfer"} if as_json else sentence, as_json)


@app.command("other", help=japanese("この行は勘定科目表のある科目のものです(2145 から振り替えます)。"))
def other_line(
    payment: PaymentId,
    code: Annotated[str, typer.Option(help=both("The account of the chart.", "勘定科目のコード。"))],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """This line belongs to an account of the chart: it goes there from 2145."""
    with services_now() as (services, now):
        entry = services.billing.payment_is_other(payment, code, by=author, ground=ground, now=now)
    emit({"payment": payment, "entry": entry} if as_json else f"payment {payment} is booked by entry {entry}", as_json)


@app.command(
    "balance", help=japanese("1110 と銀行の残高。口座ごと、指定した日の終わりで。一致しなければ終了コード 1。")
)
def balance(
    as_of: Annotated[str, typer.Option("--as-of", help=both("A day; default: today.", "日付。既定は今日。"))] = "",
    as_json: AsJson = False,
) -> None:
    """1110 of the ledger and the balances of the bank at the end of a day; exit 1 where something explains neither."""
    from keizoku.billing.closing.bank_control import bank_control
    from keizoku.terms.calendar import jst_day

    with services_now() as (services, now):
        found = bank_control(services.session, day(as_of) if as_of else jst_day(now))
    emit(found, as_json, lambda console: _print_control(console, found))
    if found.rest_yen or not all(each.ties for each in found.accounts):
        raise typer.Exit(1)


def _print_control(console: Console, found: BankControl) -> None:
    console.print(f"{found.on}: 1110 {found.ledger_yen:,}, lines of the bank {found.lines_yen:,}")
    for each in found.accounts:
        since = "" if each.ties else f"; the lines do not make it since {each.broken_since}{each.off}"
        name = each.account or "(no name)"
        console.print(
            f"{name}: {each.opening_yen:,} before {each.first_on}, lines {each.lines_yen:,}, "
            f"the bank states {each.stated_yen:,}{since}"
        )
    for unmet in found.unmet:
        console.print(f"{unmet.about}: {unmet.what} since {unmet.since}, {unmet.yen:,}")
    if found.rest_yen:
        console.print(f"nothing explains {found.rest_yen:,}")
