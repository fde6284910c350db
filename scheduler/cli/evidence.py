"""`keizoku evidence`: record what is known about stops, from files and from people; the night decides with it.

Each command prints what was refused, with its line, and records the rest. (`keizoku sla measure` computes a month
from files without recording anything.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.context import open_house
from scheduler.cli.output import emit, fail, report_findings
from sla.evidence import Count, Incident, read_counts, read_incidents
from sla.notices import read_notices
from sla.review import policy_of
from sla.unusable import UpdateNotice, is_announced_in_time
from terms.calendar import Month, from_epoch, parse_instant
from terms.decision import Finding

if TYPE_CHECKING:
    from scheduler.app import House

app = typer.Typer(
    help="Record stops, observations, notices of maintenance, users of the service.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Findings as JSON.")]
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
From = Annotated[str, typer.Option("--from", help="JST unless it has an offset: '2026-04-10 09:00'.")]
To = Annotated[str, typer.Option("--to", help="The end, not included.")]

FIRST_DAY = "1970-01-01"


@app.command()
def population(
    users: Annotated[int, typer.Argument(min=1, help="Registered users of the whole service, free ones too.")],
    from_: Annotated[str, typer.Option("--from", help="Since when; default: ever since.")] = FIRST_DAY,
    as_json: AsJson = False,
) -> None:
    """How many users there are: what more than 5 % is measured against."""
    since = instant(from_)
    _record(lambda house, now: house.sla.population(since, users, now=now), as_json)


@app.command()
def observations(file: File, as_json: AsJson = False) -> None:
    """Who could not do what, when: user_id, symptom, started_at, ended_at (CSV, NDJSON, Parquet)."""
    _record(lambda house, now: house.sla.observations(file=file, now=now), as_json)


@app.command()
def incidents(file: File, as_json: AsJson = False) -> None:
    """Stops as people confirmed them: id, from, to, affected, cause, ground, author (CSV)."""

    def record(house: House, now: datetime) -> Iterable[Finding]:
        read = read_incidents(file)
        yield from read.findings
        for each in read.rows:
            yield from _stop(house, each, now)

    _record(record, as_json)


@app.command()
def counts(file: File, as_json: AsJson = False) -> None:
    """Users unable of all users, by period: from, to, affected, total (CSV)."""

    def record(house: House, now: datetime) -> Iterable[Finding]:
        read = read_counts(file)
        yield from read.findings
        yield from house.sla.counts([_count_row(each) for each in read.rows], now=now)

    _record(record, as_json)


@app.command()
def notices(file: File, as_json: AsJson = False) -> None:
    """Announced maintenance (iCalendar). One that came too late is recorded, and told."""

    def record(house: House, now: datetime) -> Iterable[Finding]:
        policy = policy_of(house.rules, Month.of(now))
        read = read_notices(file, policy)
        yield from read.findings  # among them each notice that came too late
        for each in read.rows:
            findings = _notice(house, each, now)
            if is_announced_in_time(each, policy):
                yield from findings

    _record(record, as_json)


@app.command()
def interruption(
    from_: From,
    to: To,
    ground: Annotated[str, typer.Option(help="Why, with the clause that allows it.")],
    approved_by: Annotated[str, typer.Option(help="Who approved it.")],
    as_json: AsJson = False,
) -> None:
    """The service interrupted under the terms."""
    start_at, end_at = instant(from_), instant(to)
    _record(lambda house, now: house.sla.interruption(start_at, end_at, ground, approved_by, now=now), as_json)


@app.command()
def form_down(from_: From, to: To, as_json: AsJson = False) -> None:
    """Our claim form was down: a deadline shortly after moves by as long."""
    start_at, end_at = instant(from_), instant(to)
    _record(lambda house, now: house.sla.claim_form_down(start_at, end_at, now=now), as_json)


def instant(text: str) -> datetime:
    """A time as people write it; ends the command for what is none."""
    try:
        return parse_instant(text)
    except ValueError as error:
        fail(str(error))


def _record(work: Callable[[House, datetime], Iterable[Finding]], as_json: bool) -> None:
    with open_house() as house:
        findings = list(work(house, datetime.now(UTC)))
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit("recorded")
    raise typer.Exit(code)


def _stop(house: House, incident: Incident, now: datetime) -> list[Finding]:
    return house.sla.stop(
        from_epoch(incident.start),
        from_epoch(incident.end),
        incident.affected,
        cause=incident.cause,
        id=incident.id,
        ground=incident.ground,
        by=incident.author,
        exact=incident.exact,
        now=now,
    )


def _notice(house: House, notice: UpdateNotice, now: datetime) -> list[Finding]:
    published_at, start_at, end_at = map(from_epoch, (notice.published_at, notice.start, notice.end))
    return house.sla.notice(notice.uid, published_at, start_at, end_at, now=now)


def _count_row(count: Count) -> tuple[datetime, datetime, int, int]:
    return from_epoch(count.start), from_epoch(count.end), count.affected, count.total
