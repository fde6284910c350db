"""`keizoku acts`: acts of the operator that the contract allows and nothing computes, recorded with their grounds."""

from __future__ import annotations

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Ground, Recorder, instant, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both(
        "Acts of the operator: change of service, disclosure.", "事業者の行為の記録: サービスの変更、情報の提供。"
    ),
    no_args_is_help=True,
)

At = Annotated[
    str,
    typer.Option(
        "--at",
        help=both(
            "When it was done, JST unless it has an offset. Default: now.",
            "行った時刻。時差の指定がなければ日本時間。省略すると現在。",
        ),
    ),
]


@app.command("service-change", help=japanese("サービスの内容を変更したことを記録します(11.1)。"))
def service_change(
    what: Annotated[
        str, typer.Option(help=both("What was changed, added or withdrawn.", "変更、追加、廃止した内容。"))
    ],
    ground: Ground,
    at: At = "",
    author: Recorder = "",
    key: Key = "",
) -> None:
    """Record that the contents of the service were changed (11.1)."""
    used = key_of(key)
    with services_now() as (services, now):
        act_id = services.billing.service_change(
            what, occurred_at=instant(at) if at else now, by=recorder(author), ground=ground, key=used, now=now
        )
    emit(f"act {act_id} recorded")


@app.command(help=japanese("債権回収のため利用者の情報をカード会社に提供したことを記録します(8.1)。"))
def disclosure(
    account: Account,
    recipient: Annotated[
        str, typer.Option("--to", help=both("Who received them: the card company.", "提供先のカード会社。"))
    ],
    what: Annotated[
        str,
        typer.Option(
            help=both("Which kinds of data; never the data themselves.", "情報の種類。情報そのものは書きません。")
        ),
    ],
    ground: Ground,
    at: At = "",
    author: Recorder = "",
    key: Key = "",
) -> None:
    """Record that data of a user went to a card company to collect a debt (8.1)."""
    used = key_of(key)
    with services_now() as (services, now):
        act_id = services.billing.disclosure(
            account,
            what,
            recipient=recipient,
            occurred_at=instant(at) if at else now,
            by=recorder(author),
            ground=ground,
            key=used,
            now=now,
        )
    emit(f"act {act_id} recorded")


@app.command("list", help=japanese("記録した行為のすべて。行った順。"))
def list_acts(
    account: Annotated[
        str | None,
        typer.Option(
            help=both(
                "Those on this account, and changes of the service.", "このアカウントに関するものと、サービスの変更。"
            )
        ),
    ] = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every recorded act, in order of when it was done."""
    from keizoku.billing.services.operator_acts import act_list

    with services_now() as (services, _):
        rows = act_list(services.session, account)
    emit_rows(rows, Page.wanted(limit, after, everything), "no acts are recorded", as_json)
