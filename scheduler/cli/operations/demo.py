"""`keizoku demo`: one small month, from outage to credit, in a database of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def demo(
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the demo's own database. Default: .demo here.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where the page goes. Default: demo.html in that folder.")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The example month. Default: examples/2026-04.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, nothing else on stdout.")] = False,
) -> None:
    """Load an invented month, run its nights, show what came of it, and write one page.

    The demo has a database of its own, made anew by every run; the gateway is simulated, no card exists.
    Exit 1 if a night's certificate names differences.
    """
    from keizoku.scheduler.cli.operations.demo_run import run_demo

    if not run_demo(data_dir, out, examples, as_json):
        raise typer.Exit(1)
