"""How every command speaks: results to stdout, everything else to stderr, JSON when asked.

Exit codes have their home here, and a page for people in docs/reference/command-line.md:

    0  fine
    1  FOUND: what was asked has the answer no. Something was found (a row of a file, a difference, something that
       waits for people), or what the database holds is against it: no such account or id, an act that is refused
    2  MISTAKEN: it could not be asked so. The call, a setting or a file is wrong, whatever the database holds
    3  BROKEN_OFF: what it stands on went away (the database, a disk that is full): what was committed stays, run it
       again
"""

import dataclasses
import datetime as dt
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from keizoku.limits import readable

if TYPE_CHECKING:
    from keizoku.terms.refusal import Refused

__all__ = [
    "BROKEN_OFF",
    "FOUND",
    "MISTAKEN",
    "UserError",
    "console",
    "emit",
    "errors",
    "explain_failure",
    "explain_mistake",
    "explained",
    "fail",
    "in_japan",
    "json_text",
    "jsonable",
    "note",
    "refuse",
    "report_findings",
    "table",
]

JST: Final = dt.timezone(dt.timedelta(hours=9), "JST")
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

UNSEEN_IN_JSON: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON itself leaves as it is, and a terminal obeys."""

NUMBERS: Final = frozenset({"id", "attempt", "contract", "credit", "entry", "invoice", "payment", "reverses"})
"""Columns that hold the number of something."""

WIDTH_OF_A_FILE = 200
"""Columns of a table that goes to a file or another program, where no terminal says how wide it is."""


class _AsWritten(Console):
    """Shows text as it is: no `:a:` becomes an emoji, and control characters are written out."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(readable(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Text) and (shown := readable(renderable.plain)) != renderable.plain:
            renderable = Text(shown, style=renderable.style)
        return super().render(renderable, options)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    to_terminal = stream is not None and stream.isatty()
    return _AsWritten(stderr=stderr, highlight=False, emoji=False, width=None if to_terminal else WIDTH_OF_A_FILE)


console = _console(stderr=False)
"""For results; text in [brackets] is markup, so what comes from data is escaped."""
errors = _console(stderr=True)
"""For everything else."""


FOUND: Final = 1
"""Exit code: a finding, or a refusal: what the database holds is against it."""
MISTAKEN: Final = 2
"""Exit code: the call, a setting or a file is wrong, whatever the database holds."""
BROKEN_OFF: Final = 3
"""Exit code: the database went away or a disk is full; the same command does once that is mended."""


class UserError(Exception):
    """What the person at the keyboard can correct; the message is one line, `code` the exit code."""

    def __init__(self, message: str, code: int = MISTAKEN) -> None:
        super().__init__(message)
        self.code = code


def emit(result: object, as_json: bool = False, human: Callable[[Console], None] | None = None) -> None:
    """Print a result: as JSON, or as `human` draws it, or as a plain table or line."""
    if as_json:
        sys.stdout.write(json_text(result, indent=2) + "\n")
    elif human is not None:
        human(console)
    elif isinstance(result, Mapping):
        console.print(table(("", ""), ((name, _named(name, value)) for name, value in result.items()), header=False))
    elif isinstance(result, Sequence) and result and all(isinstance(row, Mapping) for row in result):
        names = list(result[0])
        console.print(table(names, ([_named(name, row.get(name)) for name in names] for row in result)))
    elif isinstance(result, Sequence) and not isinstance(result, str):
        for line in result:
            console.print(escape(str(line)), soft_wrap=True)
    else:
        console.print(escape(str(result)), soft_wrap=True)


def json_text(result: object, indent: int | None = None) -> str:
    """A result as JSON: letters as they are, but what would steer a terminal or hide as an escape of JSON."""
    return UNSEEN_IN_JSON.sub(_json_escape, json.dumps(result, default=jsonable, ensure_ascii=False, indent=indent))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, header: bool = True
) -> Table:
    """A table of plain values; whole numbers to the right with thousands."""
    drawn = Table(title=title, title_justify="left", show_header=header, box=None, pad_edge=False)
    for name in columns:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def note(message: str) -> None:
    """One line to stderr: where we work, what is being waited for."""
    errors.print(escape(message), style="dim", soft_wrap=True)


def fail(message: str, code: int = MISTAKEN) -> NoReturn:
    """End the command with one line: `MISTAKEN` for a call that is wrong, `FOUND` where the data say no."""
    raise UserError(message, code)


def refuse(refused: "Refused", code: int = FOUND) -> NoReturn:
    """End the command with the line of a refusal (with `--json` it goes to stdout as well, see explain_failure)."""
    raise UserError(str(refused), code) from refused


