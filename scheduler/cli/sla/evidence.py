"""`keizoku sla notice | interruption | incident | population | observations`: record what is known of stops.

Each command says what was refused, with its line, and records the rest; the night decides with it. A file is
recorded once: the same file again says so and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.evidence_files import columns_named, files_named, symptom_named
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    File,
    From,
    Ground,
    OnlyMonth,
    Recorder,
    To,
    instant,
    month_of,
    recorder,
)
from keizoku.scheduler.cli.shared.output import console, emit, fail, report_findings

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.sla.evidence.import_log import Imported
    from keizoku.sla.services.imports import ImportService
    from keizoku.terms.decision import Finding

Ics = Annotated[list[Path] | None, typer.Argument(metavar="FILE.ics…", exists=True, dir_okay=False)]
Cause = Annotated[str, typer.Option(help="fault, partner, system_update, user_environment.")]
FIRST_DAY = "1970-01-01"

notice = typer.Typer(help="Maintenance that was announced, and when.", no_args_is_help=True)
interruption = typer.Typer(help="The service interrupted under the terms.", no_args_is_help=True)
incident = typer.Typer(help="Stops as people confirmed them.", no_args_is_help=True)
population = typer.Typer(help="How many users the whole service has.", no_args_is_help=True)
observations = typer.Typer(help="Who could not do what, from when to when.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put these commands under `keizoku sla`."""
    groups = {
        "incident": incident,
        "observations": observations,
        "notice": notice,
        "interruption": interruption,
        "population": population,
    }
    for name, group in groups.items():
        app.add_typer(group, name=name)
    app.command("imports")(list_imports)


@notice.command("add")
def add_notice(
    files: Ics = None,
    uid: Annotated[str, typer.Option("--id", help="The notice's own id, where no file is given.")] = "",
    published: Annotated[str, typer.Option(help="When it was published.")] = "",
    from_: From = "",
    to: To = "",
    calendar: Annotated[str, typer.Option(help="The calendar of the id, where there are several.")] = "",
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Withdrawn, from --published on.")] = False,
    author: Recorder = "",
    ground: Annotated[str, typer.Option(help="Where it was published.")] = "",
    as_json: AsJson = False,
) -> None:
    """Record announced maintenance, from calendar files or from options. Too late: recorded, named, covers nothing.

    The same --id again, published later, is an edit: from then on only what both announce is covered.
    """
    stated = (uid, published, from_, to)
    if files:
        if any(stated):
            fail("give calendar files, or --id, --published, --from and --to; not both")
        paths = files
        take_files(paths, as_json, lambda service, path, now: service.notices(path, author=recorder(author), now=now))
    if not all(stated):
        fail("give calendar files, or all of --id, --published, --from and --to")
    at = [instant(each) for each in (published, from_, to)]

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.notice(
            uid,
            *at,
            now=now,
            by=recorder(author),
            ground=ground or None,
            cancelled=cancelled,
            calendar=calendar,
        )

    record_act(work, as_json)


@notice.command("list")
def list_notices(month: OnlyMonth = "", as_json: AsJson = False) -> None:
    """Notices by their start, and whether each came in time."""
    from keizoku.sla.months.evidence_lists import notice_list

    about = month_of(month) if month else None
    with open_services() as services:
        print_list(notice_list(services.session, services.rules, about), as_json, "no notices")


