"""Files written whole: beside their place, then moved there.

A disk that fills up half-way leaves what was there before, and no half file that somebody takes for a whole one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file", "write_whole"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` when the block ends well. An OSError names `path`."""
    target = path.resolve()
    if target.is_relative_to("/dev") or target.is_relative_to("/proc") or (target.exists() and not target.is_file()):
        yield path  # a device or a pipe is written as it is
        return
    partial = target.with_name(f".{target.name}.partial")
    try:
        yield partial
        partial.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a text (UTF-8) or bytes. Raises OSError."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
