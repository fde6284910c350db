"""`keizoku settings`: every setting, what it is now, what it would be, what it means."""

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import settings_of_this_process
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import console, emit, table

app = typer.Typer(pretty_exceptions_enable=False)


@app.command(help=japanese("すべての設定: 変数、値、既定値、意味、条項。"))
def settings(
    as_json: Annotated[bool, typer.Option("--json", help=both("As JSON.", "JSONで出力します。"))] = False,
) -> None:
    """List every setting with its variable, value, default, meaning and clause."""
    lines = settings_of_this_process().lines()
    if as_json:
        emit([line._asdict() for line in lines], as_json=True)
        return
    console.print(
        table(
            ("variable", "value", "default", "clause", "meaning"),
            (
                (
                    line.variable,
                    line.value,
                    "" if line.source == "default" else line.default,
                    line.clause,
                    line.meaning,
                )
                for line in lines
            ),
        )
    )
