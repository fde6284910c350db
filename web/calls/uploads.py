"""A file in the body of a call: its bytes as they are, under the name that the query gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import Depends, Request

__all__ = ["Uploaded", "uploaded"]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The bytes of a file."""

    content: bytes

    @property
    def sha256(self) -> str:
        """Its digest, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """A private file of this name with these bytes, which is gone at the end."""
        with TemporaryDirectory(prefix="keizoku-") as folder:
            file = Path(folder) / (Path(name).name or "file")
            file.write_bytes(self.content)
            yield file


async def _read(request: Request) -> Uploaded:
    return Uploaded(await request.body())


uploaded = Depends(_read)
