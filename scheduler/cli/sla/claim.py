"""`keizoku claim`: take a user's claim under Article 9, and see what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from keizoku.scheduler.cli.shared.context import ALL_THAT_IS_KNOWN, open_services, services_now
from keizoku.scheduler.cli.shared.inputs import (
    AsJson,
    Author,
    File,
    From,
    Ground,
    Recorder,
    To,
    Windows,
    instant,
    month_of,
    recorder,
    row_bar,
    window,
)
from keizoku.scheduler.cli.shared.output import emit, refuse, report_findings
from keizoku.scheduler.cli.sla.evidence import print_imports
from keizoku.terms.decision import Finding

app = typer.Typer(help="Claims under Article 9: take one, rule on it, list, show.", no_args_is_help=True)

ClaimId = Annotated[str, typer.Argument(metavar="ID")]
MonthText = Annotated[str | None, typer.Option("--month", help="The month of the outage: 2026-04.")]


@app.command()
def submit(
    account: Annotated[str, typer.Option(help="The user's account.")],
    month: Annotated[str, typer.Option(help="The month of the outage: 2026-04.")],
    claim_id: Annotated[str | None, typer.Option("--id", help="An id; default: account, month, number.")] = None,
    windows: Windows = None,
    received_at: Annotated[
        str | None, typer.Option(help="When it was received, JST unless it has an offset. Default: now.")
    ] = None,
    author: Recorder = "",
    ground: Annotated[str, typer.Option(help="What the user says.")] = "",
    as_json: AsJson = False,
) -> None:
    """Record a claim. It is decided in the first night after the end of its month."""
    spans = [window(each) for each in windows or []]
    received = instant(received_at) if received_at else None
    about = month_of(month)
    with services_now() as (services, now):
        name, findings = services.sla.submit_claim(
            account,
            about,
            claim_id,
            spans,
            received,
            by=recorder(author),
            ground=ground or None,
            now=now,
        )
    if as_json:
        emit({"id": name, "findings": findings}, as_json=True)
    elif not findings:
        emit(f"claim {name} recorded")
    else:
        report_findings(findings)
    raise typer.Exit(1 if findings else 0)


@app.command("import")
def import_claims(file: File, author: Recorder = "", as_json: AsJson = False) -> None:
    """Record claims of a file: id, account, month, received_at, windows (CSV; FROM/TO joined by ;, empty: all).

    Rows that cannot be taken are named with file, line, value, rule and remedy; the good ones are recorded.
    """
    from keizoku.sla.services.imports import ImportService

    with open_services() as services, row_bar("claims") as progress:
        done = ImportService(services.sla).claims(
            file, author=recorder(author), now=datetime.now(UTC), progress=progress
        )
    raise typer.Exit(print_imports([done], as_json))


@app.command()
def recognise(
    claim_id: ClaimId, author: Author, ground: Ground, windows: Windows = None, as_json: AsJson = False
) -> None:
    """Recognise only these windows of a claim; none: nothing. The newest ruling holds."""
    spans = [window(each) for each in windows or []]
    with services_now() as (services, now):
        findings = services.sla.recognise(claim_id, spans, author, ground, now=now)
    _end(findings, as_json)


@app.command()
def environment(
    claim_id: ClaimId, author: Author, ground: Ground, windows: Windows = None, as_json: AsJson = False
) -> None:
    """Rule that these windows of a claim depend on the user's own environment; none: taken back."""
    spans = [window(each) for each in windows or []]
    with services_now() as (services, now):
        findings = services.sla.environment(spans, author, ground, claim=claim_id, now=now)
    _end(findings, as_json)


@app.command()
def consent(
    claim_id: ClaimId,
    what: Annotated[str, typer.Option(help="The remedy that the user agreed to instead.")],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """Record that the user agreed to another remedy than the reduction; the award stays."""
    with services_now() as (services, now):
        findings = services.sla.consent_alternative(claim_id, what, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command("form-down")
def form_down(from_: From, to: To, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Record that our claim form was down: a deadline shortly after moves by as long."""
    start_at, end_at = instant(from_), instant(to)
    with services_now() as (services, now):
        findings = services.sla.claim_form_down(start_at, end_at, now=now, by=author, ground=ground)
    _end(findings, as_json)


@app.command("list")
def list_claims(
    month: MonthText = None,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Claims in the order of receipt, each with its newest decision."""
    from keizoku.sla.claims.claim_views import claim_list

    about = month_of(month) if month else None
    with open_services() as services:
        claims = claim_list(services.session, ALL_THAT_IS_KNOWN, about, account)
    rows = [each.to_json() for each in claims]
    emit(rows if rows or as_json else "no claims", as_json)


@app.command()
def show(claim_id: ClaimId, as_json: AsJson = False) -> None:
    """One claim and its state; `keizoku explain claim ID` says why."""
    from keizoku.sla.claims.claim_views import claim_explanation
    from keizoku.terms.refusal import Refused

    with open_services() as services:
        try:
            found = claim_explanation(services.session, claim_id, ALL_THAT_IS_KNOWN)
        except Refused as refused:
            refuse(refused)
    emit({**found.claim.to_json(), **found.status.to_json()}, as_json)


def _end(findings: list[Finding], as_json: bool) -> NoReturn:
    code = report_findings(findings, as_json)
    if not code and not as_json:
        emit("recorded")
    raise typer.Exit(code)
