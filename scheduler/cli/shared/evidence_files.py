"""Files of evidence as people name them: files, globs, folders, and what the files do not say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keizoku.scheduler.cli.shared.output import fail


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


def columns_named(written: str) -> dict[str, str]:
    """OURS=THEIRS,… by our names; ends the command for anything else."""
    from keizoku.sla.evidence.observation_files import COLUMNS

    names: dict[str, str] = {}
    for pair in filter(None, written.split(",")):
        ours, _, theirs = (part.strip() for part in pair.partition("="))
        if ours not in COLUMNS or not theirs:
            fail(f"--columns {pair}: write OURS=THEIRS, with OURS one of {', '.join(COLUMNS)}")
        names[ours] = theirs
    return names


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
