"""`keizoku contract`: applications and their screening, what users ask for, lists.

Every command is one call of the billing service, at the present instant; what cannot be done is one line, exit code 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.billing.rules.contract_state import STATES
from keizoku.billing.rules.screening import NoRuleError, Rule, load_rule
from keizoku.scheduler.cli.shared.context import services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.inputs import (
    Account,
    AsJson,
    File,
    Ground,
    Recorder,
    StoreOrder,
    day,
    instant,
    recorder,
)
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
)  # fmt: skip
from keizoku.scheduler.cli.shared.output import emit, fail, report_findings
from keizoku.terms.refusal import Refused

app = typer.Typer(
    help=both("Applications, screening, end of use: the life of a contract.", "申込み、審査、利用終了: 契約の一生。"),
    no_args_is_help=True,
)

OfferDigest = Annotated[
    str | None,
    typer.Option(
        "--offer",
        metavar="DIGEST",
        help=both(
            "What was shown, by the digest of `keizoku offer`. Default: what is on offer now.",
            "表示した内容(`keizoku offer` のダイジェスト)。省略すると現在の内容。",
        ),
    ),
]
ShownAt = Annotated[
    str | None,
    typer.Option(
        "--shown",
        metavar="TIME",
        help=both("When it was shown, JST unless it has an offset. Default: now.", "表示した時刻。省略すると現在。"),
    ),
]
Accounts = Annotated[
    list[str], typer.Argument(metavar="ACCOUNT…", help=both("One account or several.", "一つ以上のアカウント。"))
]


@app.command(
    help=japanese(
        "申込みを受け付けます(3.2)。設定 `screening` に規則があればただちに審査し、なければ担当者が決めます。"
    )
)
def apply(
    account: Account,
    plan: Annotated[
        str, typer.Option(help=both("A plan of `keizoku plan list`.", "`keizoku plan list` にあるプラン。"))
    ],
    method: Annotated[
        str,
        typer.Option(
            help=both(
                "card, coupon, product_key, app_store, other.",
                "支払方法: card, coupon, product_key, app_store, other。",
            )
        ),
    ],
    months: Annotated[
        int | None,
        typer.Option(
            min=1, help=both("How long a term the coupon or key pays for.", "クーポンやキーで支払われる月数。")
        ),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            help=both(
                "card: the method after a coupon or key is used up.", "card: クーポンやキーを使い切った後の支払方法。"
            )
        ),
    ] = None,
    consent: Annotated[
        list[str] | None,
        typer.Option(
            "--consent",
            metavar="TERMS/VERSION",
            help=both(
                "May be repeated. None: to the versions in force.",
                "同意した規約の版。繰り返し可。省略すると施行中の版。",
            ),
        ),
    ] = None,
    offer: OfferDigest = None,
    shown: ShownAt = None,
    order: StoreOrder = None,
    as_json: AsJson = False,
) -> None:
    """Take an application (3.2). With a rule (setting `screening`) it is screened at once, else people decide."""
    rule = _rule()
    with services_now() as (services, now):
        contract_id = services.billing.register(
            account,
            plan,
            method,
            months=months,
            fallback=fallback,
            consents=consent or (),
            offer=offer,
            shown_at=instant(shown) if shown else None,
            order=order,
            now=now,
        )
        screened = services.billing.screen(rule, accounts=[account], now=now) if rule is not None else []
    outcome = screened[0].outcome if screened else "applied"
    ground = screened[0].ground if screened else None
    sentence = f"account {account}: {outcome}{f' ({ground})' if ground else ''}, contract {contract_id}"
    emit(
        {"contract": contract_id, "account": account, "outcome": outcome, "ground": ground} if as_json else sentence,
        as_json,
    )


@app.command(
    "import",
    help=japanese(
        "ファイルの申込みを受け付けます(CSV): account, plan, method, applied_at, months, fallback, consents, order。"
        "\n\n"
        "受け付けられない行は、ファイル、行、値、規則、対処を示し、残りは受け付けます。そのときは終了"
        "コード 1。"
    ),
)
def import_applications(file: File, as_json: AsJson = False) -> None:
    """Take applications of a file: account, plan, method, applied_at, months, fallback, consents, order (CSV).

    Rows that cannot be taken are reported with file, line, value, rule and remedy (exit 1); the good ones are taken.
    """
    with services_now() as (services, now):
        done = services.billing.import_applications(file, now=now)
    if as_json:
        emit(done, as_json=True)
    else:
        report_findings(done.findings)
        emit(f"{file}: {done.rows} rows, {done.taken} applications taken")
    raise typer.Exit(1 if done.findings else 0)


@app.command(help=japanese("審査を待つ申込み。古い順。"))
def queue(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Applications that wait to be screened, oldest first."""
    from keizoku.billing.accounts.contract_lists import application_queue

    with services_now() as (services, now):
        rows = application_queue(services.session, now)
    emit_rows(rows, Page.wanted(limit, after, everything), "no application is waiting", as_json, "account")


