"""`keizoku link stop`: stops and changes of the service, and their announcements (10.4, 11.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from keizoku.scheduler.cli.link.options import At, Stop
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, Ground, OnlyAccount, instant
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both(
        "Stops and changes of the linked service: add, lift, announce, list.",
        "連携サービスの停止・変更: 記録、解除、告知、一覧。",
    ),
    no_args_is_help=True,
)


class Whose(StrEnum):
    """Who stops it."""

    PARTNER = "partner"
    OPERATOR = "operator"


class Covered(StrEnum):
    """What is stopped."""

    ALL = "all"
    DATA = "data"
    ORDERS = "orders"


class What(StrEnum):
    """Whether it stops or changes."""

    STOP = "stop"
    CHANGE = "change"


class StopClause(StrEnum):
    """By which clause."""

    AFTER_AN_EVENT = "5.7"
    FOR_A_TIME = "10.4"
    WITH_THE_PARTNER = "11.2"


@app.command(help=japanese("停止または変更を記録します。5.7 は事故のとき、10.4 は一時、11.2 は提携先に伴うもの。"))
def add(
    whose: Annotated[
        Whose, typer.Argument(metavar="partner|operator", help=both("Who stops it.", "停止するのは提携先か当社か。"))
    ],
    what: Annotated[str, typer.Option("--what", help=both("What stops or changes.", "停止・変更の内容。"))],
    author: Author,
    ground: Ground,
    clause: Annotated[
        StopClause, typer.Option("--clause", help=both("5.7, 10.4 or 11.2.", "条項。5.7、10.4、11.2 のどれか。"))
    ] = StopClause.FOR_A_TIME,
    scope: Annotated[
        Covered, typer.Option("--scope", help=both("all, data or orders.", "範囲: `all`、`data`、`orders`。"))
    ] = Covered.ALL,
    kind: Annotated[
        What, typer.Option("--kind", help=both("stop or change.", "停止(stop)か変更(change)か。"))
    ] = What.STOP,
    account: OnlyAccount = None,
    since: Annotated[str, typer.Option("--from", help=both("From when. Default: now.", "開始。省略すると現在。"))] = "",
    as_json: AsJson = False,
) -> None:
    """Record a stop or a change: by 5.7 after an event, by 10.4 for a time, by 11.2 with the partner's service."""
    with services_now() as (services, now):
        number = services.link.stop(
            whose=whose.value,
            scope=scope.value,
            clause=clause.value,
            kind=kind.value,
            what=what,
            account=account,
            from_at=instant(since) if since else now,
            by=author,
            ground=ground,
            now=now,
        )
    emit({"stop": number} if as_json else f"stop {number} recorded", as_json)


@app.command(help=japanese("停止が終わったことを記録します。"))
def lift(stop: Stop, author: Author, at: At = "") -> None:
    """A stop is over."""
    with services_now() as (services, now):
        services.link.lift(stop, ended_at=instant(at) if at else now, by=author, now=now)
    emit(f"stop {stop} is over")


@app.command(help=japanese("ホームページで告知したことを記録します(11.2)。後からなら理由も。"))
def announce(
    stop: Stop,
    place: Annotated[str, typer.Option("--place", help=both("Where: the page.", "掲載した場所。"))],
    author: Author,
    at: At = "",
    ground: Annotated[str, typer.Option("--ground", help=both("Why it came afterwards.", "後からになった理由。"))] = "",
) -> None:
    """It was announced on the site (11.2); afterwards only with a ground."""
    with services_now() as (services, now):
        services.link.announce(
            stop, place=place, announced_at=instant(at) if at else now, by=author, ground=ground or None, now=now
        )
    emit(f"stop {stop} is announced")


@app.command("list", help=japanese("停止・変更のすべて。開始の順。"))
def list_stops(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every stop and change, in order of its beginning."""
    from keizoku.link.services.views import stop_list

    with open_services() as services:
        rows = stop_list(services.session)
    emit_rows(rows, Page.wanted(limit, after, everything), "no stops are recorded", as_json)
