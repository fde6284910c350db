"""The PostgreSQL server that comes with Keizoku: it starts with the first command and stops with the last.

Always holds:
- one data directory is one server; commands that run at once share it, and none starts it twice (`lock`);
- every user of the server holds a shared lock on `in-use`. The kernel releases it however a process ends: a killed
  command does not keep the server running for ever, and the server is not stopped while another command uses it;
- nothing listens on the network. The socket is in a folder that only its owner can enter, which makes the server's
  `trust` for local connections safe.

    DIR/postgresql/             KEIZOKU_DATA_DIR, else the user's data directory; /var/lib/keizoku for root
        cluster/                the database itself
        server.log  lock  in-use  .s.PGSQL.5432
        programs-…/             root only, and only where the installed programs cannot be reached
"""

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import psycopg
import sqlalchemy as sa
from psycopg.pq import PGconn, Ping

from keizoku.db import programs
from keizoku.db.programs import MAJOR, SOON, Account, account_of, programs_folder, run_program, server_account, succeeds
from keizoku.db.session import NO_SPACE, DatabaseError, DiskFullError, libpq_address

__all__ = ["EmbeddedServer", "default_data_dir"]

ROLE = DATABASE = CLUSTER_NAME = "keizoku"
PORT = 5432
ROOT_DIR = Path("/var/lib/keizoku")
START_SECONDS = 120
LONGEST_SOCKET_DIR = 85
"""Letters; with the socket's own name the systems allow 103 (macOS) and 107 (Linux)."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
"""What needs no care in an address or a setting: a comma there parts two folders."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "cluster_name": CLUSTER_NAME,
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # parallel queries want more of /dev/shm than a container usually has
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
}

ServerState = Literal["running", "stopped", "absent"]


