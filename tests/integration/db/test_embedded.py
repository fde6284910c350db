"""The embedded server: shared by commands, left by none, and back after every kind of killing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keizoku.db import embedded, programs
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.programs import Account, programs_folder
from keizoku.db.session import DatabaseError, check_server, open_session

FAST = {"fsync": "off"}

COMMAND = """
import sys
from pathlib import Path
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.session import open_session
with EmbeddedServer(Path(sys.argv[1]), {"fsync": "off"}) as server, open_session(server.url) as session:
    print(session.exec_driver_sql("SELECT pg_postmaster_start_time()").scalar_one(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def command(database_folder: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A function that starts a command which uses the server until its input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(database_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def version_of(server: EmbeddedServer) -> str:
    with open_session(server.url) as session:
        return check_server(session)


def pid_of(server: EmbeddedServer) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


def kill_server(server: EmbeddedServer) -> None:
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    while server.state() == "running":
        time.sleep(0.01)


def test_commands_that_start_at_once_share_one_server_and_the_last_stops_it(
    database_folder: Path, command: Callable[[], subprocess.Popen[str]]
) -> None:
    commands = [command() for _ in range(4)]
    started = {first_line(process) for process in commands}
    assert len(started) == 1
    assert started != {""}
    for process in commands[1:]:
        process.communicate("")
        assert process.returncode == 0
    server = EmbeddedServer(database_folder)
    assert server.state() == "running"
    commands[0].communicate("")
    assert server.state() == "stopped"


def test_a_killed_command_keeps_the_server_no_longer_than_the_next_one(
    database_folder: Path, command: Callable[[], subprocess.Popen[str]]
) -> None:
    process = command()
    first_line(process)
    server = EmbeddedServer(database_folder)
    before = pid_of(server)
    process.kill()
    process.communicate()
    assert server.state() == "running"
    with server:
        assert pid_of(server) == before
    assert server.state() == "stopped"


def test_stop_leaves_a_server_that_is_in_use(database_folder: Path) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        other = EmbeddedServer(database_folder)
        assert not other.stop()
        assert version_of(server)
        assert other.stop(force=True)
        assert other.state() == "stopped"


def test_stop_of_a_killed_commands_server(database_folder: Path, command: Callable[[], subprocess.Popen[str]]) -> None:
    process = command()
    first_line(process)
    process.kill()
    process.communicate()
    server = EmbeddedServer(database_folder)
    assert server.stop()
    assert server.state() == "stopped"


def test_what_was_committed_is_there_after_the_server_was_killed(database_folder: Path) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        with open_session(server.url) as session:
            session.exec_driver_sql("CREATE TABLE kept AS SELECT 1 AS one")
            session.commit()
        kill_server(server)
        with EmbeddedServer(database_folder, FAST) as again, open_session(again.url) as session:
            assert session.exec_driver_sql("SELECT one FROM kept").scalar_one() == 1
    assert server.state() == "stopped"


def test_a_process_that_got_the_servers_number_does_not_stand_in_its_way(database_folder: Path) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        marks = {
            path: path.read_text() for path in (server.cluster / "postmaster.pid", server.home / ".s.PGSQL.5432.lock")
        }
        killed = pid_of(server)
        kill_server(server)
        for path, text in marks.items():
            path.write_text(text.replace(str(killed), str(os.getpid()), 1))
        assert server.state() == "stopped"
        with EmbeddedServer(database_folder, FAST) as again:
            assert version_of(again)


@pytest.mark.parametrize("text", ["", "\n", "garbage\n", "999999999\n/nowhere\n"])
def test_a_damaged_pid_file_does_not_stand_in_its_way(database_folder: Path, text: str) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        pass
    (server.cluster / "postmaster.pid").write_text(text)
    with EmbeddedServer(database_folder, FAST) as again:
        assert version_of(again)


def test_a_set_up_that_was_killed_half_way_is_done_again(database_folder: Path) -> None:
    half = database_folder / "postgresql" / "new-1"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    (database_folder / "postgresql").chmod(0o700)
    with EmbeddedServer(database_folder, FAST) as server:
        assert version_of(server)
    assert not half.exists()


def test_long_paths_and_odd_names_work(database_folder: Path) -> None:
    deep = database_folder / ("long " * 18) / 'it\'s, 継続 $HOME "x"'
    with EmbeddedServer(deep, FAST) as server:
        assert version_of(server)
        assert Path(str(server.url.query["host"])).stat().st_mode & 0o777 == 0o700
        kill_server(server)
        with EmbeddedServer(deep, FAST) as again:
            assert version_of(again)


def test_nobody_else_can_reach_it(database_folder: Path) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        assert server.home.stat().st_mode & 0o777 == 0o700
        with open_session(server.url) as session:
            assert session.exec_driver_sql("SHOW listen_addresses").scalar_one() == ""


def test_variables_of_other_servers_do_not_matter(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGDATA": "/nowhere", "PGUSER": "x"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedServer(database_folder, FAST) as server:
        assert version_of(server)


def test_a_private_folder_above_is_refused_to_root_and_fine_for_its_owner(database_folder: Path) -> None:
    private = database_folder / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedServer(private / "data", FAST)
    if os.geteuid() == 0:
        with pytest.raises(DatabaseError, match="KEIZOKU_DATA_DIR"), server:
            pass
        assert private.stat().st_mode & 0o777 == 0o700
    else:
        with server:
            assert version_of(server)


def test_programs_out_of_the_accounts_reach_are_copied(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "succeeds", lambda _command, _account: False)
    ours = Account(os.geteuid(), os.getegid())
    copied = programs_folder(ours, database_folder)
    assert copied.is_relative_to(database_folder)
    answer = subprocess.run([copied / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("postgres (PostgreSQL) 18")
    assert programs_folder(ours, database_folder) == copied
    assert [path.name for path in database_folder.iterdir()] == [copied.relative_to(database_folder).parts[0]]


def test_a_server_that_does_not_start_says_why_in_one_line(database_folder: Path) -> None:
    server = EmbeddedServer(database_folder, {**FAST, "shared_buffers": "nonsense"})
    with pytest.raises(DatabaseError) as refused, server:
        pass
    message = str(refused.value)
    assert "\n" not in message
    assert 'invalid value for parameter "shared_buffers"' in message
    assert str(server.log_file) in message


def test_a_full_disk_is_called_so(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "initdb: error: could not write file: No space left on device"
    monkeypatch.setattr(embedded, "run_program", lambda *_: (1, said))
    with pytest.raises(DatabaseError, match=r"^the disk is full"), EmbeddedServer(database_folder, FAST):
        pass


def test_a_folder_that_cannot_be_made_is_named(database_folder: Path) -> None:
    (database_folder / "file").write_text("")
    with (
        pytest.raises(DatabaseError, match=r"Not a directory; choose another place with KEIZOKU_DATA_DIR"),
        EmbeddedServer(database_folder / "file" / "data", FAST),
    ):
        pass


def test_a_cluster_of_another_release_is_left_alone(database_folder: Path) -> None:
    with EmbeddedServer(database_folder, FAST) as server:
        pass
    (server.cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseError, match="made by PostgreSQL 17, this is 18"), server:
        pass
