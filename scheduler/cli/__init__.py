"""The command `keizoku`: one group of commands per file, imported when it is asked for.

`keizoku --help` imports none of them, so it answers at once. To add a group: write its file in this folder
with a Typer application in it, and add a row to COMMANDS. The room above, `web`, is only named here.
"""

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from keizoku.scheduler.cli.shared.asked import watch
from keizoku.scheduler.cli.shared.language import both, language, settle

__all__ = ["COMMANDS", "app", "main"]


GARBAGE_EVERY: Final = 50_000
"""Objects between two looks for garbage: Python's 700 would look a hundred times while a command's modules are read."""


class Target(NamedTuple):
    """Where a command is, and what the list of commands says about it."""

    place: str  # "module:attribute", a typer.Typer
    help: str
    ja: str = ""


COMMANDS: dict[str, Target] = {
    "demo": Target(
        "keizoku.scheduler.cli.operations.demo:app",
        "One small month, from outage to credit: start here.",
        "小さな一か月を、障害から減額まで通して動かします。まずここから。",
    ),
    "terms": Target(
        "keizoku.scheduler.cli.terms.contract_terms:app",
        "The contract: clauses, numbers, readings, who decides what.",
        "規約: 条項、数値、読み方、どこで何を決めるか。",
    ),
    "scenario": Target(
        "keizoku.scheduler.cli.operations.scenario:app",
        "Dated lists of events that run the whole engine.",
        "日付つきの日誌で全体を動かします。",
    ),
    "explain": Target(
        "keizoku.scheduler.cli.money.explain:app",
        "Why something was decided as it was.",
        "なぜその判定・金額になったのかを説明します。",
    ),
    "contract": Target(
        "keizoku.scheduler.cli.contracts.contract:app",
        "Applications, screening, end of use: the life of a contract.",
        "申込み、審査、利用終了: 契約の一生。",
    ),
    "plan": Target(
        "keizoku.scheduler.cli.contracts.price:plans",
        "Plans of monthly or yearly terms: add, list.",
        "月払い・年払いのプラン: 追加、一覧。",
    ),
    "price": Target(
        "keizoku.scheduler.cli.contracts.price:app",
        "Dated prices of plans: add, list, simulate a change.",
        "プランの日付つき料金: 追加、一覧、改定の試算。",
    ),
    "offer": Target(
        "keizoku.scheduler.cli.contracts.offer:app",
        "What an applicant is shown before registering.",
        "申込みの前に表示する内容。",
    ),
    "acts": Target(
        "keizoku.scheduler.cli.contracts.acts:app",
        "Acts of the operator: change of service, disclosure.",
        "事業者の行為の記録: サービスの変更、情報の提供。",
    ),
    "sla": Target(
        "keizoku.scheduler.cli.sla.sla:app",
        "Outages of the service: measure, record, report, replay a month.",
        "サービスの停止: 測定、記録、報告、月のやり直し。",
    ),
    "claim": Target(
        "keizoku.scheduler.cli.sla.claim:app",
        "Claims under Article 9: take one, rule on it, list, show.",
        "第9条の申請: 受付、判断、一覧、表示。",
    ),
    "link": Target(
        "keizoku.scheduler.cli.link.link:app",
        "The linked service: access at the partner, data, orders, stops.",
        "連携サービス: 提携先へのアクセス権限、情報、注文、停止。",
    ),
    "night": Target(
        "keizoku.scheduler.cli.operations.night:app",
        "Run the night of a business date, or of several.",
        "ある営業日の夜間処理を行います。複数日も可能。",
    ),
    "tasks": Target(
        "keizoku.scheduler.cli.operations.tasks:app",
        "All that waits for people: list, show, done, snooze.",
        "担当者を待つすべて: 一覧、表示、処理済み、先送り。",
    ),
    "worker": Target(
        "keizoku.scheduler.cli.operations.worker:app",
        "Run unattended: nights, the gateway's events, health and metrics.",
        "無人運転: 夜間処理、決済代行の知らせ、稼働状況と数値。",
    ),
    "serve": Target(
        "keizoku.web.serve_cli:serving",
        "Answer over HTTP: the API under /v1.",
        "HTTPで応答します: /v1 のAPI。",
    ),
    "api": Target(
        "keizoku.web.cli:app",
        "The HTTP door: its keys, its description.",
        "HTTPの窓口: キーと記述。",
    ),
    "webhook": Target(
        "keizoku.web.webhook_cli:app",
        "Endpoints that events are sent to.",
        "イベントの送信先。",
    ),
    "payments": Target(
        "keizoku.scheduler.cli.money.payments:app",
        "Charges whose answer never came: look up, decide.",
        "結果が届かない決済: 照会、判断。",
    ),
    "gateway": Target(
        "keizoku.scheduler.cli.operations.gateway:app",
        "The card gateway: the rights of its key, its account.",
        "決済代行: キーの権限とアカウント。",
    ),
    "account": Target(
        "keizoku.scheduler.cli.contracts.account:app",
        "Accounts: state, history, suspend, terminate, write off, set off.",
        "アカウント: 状態、履歴、停止、解除、償却、相殺。",
    ),
    "card": Target(
        "keizoku.scheduler.cli.contracts.card:app",
        "Saved cards, and new cards of users.",
        "利用者が登録し直したカード。",
    ),
    "bank": Target(
        "keizoku.scheduler.cli.money.bank:app",
        "Incoming transfers: import, list, match to their payers.",
        "入金: 取込み、一覧、支払人との照合。",
    ),
    "store": Target(
        "keizoku.scheduler.cli.money.store:app",
        "Reports of app stores: import, list.",
        "アプリストアの報告: 取込み、一覧。",
    ),
    "key": Target(
        "keizoku.scheduler.cli.contracts.codes:key",
        "Product keys: issue, list, check, redeem, revoke.",
        "プロダクトキー: 発行、一覧、確認、利用、取消し。",
    ),
    "coupon": Target(
        "keizoku.scheduler.cli.contracts.codes:coupon",
        "Coupons: issue, list, check, redeem, revoke.",
        "クーポン: 発行、一覧、確認、利用、取消し。",
    ),
    "interest": Target(
        "keizoku.scheduler.cli.money.interest:app",
        "Late interest on any day, without saving anything.",
        "任意の日の遅延損害金。何も保存しません。",
    ),
    "invoice": Target(
        "keizoku.scheduler.cli.money.invoice:app",
        "Billing statements and credit notes, as documents.",
        "請求明細と返還請求書を書類にします。",
    ),
    "documents": Target(
        "keizoku.scheduler.cli.money.documents:app",
        "Documents as they were issued: issue, list, show, export.",
        "発行した書類: 発行、検索、表示、引渡し。",
    ),
    "demand": Target(
        "keizoku.scheduler.cli.money.demand:app",
        "Demands for late interest, as documents.",
        "遅延損害金の請求書。",
    ),
    "deposit": Target(
        "keizoku.scheduler.cli.money.deposit:app",
        "What payers sent beyond what they owed: list, refund, apply.",
        "支払人が払い過ぎた分: 一覧、返金、充当。",
    ),
    "transfer": Target(
        "keizoku.scheduler.cli.money.transfer:app",
        "Transfers out by bank: propose, approve, write the bank's file.",
        "総合振込: 起案、承認、ファイルの書出し。",
    ),
    "notice": Target(
        "keizoku.scheduler.cli.contracts.notice:app",
        "Notices and demands for users: list, show, mark as sent.",
        "利用者への通知と請求: 一覧、表示、送付済みの記録。",
    ),
    "ledger": Target(
        "keizoku.scheduler.cli.books.ledger:app",
        "The books: trial balance, accounts, entries, what is behind them.",
        "帳簿: 試算表、勘定、仕訳、その元になった出来事。",
    ),
    "report": Target(
        "keizoku.scheduler.cli.books.report:app",
        "A month for finance: page, workbook, CSV files, their hashes.",
        "経理のための月次報告: ページ、ブック、CSV、ハッシュ。",
    ),
    "reconcile": Target(
        "keizoku.scheduler.cli.books.reconcile:app",
        "A month's books against the gateway's and the bank's.",
        "月の帳簿と、決済代行・銀行の記録との照合。",
    ),
    "close": Target(
        "keizoku.scheduler.cli.books.close:app",
        "Close a month's books, verify what is closed, reopen.",
        "月次締め、締めた月の検証、再開。",
    ),
    "export": Target(
        "keizoku.scheduler.cli.books.export:app",
        "A month's journal as an accounting package imports it.",
        "月の仕訳を会計ソフトの取込み形式で書き出します。",
    ),
    "backup": Target(
        "keizoku.scheduler.cli.operations.backup:app",
        "Encrypted copies in three places: run, list, verify, restore.",
        "暗号化した写しを三か所に: 実行、一覧、検証、復元。",
    ),
    "settings": Target(
        "keizoku.scheduler.cli.operations.settings:app",
        "Every setting with its value, default and meaning.",
        "すべての設定とその値、既定値、意味。",
    ),
    "db": Target(
        "keizoku.scheduler.cli.operations.db:app",
        "The database: where it is, bring it up to date, stop it.",
        "データベース: 場所、更新、停止。",
    ),
}
"""In the order in which a newcomer meets them."""


