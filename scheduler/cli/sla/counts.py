"""`keizoku sla counts | unknown`: users unable as a monitor counted them, and what to do where it has no sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    File,
    Ground,
    OnlyMonth,
    Recorder,
    month_of,
    recorder,
    window,
)
from keizoku.scheduler.cli.shared.output import fail
from keizoku.scheduler.cli.sla.evidence import print_list, record_act, take_files
from keizoku.terms.calendar import epoch, epoch_up

if TYPE_CHECKING:
    from keizoku.sla.evidence.count_files import CountSeries

counts = typer.Typer(help="Users unable of all users, as a monitor counted them.", no_args_is_help=True)
unknown = typer.Typer(help="Time without a sample: neither down nor up until people decide.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands under `keizoku sla`."""
    app.add_typer(counts, name="counts")
    app.add_typer(unknown, name="unknown")


@counts.command("import")
def import_counts(
    file: File,
    affected: Annotated[str, typer.Option(help="JSON: the series of users unable.")] = "affected",
    total: Annotated[str, typer.Option(help="JSON: the series of all users, or their number.")] = "total",
    step: Annotated[
        int, typer.Option(metavar="SECONDS", help="JSON: how long a sample holds; 0: the least distance of two.")
    ] = 0,
    asked: Annotated[
        str, typer.Option("--range", metavar="FROM/TO", help="What the file is about; without a row it is unknown.")
    ] = "",
    only_stops: Annotated[
        bool, typer.Option("--only-stops", help="CSV: the rows are all the stops; between them nobody was unable.")
    ] = False,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record counts: from, to, affected, total (CSV), or the JSON of a Prometheus range query (matrix).

    Time without a sample is unknown, neither down nor up: see `keizoku sla unknown`.
    """
    series = count_series(affected, total, step, asked, only_stops=only_stops)
    take_files(
        [file],
        as_json,
        lambda service, path, now: service.counts(path, author=recorder(author), now=now, series=series),
    )


@unknown.command("list")
def list_unknown(
    month: OnlyMonth = "",
    decided: Annotated[bool, typer.Option("--decided", help="What people decided, newest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """What waits for people's decision, in order of time; claims that it could change wait with it."""
    from keizoku.sla.evidence.unknown_store import unknown_decisions, unknown_list

    about = month_of(month) if month else None
    now = datetime.now(UTC)
    with open_services() as services:
        if decided:
            print_list(unknown_decisions(services.session, about, now), as_json, "nothing was decided")
        else:
            print_list(unknown_list(services.session, about, now), as_json, "nothing is unknown")


@unknown.command("decide")
def decide_unknown(
    windows: Annotated[str, typer.Argument(metavar="FROM/TO", help="Time without a sample, or a part of it.")],
    verdict: Annotated[
        str, typer.Argument(help="up; down, with --affected; excluded: it does not count; unknown: taken back.")
    ],
    author: Author,
    ground: Ground,
    affected: Annotated[int | None, typer.Option(min=0, help="Users who were unable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide what it was. Down is a stop if more than the threshold of users were unable; the newest decision holds."""
    from_at, to_at = window(windows)
    record_act(
        lambda services, now: services.sla.decide_unknown(
            from_at, to_at, verdict, author, ground, affected=affected, now=now
        ),
        as_json,
    )


def count_series(affected: str, total: str, step: int, asked: str, *, only_stops: bool) -> CountSeries:
    """How files of counts are to be read, as people said it; ends the command for what cannot be."""
    from keizoku.sla.evidence.count_files import CountSeries

    if step < 0:
        fail(f"--step {step}: seconds, 0 or more")
    span = None
    if asked:
        from_at, to_at = window(asked)
        if to_at <= from_at:
            fail(f"--range {asked}: it ends after it starts")
        span = (epoch(from_at), epoch_up(to_at))
    return CountSeries(affected, total, step or None, span, only_stops)
