"""`keizoku link event` and `keizoku link load`: leaks and misuse (5.7), and load (9.2), which people find."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from keizoku.scheduler.cli.link.options import At
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.ids import numbered
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, From, Ground, OnlyAccount, To, instant
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit

events = typer.Typer(
    help=both("Leaks and misuse: add, disclose, list.", "流出・不正利用: 記録、開示の記録、一覧。"),
    no_args_is_help=True,
)
load = typer.Typer(help=both("How often accounts fetch: show, rule.", "取得の回数: 表示、判断。"), no_args_is_help=True)


class Event(StrEnum):
    """What happened, or is feared."""

    LEAK = "leak"
    FEARED_LEAK = "feared_leak"
    MISUSE = "misuse"
    FEARED_MISUSE = "feared_misuse"


class Finding(StrEnum):
    """What people find."""

    FORBIDDEN = "forbidden"
    ALLOWED = "allowed"


What = Annotated[
    str,
    typer.Option(
        "--what",
        help=both("What happened, or which kinds of data; never the data.", "内容。情報そのものは書きません。"),
    ),
]
_NUMBER = typer.Argument(
    metavar="EVENT", parser=numbered("event", "事象"), help=both("The event's number.", "事象の番号。")
)


@events.command(help=japanese("流出や不正利用、またはそのおそれを記録します(5.7)。"))
def add(
    kind: Annotated[
        Event, typer.Argument(metavar="KIND", help=both("leak, feared_leak, misuse, feared_misuse.", "事象の種類。"))
    ],
    what: What,
    author: Author,
    ground: Ground,
    account: OnlyAccount = None,
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Record that data leaked or were misused, or that it is feared (5.7)."""
    with services_now() as (services, now):
        number = services.link.security_event(
            kind.value,
            what,
            account=account,
            occurred_at=instant(at) if at else now,
            by=author,
            ground=ground,
            now=now,
        )
    emit({"event": number} if as_json else f"event {number} recorded", as_json)


@events.command(help=japanese("事象のために情報を提携先に開示したことを記録します(5.7)。"))
def disclose(
    event: Annotated[int, _NUMBER],
    account: Account,
    what: What,
    recipient: Annotated[str, typer.Option("--to", help=both("Who received them.", "開示先。"))],
    author: Author,
    ground: Ground,
    at: At = "",
) -> None:
    """Record that data of a customer were disclosed to the partner because of an event (5.7)."""
    with services_now() as (services, now):
        number = services.link.disclose(
            event,
            account,
            what,
            recipient=recipient,
            occurred_at=instant(at) if at else now,
            by=author,
            ground=ground,
            now=now,
        )
    emit(f"disclosure {number} recorded")


@events.command("list", help=japanese("流出・不正利用の記録と、そのための開示。"))
def list_events(limit: Limit = SHOWN, everything: All = False, after: After = "", as_json: AsJson = False) -> None:
    """Every event, with what was disclosed because of it."""
    from keizoku.link.services.views import event_list

    with open_services() as services:
        rows = event_list(services.session)
    emit_rows(rows, Page.wanted(limit, after, everything), "no events are recorded", as_json)


@load.command(help=japanese("アカウントと時間ごとの取得の回数。省略すると直近1日(9.2)。"))
def show(
    since: Annotated[str, typer.Option("--from", help=both("Default: a day ago.", "開始。省略すると1日前。"))] = "",
    until: Annotated[str, typer.Option("--to", help=both("Default: now.", "終了。省略すると現在。"))] = "",
    limit: Limit = SHOWN,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Fetches by account and hour, most first; by default of the last day (9.2)."""
    from keizoku.link.services.views import load_list

    with services_now() as (services, now):
        from_at = instant(since) if since else now - timedelta(days=1)
        to_at = instant(until) if until else now
        rows = load_list(services.session, services.rules.discretion.link_fetches_an_hour, from_at, to_at)
    emit_rows(rows, Page.wanted(limit, "", everything), "no fetches", as_json, "account")


@load.command(help=japanese("取得がシステムの負荷を増加させるかどうかを判断します(9.2)。"))
def rule(
    account: Account,
    finding: Annotated[Finding, typer.Argument(metavar="forbidden|allowed", help=both("The finding.", "判断。"))],
    start: From,
    end: To,
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """Rule on whether a customer's fetches of a time load the system (9.2)."""
    with services_now() as (services, now):
        counted = services.link.rule_on_load(
            account, finding.value, from_at=instant(start), to_at=instant(end), by=author, ground=ground, now=now
        )
    shown = {"account": account, "finding": finding.value, "fetches": counted}
    emit(shown if as_json else f"account {account}: {counted:,} fetches {finding.value}", as_json)
