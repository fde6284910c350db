"""What people type at several commands: times, months, windows, files, who they are."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keizoku.limits import LAST_YEAR
from keizoku.scheduler.cli.shared.ids import worded
from keizoku.scheduler.cli.shared.language import both, language
from keizoku.scheduler.cli.shared.output import errors, fail
from keizoku.terms.calendar import Month, jst_day, parse_day, parse_instant


class Language(StrEnum):
    """The language of an explanation or a document."""

    JA = "ja"
    EN = "en"


SPOKEN = Language(language())
"""The language that a command speaks where --lang does not say otherwise; documents for customers are Japanese then."""


Account = Annotated[
    str,
    typer.Argument(
        metavar="ACCOUNT", parser=worded("account", "アカウント"), help=both("The account.", "アカウント。")
    ),
]
FromYen = Annotated[int | None, typer.Option(help=both("Of this sum or more.", "この金額以上。"))]
ToYen = Annotated[int | None, typer.Option(help=both("Of this sum or less.", "この金額以下。"))]
OnlyAccount = Annotated[
    str | None,
    typer.Option("--account", metavar="ACCOUNT", help=both("Only this account's.", "このアカウントのものだけ。")),
]
AsJson = Annotated[bool, typer.Option("--json", help=both("As JSON.", "JSONで出力します。"))]
ByAccount = Annotated[
    bool,
    typer.Option(
        "--by-account", help=both("Without the user's name: to the account.", "氏名を載せず、アカウント宛てにします。")
    ),
]
Author = Annotated[str, typer.Option(help=both("Who decides so.", "決めた人。"))]
Ground = Annotated[str, typer.Option(help=both("Why.", "理由。"))]
StoreOrder = Annotated[
    str | None,
    typer.Option(
        "--order",
        help=both("The app store's number of the purchase, for app_store.", "app_store の場合のストアの注文番号。"),
    ),
]
Recorder = Annotated[
    str,
    typer.Option(
        "--author", help=both("Who records it. Default: your login name.", "記録する人。省略するとログイン名。")
    ),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        help=both(
            "JST unless it has an offset: '2026-04-10 09:00'.",
            "開始。時差の指定がなければ日本時間: '2026-04-10 09:00'。",
        ),
    ),
]
To = Annotated[str, typer.Option("--to", help=both("The end, not included.", "終了(その時刻を含みません)。"))]
Windows = Annotated[
    list[str] | None, typer.Option("--window", metavar="FROM/TO", help=both("May be repeated.", "時間帯。繰り返し可。"))
]
File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=both("The file.", "ファイル。"))
]
MonthArgument = Annotated[
    str, typer.Argument(metavar="MONTH", help=both("Such as 2026-04; JST.", "月。2026-04 など(日本時間)。"))
]
OnlyMonth = Annotated[
    str, typer.Option("--month", help=both("Only this month: 2026-04.", "この月のものだけ: 2026-04。"))
]


YEARS: Final = range(1970, 2201)
"""What lies outside them is a slip of the hand."""


def instant(text: str) -> datetime:
    """A time as people write it; ends the command for anything else."""
    try:
        at = parse_instant(text)
    except ValueError as error:
        fail(str(error))
    year = jst_day(at).year if at.year < LAST_YEAR else at.year  # 1970 begins in Japan
    return at if year in YEARS else fail(f"{text}: years go from {YEARS[0]} to {YEARS[-1]}")


def day(text: str) -> date:
    """A day as people write it; ends the command for anything else."""
    try:
        on = parse_day(text)
    except ValueError as error:
        fail(str(error))
    return on if on.year in YEARS else fail(f"{text}: years go from {YEARS[0]} to {YEARS[-1]}")


def month_of(text: str) -> Month:
    """A month as people write it; ends the command for anything else."""
    try:
        return Month.parse(text)
    except ValueError as error:
        fail(str(error))


def window(text: str) -> tuple[datetime, datetime]:
    """FROM/TO; ends the command for anything else."""
    start, slash, end = text.partition("/")
    if not slash:
        fail(f"not a window: {text!r}; write FROM/TO, such as '2026-04-10 09:00/2026-04-10 12:37'")
    return instant(start), instant(end)


def recorder(author: str) -> str:
    """Who records it: as given, else the login's name; ends the command where the system knows none."""
    try:
        return author or getpass.getuser()
    except (OSError, KeyError, ImportError):
        fail(f"the system has no name for your login (user {os.getuid()}): say who you are with --author")


@contextmanager
def row_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of rows on stderr, on a terminal, that goes when all is done; to be told (done, of how many)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, whole: bars.update(task, completed=done, total=whole)
