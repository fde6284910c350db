"""Files that a browser has sent and nobody has acted on yet: between the look at what an act would do, and the act.

    keep(whose, name, content) ──> a word that only its sender can use, for an hour ──> found(whose, word)

They lie in a private folder of this process and go with it; the oldest goes where there are too many.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

__all__ = ["KeptFiles"]

KEPT_S: Final = 3_600.0
MOST_KEPT: Final = 40


@dataclass(frozen=True, slots=True)
class _Kept:
    whose: str
    name: str
    path: Path
    until: float


@dataclass
class KeptFiles:
    """The files that wait. `clock`: seconds that only rise."""

    clock: Callable[[], float] = monotonic
    _files: dict[str, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _folder: TemporaryDirectory[str] | None = None

    def keep(self, whose: str, name: str, content: bytes) -> str:
        """Keep a file; the word under which whoever sent it finds it again."""
        word = secrets.token_urlsafe(24)
        with self._lock:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="keizoku-sent-")
            self._tidy()
            path = Path(self._folder.name) / word
            path.write_bytes(content)
            self._files[word] = _Kept(whose, name, path, self.clock() + KEPT_S)
        return word

    def found(self, whose: str, word: str) -> tuple[str, bytes] | None:
        """(its name, its bytes); None where there is none, it is another's, or its hour is over."""
        with self._lock:
            kept = self._files.get(word)
            if kept is None or kept.whose != whose or kept.until < self.clock():
                return None
            return kept.name, kept.path.read_bytes()

    def close(self) -> None:
        """Remove them all."""
        with self._lock:
            self._files.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    def _tidy(self) -> None:
        ended = [word for word, kept in self._files.items() if kept.until < self.clock()]
        alive = len(self._files) - len(ended)
        if alive >= MOST_KEPT:
            ended += [word for word in self._files if word not in ended][: alive - MOST_KEPT + 1]
        for word in ended:
            self._files.pop(word).path.unlink(missing_ok=True)
