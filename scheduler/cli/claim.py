"""`keizoku claim`: take a user's claim under Article 9, and see what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from scheduler.cli.context import ALL_THAT_IS_KNOWN, open_house
from scheduler.cli.evidence import instant
from scheduler.cli.output import emit, fail, report_findings
from sla.views import UnknownClaim, claim_list, claim_story
from terms.calendar import Month, iso_jst

app = typer.Typer(help="Claims under Article 9: take one, rule on it, list, show.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
ClaimId = Annotated[str, typer.Argument(metavar="ID")]
By = Annotated[str, typer.Option(help="Who rules so.")]
Ground = Annotated[str, typer.Option(help="Why.")]
MonthText = Annotated[str | None, typer.Option("--month", help="The month of the outage: 2026-04.")]


@app.command()
def submit(
    account: Annotated[str, typer.Option(help="The user's account.")],
    month: Annotated[str, typer.Option(help="The month of the outage: 2026-04.")],
    claim_id: Annotated[str | None, typer.Option("--id", help="An id; default: account, month, number.")] = None,
    window: Annotated[
        list[str] | None, typer.Option(help="FROM/TO that the user states; may be repeated. Default: all.")
    ] = None,
    received_at: Annotated[
        str | None, typer.Option(help="When it was received, JST unless it has an offset. Default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record a claim. It is decided in the first night after the end of its month."""
    windows = [_window(each) for each in window or []]
    received = instant(received_at) if received_at else None
    about = _month(month)
    with open_house() as house:
        name = claim_id or house.sla.free_claim_id(account, about)
        findings = house.sla.claim(name, account, about, windows=windows, received_at=received, now=datetime.now(UTC))
    if as_json:
        emit({"id": name, "findings": findings}, as_json=True)
    elif not findings:
        emit(f"claim {name} recorded")
    else:
        report_findings(findings)
    raise typer.Exit(1 if findings else 0)


@app.command()
def recognise(
    claim_id: ClaimId,
    by: By,
    ground: Ground,
    window: Annotated[list[str] | None, typer.Option(help="FROM/TO that is recognised; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recognise only these windows of a claim; none: nothing. The newest ruling holds."""
    windows = [_window(each) for each in window or []]
    with open_house() as house:
        findings = house.sla.recognise(claim_id, windows, by, ground, now=datetime.now(UTC))
    raise typer.Exit(report_findings(findings, as_json))


@app.command()
def environment(
    claim_id: ClaimId,
    by: By,
    ground: Ground,
    window: Annotated[list[str] | None, typer.Option(help="FROM/TO; may be repeated. None: taken back.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rule that these windows of a claim depend on the user's own environment."""
    windows = [_window(each) for each in window or []]
    with open_house() as house:
        findings = house.sla.environment(windows, by, ground, claim=claim_id, now=datetime.now(UTC))
    raise typer.Exit(report_findings(findings, as_json))


@app.command("list")
def list_claims(
    month: MonthText = None,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Claims in the order of receipt, each with its newest decision."""
    about = _month(month) if month else None
    with open_house() as house:
        claims = claim_list(house.session, house.rules, ALL_THAT_IS_KNOWN, about, account)
    rows = [{**each, "received_at": iso_jst(each["received_at"])} for each in claims]
    emit(rows if rows or as_json else "no claims", as_json)


@app.command()
def show(claim_id: ClaimId, as_json: AsJson = False) -> None:
    """One claim and its state; `keizoku explain claim ID` says why."""
    with open_house() as house:
        try:
            story = claim_story(house.session, house.rules, claim_id, ALL_THAT_IS_KNOWN)
        except UnknownClaim as unknown:
            fail(str(unknown))
    claim = {**story["claim"], "received_at": iso_jst(story["claim"]["received_at"])}
    emit({**claim, **story["state"]}, as_json)


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        fail(str(error))


def _window(text: str) -> tuple[datetime, datetime]:
    start, slash, end = text.partition("/")
    if not slash:
        fail(f"not a window: {text!r}; write FROM/TO, such as '2026-04-10 09:00/2026-04-10 12:37'")
    return instant(start), instant(end)
