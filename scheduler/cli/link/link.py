"""`keizoku link`: who is linked and may be, their access at the partner, and the data that may be shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import typer

from keizoku.scheduler.cli.link import findings, orders, stops
from keizoku.scheduler.cli.link.options import At, Scope
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import (
    SPOKEN,
    Account,
    AsJson,
    Author,
    Ground,
    Language,
    OnlyAccount,
    Recorder,
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
)
from keizoku.scheduler.cli.shared.output import emit, fail, note

app = typer.Typer(
    help=both(
        "The linked service: access at the partner, data, orders, stops.",
        "連携サービス: 提携先へのアクセス権限、情報、注文、停止。",
    ),
    no_args_is_help=True,
)
app.add_typer(orders.app, name="order")
app.add_typer(stops.app, name="stop")
app.add_typer(findings.events, name="event")
app.add_typer(findings.load, name="load")


class FactKind(StrEnum):
    """What is recorded of a customer."""

    PARTNER_ACCOUNT_OPENED = "partner_account_opened"
    PARTNER_ACCOUNT_CLOSED = "partner_account_closed"
    RULES_CONSENTED = "rules_consented"
    RULES_WITHDRAWN = "rules_withdrawn"
    BASE_ACCOUNT_CLOSED = "base_account_closed"
    BASE_ACCOUNT_OPENED = "base_account_opened"
    PARTNER_ENDED = "partner_ended"
    PARTNER_RESUMED = "partner_resumed"


class DesignationKind(StrEnum):
    """What is designated."""

    FIELD = "field"
    PRODUCT = "product"


class Met(StrEnum):
    """What people rule."""

    MET = "met"
    UNMET = "unmet"


Fact = Annotated[FactKind, typer.Argument(metavar="FACT", help=both("What happened.", "起きたこと。"))]


@app.command(help=japanese("お客さまについての事実を記録します(第4条、第12条)。終了の事由ならその時に終了します。"))
def record(
    account: Account,
    fact: Fact,
    rules: Annotated[
        str,
        typer.Option("--rules", help=both("The version of the API rules consented to.", "同意したAPI利用規定の版。")),
    ] = "",
    at: At = "",
    ground: Annotated[str, typer.Option("--ground", help=both("Why.", "理由。"))] = "",
    author: Recorder = "",
) -> None:
    """Record what happened to a customer (4, 12.2); what ends the link ends it at its instant."""
    with services_now() as (services, now):
        services.link.record_fact(
            account,
            fact.value,
            occurred_at=instant(at) if at else now,
            rules_version=rules or None,
            by=recorder(author),
            ground=ground or None,
            now=now,
        )
    emit(f"account {account}: {fact.value} recorded")


@app.command(help=japanese("原文が手元にない条件について判断します(4.3 など)。理由を記録します。"))
def rule(
    account: Account,
    clause: Annotated[str, typer.Argument(metavar="CLAUSE", help=both("Such as 4.3.", "条項。4.3 など。"))],
    ruling: Annotated[Met, typer.Argument(metavar="met|unmet", help=both("The ruling.", "判断。"))],
    author: Author,
    ground: Ground,
    at: At = "",
) -> None:
    """Rule on a condition whose text is not at hand (4.3 and others), with a ground."""
    with services_now() as (services, now):
        services.link.rule(
            account,
            clause,
            met=ruling is Met.MET,
            occurred_at=instant(at) if at else now,
            by=author,
            ground=ground,
            now=now,
        )
    emit(f"account {account}: {clause} {ruling.value} recorded")


@app.command(help=japanese("表示する項目、注文できる商品を指定します(6.2、6.3)。日付から有効です。"))
def designate(
    kind: Annotated[
        DesignationKind, typer.Argument(metavar="field|product", help=both("What kind.", "項目か商品か。"))
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=both("positions.Symbol, or a product's code.", "positions.Symbol など。商品は提携先のコード。"),
        ),
    ],
    author: Author,
    ground: Ground,
    since: Annotated[
        str, typer.Option("--from", help=both("The first day. Default: today.", "最初の日。省略すると今日。"))
    ] = "",
    no_longer: Annotated[
        bool, typer.Option("--no-longer", help=both("It is designated no more.", "指定をやめます。"))
    ] = False,
) -> None:
    """Designate a field that is shown or a product that can be ordered (6.2, 6.3), from a day on."""
    with services_now() as (services, now):
        services.link.designate(
            kind.value,
            name,
            is_designated=not no_longer,
            holds_from=day(since) if since else None,
            by=author,
            ground=ground,
            now=now,
        )
    emit(f"{kind.value} {name}: {'no longer designated' if no_longer else 'designated'}")


@app.command(help=japanese("指定した項目と商品のすべてと、今日有効かどうか。"))
def designations(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every designation, and whether it holds today."""
    from keizoku.link.services.views import designation_list
    from keizoku.terms.calendar import jst_day

    with services_now() as (services, now):
        rows = designation_list(services.session, jst_day(now))
    emit_rows(rows, Page.wanted(limit, after, everything), "nothing is designated", as_json)


