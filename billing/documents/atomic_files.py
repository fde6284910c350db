"""Files and folders that appear whole: a run that is killed leaves what was there, and the next one finishes it.

    with whole_file(Path("2026-04.csv")) as partial:     written beside it, renamed when the block ends well
    with whole_folder(Path("2026-04")) as partial:       SHA256SUMS goes first and comes back last:
                                                         a folder that has it is whole

Always holds: one writer at a time; a second one is Refused in one line, and what a killed one left is removed by the
next. The lock is the kernel's and ends with the process. OSError where a place cannot be written.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR
from time import time

from keizoku.terms.refusal import Refused

SUMS = "SHA256SUMS"
LEFT_AFTER_S = 3_600


def digest(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


@contextmanager
def alone(lock: Path, what: Path) -> Iterator[None]:
    """Be the only one who writes `what`. Refused while another process does."""
    while True:
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise Refused(
                "file.busy", f"{what} is being written by another run", ": wait until that has ended"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), lock.stat()):  # otherwise its last holder removed the file meanwhile
                break
        os.close(held)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Where to write what becomes `file` when the block ends well; nothing is left of it otherwise.

    A link stays one. A device or a pipe is never replaced: it is given the content at the end.
    """
    target = Path(os.path.realpath(file))
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if (file.exists() and not file.is_file()) or target.is_relative_to("/dev") or target.is_relative_to("/proc"):
        with tempfile.TemporaryDirectory(prefix="keizoku-file-") as folder:
            partial = Path(folder) / "content"
            yield partial
            with partial.open("rb") as written, file.open("wb") as out:
                shutil.copyfileobj(written, out)
        return
    partial = target.with_name(f".{target.name}.partial")
    with alone(target.with_name(f".{target.name}.lock"), file):
        try:
            yield partial
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Where to write what becomes the content of `folder`, which is made; a file SHA256SUMS is made of all of it.

    Files of an earlier run that are not written again go; others in the folder are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".partial"
    with alone(folder / ".lock", folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            names = sorted(each.name for each in partial.iterdir())
            sums = "".join(f"{digest(partial / name)}  {name}\n" for name in names)
            earlier = summed(folder)
            (folder / SUMS).unlink(missing_ok=True)
            for name in names:
                (partial / name).replace(folder / name)
            for name in earlier - set(names):
                (folder / name).unlink(missing_ok=True)
            (partial / SUMS).write_text(sums, encoding="utf-8")
            (partial / SUMS).replace(folder / SUMS)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def summed(folder: Path) -> set[str]:
    """The names of plain files that a folder's SHA256SUMS has; none where there is none."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return set()
    names = {line.partition("  ")[2] for line in lines}
    return {name for name in names if name and name == Path(name).name}


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary folder; what killed processes of ours left an hour ago or longer is removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError, Refused):
            facts = left.lstat()
            if S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and time() - facts.st_mtime > LEFT_AFTER_S:
                with alone(left / ".lock", left):
                    shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=prefix) as made, alone(Path(made) / ".lock", Path(made)):
        yield Path(made)
