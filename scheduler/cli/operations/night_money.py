"""`keizoku night --forecast`, `night hold|release|approve`: what a night would write, and whether its money waits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Author, Ground
from keizoku.scheduler.cli.shared.inputs import day as parse_day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, errors, fail, table
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.forecast import NightForecast

__all__ = ["approve", "hold", "release", "show_forecast"]


def show_forecast(on: str, as_json: bool) -> None:
    """Print what the night of a date, or the next one, would write."""
    with open_services(clock="given", waits=False) as services:
        found = _forecast(services, parse_day(on) if on else None, datetime.now(UTC))
    if as_json:
        emit(found.to_json(), as_json=True)
        return

    def draw(terminal: Console) -> None:
        terminal.print(both(f"night of {found.business_date}", f"{found.business_date}の夜間処理"))
        rows = [(each.stage, each.what, each.number, each.yen or "") for each in found.figures]
        terminal.print(table((both("stage", "段階"), "", both("number", "件数"), both("yen", "円")), rows))

    emit(None, human=draw)
    for each in found.odd:
        told = (
            f"{each.name}: {each.value:,} ({each.of}); the last {each.nights} nights: {each.least:,} to {each.most:,}"
        )
        errors.print(f"odd: {told}, median {each.median:,}", markup=False, soft_wrap=True)
    for aside in found.set_aside:
        errors.print(f"will be set aside: {aside}", markup=False, soft_wrap=True)
    for above in found.above:
        told = f"{above.name} {above.value:,} ({above.of}) > {above.most:,}"
        errors.print(f"charges and refunds will wait: {told}", markup=False, soft_wrap=True)
    if found.held is not None:
        errors.print(f"charges and refunds will wait: held: {found.held}", markup=False, soft_wrap=True)


def _forecast(services: Services, on: date | None, now: datetime) -> NightForecast:
    from keizoku.scheduler.night.forecast import forecast_night
    from keizoku.scheduler.night.nightly_run import NightBusyError

    try:
        return forecast_night(services, on, now)
    except NightBusyError as busy:
        fail(str(busy), 1)


def hold(author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """From now on nights make no charge and no refund; all else of them goes on."""
    from keizoku.scheduler.night.waiting import hold as do

    with services_now() as (services, now):
        do(services.session, by=author, ground=ground, now=now)
    emit({"held": True} if as_json else "charges and refunds of nights wait: `keizoku night release`", as_json)


def release(author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """End the hold: the next night makes the charges and refunds that waited."""
    from keizoku.scheduler.night.waiting import release as do

    with services_now() as (services, now):
        do(services.session, by=author, ground=ground, now=now)
    emit({"held": False} if as_json else "the next night charges and refunds again", as_json)


def approve(
    on: Annotated[
        str,
        typer.Option("--on", help=both("The business date, 2026-04-01.", "営業日。2026-04-01 など。")),
    ],
    author: Author,
    ground: Ground,
    as_json: AsJson = False,
) -> None:
    """Let the night of one date charge and refund, up to what its forecast shows now; run the night after it."""
    from keizoku.scheduler.night.waiting import approve as do

    with services_now() as (services, now):
        shown = _forecast(services, parse_day(on), now)
        if not shown.above and shown.held is None:
            raise Refused("night.nothing_waits", f"nothing of the night of {on} waits for a person")
        do(services, shown, by=author, ground=ground, now=now)
    emit(shown.to_json() if as_json else f"the night of {on} may charge and refund: `keizoku night --on {on}`", as_json)


HELP = {
    hold: japanese("今後の夜間処理で、決済と返金だけを保留します。その他は続きます。"),
    release: japanese("保留を解除します。次の夜間処理が、待っていた決済と返金を行います。"),
    approve: japanese(
        "ある日の夜間処理の決済と返金を、いまの見込みの範囲で承認します。その後に夜間処理を行ってください。"
    ),
}
"""What Japanese help says of each."""
