"""`keizoku serve`: the HTTP door, until it is told to end."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import settings_of_this_process
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import fail

serving = typer.Typer(pretty_exceptions_enable=False)


class Seed(StrEnum):
    """What a new sandbox begins with."""

    plans = "plans"
    month = "month"
    nothing = "nothing"


@serving.command(
    help=japanese(
        "HTTPで応答します(/v1)。SIGTERM まで続け、途中の要求を終えてから止まります。\n\n"
        "キーは `keizoku api new-key`、記述は /v1/openapi.json。"
    )
)
def serve(
    listen: Annotated[
        str,
        typer.Option("--listen", help=both("Where it listens: host:port.", "待ち受ける場所: host:port。")),
    ] = "127.0.0.1:8420",
    threads: Annotated[
        int,
        typer.Option(
            "--threads", min=1, max=256, help=both("How many calls are answered at once.", "同時に応答する要求の数。")
        ),
    ] = 16,
    workers: Annotated[
        int,
        typer.Option("--workers", min=1, max=64, help=both("How many processes answer.", "応答するプロセスの数。")),
    ] = 1,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--behind-proxy",
            metavar="ADDRESS",
            help=both("Addresses whose X-Forwarded headers are believed.", "X-Forwarded を信じるプロキシのアドレス。"),
        ),
    ] = None,
    oidc: Annotated[
        Path | None,
        typer.Option(
            "--oidc",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=both(
                "The directory in which the staff sign in (OpenID Connect), and which group is which role.",
                "担当者がサインインするディレクトリ(OpenID Connect)と、グループと役割の対応を記したファイル。",
            ),
        ),
    ] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help=both(
                "For one person at this machine: print a link that opens the pages, once.",
                "この端末の一人のため: 画面を一度だけ開くリンクを表示します。",
            ),
        ),
    ] = False,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help=both(
                "With --local: the month of `keizoku demo`, which is played first where it was not yet.",
                "--local とともに: `keizoku demo` の一か月。まだなければ先に作ります。",
            ),
        ),
    ] = False,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help=both(
                "A database of its own, simulated cards, a clock that is moved by a call, and test keys.",
                "専用のデータベース、模擬のカード、呼出しで進める時計、テスト用のキー。",
            ),
        ),
    ] = False,
    seed: Annotated[
        Seed,
        typer.Option(
            "--seed",
            help=both(
                "What a new sandbox begins with: plans; month, lived by five members; nothing.",
                "新しいサンドボックスの初期状態: plans(プランのみ)、month(会員5人の一か月)、nothing(空)。",
            ),
        ),
    ] = Seed.plans,
) -> None:
    """Answer over HTTP (/v1), until SIGTERM; what is under way is ended first.

    Keys are made by `keizoku api new-key`; the description is at /v1/openapi.json.
    """
    from keizoku.extras import naming_the_extra

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        fail(f"--listen {listen}: write host:port")
    if demo and (not local or sandbox or oidc is not None):
        fail("--demo is for one person at this machine: write `keizoku serve --local --demo`")
    with naming_the_extra():
        from keizoku.web.process import Place
        from keizoku.web.serve import serve as answer
    place = Place(
        host.strip("[]"),
        int(port),
        threads,
        local,
        tuple(behind_proxy or ()),
        oidc,
        seed.value if sandbox else "",
        demo,
        workers,
    )  # fmt: skip
    answer(settings_of_this_process(), place)
