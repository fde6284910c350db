"""Where copies are kept: a folder, or a remote place that fsspec supports (s3://bucket/folder, sftp://…).

BACKUP.dump.age    the encrypted dump          BACKUP.proof.age   what it holds, encrypted
BACKUP.json        the manifest, written last: it makes the copy complete; sizes and hashes, no contents

Always holds: a place is spoken to only when it is needed, on a thread of its own. One that cannot be reached, is silent
for too long or throws whatever its library throws raises StoreError; the others do not notice.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import fsspec

from keizoku.scheduler.addresses import masked, without_secrets
from keizoku.scheduler.backup.plan import Copy
from keizoku.terms.calendar import parse_instant

DUMP, PROOF, MANIFEST = ".dump.age", ".proof.age", ".json"
BLOCK = 1 << 20
LOCAL_PROTOCOLS = ("file", "local")
TIMEOUT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.2

Result = TypeVar("Result")
Moved = Callable[[], None]
"""Called by what is under way whenever it has moved on: it is not silent."""


class StoreError(Exception):
    """A place for backups cannot be used; the message names it and says why."""


@dataclass(frozen=True)
class Store:
    """One place. `name` is what the settings call it, without anything secret."""

    name: str
    address: str = field(repr=False)
    remote: bool
    timeout_seconds: float = TIMEOUT_SECONDS
    stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    """Once set, nothing is waited for any more."""
    _opened: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def at(
        cls, address: str, timeout_seconds: float = TIMEOUT_SECONDS, stopping: threading.Event | None = None
    ) -> Store:
        """The store at an address; nothing is connected. Raises StoreError for a protocol that is not supported."""
        try:
            protocol = fsspec.core.split_protocol(address)[0] or "file"
            kinds = fsspec.get_filesystem_class(protocol.split("::")[-1]).protocol
        except (ImportError, ValueError) as error:
            raise StoreError(f"{masked(address)}: {without_secrets(str(error), address)}") from error
        remote = not any(each in LOCAL_PROTOCOLS for each in ((kinds,) if isinstance(kinds, str) else kinds))
        return cls(masked(address), address, remote, timeout_seconds, stopping or threading.Event())

    def put(self, backup: str, files: dict[str, Path], manifest: dict[str, object]) -> None:
        """Write the files, then the manifest, which makes the copy complete. Raises StoreError."""

        def write(moved: Moved) -> None:
            fs, root = self._place()
            fs.makedirs(root, exist_ok=True)
            for ending, path in files.items():
                with path.open("rb") as read, fs.open(f"{root}/{backup}{ending}", "wb") as out:
                    for block in _blocks(read):
                        out.write(block)
                        moved()
                moved()
            with fs.open(f"{root}/{backup}{MANIFEST}", "wb") as out:
                out.write(json.dumps(manifest, sort_keys=True).encode())
            fs.invalidate_cache()

        try:
            self._asked(write, "not written")
        except StoreError as error:
            if not isinstance(error.__cause__, TimeoutError | ConnectionError):
                with suppress(StoreError):
                    self.remove(backup)  # half a copy takes room
            raise

    def copies(self) -> list[Copy]:
        """Every whole copy, oldest first. Raises StoreError."""
        return self.contents()[0]

    def contents(self) -> tuple[list[Copy], list[str]]:
        """Every whole copy, oldest first, and in words what is named as a manifest and is none. Raises StoreError."""

        def look(moved: Moved) -> tuple[list[Copy], list[str]]:
            fs, root = self._place()
            fs.invalidate_cache()
            if not fs.exists(root):
                return [], []
            found: list[Copy] = []
            strange: list[str] = []
            for path in fs.ls(root, detail=False):
                name = str(path).rsplit("/", 1)[-1]
                if not name.endswith(MANIFEST):
                    continue
                moved()
                try:
                    found.append(self._copy(name.removesuffix(MANIFEST)))
                except (KeyError, ValueError, TypeError, AttributeError, OSError, RecursionError) as error:
                    strange.append(f"{self.name}: {name} is no manifest of a backup ({self._reason(error)})")
            return sorted(found, key=lambda each: each.taken_at), strange

        return self._asked(look, "cannot be read")

    def get(self, backup: str, ending: str, target: Path) -> str:
        """Fetch a file; its SHA-256. Raises StoreError."""

        def fetch(moved: Moved) -> str:
            digest = hashlib.sha256()
            fs, root = self._place()
            with fs.open(f"{root}/{backup}{ending}", "rb") as read, target.open("wb") as out:
                for block in _blocks(read):
                    digest.update(block)
                    out.write(block)
                    moved()
            return digest.hexdigest()

        return self._asked(fetch, f"{backup}{ending} cannot be read")

    def remove(self, backup: str) -> None:
        """Remove a copy: the manifest first, so that half a copy never counts. Raises StoreError."""

        def clear(moved: Moved) -> None:
            fs, root = self._place()
            for ending in (MANIFEST, PROOF, DUMP):
                path = f"{root}/{backup}{ending}"
                if fs.exists(path):
                    fs.rm_file(path)
                moved()
            fs.invalidate_cache()

        self._asked(clear, f"{backup} cannot be removed")

    def _place(self) -> tuple[Any, str]:
        """The file system and the folder in it; many file systems connect here."""
        if "fs" not in self._opened:
            fs, root = fsspec.core.url_to_fs(self.address)
            self._opened.update(fs=fs, root=root.rstrip("/"))
        return self._opened["fs"], self._opened["root"]

    def _copy(self, backup: str) -> Copy:
        fs, root = self._place()
        with fs.open(f"{root}/{backup}{MANIFEST}", "rb") as read:
            content = json.loads(read.read())
        taken_at: datetime = parse_instant(content["taken_at"])
        size, digest = int(content["bytes"]), content["sha256"]
        release, of_proof = content.get("release"), content.get("proof_sha256")
        if not isinstance(digest, str) or not isinstance(release, str | None):
            raise TypeError("sha256 and release are texts")
        return Copy(backup, self.name, taken_at, size, digest, release, None if of_proof is None else str(of_proof))

    def _asked(self, work: Callable[[Moved], Result], what: str) -> Result:
        """What `work` returns, on a thread of its own; StoreError for its errors, and for silence."""
        try:
            return _heard(work, self.timeout_seconds, self.stopping)
        except Exception as error:  # every file system has errors of its own
            self._opened.clear()  # the next call connects anew
            raise StoreError(f"{self.name}: {what} ({self._reason(error)})") from error

    def _reason(self, error: Exception) -> str:
        """The kind of an error and its first line, without the secrets of the address."""
        lines = without_secrets(str(error), self.address).strip().splitlines()
        return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _heard(work: Callable[[Moved], Result], timeout_seconds: float, stopping: threading.Event) -> Result:
    """The result of `work`; TimeoutError where it does not move for so long, InterruptedError when we are to stop.

    A thread that hangs in a system call cannot be ended: it is left behind, and does not keep the process.
    """
    moved_at = time.monotonic()
    done = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def moved() -> None:
        nonlocal moved_at
        moved_at = time.monotonic()

    def run() -> None:
        try:
            results.append(work(moved))
        except BaseException as error:  # raised again by the thread that waits
            errors.append(error)
        done.set()

    threading.Thread(target=run, name="backup-place", daemon=True).start()
    while not done.wait(_LOOK_SECONDS if timeout_seconds > _LOOK_SECONDS else timeout_seconds):
        if stopping.is_set():
            raise InterruptedError("the worker is stopping")
        if time.monotonic() - moved_at > timeout_seconds:
            raise TimeoutError(f"it did not answer for {timeout_seconds:g} s (KEIZOKU_BACKUP_TIMEOUT_SECONDS)")
    if errors:
        raise errors[0]
    return results[0]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def _blocks(read: Any) -> Iterator[bytes]:
    while block := read.read(BLOCK):
        yield block
