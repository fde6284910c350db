"""`keizoku sla`: from files of evidence to unusable time; `measure` needs no database, the rest records and reports."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.evidence_files import columns_named, files_named, symptom_named
from keizoku.scheduler.cli.shared.output import fail
from keizoku.scheduler.cli.sla import counts as sla_counts
from keizoku.scheduler.cli.sla import evidence as sla_evidence
from keizoku.scheduler.cli.sla import months

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True)
sla_evidence.add_to(app)
sla_counts.add_to(app)
months.add_to(app)


class Engine(StrEnum):
    """Who counts the observations."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Language(StrEnum):
    """The language of sentences and of the picture."""

    JA = "ja"
    EN = "en"


@app.callback()
def sla() -> None:
    """Stops of the service and unusable time (Article 9)."""


@app.command()
def measure(
    month: Annotated[str, typer.Option(help="The month, 2026-04.")],
    population: Annotated[int, typer.Option(help="Registered users of the whole service, free ones too.")],
    observations: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Who could not use it: CSV, NDJSON, Parquet; also a glob or a folder."),
    ] = None,
    incidents: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Stops as people confirmed them: CSV.")
    ] = None,
    counts: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Users unable of all users: CSV, a range query's JSON.")
    ] = None,
    count_series: Annotated[
        str, typer.Option(metavar="AFFECTED,TOTAL", help="JSON: the two series; all users also as a number.")
    ] = "affected,total",
    count_step: Annotated[
        int, typer.Option(metavar="SECONDS", help="JSON: how long a sample holds; 0: the least distance of two.")
    ] = 0,
    notices: Annotated[
        list[str] | None, typer.Option(metavar="FILE.ics", help="Announced maintenance: iCalendar.")
    ] = None,
    resolution: Annotated[
        int, typer.Option(metavar="SECONDS", help="Of the evidence: shorter gaps are no gaps. 0: exact.")
    ] = 0,
    columns: Annotated[
        str, typer.Option(metavar="OURS=THEIRS,…", help="Other names of columns, user_id=site,ended_at=to.")
    ] = "",
    symptom: Annotated[
        str, typer.Option(help="What every observation means, where the files do not say: site, login, view.")
    ] = "",
    as_of: Annotated[
        str,
        typer.Option(metavar="TIME", help="How far observations without an end last (else past the month)."),
    ] = "",
    claims: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Claims (CSV), to see how many of them would reach which tier."),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="Who counts: this machine, or Spark at KEIZOKU_SPARK_MASTER (docs/how-to/scale.md)."),
    ] = Engine.DUCKDB,
    policy: Annotated[
        str,
        typer.Option(metavar="FILE|NAME", help="Also what another SLA makes of it: a TOML (docs/how-to/policies.md)."),
    ] = "",
    picture: Annotated[Path | None, typer.Option(metavar="OUT.svg", help="Draw the month.")] = None,
    lang: Annotated[Language, typer.Option(help="Of sentences and picture.")] = Language.EN,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; findings still go to stderr.")] = False,
) -> None:
    """Measure a month: when more than 5 % of all users had a stop, and what of it is unusable time.

    Rows that cannot be read are named on stderr and left out; exit 1 if there were any. With --claims each claimant is
    taken for a member who pays by card all month; what holds of contracts is decided where they are. With --policy the
    same evidence is measured by another SLA too: a file, or an example by its name (`keizoku terms policies`).
    """
    from keizoku.scheduler.cli.sla.measure import Evidence, asked_month, asked_series, measure_month
    from keizoku.scheduler.cli.sla.stated import asked_policy

    measured, contract = asked_month(month)
    stated = asked_policy(policy) if policy else None
    if population < 1:
        fail(f"--population {population}: a service has at least 1 registered user")
    if resolution < 0:
        fail(f"--resolution {resolution}: seconds, 0 or more")
    evidence = Evidence(
        observations=files_named(observations, or_folders=True),
        columns=columns_named(columns),
        symptom=symptom_named(symptom),
        incidents=files_named(incidents),
        counts=files_named(counts),
        series=asked_series(count_series, count_step),
        notices=files_named(notices),
        claims=files_named(claims),
        engine=engine.value,
    )
    code = measure_month(
        evidence,
        measured,
        contract,
        population=population,
        resolution=resolution,
        as_of=as_of,
        stated=stated,
        picture=picture,
        lang=lang.value,
        as_json=as_json,
    )
    if code:
        raise typer.Exit(code)
