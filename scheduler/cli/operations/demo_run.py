"""What `keizoku demo` does: load the month, run its nights, show the result and write it as a page."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from keizoku.scheduler.cli.shared.context import settings_of_this_process
from keizoku.scheduler.cli.shared.output import emit, errors, fail, note
from keizoku.scheduler.demo.files import BrokenExampleError, read_acts
from keizoku.scheduler.demo.page import amount, demo_page
from keizoku.scheduler.demo.place import (
    NotADemoError,
    clear,
    default_dir,
    examples_dir,
    fresh_services,
    stand_at,
)
from keizoku.scheduler.demo.play import play, played_until, shown_at
from keizoku.scheduler.demo.summary import Figure, Summary, summarise
from keizoku.scheduler.files import write_whole
from keizoku.scheduler.settings import SettingsError
from keizoku.terms import words
from keizoku.terms.rules import Rules

PHASES = {"load": "contracts", "nights": "nights"}


def run_demo(data_dir: Path | None, out: Path | None, examples: Path | None, as_json: bool) -> bool:
    """Play the example month and show it; whether every certificate is ok."""
    source = _examples(examples)
    folder, why = (data_dir.expanduser().absolute(), "") if data_dir is not None else default_dir()
    if why:
        note(why)
    summary, page, command = make_demo(folder, out, source)
    if as_json:
        emit({**summary.to_json(), "data_dir": folder, "page": page, "see": seeing(folder)}, as_json=True)
    else:
        emit(None, human=lambda console: show(console, summary, page, (command, seeing(folder))))
    return summary.certificates_ok == summary.nights


def make_demo(folder: Path, out: Path | None = None, examples: Path | None = None) -> tuple[Summary, Path, str]:
    """Play the example month in this folder and write its page: (what came of it, the page, how one claim is asked).

    What cannot be done ends the command with one line.
    """
    source = _examples(examples)
    rules = _rules()
    note(f"database: the demo's own, embedded, in {folder}; card gateway and partner: simulated, ours")
    try:
        acts = read_acts(source.absolute(), rules)
        clear(folder)
    except (NotADemoError, BrokenExampleError) as error:
        fail(str(error))
    page = (out or folder / "demo.html").absolute()
    if not page.parent.is_dir():
        fail(f"there is no folder {page.parent} for the page; name another place with --out")
    with fresh_services(folder, rules) as services:
        with _progress() as progress:
            played = play(services, acts, progress)
        summary = summarise(services, played, played_until())
        command = f"KEIZOKU_DATA_DIR={folder} {_program()} explain claim {summary.explained} --lang en"
        html = demo_page(services, summary, played_until(), command)
        stand_at(services, folder, shown_at())
    try:
        write_whole(page, html)
    except OSError as error:
        fail(f"the page could not be written to {page}: {error.strerror}; name another place with --out")
    return summary, page, command


def _examples(named: Path | None) -> Path:
    found = named or examples_dir()
    if found is None:
        fail("no example month here: name it with --examples (examples/2026-04 of the source repository)")
    return found


def seeing(folder: Path) -> str:
    """The command that opens the demo of this folder in a browser."""
    here = "" if folder == default_dir()[0] else f"KEIZOKU_DATA_DIR={folder} "
    return f"{here}{_program()} serve --local --demo"


def show(console: Console, summary: Summary, page: Path, commands: tuple[str, str]) -> None:
    """The summary in a terminal, for people who keep books. `commands`: how one claim is asked, how all is seen."""
    month_ja, month_en = words.month(summary.month, ja=True), words.month(summary.month, ja=False)
    console.print(f"[bold]{month_ja} {month_en}[/] [dim]as of {summary.as_of}, terms {summary.terms_version}, "
                  "card gateway simulated[/]")  # fmt: skip
    for title, figures in (
        ("契約 Contracts", summary.contracts),
        ("請求と回収 Invoices and where they went", summary.money),
        ("停止 Outages of the month", (*summary.stops, _gross(summary))),
        ("申請 Claims", summary.claims),
        ("減額 Credits", summary.credits),
        *((("連携(提携先は模擬) Links; the partner is simulated, ours", summary.links),) if _linked(summary) else ()),
        ("人が決めること Left to people", (*summary.tasks, _remarks(summary))),
    ):
        console.print(f"\n[bold]{title}[/]")
        console.print(_figures(figures))
        if figures[0] in summary.stops:
            progress = words.duration(summary.unusable_seconds, ja=False)
            console.print(
                f"[dim]a member who claims the whole month: {progress} unusable, so {summary.rate} of a monthly fee[/]"
            )
    console.print("\n[bold]売上 Revenue by month, without tax, less SLA reductions[/]")
    console.print(_revenue(summary))
    console.print("\n[bold]試算表 Trial balance[/]")
    console.print(_trial_balance(summary))
    console.print()
    state = "green" if summary.certificates_ok == summary.nights else "red"
    console.print(f"[{state}]監査証明 certificates: {summary.certificates_ok} of {summary.nights} ok[/]")
    console.print(f"page: {escape(str(page))}", soft_wrap=True)
    console.print(f"one claim, to the second: {escape(commands[0])}", soft_wrap=True)
    console.print(f"see it in a browser: {escape(commands[1])}", soft_wrap=True)


def _rules() -> Rules:
    settings = settings_of_this_process()
    if settings.database_url is not None:
        note("KEIZOKU_DATABASE_URL is left alone: the demo has a database of its own")
    try:
        return settings.rules()
    except SettingsError as error:
        fail(str(error))


@contextmanager
def _progress() -> Iterator[Bars]:
    """Two bars on stderr, on a terminal, that go when all is done."""
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[at]}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=errors, transient=True, disable=not errors.is_terminal
    ) as bars:
        yield Bars(bars)


class Bars:
    """A bar for loading and one for the nights (keizoku.scheduler.demo.play.Progress)."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int, whole: int, words: str) -> None:
        """Receive progress."""
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(PHASES[phase], total=whole, at="")
        self._bars.update(self._tasks[phase], completed=done, at=words)


