"""Where the servers of tests keep their databases: in memory, where the system has a place for that.

PostgreSQL copies some 700 files for each fresh database. On a disk that takes longer than most tests; in memory it is
next to nothing, and nothing of a test has to outlive a power cut.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the system's own place for it
ROOM_BYTES: Final = 6 * 1024**3
"""Free there, or the disk is used: a run's databases and their logs take a fifth of it."""


def quick_folder(prefix: str) -> Path:
    """A fresh folder that the account of a server may pass through; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=IN_MEMORY if _has_room(IN_MEMORY) else None))
    folder.chmod(0o755)
    return folder


def _has_room(place: Path) -> bool:
    """Whether databases can be kept there, and programs started from there."""
    if not os.access(place, os.W_OK | os.X_OK) or os.statvfs(place).f_flag & os.ST_NOEXEC:
        return False
    return min(shutil.disk_usage(place).free, _free_memory()) >= ROOM_BYTES


def _free_memory() -> int:
    import psutil

    return psutil.virtual_memory().available