@interruption.command("add")
def add_interruption(
    from_: From,
    to: To,
    ground: Annotated[str, typer.Option(help="Why, with the clause that allows it.")],
    approved_by: Annotated[str, typer.Option("--approver", help="Who approved it.")],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record that the service was interrupted under the terms (9.4.5)."""
    start_at, end_at = instant(from_), instant(to)
    record_act(
        lambda services, now: services.sla.interruption(
            start_at, end_at, ground, approved_by, now=now, by=recorder(author)
        ),
        as_json,
    )


@interruption.command("list")
def list_interruptions(month: OnlyMonth = "", as_json: AsJson = False) -> None:
    """Interruptions with their grounds."""
    from keizoku.sla.months.evidence_lists import interruption_list

    about = month_of(month) if month else None
    with open_services() as services:
        print_list(interruption_list(services.session, about), as_json, "no interruptions")


@incident.command("add")
def add_incident(
    from_: From,
    to: To,
    affected: Annotated[int, typer.Option(min=0, help="Users who were unable.")],
    author: Author,
    ground: Ground,
    cause: Cause = "fault",
    incident_id: Annotated[str, typer.Option("--id", help="An id; default: from the time it began.")] = "",
    exact: Annotated[bool, typer.Option("--exact", help="Both ends are known to the second.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record a stop as people confirmed it."""
    start_at, end_at = instant(from_), instant(to)

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.stop(
            start_at,
            end_at,
            affected,
            cause=cause,
            id=incident_id or None,
            ground=ground,
            by=author,
            exact=exact,
            now=now,
        )

    record_act(work, as_json)


@incident.command("correct")
def correct_incident(
    incident_id: Annotated[str, typer.Argument(metavar="ID")],
    author: Author,
    ground: Ground,
    from_: From = "",
    to: To = "",
    affected: Annotated[int | None, typer.Option(min=0, help="Users; 0: it never was.")] = None,
    cause: Annotated[str, typer.Option(help="fault, partner, system_update, user_environment.")] = "",
    as_json: AsJson = False,
) -> None:
    """Record what is now known of a stop, as a new revision: what is not said stays."""
    start_at, end_at = (instant(each) if each else None for each in (from_, to))

    def work(services: Services, now: datetime) -> list[Finding]:
        return services.sla.correct_stop(
            incident_id,
            from_at=start_at,
            to_at=end_at,
            affected=affected,
            cause=cause or None,
            ground=ground,
            by=author,
            now=now,
        )

    record_act(work, as_json)


@incident.command("environment")
def rule_on_environment(
    incident_id: Annotated[str, typer.Argument(metavar="ID")],
    author: Author,
    ground: Ground,
    windows: Annotated[list[str] | None, typer.Option("--window", metavar="FROM/TO", help="None: taken back.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rule that these windows of a stop depend on users' environments (9.4.3)."""
    from keizoku.scheduler.cli.shared.inputs import window

    spans = [window(each) for each in windows or []]
    record_act(
        lambda services, now: services.sla.environment(spans, author, ground, stop=incident_id, now=now), as_json
    )


@incident.command("list")
def list_incidents(
    month: OnlyMonth = "",
    all_: Annotated[bool, typer.Option("--all", help="Every revision, not only the newest.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stops as people confirmed them, by their start."""
    from keizoku.sla.months.evidence_lists import incident_list

    about = month_of(month) if month else None
    with open_services() as services:
        print_list(incident_list(services.session, about, every_revision=all_), as_json, "no incidents")


@incident.command("import")
def import_incidents(file: File, author: Recorder = "", as_json: AsJson = False) -> None:
    """Record stops of a file: id, from, to, affected, cause, ground, author (CSV)."""
    take_files([file], as_json, lambda service, path, now: service.incidents(path, author=recorder(author), now=now))


@population.command("add")
def add_population(
    users: Annotated[int | None, typer.Argument(min=1, help="Registered users of the whole service.")] = None,
    from_: Annotated[str, typer.Option("--from", help="Since when; default: ever since.")] = FIRST_DAY,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A dated series instead: from, users (CSV).")
    ] = None,
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record how many users there are: what more than 5 % is measured against."""
    if (users is None) == (file is None):
        fail("give a number of users, or --file with a series of them")
    if file is not None:
        take_files(
            [file], as_json, lambda service, path, now: service.population(path, author=recorder(author), now=now)
        )
    since, number = instant(from_), users or 0
    record_act(lambda services, now: services.sla.population(since, number, now=now, by=recorder(author)), as_json)


@population.command("list")
def list_population(as_json: AsJson = False) -> None:
    """The series that holds, each figure until the next."""
    from keizoku.sla.months.evidence_lists import population_list

    with open_services() as services:
        print_list(population_list(services.session), as_json, "nobody has said how many users there are")


@observations.command("import")
def import_observations(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files, globs, folders; partitioned Parquet too.")
    ],
    columns: Annotated[
        str, typer.Option(metavar="OURS=THEIRS,…", help="Other names of columns, user_id=site,ended_at=to.")
    ] = "",
    symptom: Annotated[
        str, typer.Option(help="What every row means, where the files do not say: site, login, view.")
    ] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record observations: user_id, symptom, started_at, ended_at (CSV, NDJSON, Parquet).

    Every file is an import of its own. Of a folder all files are taken, at any depth; Parquet under folders such
    as symptom=site has that column from there.
    """
    from keizoku.sla.evidence.observation_store import Reading, files_in

    reading = Reading(columns_named(columns), symptom_named(symptom))
    name_of = dict(files_in(files_named(files, or_folders=True)))

    def take(service: ImportService, path: Path, now: datetime) -> Imported:
        return service.observations(path, author=recorder(author), now=now, reading=reading, source=name_of[path])

    take_files(list(name_of), as_json, take)


def list_imports(as_json: AsJson = False) -> None:
    """Every file that was imported: kind, digest, rows read, used, refused, by whom."""
    from keizoku.sla.evidence.import_log import import_list

    with open_services() as services:
        found = import_list(services.session)
    if as_json:
        emit([each.to_json() for each in found], as_json=True)
        return
    rows = [{name: value for name, value in each.to_json().items() if name not in HIDDEN} for each in found]
    emit([{**row, "sha256": str(row["sha256"])[:12]} for row in rows] or "nothing was imported")


HIDDEN = ("imported_before", "findings")


def print_imports(done: list[Imported], as_json: bool) -> int:
    """Print what became of files; the exit code, 1 if there was a finding."""
    if as_json:
        emit([each.to_json() for each in done], as_json=True)
    else:
        for each in done:
            report_findings(each.findings)
            console.print(each.summary(), markup=False, soft_wrap=True)
    return 1 if any(each.findings for each in done) else 0


def take_files(paths: list[Path], as_json: bool, take: Callable[[ImportService, Path, datetime], Imported]) -> None:
    """Import each file, print what became of it, and end the command."""
    from keizoku.sla.services.imports import ImportService

    with open_services() as services:
        service = ImportService(services.sla)
        done = [take(service, path, datetime.now(UTC)) for path in paths]
    raise typer.Exit(print_imports(done, as_json))


def record_act(work: Callable[[Services, datetime], Iterable[Finding]], as_json: bool) -> None:
    """Do it, print what speaks against it, and end the command."""
    with services_now() as (services, now):
        findings = list(work(services, now))
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit("recorded")
    raise typer.Exit(code)


class Listed(Protocol):
    """A row of a list."""

    def to_json(self) -> dict[str, object]:
        """The row as JSON: its columns on a terminal, too."""


def print_list(rows: Sequence[Listed], as_json: bool, nothing: str) -> None:
    """Rows as a table or JSON, or one line where there are none."""
    emit([row.to_json() for row in rows] if rows or as_json else nothing, as_json)