@app.command(
    help=japanese("待っている申込みを設定 `screening` の規則で審査します。担当者に残るものがあれば終了コード 1。")
)
def screen(as_json: AsJson = False) -> None:
    """Let the rule of the setting `screening` decide on every waiting application; exit 1 if some stay with people."""
    rule = _rule()
    if rule is None:
        fail("people screen applications (setting screening): see `keizoku contract queue`, then approve or reject")
    with services_now() as (services, now):
        done = services.billing.screen(rule, now=now)
    emit(
        done if as_json else [f"{each.account}: {each.outcome} {each.ground or ''}".rstrip() for each in done], as_json
    )
    raise typer.Exit(1 if any(each.outcome == "referred" for each in done) else 0)


@app.command(help=japanese("申込みを承認します。その時点で契約が成立し、最初の期間を請求・決済します(3.3)。"))
def approve(
    accounts: Accounts,
    author: Recorder = "",
    ground: Annotated[
        str | None, typer.Option(help=both("Why, if there is anything to say.", "理由(あれば)。"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Approve applications: each contract is formed at this instant, its first term invoiced and charged (3.3)."""
    done, refused = [], []
    with services_now() as (services, _):
        for account in accounts:
            try:
                contract_id = services.billing.approve(
                    account, by=recorder(author), ground=ground, now=datetime.now(UTC)
                )
                done.append({"account": account, "contract": contract_id})
            except Refused as why:
                services.session.rollback()
                refused.append(str(why))
    if as_json:
        emit({"approved": done, "refused": refused}, as_json=True)
    else:
        emit([f"account {each['account']}: approved, contract {each['contract']}" for each in done])
        report_findings(refused)
    raise typer.Exit(1 if refused else 0)


@app.command(help=japanese("申込みを、理由とともに断ります(3.5)。"))
def reject(
    account: Account,
    ground: Annotated[
        str,
        typer.Option(
            help=both(
                "One of screening_grounds, or no_duty; a colon and more may follow.",
                "screening_grounds の一つ、または no_duty。コロンに続けて補足できます。",
            )
        ),
    ],
    author: Recorder = "",
) -> None:
    """Turn an application down, with its ground (3.5)."""
    with services_now() as (services, now):
        services.billing.reject(account, ground, by=recorder(author), now=now)
    emit(f"account {account}: rejected")


@app.command("end-of-use", help=japanese("利用者が更新しないことを申し出ます(6.1)。契約が終わる日を表示します。"))
def end_of_use(account: Account, as_json: AsJson = False) -> None:
    """The user asks not to renew (6.1); says on which day the contract is over."""
    with services_now() as (services, now):
        ends_on = services.billing.end_of_use(account, now=now)
    emit({"account": account, "ends_on": ends_on} if as_json else f"account {account}: ends on {ends_on}", as_json)


@app.command("withdraw-end-of-use", help=japanese("利用終了の申し出を、期間の終わりまでに取り下げます。"))
def withdraw_end_of_use(account: Account) -> None:
    """The user withdraws a request to end use, before the term ends."""
    with services_now() as (services, now):
        services.billing.withdraw_end_of_use(account, now=now)
    emit(f"account {account}: renews")


@app.command(
    "store-stop", help=japanese("アプリストアで更新が止められたことを記録します(6.1)。契約が終わる日を表示します。")
)
def store_stop(
    account: Account,
    stopped_on: Annotated[
        str | None,
        typer.Option(
            "--stopped-on",
            metavar="DATE",
            help=both("On which day it was stopped in the store; default: now.", "ストアで停止された日。既定は現在。"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The app store has stopped the renewal (6.1); says on which day the contract is over."""
    on = day(stopped_on) if stopped_on is not None else None
    with services_now() as (services, now):
        ends_on = services.billing.store_stop(account, stopped_on=on, now=now)
    sentence = f"account {account}: {f'ends on {ends_on}' if ends_on else 'goes on with another method'}"
    emit({"account": account, "ends_on": ends_on} if as_json else sentence, as_json)


@app.command(
    "show-again",
    help=japanese("審査待ちの申込みに内容を改めて表示し、申込者が承諾したことを記録します(3.2, 3.3)。"),
)
def show_again(account: Account, offer: OfferDigest = None, shown: ShownAt = None, as_json: AsJson = False) -> None:
    """Record that a waiting application was shown the offer anew and accepts it (3.2, 3.3)."""
    with services_now() as (services, now):
        found = services.billing.show_again(account, offer=offer, shown_at=instant(shown) if shown else None, now=now)
    sentence = f"account {account}: accepts {found.price_yen:,} yen, shown on {found.shown_on}"
    emit({"account": account, **found._asdict()} if as_json else sentence, as_json)


@app.command("change-method", help=japanese("次の更新から支払方法を変更する申し出です(5.1)。"))
def change_method(
    account: Account,
    method: Annotated[str, typer.Argument(help=both("card, app_store, other.", "支払方法: card, app_store, other。"))],
    store_stop_recorded: Annotated[
        bool,
        typer.Option(
            "--store-stop-recorded",
            help=both("The user has stopped the subscription in the store.", "利用者がストアの購読を止めました。"),
        ),
    ] = False,
) -> None:
    """The user asks for another method of payment, from the next renewal on (5.1)."""
    with services_now() as (services, now):
        services.billing.change_method(account, method, store_stop_recorded=store_stop_recorded, now=now)
    emit(f"account {account}: {method} from the next renewal on")


@app.command("void-fact", help=japanese("誤って記録された最後の申し出を、理由とともに取り消します。記録は残ります。"))
def void_fact(
    account: Account,
    kind: Annotated[
        str,
        typer.Argument(
            help=both(
                "change_method, end_of_use, withdraw_end_of_use, store_stop.",
                "change_method, end_of_use, withdraw_end_of_use, store_stop のいずれか。",
            )
        ),
    ],
    ground: Ground,
    author: Recorder = "",
) -> None:
    """Take back the last fact of this kind that was recorded by mistake: no later renewal looks at it."""
    with services_now() as (services, now):
        fact = services.billing.void_fact(account, kind, by=recorder(author), ground=ground, now=now)
    emit(f"account {account}: {kind} taken back (fact {fact})")


@app.command(help=japanese("利用者が元のサービスを退会しました(6.2)。利用はただちに終わり、返金はありません。"))
def leave(account: Account) -> None:
    """The user left the base service (6.2): access ends at once, nothing is given back."""
    with services_now() as (services, now):
        services.billing.leave_service(account, now=now)
    emit(f"account {account}: left")


@app.command("delete-user", help=japanese("利用者IDが削除されました(13)。利用はただちに終わり、返金はありません。"))
def delete_user(account: Account) -> None:
    """The user id was deleted (13): access ends at once, nothing is given back."""
    with services_now() as (services, now):
        services.billing.delete_user(account, now=now)
    emit(f"account {account}: its user id is deleted")


@app.command("list", help=japanese("契約の現在の状態。新しい順。"))
def list_contracts(
    state: Annotated[
        str | None, typer.Option(help=both(f"One of {', '.join(STATES)}.", f"状態: {', '.join(STATES)}。"))
    ] = None,
    plan: Annotated[str | None, typer.Option(help=both("Only this plan.", "このプランのものだけ。"))] = None,
    account: Annotated[str | None, typer.Option(help=both("Only this account.", "このアカウントのものだけ。"))] = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Contracts as they are now, newest first."""
    from keizoku.billing.accounts.contract_lists import contract_count, contract_list

    wanted = next((each for each in STATES if each == state), None)
    if state is not None and wanted is None:
        fail(f"--state {state}: one of {', '.join(STATES)}")
    with services_now() as (services, now):

        def read(limit: int, after: str) -> Sequence[Row]:
            last = number_after(after, "contract")
            return contract_list(
                services.session,
                services.rules,
                now,
                state=wanted,
                plan_code=plan,
                account=account,
                limit=limit,
                after=last,
            )

        def count() -> int:
            return contract_count(services.session, services.rules, now, state=wanted, plan_code=plan, account=account)

        emit_pages(Pages(read, count), Page.wanted(limit, after, everything), "no contracts", as_json)


def _rule() -> Rule | None:
    try:
        return load_rule(settings_of_this_process().screening)
    except NoRuleError as error:
        fail(str(error))