def _program() -> str:
    """How this program was called, to be called again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "keizoku" and "/" in sys.argv[0] else "keizoku"


def _linked(summary: Summary) -> bool:
    return bool(summary.value("links"))


def _gross(summary: Summary) -> Figure:
    return Figure("gross", "停止時間の合計", "all outages", sum(each.value for each in summary.stops), "seconds")


def _remarks(summary: Summary) -> Figure:
    return Figure("remarks", "受付の注記", "remarks on the input", len(summary.remarks))


def _figures(figures: Iterable[Figure]) -> Table:
    drawn = _table()
    drawn.add_column()
    drawn.add_column()
    drawn.add_column(justify="right")
    for figure in figures:
        drawn.add_row(figure.ja, figure.en, amount(figure))
    return drawn


def _revenue(summary: Summary) -> Table:
    drawn = _table()
    drawn.add_column("")
    drawn.add_column("", justify="right")
    for month, yen in summary.revenue:
        drawn.add_row(month, f"¥{yen:,}")
    return drawn


def _trial_balance(summary: Summary) -> Table:
    drawn = _table(header=True)
    for name in ("", "勘定科目", "account"):
        drawn.add_column(name)
    for name in ("借方 debit", "貸方 credit"):
        drawn.add_column(name, justify="right")
    for each in summary.balances:
        sides = (f"{yen:,}" if yen else "" for yen in (each.debit_yen, each.credit_yen))
        drawn.add_row(each.code, each.ja, each.en, *sides)
    drawn.add_section()
    drawn.add_row("", "合計", "total", f"{summary.debit_yen:,}", f"{summary.credit_yen:,}", style="bold")
    return drawn


def _table(*, header: bool = False) -> Table:
    return Table(show_header=header, box=None, pad_edge=False)
