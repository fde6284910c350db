"""Runs a command while a PostgreSQL server of its own, made from installed programs, answers beside it.

    python -m tests.other_server /usr/lib/postgresql/15/bin python -m pytest -m database

The server lies in a temporary folder and listens on a socket in it, nowhere else; as root it runs under the account
that the embedded one has. It ends with the command, whose exit code is ours.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.programs import run_program, server_account
from tests.conftest import FAST, SERVER_MAJOR, SERVER_URL
from tests.worlds.quick_folder import quick_folder

ROLE = "keizoku"
SETTINGS = {
    **FAST,
    "listen_addresses": "''",
    "max_parallel_workers_per_gather": "0",  # they want more of /dev/shm than a container usually has
    "max_parallel_maintenance_workers": "0",
}


@contextmanager
def other_server(programs: Path) -> Iterator[tuple[sa.URL, int]]:
    """A running server made from the programs in a folder: its address and its major version."""
    account = server_account()
    home = quick_folder("keizoku-other-")
    if account is not None:
        os.chown(home, account.uid, account.gid)

    def run(program: str, *arguments: str) -> str:
        code, said = run_program([str(programs / program), *arguments], home, account)
        if code:
            raise SystemExit(f"{programs / program} failed ({code}): {said.strip()}")
        return said

    try:
        major = int(run("postgres", "--version").split()[2].split(".")[0])
        run(
            *("initdb", "-D", "cluster", "--username", ROLE, "--auth", "trust", "--no-sync"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        run("pg_ctl", "start", "-D", "cluster", "-w", "-l", "server.log", "-o", f"-k {home} {options}")
        try:
            url = sa.URL.create(
                "postgresql+psycopg", username=ROLE, database="postgres", query={"host": str(home), "port": "5432"}
            )
            yield url, major
        finally:
            run("pg_ctl", "stop", "-D", "cluster", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(home)


def main(programs: str, *command: str) -> int:
    """The exit code of the command, run with the server's address in its environment."""
    if not (Path(programs) / "postgres").is_file():
        print(f"no PostgreSQL in {programs} (on Debian 12: apt-get install postgresql-15)", file=sys.stderr)  # noqa: T201
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with other_server(Path(programs)) as (url, major):
        address = {SERVER_URL: url.render_as_string(hide_password=False), SERVER_MAJOR: str(major)}
        return subprocess.run(command, env={**os.environ, **address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