@dataclass
class EmbeddedServer:
    """A server in a data directory; use it as a context manager, or call start() and release().

    `settings` are PostgreSQL settings on top of SETTINGS; they hold if this process is the one that starts.
    """

    data_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    _in_use: IO[str] | None = field(default=None, init=False, repr=False)
    _account: Account | None = field(default=None, init=False, repr=False)
    _programs: Path | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.data_dir = self.data_dir.expanduser().absolute()

    @property
    def home(self) -> Path:
        """The folder that is ours inside the data directory."""
        return self.data_dir / "postgresql"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "cluster"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.home / "server.log"

    @property
    def url(self) -> sa.URL:
        """The address for `keizoku.db.session.make_engine`."""
        return sa.URL.create(
            "postgresql+psycopg",
            username=ROLE,
            database=DATABASE,
            query={"host": str(self._socket_dir()), "port": str(PORT)},
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self) -> None:
        """Start the server if needed and register as one of its users. Raises DatabaseError with the reason."""
        if self._in_use is not None:
            return
        self._prepare()
        with self._locked():
            if not (self.cluster / "PG_VERSION").exists():
                self._initialise()
            self._check_major()
            self._ensure_running()
            self._in_use = self._open("in-use")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)

    def keep_running(self) -> None:
        """Start it again if it was killed since `start`. Raises DatabaseError with the reason."""
        if self._ping() != Ping.OK:
            with self._locked():
                self._ensure_running()

    def release(self) -> None:
        """Stop using the server; the last user stops it."""
        if self._in_use is None:
            return
        with self._locked():
            if self._alone(self._in_use):
                self._stop()
            self._in_use.close()
            self._in_use = None

    def stop(self, *, force: bool = False) -> bool:
        """Stop it if it runs; False if another command uses it and `force` is not given."""
        if not self.home.is_dir():
            return True
        self._account = account_of(self.home)
        with self._locked(), self._open("in-use") as in_use:
            if not self._alone(in_use) and not force:
                return False
            if self._postmaster() is not None:
                self._stop()
        return True

    def state(self) -> ServerState:
        """The state of the server, without starting anything."""
        if not (self.cluster / "PG_VERSION").exists():
            return "absent"
        return "running" if self._postmaster() is not None else "stopped"

    # the folder, its locks and its socket

    def _prepare(self) -> None:
        programs.wheel_folder()  # no folder, and no account, where there is nothing to start
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.home.mkdir(mode=0o700, exist_ok=True)
            self._account = server_account()
            if self._account is not None:
                os.chown(self.home, self._account.uid, self._account.gid)
                self._check_reachable(self._account)
            elif self.home.stat().st_uid != os.geteuid():
                raise DatabaseError(f"{self.home} belongs to another user; choose another folder with KEIZOKU_DATA_DIR")
        except OSError as error:
            raise DatabaseError(
                f"no database in {self.data_dir}: {error.strerror}; choose another place with KEIZOKU_DATA_DIR"
            ) from error

    def _check_reachable(self, account: Account) -> None:
        """The server's account has to pass through every folder above its own."""
        if succeeds(["/bin/sh", "-c", 'cd "$0"', str(self.home)], account):
            return
        raise DatabaseError(
            f"the database's own account cannot enter {self.data_dir}, which lies in a private folder; "
            f"as root, choose a place that others may pass through by KEIZOKU_DATA_DIR (default {ROOT_DIR})"
        )

    def _open(self, name: str) -> IO[str]:
        try:
            return (self.home / name).open("a+")
        except OSError as error:
            raise DatabaseError(f"{self.home / name}: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """A lock: only one process at a time starts, stops or initialises."""
        with self._open("lock") as lock:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise DatabaseError(
                            f"another command has been starting the database in {self.data_dir} "
                            f"for {START_SECONDS} seconds; its log: {self.log_file}"
                        ) from None
                    time.sleep(0.05)
            yield

    @staticmethod
    def _alone(in_use: IO[str]) -> bool:
        """Whether no other process holds the shared lock. A lock held through this file may be gone afterwards."""
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _socket_dir(self) -> Path:
        """Where a running server has its socket; else where the next one will have it."""
        lines = self._pid_file_lines()
        if len(lines) > 4 and lines[4]:
            return Path(lines[4])
        if len(str(self.home)) <= LONGEST_SOCKET_DIR and _PLAIN_PATH.fullmatch(str(self.home)):
            return self.home
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"keizoku-{os.geteuid()}-{digest}"

    def _prepare_socket_dir(self) -> Path:
        folder = self._socket_dir()
        if folder == self.home:
            return folder
        owner = os.geteuid() if self._account is None else self._account.uid
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if self._account is not None:
                os.chown(folder, self._account.uid, self._account.gid)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
            raise DatabaseError(f"{folder} is not a private folder of the server; remove it and try again")
        return folder

    # the server

    def _pid_file_lines(self) -> list[str]:
        try:
            return [line.strip() for line in (self.cluster / "postmaster.pid").read_text().splitlines()]
        except (OSError, UnicodeDecodeError):
            return []

    def _postmaster(self) -> int | None:
        """The process id of this cluster's running server; never that of a process that got the number later."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return None
        import psutil

        try:
            process = psutil.Process(int(lines[0]))
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            if Path(process.cwd()).samefile(self.cluster):
                return process.pid
        except psutil.AccessDenied:
            return int(lines[0]) if "postgres" in _process_name(int(lines[0])) else None
        except (psutil.NoSuchProcess, OSError):
            return None
        return None

    def _server_address(self) -> str:
        """Of the database that every server has, as libpq takes it."""
        return libpq_address(self.url.set(database="postgres").update_query_dict({"connect_timeout": "5"}))

    def _ping(self) -> Ping:
        return Ping(PGconn.ping(self._server_address().encode()))

    def _ensure_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (answer := self._ping()) != Ping.OK:
            if answer == Ping.NO_RESPONSE and self._postmaster() is None:
                self._launch(deadline)
            elif time.monotonic() > deadline:
                raise self._failure(f"did not answer within {START_SECONDS} seconds")
            else:
                time.sleep(0.05)
        self._ensure_database()

    def _launch(self, deadline: float) -> None:
        """Start it, over whatever a killed server left behind."""
        socket_dir = self._prepare_socket_dir()
        self._sweep(socket_dir)
        wanted = {**SETTINGS, **programs.room(), "unix_socket_directories": str(socket_dir), **self.settings}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in wanted.items())
        said_before = self.log_file.stat().st_size if self.log_file.exists() else 0
        code, words = self._run(
            *("pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-l", self.log_file.name, "-o", options),
            enough=lambda: self._ping() == Ping.OK,
        )
        if code == 0 or self._postmaster() is not None:
            return
        said = self._log_since(said_before)
        if "shared memory block" in said and time.monotonic() < deadline:
            time.sleep(0.2)  # processes of a server killed a moment ago are still going away
            return
        raise self._failure("did not start", said or words)

    def _sweep(self, socket_dir: Path) -> None:
        """Remove the marker files of a server that is gone; called only when none of ours runs."""
        for left_over in (
            self.cluster / "postmaster.pid",
            socket_dir / f".s.PGSQL.{PORT}",
            socket_dir / f".s.PGSQL.{PORT}.lock",
        ):
            left_over.unlink(missing_ok=True)

    def _ensure_database(self) -> None:
        with psycopg.connect(self._server_address(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(DATABASE)))

    def _stop(self) -> None:
        socket_dir = self._socket_dir()
        code, _ = self._run("pg_ctl", "stop", "-W", "-m", "fast")
        deadline = time.monotonic() + START_SECONDS
        while code == 0 and self._postmaster() is not None and time.monotonic() < deadline:
            time.sleep(SOON)
        if socket_dir != self.home:
            with suppress(OSError):
                socket_dir.rmdir()

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there: a killed command leaves no half-made cluster."""
        for left_over in self.home.glob("new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        fresh = self.home / f"new-{os.getpid()}"
        quick = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        code, words = self._run(
            "initdb",
            *("--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", *quick),
            on=fresh.name,
        )
        if code != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise self._failure("could not be set up", words)
        fresh.rename(self.cluster)

    def _check_major(self) -> None:
        made_by = (self.cluster / "PG_VERSION").read_text().strip()
        if made_by != str(MAJOR):
            raise DatabaseError(
                f"the database in {self.data_dir} was made by PostgreSQL {made_by}, this is {MAJOR}: "
                "move it by a dump made with the release of Keizoku that made it"
            )

    def _run(self, program: str, *rest: str, on: str = "", enough: Callable[[], bool] | None = None) -> tuple[int, str]:
        """Exit code and output of one of PostgreSQL's programs on the cluster.

        Paths are relative to our folder: pg_ctl passes them to a shell, where a $ in one would be lost.
        """
        if self._programs is None:
            self._programs = programs_folder(self._account, self.home)
        command = [str(self._programs / program), "-D", on or self.cluster.name, *rest]
        return run_program(command, self.home, self._account, enough)

    def _log_since(self, start: int) -> str:
        try:
            return self.log_file.read_bytes()[start:].decode(errors="replace")
        except OSError:
            return ""

    def _failure(self, what: str, said: str = "") -> DatabaseError:
        """One line: what happened, what the server said last, and where to read on."""
        if NO_SPACE in said:
            return DiskFullError(f"the disk is full: the embedded PostgreSQL {what} in {self.data_dir}")
        last = [line.strip() for line in said.splitlines() if line.strip() and "is starting up" not in line][-3:]
        reason = f": {' | '.join(last)}" if last else ""
        return DatabaseError(f"the embedded PostgreSQL {what} in {self.data_dir}{reason} (log: {self.log_file})")


def default_data_dir() -> Path:
    """The default data directory."""
    if os.geteuid() == 0:
        return ROOT_DIR
    import platformdirs

    return platformdirs.user_data_path("keizoku", appauthor=False)


def _process_name(process_id: int) -> str:
    import psutil

    try:
        return psutil.Process(process_id).name()
    except psutil.Error:
        return ""
