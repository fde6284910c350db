"""`keizoku scenario`: run dated diaries through the whole engine and compare what should be seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from scheduler.cli.context import open_database, settings_of_this_process
from scheduler.cli.output import console, emit, errors

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

OnMoment = Callable[[int, int], None]


@app.callback()
def _scenario() -> None:
    """Dated diaries that run the whole engine (docs/how-to/scenarios.md)."""


@app.command()
def run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Scenario files (YAML).")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, nothing else on stdout.")] = False,
    keep_schema: Annotated[
        bool, typer.Option("--keep-schema", help="Leave each scenario's rows in the database.")
    ] = False,
) -> None:
    """Run each file in a schema of its own.

    Exit 1 if an expectation failed, else 2 if a file is no scenario, else 0.
    """
    from scheduler.scenario.report import report, total
    from scheduler.scenario.run import run_file

    outcomes = []
    with open_database(settings_of_this_process()) as database:
        for path in files:
            with _progress(path, as_json) as on_moment:
                outcome = run_file(path, database.url, keep_schema, on_moment)
            outcomes.append(outcome)
            if not as_json:
                console.print(report(outcome))
    if as_json:
        emit([outcome.to_json() for outcome in outcomes], as_json=True)
    else:
        console.print(total(outcomes))
    if any(outcome.valid and not outcome.passed for outcome in outcomes):
        raise typer.Exit(1)
    if not all(outcome.valid for outcome in outcomes):
        raise typer.Exit(2)


@contextmanager
def _progress(path: Path, quiet: bool) -> Iterator[OnMoment | None]:
    """A bar on stderr, on a terminal, that goes when the file is done."""
    if quiet or not errors.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(path.name, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
