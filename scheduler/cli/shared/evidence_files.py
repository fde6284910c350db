"""Files of evidence as people name them: files, globs, folders, and what the files do not say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import fail

if TYPE_CHECKING:
    from keizoku.sla.evidence.outage_formats.formats import AskedOutages

Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help=both("Whose form the file has: `keizoku sla formats`.", "ファイルの形式: `keizoku sla formats`。"),
    ),
]
Unable = Annotated[
    int,
    typer.Option(
        "--affected",
        metavar="USERS",
        help=both(
            "With --format: how many users cannot use the service while it is down.",
            "--format のとき: 停止中に利用できない人数。",
        ),
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="OURS=THEIRS,…",
        help=both(
            "With --format table: names of columns, from=started,duration=seconds.",
            "--format table のとき: 列名の読み替え。from=started,duration=seconds など。",
        ),
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="COLUMN=VALUE",
        help=both("With --format: only these rows.", "--format のとき: この行だけ。"),
    ),
]


def files_named(written: Sequence[str] | None, *, or_folders: bool = False) -> tuple[Path, ...]:
    """The files of these names and globs, each once; ends the command for anything else."""
    from keizoku.sla.evidence.observation_files import grouped_files

    found: dict[Path, None] = {}
    for name in written or ():
        if not name.strip():
            fail("an empty name of a file")
        paths = [Path(name)] if Path(name).exists() else _matching(name)
        if not paths:
            fail(f"{name}: no such file")
        for path in paths:
            if not (path.is_file() or (or_folders and path.is_dir())):
                fail(f"{path}: not a file")
            if path.is_dir() and not grouped_files([path]):
                fail(f"{path}: no observations in this folder")
            found[path] = None
    return tuple(found)


def columns_named(written: str, ours_are: Sequence[str] = ()) -> dict[str, str]:
    """OURS=THEIRS,… by our names (default: those of observations); ends the command for what is none."""
    from keizoku.sla.evidence.observation_files import COLUMNS

    known = tuple(ours_are) or COLUMNS
    names: dict[str, str] = {}
    for pair in filter(None, written.split(",")):
        ours, _, theirs = (part.strip() for part in pair.partition("="))
        if ours not in known or not theirs:
            fail(f"--columns {pair}: write OURS=THEIRS, with OURS one of {', '.join(known)}")
        names[ours] = theirs
    return names


def asked_outages(form: str, affected: int, columns: str, only: Sequence[str] | None) -> AskedOutages | None:
    """How a file of outages is to be read, as people said it; None: our own CSV. Ends the command for mistakes."""
    if not form:
        if affected >= 0 or columns or only:
            fail("--affected, --columns and --only go with --format")
        return None
    from keizoku.sla.evidence.outage_formats.formats import FORMATS, AskedOutages, format_named
    from keizoku.sla.evidence.outage_formats.tables import TABLE_COLUMNS

    found = format_named(form)
    if found is None:
        fail(f"--format {form}: one of {', '.join(each.name for each in FORMATS)}")
    if columns and found.name != "table":
        fail(f"--columns goes with --format table; --format {found.name} has its tool's own")
    if affected < 0:
        fail("--affected is needed: a monitor does not know how many users could not use the service")
    pairs = [(column.strip(), value.strip()) for column, _, value in (each.partition("=") for each in only or ())]
    if not all(column for column, _ in pairs):
        fail("--only: write COLUMN=VALUE")
    return AskedOutages(found, affected, tuple(columns_named(columns, TABLE_COLUMNS).items()), tuple(pairs))


def symptom_named(written: str) -> str | None:
    """The one symptom of all rows, if they have one; ends the command for anything else."""
    from keizoku.sla.evidence.observation_checks import SYMPTOMS

    if written and written not in SYMPTOMS:
        fail(f"--symptom {written}: one of {', '.join(SYMPTOMS)}")
    return written or None


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern)
    start = Path(path.anchor)
    return sorted(start.glob(str(path.relative_to(start))))
