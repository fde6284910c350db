"""A single file that a command writes: whole, or not there (atomic_files.py), under the name the user gave."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keizoku.billing.documents import atomic_files
from keizoku.terms.refusal import Refused

__all__ = ["whole_file", "write_private", "write_whole"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` when the block ends well. An OSError names `path`."""
    try:
        with atomic_files.whole_file(path) as partial:
            yield partial
    except Refused as refused:
        raise OSError(errno.EBUSY, "is being written by another run", str(path)) from refused
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a text (UTF-8) or bytes. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_private(path: Path, content: str | bytes) -> None:
    """The same, readable and writable by its owner alone (0600) from its first byte. Raises OSError."""
    with whole_file(path) as partial:
        if partial != path:  # a device is written as it is
            partial.unlink(missing_ok=True)
            partial.touch(mode=0o600, exist_ok=False)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