class _NotYetLoaded(TyperCommand):
    """Stands for a command in the list of commands, and becomes it when it is called."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, attribute = COMMANDS[str(self.name)].place.split(":")
        command = _command_of(str(self.name), getattr(import_module(module), attribute), language())
        return command.make_context(info_name, args, parent=parent, **extra)


@cache  # who gives many commands in one program, as tests do, has each group's commands built once in a language
def _command_of(name: str, group: typer.Typer, _language: str) -> Any:
    group._add_completion = False  # completion is of the whole program: the root has it
    command = typer.main.get_command(group)
    watch(name, command)
    return command


class _Root(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, target in COMMANDS.items():
            self.add_command(_NotYetLoaded(name, help=both(target.help, target.ja or target.help)))


app = typer.Typer(
    cls=_Root,
    name="keizoku",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"keizoku {version('keizoku')}")
        raise typer.Exit


@app.callback(
    help=both(
        "Premium-subscription billing and SLA credits, as the contract says it.",
        "規約のとおりに、有料会員の請求とSLAによる減額を行います。",
    )
)
def _keizoku(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help=both("Print the version.", "版を表示します。")
        ),
    ] = False,
) -> None:
    """Premium-subscription billing and SLA credits, as the contract says it."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    0 fine, 1 a finding or a refusal, 2 a mistake in how it was called, 3 broken off by a failure below it (the database
    went away, a disk is full: run it again), 130 interrupted; `keizoku.scheduler.cli.shared.output` is their home.
    """
    gc.set_threshold(GARBAGE_EVERY)
    _have_streams()
    _show_every_letter()
    written = list(sys.argv[1:] if arguments is None else arguments)
    for each in written:
        try:
            each.encode()
        except UnicodeEncodeError:
            shown = ascii(each[:80]).replace("\\udc", "\\x")
            sys.stderr.write(f"error: not UTF-8: {shown}; write arguments in UTF-8 (see the locale: LANG)\n")
            sys.exit(2)
    settle(written)
    if language() == "ja":
        from keizoku.scheduler.cli.shared.parser_words import speak_japanese

        speak_japanese()
    try:
        try:
            code = typer.main.get_command(app).main(written, prog_name="keizoku", standalone_mode=False)
        finally:
            _hand_over()
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except typer.TyperException as mistake:
        from keizoku.scheduler.cli.shared.output import explain_mistake

        sys.exit(explain_mistake(mistake))
    except Exception as error:
        from keizoku.scheduler.cli.shared.output import explain_failure

        sys.exit(explain_failure(error, as_json="--json" in written, written=written))
    sys.exit(code if isinstance(code, int) else 0)


def _have_streams() -> None:
    """Where a stream was closed before we began, nothing is read from it or shown: the work goes on all the same.

    Its number must not fall to a file or connection of ours, into which others would then write.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                opened = os.open(os.devnull, os.O_RDWR)
                if opened != number:
                    os.dup2(opened, number)
                    os.close(opened)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _show_every_letter() -> None:
    r"""A letter that the encoding of where it goes does not have (LANG, PYTHONIOENCODING) is written out: \u7d99."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _hand_over() -> None:
    """Give stdout what is still held back, while an error of it can still be told; a reader who left wants no more."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # at its end the interpreter would try once more, and say so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
        sys.exit(1)
