"""`keizoku demo`: one small month, from outage to credit, in a database of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.language import both, japanese

app = typer.Typer(pretty_exceptions_enable=False)


@app.command(
    help=japanese(
        "架空の一か月を読み込み、夜間処理を行い、結果を表示し、ページを一枚書き出します。\n\n"
        "デモは専用のデータベースを毎回作り直します。決済代行は模擬で、カードはありません。証明に相違"
        "があれば終了コード 1。"
    )
)
def demo(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=both(
                "Folder of the demo's own database. Default: .demo here.",
                "デモ専用データベースのフォルダー。省略すると、ここの .demo。",
            ),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help=both(
                "Where the page goes. Default: demo.html in that folder.",
                "ページの場所。省略すると、そのフォルダーの demo.html。",
            ),
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=both("The example month. Default: examples/2026-04.", "例の月。省略すると examples/2026-04。"),
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help=both("As JSON, nothing else on stdout.", "JSONで出力します。標準出力には他に何も出しません。"),
        ),
    ] = False,
) -> None:
    """Load an invented month, run its nights, show the result, and write one page.

    The demo has a database of its own, made anew by every run; the gateway is simulated, no card exists.
    Exit 1 if a night's certificate names differences.
    """
    from keizoku.scheduler.cli.operations.demo_run import run_demo

    if not run_demo(data_dir, out, examples, as_json):
        raise typer.Exit(1)