@app.command(help=japanese("お客さまが提携先で権限を与える画面のアドレスを作ります(第4条第2号)。"))
def begin(
    account: Account,
    back: Annotated[
        str,
        typer.Option("--back", metavar="URL", help=both("Where the customer comes back.", "お客さまの戻り先。")),
    ],
    scope: Annotated[
        Scope, typer.Option("--scope", help=both("data, or orders (with the data).", "data、または orders。"))
    ] = Scope.DATA,
    as_json: AsJson = False,
) -> None:
    """The address at the partner at which the customer authorises us (4.2)."""
    with services_now() as (services, now):
        begun = services.link.begin(account, scope.value, back, now=now)
    shown = {"account": account, "url": begun.url, "expires_at": begun.expires_at}
    emit(shown if as_json else begun.url, as_json)


@app.command(help=japanese("お客さまが戻ったアドレスを標準入力から読み、最初の鍵を受け取ります。"))
def finish(as_json: AsJson = False) -> None:
    """Read from stdin the address at which the customer came back, and take the first token."""
    words = parse_qs(urlsplit(sys.stdin.readline().strip()).query)
    state, code = words.get("state", [""])[0], words.get("code", [""])[0]
    if not state or not code:
        fail("the address has no state or no code; give the whole address on stdin")
    with services_now() as (services, now):
        grant_id = services.link.finish(state, code, now=now)
    emit({"grant": grant_id} if as_json else f"grant {grant_id}", as_json)


