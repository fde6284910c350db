"""Files beside the database that the processes of one machine share: what a browser has sent, what a job has made.

    keep(whose, name, content) ──> a word that only its sender can use, for an hour ──> found(whose, word)
    room(job) ──> an empty folder for what a job makes ──> made(job): its files, whichever process is asked

They lie in a private folder under the system's own for files that pass, named for the database; what this process wrote
goes with it. The oldest that wait go where there are too many.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["KeptFiles"]

KEPT_S: Final = 3_600.0
MOST_KEPT: Final = 40
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{20,60}")


@dataclass
class KeptFiles:
    """The files of one database's door. `clock`: seconds since 1970, the same for all processes."""

    of: str
    """What the folder is named for: the database and its schema."""
    clock: Callable[[], float] = time.time
    _mine: set[Path] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, whose: str, name: str, content: bytes) -> str:
        """Keep a file; the word under which whoever sent it finds it again."""
        word = secrets.token_urlsafe(24)
        folder = self._folder("sent")
        self._tidy(folder)
        head = json.dumps({"whose": whose, "name": name, "until": self.clock() + KEPT_S}).encode()
        with self._lock:
            self._mine.add(folder / word)
        partial = folder / f"{word}.part"
        partial.write_bytes(head + b"\n" + content)
        partial.rename(folder / word)
        return word

    def found(self, whose: str, word: str) -> tuple[str, bytes] | None:
        """(its name, its bytes); None where there is none, it is another's, or its hour is over."""
        if not _WORD.fullmatch(word):
            return None
        try:
            head, _, content = (self._folder("sent") / word).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        said = json.loads(head)
        return (said["name"], content) if said["whose"] == whose and said["until"] >= self.clock() else None

    def room(self, job: str) -> Path:
        """An empty folder for what a job makes; what an earlier one of its name made is gone."""
        folder = self._folder("made") / job
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        with self._lock:
            self._mine.add(folder)
        return folder

    def made(self, job: str) -> list[Path]:
        """The files that a job has made, by name."""
        folder = self._folder("made") / job
        return sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []

    def close(self) -> None:
        """Remove what this process wrote, and the folder where nothing else is in it."""
        with self._lock:
            for each in self._mine:
                shutil.rmtree(each) if each.is_dir() else each.unlink(missing_ok=True)
            self._mine.clear()
        for each in (self._path() / "sent", self._path() / "made", self._path()):
            with suppress(OSError):
                each.rmdir()

    def _tidy(self, folder: Path) -> None:
        """Remove what nobody may use any more, and the oldest beyond the most that may wait."""
        there = sorted(self._ages(folder), reverse=True)
        for place, (written, each) in enumerate(there):
            if place >= MOST_KEPT - 1 or written + KEPT_S < time.time():
                each.unlink(missing_ok=True)

    def _ages(self, folder: Path) -> list[tuple[float, Path]]:
        found = []
        for each in folder.iterdir():
            with suppress(FileNotFoundError):
                found.append((each.stat().st_mtime_ns / 1e9, each))
        return found

    def _path(self) -> Path:
        named = hashlib.sha256(self.of.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"keizoku-{os.getuid()}-{named}"

    def _folder(self, part: str) -> Path:
        """A folder that is ours alone. OSError where somebody else has made it."""
        for each in (self._path(), self._path() / part):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
            seen = each.lstat()
            if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or seen.st_mode & 0o077:
                raise PermissionError(13, "the folder for files that pass is not ours alone", str(each))
        return self._path() / part
