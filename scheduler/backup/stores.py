"""Where copies are kept: a folder, or a remote place that fsspec supports (s3://bucket/folder, sftp://…).

BACKUP.dump.age    the encrypted dump          BACKUP.proof.age   what it holds, encrypted
BACKUP.json        the manifest, written last: it makes the copy complete; sizes and hashes, no contents
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from keizoku.scheduler.backup.plan import Copy
from keizoku.terms.calendar import parse_instant

DUMP, PROOF, MANIFEST = ".dump.age", ".proof.age", ".json"
BLOCK = 1 << 20
LOCAL_PROTOCOLS = ("file", "local")


class StoreError(Exception):
    """A place for backups cannot be used; the message names it and says why."""


@dataclass(frozen=True)
class Store:
    """One place. `name` is what the settings call it, without anything secret."""

    name: str
    fs: Any
    root: str

    @classmethod
    def at(cls, address: str) -> Store:
        """The store at an address. Raises StoreError for a protocol that is not supported."""
        try:
            fs, root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise StoreError(f"{_without_secret(address)}: {error}") from error
        return cls(_without_secret(address), fs, root.rstrip("/"))

    @property
    def remote(self) -> bool:
        """Whether it lies beyond this machine."""
        protocols = self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,)
        return not any(each in LOCAL_PROTOCOLS for each in protocols)

    def put(self, backup: str, files: dict[str, Path], manifest: dict[str, object]) -> None:
        """Write the files, then the manifest, which makes the copy complete. Raises StoreError."""
        try:
            self.fs.makedirs(self.root, exist_ok=True)
            for ending, path in files.items():
                self.fs.put_file(str(path), self._path(backup, ending))
            with self.fs.open(self._path(backup, MANIFEST), "wb") as out:
                out.write(json.dumps(manifest, sort_keys=True).encode())
            self.fs.invalidate_cache()
        except Exception as error:  # every file system has errors of its own
            with suppress(StoreError):
                self.remove(backup)  # half a copy takes room
            raise StoreError(f"{self.name}: not written ({_reason(error)})") from error

    def copies(self) -> list[Copy]:
        """Every whole copy, oldest first. Raises StoreError."""
        try:
            self.fs.invalidate_cache()
            if not self.fs.exists(self.root):
                return []
            names = [str(each).rsplit("/", 1)[-1] for each in self.fs.ls(self.root, detail=False)]
            found = [self._copy(name.removesuffix(MANIFEST)) for name in names if name.endswith(MANIFEST)]
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"{self.name}: cannot be read ({_reason(error)})") from error
        return sorted((each for each in found if each is not None), key=lambda each: each.taken_at)

    def get(self, backup: str, ending: str, target: Path) -> str:
        """Fetch a file; its SHA-256. Raises StoreError."""
        digest = hashlib.sha256()
        try:
            with self.fs.open(self._path(backup, ending), "rb") as read, target.open("wb") as out:
                for block in _blocks(read):
                    digest.update(block)
                    out.write(block)
        except Exception as error:
            raise StoreError(f"{self.name}: {backup}{ending} cannot be read ({_reason(error)})") from error
        return digest.hexdigest()

    def manifest(self, backup: str) -> dict[str, Any]:
        """The manifest of a complete copy."""
        with self.fs.open(self._path(backup, MANIFEST), "rb") as read:
            content: dict[str, Any] = json.loads(read.read())
        return content

    def remove(self, backup: str) -> None:
        """Remove a copy: the manifest first, so that half a copy never counts. Raises StoreError."""
        try:
            for ending in (MANIFEST, PROOF, DUMP):
                path = self._path(backup, ending)
                if self.fs.exists(path):
                    self.fs.rm_file(path)
            self.fs.invalidate_cache()
        except Exception as error:
            raise StoreError(f"{self.name}: {backup} cannot be removed ({_reason(error)})") from error

    def _copy(self, backup: str) -> Copy | None:
        try:
            content = self.manifest(backup)
            taken_at: datetime = parse_instant(content["taken_at"])
            size, digest = int(content["bytes"]), str(content["sha256"])
            return Copy(backup, self.name, taken_at, size, digest, content.get("release"))
        except (KeyError, ValueError):
            return None  # not a manifest of ours

    def _path(self, backup: str, ending: str) -> str:
        return f"{self.root}/{backup}{ending}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def _blocks(read: Any) -> Iterator[bytes]:
    while block := read.read(BLOCK):
        yield block


def _without_secret(address: str) -> str:
    """An address without user and password."""
    scheme, sign, rest = address.partition("://")
    return f"{scheme}{sign}{rest.rpartition('@')[2]}" if sign else address


def _reason(error: Exception) -> str:
    """The kind of an error and its first line; file systems do not put secrets there."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