@app.command(help=japanese("鍵を更新します。アカウントを省略すると、期限の近いものすべて。"))
def renew(
    account: Annotated[
        str, typer.Argument(metavar="[ACCOUNT]", help=both("One account now.", "このアカウントだけ、今すぐ。"))
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Renew one account's token now; without an account every token that is due."""
    with services_now() as (services, now):
        if account:
            done = services.link.renew(account, now=now)
            shown: dict[str, object] = {"account": account, "outcome": done.outcome, "code": done.code}
            failed = done.outcome != "renewed"
        else:
            counts = services.link.renew_due(now=now)
            shown = {
                "renewed": counts.renewed,
                "refused": counts.refused,
                "ended": counts.ended,
                "failed": counts.failed,
                "skipped": counts.skipped,
                "partner_down": counts.partner_down,
                "busy": counts.busy,
            }
            if counts.busy:
                note("another process is renewing what is due: nothing was done here")
            failed = counts.failed > 0
    emit(shown, as_json)
    raise typer.Exit(1 if failed else 0)


@app.command(help=japanese("アクセス権限を取り消します: 提携先で取り消し、鍵を破棄し、証跡を残します。"))
def revoke(account: Account, author: Author, ground: Ground) -> None:
    """End the access: revoked at the partner, its tokens destroyed, the proof kept."""
    with services_now() as (services, now):
        confirmed = services.link.revoke(account, by=author, ground=ground, now=now)
    told = "the partner confirmed it" if confirmed else "the partner did not confirm it: see `keizoku tasks list`"
    emit(f"account {account}: revoked; {told}")


@app.command(
    help=japanese(
        "復元の後に連携を引き継ぎます: このデータベースだけがこれらの連携を使うと人が述べるまで、"
        "提携先には問い合わせません。"
    )
)
def adopt(author: Author, ground: Ground) -> None:
    """After a restore: say that no other database works with these links, so that tokens are used again."""
    with services_now() as (services, now):
        services.link.adopt(by=author, ground=ground, now=now)
    emit("adopted: tokens are used again; those renewed since the backup will be refused, and their customers told")


@app.command(help=japanese("連携の状態と、利用できるかどうかを条件ごとに示します(第2条、第4条)。"))
def show(
    account: Account,
    lang: Annotated[Language, typer.Option(help=both("ja or en.", "ja か en。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """The state of a link, and whether it can be used, condition by condition (2, 4)."""
    from keizoku.link.services.views import link_view

    with services_now() as (services, now):
        view = link_view(services.session, account, now)
        decisions = [services.link.may_use(account, scope, now=now) for scope in ("data", "orders")]
        services.session.rollback()
    if as_json:
        emit({**view, "decisions": [each.to_json() for each in decisions]}, as_json)
        return
    emit(view)
    for decision in decisions:
        emit([f"{line} {step.clause}" for line, step in zip(decision.render(lang.value), decision.steps, strict=True)])
        emit(f"→ {decision.outcome}")


@app.command(help=japanese("お客さまの情報のうち指定した項目を提携先から取得します。保存しません(6.2)。"))
def fetch(
    account: Account,
    kinds: Annotated[
        list[str], typer.Argument(metavar="KIND...", help=both("positions, balance, orders.", "情報の種類。"))
    ],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Fetch the designated fields of a customer's data from the partner; nothing is stored (6.2)."""
    with services_now() as (services, now):
        found = services.link.show(account, kinds, by=recorder(author), now=now)
    emit(
        [
            {"kind": each.kind, "content": each.content, "fetched_at": each.fetched_at, "dropped": each.dropped}
            for each in found
        ],
        as_json,
    )


@app.command("list", help=japanese("連携したことのあるアカウントと、その状態。"))
def list_links(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every account that was ever linked, and its state."""
    from keizoku.link.services.views import count_links, link_list

    with services_now() as (services, now):

        def read(limit: int, after: str) -> Sequence[Row]:
            return link_list(services.session, now, after, limit)

        pages = Pages(read, lambda: count_links(services.session), lambda row: str(row["account"]))
        emit_pages(pages, Page.wanted(limit, after, everything), "nobody is linked", as_json)


@app.command("uses", help=japanese("鍵を使った記録のすべて: 目的、時刻、結果。取得した内容は残しません。"))
def list_uses(
    account: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every use of a token: what for, when, what came of it. Never what was fetched."""
    from keizoku.link.services.views import count_uses, use_list

    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            return use_list(services.session, account, number_after(after, "use") or 0, limit)

        pages = Pages(read, lambda: count_uses(services.session, account))
        emit_pages(pages, Page.wanted(limit, after, everything), "no token was used", as_json)


@app.command(help=japanese("鍵ファイルの新しい行を作ります。先頭の行で封をし、どの行でも開けます。"))
def key() -> None:
    """A new line for the key file: the first line seals, every line opens."""
    from keizoku.extras import naming_the_extra

    with naming_the_extra():
        from keizoku.link.sealing.seals import new_key_line

    typer.echo(new_key_line())


@app.command("rotate-keys", help=japanese("すべての鍵に、鍵ファイルの先頭の鍵で封をし直します。"))
def rotate_keys(as_json: AsJson = False) -> None:
    """Seal every secret anew under the first key of the key file; the older keys are then not needed."""
    with open_services() as services:
        done = services.link.seal_anew()
    emit({"sealed": done} if as_json else f"{done:,} secrets sealed anew", as_json)
