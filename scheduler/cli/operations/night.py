"""`keizoku night`: run the night of a business date, or of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keizoku.scheduler.cli.operations import night_money
from keizoku.scheduler.cli.shared.context import open_services, settings_of_this_process
from keizoku.scheduler.cli.shared.inputs import day as parse_day
from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import console, emit, errors, fail, note, table
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import jst_day

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.clock import ClockName
    from keizoku.scheduler.night.asked import Wish
    from keizoku.scheduler.night.nightly_run import NightResult
    from keizoku.scheduler.night.processes import WorkerPool

app = typer.Typer(pretty_exceptions_enable=False, invoke_without_command=True)


@app.callback(
    help=both(
        "Renew, invoice, charge, chase, adjudicate, recognise, and certify a business date.\n\n"
        "Nights that were missed since the last one are caught up first. A second run of a date changes nothing. "
        "Exit 1 if a certificate names differences or another night is running; 2 if people changed the tables.",
        "ある営業日の更新、請求、決済、督促、判定、収益認識、証明を行います。\n\n"
        "前回から抜けた夜を先に行います。同じ日を二度行っても変わりません。証明に相違があるか、他の夜"
        "間処理が動いていれば終了コード 1。",
    )
)
def night(
    context: typer.Context,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            help=both(
                "The business date, 2026-04-01; default: today in Japan.",
                "営業日。2026-04-01 など。省略すると日本の今日。",
            ),
        ),
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", help=both("The first of several business dates.", "複数の営業日の最初の日。"))
    ] = "",
    to: Annotated[
        str, typer.Option("--to", help=both("The last of several business dates.", "複数の営業日の最後の日。"))
    ] = "",
    simulate_clock: Annotated[
        bool,
        typer.Option(
            "--simulate-clock",
            help=both(
                "Let each night believe that it is 02:30 JST of its own date (simulated gateway only: for trials).",
                "それぞれの夜を、その日の日本時間02:30とみなします(模擬の決済代行のみ。試験用)。",
            ),
        ),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            min=0,
            max=64,
            help=both(
                "Processes that share the contracts; 0: as many as KEIZOKU_NIGHT_JOBS says.",
                "契約を分担するプロセスの数。0 なら KEIZOKU_NIGHT_JOBS の値。",
            ),
        ),
    ] = 0,
    whole_audit: Annotated[
        bool,
        typer.Option(
            "--whole-audit",
            help=both(
                "Check every row again, not only what came since the last certificate.",
                "前回の証明より後だけでなく、すべての行を見直します。",
            ),
        ),
    ] = False,
    catch_up: Annotated[
        bool,
        typer.Option(
            "--catch-up",
            "--yes",
            help=both(
                "Catch up the missed nights, however many they are.", "抜けた夜を、いくつあっても、すべて行います。"
            ),
        ),
    ] = False,
    forecast: Annotated[
        bool,
        typer.Option(
            "--forecast",
            help=both(
                "Only show what the next night would write, and what of it is odd; nothing is done.",
                "次の夜間処理が書くはずの内容と、平常と異なる点を示すだけで、何も行いません。",
            ),
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help=both("As JSON, one object per night.", "JSONで出力します。夜ごとに一つ。"))
    ] = False,
) -> None:
    """Run nights, or show the forecast of one."""
    if context.invoked_subcommand is not None:
        return
    if forecast:
        if from_ or to or simulate_clock or jobs or whole_audit or catch_up:
            fail("--forecast is of one night, by --on, and runs none")
        night_money.show_forecast(on, as_json)
        return
    from keizoku.billing.gateway import restored
    from keizoku.scheduler.night.asked import Wish
    from keizoku.scheduler.night.nightly_run import NightBusyError
    from keizoku.scheduler.reports.work.work_list import waiting_count

    real_now = datetime.now(UTC)
    dates = _dates(on, from_, to, jst_day(real_now))
    if not simulate_clock and dates[-1] > jst_day(real_now):
        fail(f"{dates[-1]} has not come yet (today is {jst_day(real_now)} in Japan); use --simulate-clock for a trial")
    settings = settings_of_this_process()
    with open_services(settings, clock="given" if simulate_clock else "real", waits=False) as services:
        if simulate_clock and services.gateway.name != "simulated":
            fail("--simulate-clock would date real charges wrongly; it works with the simulated gateway only")
        if simulate_clock and settings.link_partner == "http":
            fail(
                "--simulate-clock would date real tokens wrongly; it works with KEIZOKU_LINK_PARTNER=simulated or none"
            )
        try:
            results = run_nights(
                services,
                Wish(dates, None if simulate_clock or catch_up else settings.most_missed_nights, whole_audit),
                None if simulate_clock else real_now,
                jobs=jobs or settings.night_jobs,
            )
            waiting = waiting_count(
                services.session,
                night_at(dates[-1]) if simulate_clock else real_now,
                settings.most_missed_nights,
            )
        except NightBusyError as busy:
            fail(str(busy), 1)
        if restored.is_waiting(services.session):
            note(f"{restored.HELD}; `keizoku backup held` lists what waits")
    if as_json:
        emit([as_dict(result) | {"waiting": waiting} for result in results], as_json=True)
    else:
        _print(results)
        if waiting:
            emit(_waiting_text(waiting))
    if any(result.certificate != "ok" for result in results):
        raise typer.Exit(1)


for _command in (night_money.hold, night_money.release, night_money.approve):
    app.command(help=night_money.HELP[_command])(_command)


def run_nights(services: Services, wish: Wish, now: datetime | None, *, jobs: int = 1) -> list[NightResult]:
    """Run several nights with progress bars on a terminal; `now` None: each at 02:30 JST of its own date."""
    from keizoku.scheduler.night.asked import run_asked

    with _progress(wish.dates) as progress, _pool(services, jobs) as pool:
        return run_asked(services, wish, now, progress, pool)


def _pool(services: Services, jobs: int) -> WorkerPool:
    from keizoku.scheduler.night.processes import WorkerPool

    clock: ClockName = "given" if services.clock is None else "real"
    return WorkerPool(jobs - 1, partial(open_services, quiet=True, clock=clock, waits=False))


def as_dict(result: NightResult) -> dict[str, object]:
    """A result as it is printed in JSON."""
    return {
        "business_date": result.business_date,
        "changes": result.changes,
        "ran_before": result.ran_before,
        "caught_up": list(result.caught_up),
        "stages": {stage.stage: stage.changes for stage in result.stages},
        "certificate": result.certificate,
        "differences": list(result.differences),
        "set_aside": len(result.set_aside),
    }


@contextmanager
def _progress(dates: Sequence[date]) -> Iterator[Teller]:
    from keizoku.scheduler.night.nightly_run import STAGES

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[stage]}"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    with bars:
        yield Teller(bars, dates, STAGES[-1])


class Teller:
    """Moves one bar over all nights, and shows the stage and how many rows it has written."""

    def __init__(self, bars: Progress, dates: Sequence[date], last_stage: str) -> None:
        self._bars = bars
        self._last_stage = last_stage
        self._rows = 0
        self._seen: set[date] = set()
        self._task = bars.add_task("nights", total=len(dates), stage="")

    def __call__(self, business_date: date, stage: str, rows: int) -> None:
        """Be told (keizoku.scheduler.night.nightly_run.Progress)."""
        self._rows += rows
        self._bars.update(self._task, description=f"night {business_date}", stage=f"{stage:12} {self._rows:>9,} rows")
        if stage == self._last_stage and business_date not in self._seen:
            self._seen.add(business_date)
            self._bars.advance(self._task)


def _dates(on: str, from_: str, to: str, today: date) -> list[date]:
    if on and (from_ or to):
        fail("--on names one date, --from and --to several: give one or the other")
    if bool(from_) != bool(to):
        fail("--from and --to go together")
    first = _date(from_ or on, today)
    last = _date(to, today) if to else first
    if last < first:
        fail(f"--from {first} comes after --to {last}")
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def _date(text: str, default: date) -> date:
    return parse_day(text) if text else default


def _print(results: list[NightResult]) -> None:
    from keizoku.scheduler.night.nightly_run import STAGES

    rows = [
        [
            result.business_date,
            *(stage.changes for stage in result.stages if stage.stage not in ("evidence", "audit")),
            _word(result),
            f"ok but {len(result.set_aside)} set aside"
            if result.certificate == "ok" and result.set_aside
            else result.certificate,
        ]
        for result in results
    ]
    columns = ["night", *(stage for stage in STAGES if stage not in ("evidence", "audit")), "", "certificate"]
    console.print(table(columns, rows))
    for result in results:
        for difference in result.differences:
            errors.print(f"{result.business_date}: {difference}", markup=False, soft_wrap=True)
        for each in result.set_aside:
            errors.print(f"{result.business_date}: set aside: {each}", markup=False, soft_wrap=True)


def _word(result: NightResult) -> str:
    if result.ran_before and not result.changes:
        return "ran before, nothing changed"
    if result.caught_up:
        return f"caught up {len(result.caught_up)} missed"
    return ""


def _waiting_text(waiting: int) -> str:
    one = waiting == 1
    return both(
        f"{waiting:,} {'thing waits' if one else 'things wait'} for people: keizoku tasks list",
        f"担当者を待つものが{waiting:,}件あります: keizoku tasks list",
    )