def report_findings(findings: Iterable[object], as_json: bool = False) -> int:
    """Print each finding on a line of stderr (as JSON: one list to stdout); the exit code, 1 if any."""
    found = list(findings)
    if as_json:
        emit(found, as_json=True)
    else:
        for finding in found:
            errors.print(escape(str(finding)), soft_wrap=True)
    return FOUND if found else 0


def explain_mistake(error: typer.TyperException) -> int:
    """One line for what the parser cannot read: what, and where the rule stands; its exit code."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return MISTAKEN  # the help was shown: that is all there is to say
    message = " ".join(error.format_message().split()).rstrip(".")
    if context is not None:
        message += f"{' ' if message.endswith('?') else '; '}`{context.command_path} --help` says how"
    errors.print(f"[red]error[/]: {escape(message)}", soft_wrap=True)
    return MISTAKEN


def explain_failure(error: Exception, as_json: bool = False, written: Sequence[str] = ()) -> int:
    """One line for what people can correct, and its exit code; what only a programmer can is raised again.

    `written`: the command line, which is told again with the key of its act where nobody knows whether it was done.

    `as_json`: a refusal goes to stdout too, as {"refused": {code, clause, sentence, remedy, findings}}.
    """
    from keizoku.db.failures import failure_of
    from keizoku.scheduler.cli.shared.act_key import to_repeat
    from keizoku.terms.refusal import Refused

    mendable = explained(error)
    if mendable is None:
        raise error
    message, code = mendable
    failure = failure_of(error)
    repeat = to_repeat(written) if failure is not None and failure.unsure else None
    if failure is not None and repeat is not None:
        message = f"{failure.what}; it may have been done: repeat it with its key, and it is done once: {repeat}"
    refused = error.__cause__ if isinstance(error, UserError) else error
    if as_json and isinstance(refused, Refused):
        emit({"refused": refused.to_json()}, as_json=True)
    errors.print(f"[red]error[/]: {escape(message)}", soft_wrap=True)
    return code


def explained(error: BaseException) -> tuple[str, int] | None:
    """The one line that people can act on, and its exit code; None for what only a programmer can correct."""
    from psycopg import DataError as DriverDataError
    from sqlalchemy.exc import DataError, IntegrityError

    from keizoku.billing.gateway.port import GatewayRefusesUsError
    from keizoku.db.failures import FREE_SOME, disk_is_full, failure_of, too_long
    from keizoku.db.session import DatabaseError
    from keizoku.extras import missing_extra
    from keizoku.terms.policy import UncoveredDateError
    from keizoku.terms.refusal import Refused

    if isinstance(error, UserError):
        return (f"{error}; {FREE_SOME}", BROKEN_OFF) if disk_is_full(error) else (str(error), error.code)
    if isinstance(error, Refused):
        return str(error), FOUND
    failure = failure_of(error)
    if failure is not None:
        return str(failure), BROKEN_OFF if failure.passes else MISTAKEN
    if isinstance(error, ModuleNotFoundError):
        line = missing_extra(error.name or "")
        return (line, MISTAKEN) if line else None
    if isinstance(error, DatabaseError | GatewayRefusesUsError | UncoveredDateError):
        return str(error), MISTAKEN
    if disk_is_full(error):
        return f"the disk is full: {' '.join(str(error).split())}; {FREE_SOME}", BROKEN_OFF
    if isinstance(error, OSError) and error.strerror is not None:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}", MISTAKEN
    if isinstance(error, IntegrityError) and (column := too_long(error)) is not None:
        return f"a text that is too long for {column}; docs/reference/limits.md has the limits", MISTAKEN
    beyond = isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", "") == "23514"
    # a number, a letter or a day that its column cannot hold
    if isinstance(error, DataError | DriverDataError) or beyond:
        return f"an impossible value: {str(getattr(error, 'orig', error)).splitlines()[0]}", MISTAKEN
    return None


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _named(name: str, value: object) -> object:
    """The value of a column: the number of something is no amount, and is written as it is typed."""
    return str(value) if name in NUMBERS and isinstance(value, int) and not isinstance(value, bool) else value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(name))} {_cell(item)}" for name, item in value.items())
    return escape(in_japan(value))


def in_japan(value: object) -> str:
    """A value as people read it: an instant, also one that is a text already, as the time in Japan."""
    if isinstance(value, str) and not INSTANT.fullmatch(value):
        return value
    if isinstance(value, str | dt.datetime):
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        return f"{at.astimezone(JST).replace(tzinfo=None).isoformat(' ', 'seconds')} JST"
    return str(value)


def jsonable(value: object) -> object:
    """The JSON form of what JSON itself does not know; instants as the time in Japan."""
    if isinstance(value, Mapping):  # before dataclasses: a read model says itself how it is shown
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo is None else value.astimezone(JST)).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset | Iterator):
        return list(value)
    if isinstance(value, Decimal | Fraction | Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
