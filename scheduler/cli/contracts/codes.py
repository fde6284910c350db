"""`keizoku key` and `keizoku coupon`: codes by the batch (5.1(1)), one set of commands for both.

A key is booked when it is sold; a coupon is free. Codes are written to a file once and kept nowhere else.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, Ground, Recorder, day, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import UserError, emit

if TYPE_CHECKING:
    from keizoku.billing.contracts.code_batches import BatchOrder
    from keizoku.billing.rules.codes import Code

Batch = Annotated[
    str,
    typer.Option(
        "--batch", help=both("A name that you choose; each name is used once.", "自由に付ける名前。一度だけ使えます。")
    ),
]
Count = Annotated[int, typer.Option("--count", min=1, help=both("How many codes.", "発行する件数。"))]
Months = Annotated[
    int,
    typer.Option("--months", min=1, help=both("How long a term one code pays for.", "1件のコードで支払われる月数。")),
]
Plan = Annotated[str, typer.Option("--plan", help=both("For which plan.", "対象のプラン。"))]
Expires = Annotated[
    str,
    typer.Option("--expires", help=both("The last day on which a code can be redeemed.", "コードを使える最後の日。")),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        help=both(
            "A new file for the codes, one a line; readable by you alone.",
            "コードを書き出す新しいファイル。1行に1件、本人だけが読めます。",
        ),
    ),
]
SoldAtOnce = Annotated[
    bool, typer.Option("--sold", help=both("All of them are sold today.", "全部を今日販売したものとします。"))
]
Buyer = Annotated[str, typer.Option(help=both("Who bought them.", "購入者。"))]
BaseDate = Annotated[
    str, typer.Option("--on", help=both("31 March or 30 September of a year.", "基準日。3月31日か9月30日。"))
]
BatchName = Annotated[str, typer.Argument(metavar="BATCH", help=both("The batch.", "まとまりの名前。"))]
Typed = Annotated[
    str, typer.Argument(metavar="CODE", help=both("The code as its holder typed it.", "利用者が入力したコード。"))
]

RefundCase = Annotated[
    str,
    typer.Option(
        "--case",
        help=both(
            "Why the Payment Services Act allows it, where sold keys are paid back: small, abolished, hardship.",
            "販売したキーを払い戻せる資金決済法上の理由: small(少額)、abolished(業務の廃止)、"
            "hardship(やむを得ない事情)。",
        ),
    ),
]
KeyPrice = Annotated[
    int | None,
    typer.Option(
        "--yen",
        help=both(
            "Price of one key. Default: the plan's for its months.", "キー1件の価格。省略するとプランの月数分の料金。"
        ),
    ),
]
Fallback = Annotated[
    str | None,
    typer.Option(
        help=both(
            "The method after it: card. Default: the contract ends.",
            "その後の支払方法: card。省略すると契約は終了します。",
        )
    ),
]

NAMES = {"product_key": "product keys", "coupon": "coupons"}
NAMES_JA = {"product_key": "プロダクトキー", "coupon": "クーポン"}


def _commands(kind: str) -> typer.Typer:
    names = NAMES[kind]
    app = typer.Typer(
        help=both(
            f"{names.capitalize()}: issue, list, check, redeem, revoke.",
            f"{NAMES_JA[kind]}: 発行、一覧、確認、利用、取消し。",
        ),
        no_args_is_help=True,
    )

    def issue_batch(order: BatchOrder, out: Path, author: str, as_json: bool) -> None:
        with services_now() as (services, now):
            services.billing.issue_codes(order, lambda codes: _write(out, codes), by=recorder(author), now=now)
        result = {"batch": order.name, "codes": order.codes, "file": str(out)}
        emit(result if as_json else f"{order.codes:,} {names} written to {out}; they are kept nowhere else", as_json)

    if kind == "coupon":

        @app.command(help=japanese("無料のクーポンを発行します。コードは新しいファイルに一度だけ書き出します。"))
        def issue(
            batch: Batch, count: Count, months: Months, plan: Plan, expires: Expires, out: Out,
            author: Recorder = "", as_json: AsJson = False,
        ) -> None:  # fmt: skip
            """Issue a batch of free coupons. The codes are written to a new file, once."""
            issue_batch(_order(batch, kind, plan, months, count, expires), out, author, as_json)

    else:

        @app.command(
            "issue",
            help=japanese(
                "プロダクトキーを作成します。コードは新しいファイルに一度だけ書き出します。記帳は販売したときです"
                "(--sold か `key sell`)。"
            ),
        )
        def issue_keys(
            batch: Batch, count: Count, months: Months, plan: Plan, expires: Expires, out: Out,
            yen: KeyPrice = None,
            sold: SoldAtOnce = False,
            author: Recorder = "", as_json: AsJson = False,
        ) -> None:  # fmt: skip
            """Make a batch of product keys. The codes are written to a new file, once.

            They are booked when they are sold: all of them today with --sold, else by `key sell`.
            """
            order = _order(batch, kind, plan, months, count, expires, yen)
            issue_batch(dataclasses.replace(order, sold=order.codes if sold else 0), out, author, as_json)

        @app.command(help=japanese("まとまりのキーを今日販売したことを記録します(1131 / 2125)。"))
        def sell(batch: BatchName, count: Count, author: Author, buyer: Buyer = "", as_json: AsJson = False) -> None:
            """Keys of a batch are sold today: they are owed for from now on (1131 / 2125)."""
            with services_now() as (services, now):
                yen = services.billing.sell_keys(batch, count, buyer=buyer, by=author, now=now)
            result = {"batch": batch, "sold": count, "yen": yen}
            emit(result if as_json else f"{count:,} keys of {batch} are sold for {yen:,} yen", as_json)

        @app.command(help=japanese("資金決済法の基準日(3月31日、9月30日)の未使用残高。2125 の残高と一致します。"))
        def unused(on: BaseDate, as_json: AsJson = False) -> None:
            """What is unused on a base date of the Payment Services Act (31 March, 30 September); it ties to 2125."""
            from keizoku.billing.contracts.prepaid_report import unused_balances

            with open_services() as services:
                found = unused_balances(services.session, day(on))
            lines = [
                f"{each.batch}: {each.unused:,} unused of {each.sold:,} sold, {each.unused_yen:,} yen"
                + (", exempt" if each.exempt else "")
                for each in found.batches
            ]
            lines.append(
                f"unused {found.unused_yen:,} yen, counted {found.counted_yen:,}, to deposit {found.deposit_yen:,}"
            )
            lines.append(f"2125 on {found.on}: {found.ledger_yen:,}, of it terms to begin {found.terms_yen:,}")
            emit(found if as_json else lines, as_json)

    @app.command("list", help=japanese("すべてのまとまりと、コードのその後。"))
    def list_batches(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
        """Every batch, and what became of its codes."""
        from keizoku.billing.contracts.code_batches import batches

        with open_services() as services:
            found = batches(services.session, kind)
        emit_rows(found, Page.wanted(limit, after, everything), f"no {names}", as_json, "batch")

    @app.command(help=japanese("一つのまとまり: 使用済み、申込み中、期限切れ、取消し、未使用、残っている負債。"))
    def show(batch: BatchName, as_json: AsJson = False) -> None:
        """One batch: used, held by applications, expired, revoked, open, and what is owed for it."""
        from keizoku.billing.contracts.code_batches import batches

        with open_services() as services:
            (found,) = batches(services.session, kind, batch)
        emit(found, as_json)

    @app.command(
        help=japanese(
            "コードで何が支払われるか。打ち間違い、不明、使用済み、期限切れ、取消しなら理由を示して終了コード 1。"
        )
    )
    def check(code: Typed, as_json: AsJson = False) -> None:
        """What a code would pay for; exit 1 and why, if it is mistyped, unknown, redeemed, expired or revoked."""
        with services_now() as (services, now):
            promise = services.billing.check_code(code, now=now)
        shown = {
            "batch": promise.batch,
            "method": promise.kind,
            "plan": promise.plan,
            "months": promise.months,
            "until": promise.expires_on,
        }
        emit(shown, as_json)

    @app.command(help=japanese("コードで契約を申し込みます。申込みは承認を待ちます。"))
    def redeem(
        account: Account,
        code: Typed,
        fallback: Fallback = None,
        as_json: AsJson = False,
    ) -> None:
        """Apply for a contract with a code; the application then waits for its approval."""
        with services_now() as (services, now):
            contract_id = services.billing.redeem(account, code, fallback=fallback, now=now)
        result = {"account": account, "contract": contract_id}
        emit(result if as_json else f"{account}: redeemed; contract {contract_id} waits for its approval", as_json)

    @app.command(
        help=japanese(
            "まとまりのうち、まだ使われていないコードをすべて取り消します。支払われた代金は購入者に返ります。"
        )
    )
    def revoke(
        batch: BatchName, author: Author, ground: Ground, case: RefundCase = "small", as_json: AsJson = False
    ) -> None:
        """Take back every code of a batch that nobody has redeemed; what was paid for it goes back to its buyer."""
        with services_now() as (services, now):
            codes = services.billing.revoke_batch(batch, kind, by=author, ground=ground, now=now, case=case)
        emit({"batch": batch, "revoked": codes} if as_json else f"{batch}: {codes:,} codes revoked", as_json)

    return app


def _order(
    batch: str, kind: str, plan: str, months: int, count: int, expires: str, yen: int | None = None
) -> BatchOrder:
    from keizoku.billing.contracts.code_batches import BatchOrder

    return BatchOrder(batch, kind, plan, months, count, day(expires), yen)


def _write(out: Path, codes: Sequence[Code]) -> None:
    """To a file that was not there before, readable by its owner alone."""
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.writelines(f"{code}\n" for code in codes)
    except FileExistsError:
        raise UserError(f"{out} is there already; codes are written to a new file") from None
    except OSError as error:
        out.unlink(missing_ok=True)  # half a list; ours, since it was not there before
        raise UserError(f"{out}: {error.strerror}") from error


key = _commands("product_key")
coupon = _commands("coupon")
