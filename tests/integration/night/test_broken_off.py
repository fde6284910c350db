"""The database goes away under a command, or its disk fills up: one line, exit code 3, and a rerun that is whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.failures import BACK, FREE_SOME
from keizoku.db.session import Session, libpq_address
from keizoku.scheduler import cli
from keizoku.scheduler.backup.dump import BackupError, dump, new_key, recipients_of
from keizoku.scheduler.cli.shared.output import explained
from tests.integration.scheduler.test_worker import running, wait_for
from tests.worlds.disturbed_nights import FAST, Simulated
from tests.worlds.forked import until
from tests.worlds.quick_folder import quick_folder

KEIZOKU = [sys.executable, "-c", "from keizoku.scheduler.cli import main; main()"]
ENDED = "error: the database ended the connection: terminating connection "
FULL = "error: the disk of the database is full: "


@pytest.fixture(scope="module")
def world() -> Iterator[Simulated]:
    """A server that may be stopped, and a database on it that lived until the night before."""
    with _folder() as folder, EmbeddedServer(folder, FAST) as server:
        made = Simulated(server)
        made.prepare()
        yield made


@pytest.fixture
def copy(world: Simulated, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.URL]:
    """A copy of that database, which the commands' settings name."""
    with world.copied() as url:
        monkeypatch.setenv("KEIZOKU_DATABASE_URL", libpq_address(url))
        yield url
        world.server.keep_running()


def test_a_server_that_is_stopped_at_once_under_a_night(world: Simulated, copy: sa.URL) -> None:
    command = [*KEIZOKU, *_night(world)]
    with _held_up(copy) as waits, subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as night:
        until(waits)
        os.kill(_postmaster(world.server), signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends
        said = night.communicate()[1].splitlines()
    assert (night.returncode, len(said)) == (3, 2), said
    assert said[1].startswith("error: the database ")
    assert said[1].endswith(BACK)
    world.server.keep_running()
    assert _run(_night(world)) == 0
    assert world.reckoned(copy) == world.undisturbed


def test_a_connection_that_is_ended_under_a_night(
    world: Simulated, copy: sa.URL, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    with _held_up(copy) as waits, _admin(copy) as admin:
        night = threading.Thread(target=lambda: codes.append(_run(_night(world))))
        night.start()
        until(waits)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        night.join()
    assert codes == [3]
    assert capsys.readouterr().err.splitlines()[1:] == [f"{ENDED}due to administrator command; {BACK}"]
    assert _run(_night(world)) == 0
    assert world.reckoned(copy) == world.undisturbed


def test_a_disk_that_fills_up_under_a_night(world: Simulated, copy: sa.URL, capsys: pytest.CaptureFixture[str]) -> None:
    with _full_disk(world.server, copy):
        assert _run(_night(world)) == 3
        [line] = capsys.readouterr().err.splitlines()[1:]
        assert line.startswith(FULL)
        assert line.endswith(f"No space left on device; {FREE_SOME}")
        assert _run(["payments", "unknown"]) == 0  # reading goes on
    assert _run(_night(world)) == 0
    assert world.reckoned(copy) == world.undisturbed


def test_a_disk_that_is_full_under_a_backup(session: Session, tmp_path: Path) -> None:
    session.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    snapshot = session.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
    with pytest.raises(BackupError, match="No space left on device") as full:
        dump(session.engine.url, snapshot, recipients_of([new_key()[1]]), Path("/dev/full"))
    told, code = explained(full.value) or ("", 0)
    assert (code, told.startswith("the disk is full: the dump was not written")) == (3, True)


def test_a_worker_starts_its_own_server_again_and_leads_on(world: Simulated) -> None:
    environment = {**os.environ, "KEIZOKU_DATA_DIR": str(world.server.data_dir)}
    environment.pop("KEIZOKU_DATABASE_URL", None)
    command = [*KEIZOKU, "worker", "--heartbeat", "0.2", "--listen", ""]
    with running(command, environment) as worker:
        wait_for(worker, "leads")
        wait_for(worker, "job")
        os.kill(_postmaster(world.server), signal.SIGKILL)
        wait_for(worker, "leads")  # over the same pipe, so again
        worker.send_signal(signal.SIGTERM)
        wait_for(worker, "stopped")
        assert worker.wait(60) == 0


def _run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def _night(world: Simulated) -> list[str]:
    return ["night", "--on", world.on.isoformat(), "--simulate-clock"]


def _postmaster(server: EmbeddedServer) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


@contextmanager
def _admin(url: sa.URL) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(libpq_address(url), autocommit=True) as admin:
        yield admin


@contextmanager
def _held_up(url: sa.URL) -> Iterator[Callable[[], bool]]:
    """A night that comes to its charges waits, inside its transaction; whether it does."""
    with suppress(psycopg.OperationalError), _admin(url) as holder, _admin(url) as watcher:
        holder.execute("BEGIN; LOCK TABLE payment_attempt IN SHARE MODE")

        def waits() -> bool:
            return bool(watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())

        yield waits


@contextmanager
def _full_disk(server: EmbeddedServer, url: sa.URL) -> Iterator[None]:
    """The database's attempts lie on a disk that is full; where none may be mounted, the server only says so."""
    place = server.data_dir / "small"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "none", place],
            capture_output=True,
        ).returncode
        == 0
    )
    try:
        if mounted:
            with _admin(url) as admin:
                owner = server.cluster.stat()
                (place / "space").mkdir()
                os.chown(place / "space", owner.st_uid, owner.st_gid)
                admin.execute(f"CREATE TABLESPACE small LOCATION '{place / 'space'}'")
                admin.execute("ALTER TABLE payment_attempt SET (fillfactor = 10)")  # a further row wants a further page
                admin.execute("ALTER TABLE payment_attempt SET TABLESPACE small")
            with suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
                while filler.write(b"x" * 4096):
                    pass
            yield
            (place / "filler").unlink()
            with _admin(url) as admin:
                admin.execute("ALTER TABLE payment_attempt SET TABLESPACE pg_default")
                admin.execute("DROP TABLESPACE small")
        else:
            with _admin(url) as admin:
                admin.execute(_SAYS_FULL)
            yield
            with _admin(url) as admin:
                admin.execute("DROP TRIGGER full_disk ON payment_attempt; DROP FUNCTION full_disk")
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", place], check=False)
        place.rmdir()


_SAYS_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON payment_attempt EXECUTE FUNCTION full_disk()
"""


@contextmanager
def _folder() -> Iterator[Path]:
    folder = quick_folder("keizoku-database-")
    try:
        yield folder
    finally:
        EmbeddedServer(folder).stop(force=True)
        shutil.rmtree(folder)
