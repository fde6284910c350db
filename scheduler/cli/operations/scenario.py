"""`keizoku scenario`: run dated lists of events through the whole engine and compare what should be seen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from keizoku.scheduler.cli.shared.context import open_database, settings_of_this_process
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import console, emit, errors, fail

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(
    help=both(
        "Dated lists of events that run the whole engine (docs/how-to/scenarios.md).",
        "日付つきの日誌で全体を動かします(docs/how-to/scenarios.md)。",
    )
)
def _scenario() -> None:
    """Dated lists of events that run the whole engine (docs/how-to/scenarios.md)."""


@app.command(
    "schema", help=japanese("シナリオのファイルの形式をJSON Schemaで出力します。エディターの補完と検査に使えます。")
)
def print_schema() -> None:
    """Print the format of a scenario file as JSON Schema: editors complete and check by it."""
    from keizoku.scheduler.scenario.json_schema import schema_text

    typer.echo(schema_text(), nl=False)


@app.command(
    help=japanese(
        "ファイルごとに空の表で動かします。結果はファイルの順です。\n\n"
        "期待と違えば終了コード 1、シナリオでないファイルがあれば 2、そうでなければ 0。"
    )
)
def run(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help=both("Scenario files (YAML).", "シナリオのファイル(YAML)。"))
    ],
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help=both("As JSON, nothing else on stdout.", "JSONで出力します。標準出力には他に何も出しません。"),
        ),
    ] = False,
    keep_schema: Annotated[
        bool,
        typer.Option(
            "--keep-schema",
            help=both("Leave each scenario's rows in the database.", "シナリオの行をデータベースに残します。"),
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help=both(
                "How many at once; default: one for each processor.", "同時に動かす数。省略するとプロセッサの数。"
            ),
        ),
    ] = None,
) -> None:
    """Run each file on empty tables of its own; the outcomes come in the order of the files.

    Exit 1 if an expectation failed, else 2 if a file is no scenario, else 0.
    """
    from keizoku.scheduler.scenario.many import ProcessLostError, run_files
    from keizoku.scheduler.scenario.report import report, total

    outcomes = []
    with open_database(settings_of_this_process()) as database, _progress(files, as_json) as bar:
        try:
            for outcome in run_files(files, database.url, jobs or _processors(), keep_schema, bar.on_moment):
                outcomes.append(outcome)
                with bar.away():
                    if not as_json:
                        console.print(report(outcome))
        except ProcessLostError as lost:
            fail(str(lost))
    if as_json:
        emit([outcome.to_json() for outcome in outcomes], as_json=True)
    else:
        console.print(total(outcomes))
    if any(outcome.valid and not outcome.passed for outcome in outcomes):
        raise typer.Exit(1)
    if not all(outcome.valid for outcome in outcomes):
        raise typer.Exit(2)


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Bar:
    """How far the files are: whole ones, and the part of the one under way where that is known."""

    def __init__(self, progress: Progress | None, files: list[Path]) -> None:
        self.progress, self.files, self.done = progress, files, 0
        self.task = None if progress is None else progress.add_task(self._next(), total=len(files))

    def on_moment(self, moments_done: int, moments: int) -> None:
        """A part of the present file is behind us."""
        self._show(self.done + moments_done / moments)

    @contextmanager
    def away(self) -> Iterator[None]:
        """A file is done: the bar gives way while its result is printed, perhaps to the same terminal."""
        self.done += 1
        if self.progress is None:
            yield
            return
        self.progress.stop()
        yield
        self._show(self.done)
        self.progress.start()

    def _show(self, done: float) -> None:
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, completed=done, description=self._next())

    def _next(self) -> str:
        return self.files[min(self.done, len(self.files) - 1)].name


@contextmanager
def _progress(files: list[Path], quiet: bool) -> Iterator[_Bar]:
    """A bar on stderr, on a terminal, that goes when all is done."""
    if quiet or not errors.is_terminal:
        yield _Bar(None, files)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as drawn:
        yield _Bar(drawn, files)
