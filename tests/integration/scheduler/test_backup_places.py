"""Backups survive a bad place: unreachable, hanging, littered; and nothing shows the secrets of its address."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import fsspec
import pytest
import sqlalchemy as sa
from fsspec.implementations.memory import MemoryFileSystem

from keizoku.db.migrate import upgrade
from keizoku.db.session import make_engine, normalised_url
from keizoku.scheduler.addresses import masked, without_secrets
from keizoku.scheduler.backup import keeper
from keizoku.scheduler.backup.dump import BackupError, new_key
from keizoku.scheduler.backup.stores import Store, StoreError
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.settings import SettingsError, load_settings
from keizoku.terms.policy import Terms

DAY = date(2026, 4, 1)
FAR_PLACE = "refusing://someone:tiger-secret@far.example/folder"


class HangingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A mount whose server went away."""

    protocol = "hanging"
    let_go = threading.Event()

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.let_go.wait(60)

    def exists(self, path: str, **kwargs: Any) -> bool:
        self.let_go.wait(60)
        return False


class RefusingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A server that nobody can reach, whose library quotes the address it was given."""

    protocol = "refusing"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError(f"cannot connect to {FAR_PLACE}: tiger-secret is not known")

    @classmethod
    def _get_kwargs_from_urls(cls, path: str) -> dict[str, Any]:
        return {"path": path}


@pytest.fixture(autouse=True)
def kinds_of_places() -> Iterator[None]:
    fsspec.register_implementation("hanging", HangingFileSystem, clobber=True)
    fsspec.register_implementation("refusing", RefusingFileSystem, clobber=True)
    HangingFileSystem.let_go.clear()
    yield
    HangingFileSystem.let_go.set()


@pytest.fixture
def databases(database_url: sa.URL | str) -> Iterator[tuple[sa.URL, sa.URL]]:
    """A database with tables, and an empty one."""
    url = normalised_url(database_url)
    names = [f"places_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    with make_engine(url).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        for name in names:
            autocommit.exec_driver_sql(f"CREATE DATABASE {name}")
        with make_engine(url.set(database=names[0])).connect() as session:
            upgrade(session)
        yield url.set(database=names[0]), url.set(database=names[1])
        for name in names:
            autocommit.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def rules_for(places: list[str], key: str) -> keeper.Rules:
    stores = tuple(Store.at(place, timeout_seconds=0.5) for place in places)
    return keeper.Rules(stores, (key,), 30, 12, Terms.load("premium").at(DAY))


def test_places_that_hang_or_cannot_be_reached_are_told_and_the_good_one_gets_its_copy(
    databases: tuple[sa.URL, sa.URL], tmp_path: Path
) -> None:
    source, target = databases
    secret, public = new_key()
    identity = tmp_path / "identity"
    identity.write_text(secret)
    good = tmp_path / "good"
    rules = rules_for(["hanging://mount/folder", FAR_PLACE, str(good)], public)  # nothing is connected yet
    rules.check()
    began = time.monotonic()
    with make_engine(source).connect() as session:
        stored = {each.store: each.why for each in keeper.run(session, source, rules, night_at(DAY))}
        told = [row.why for row in session.execute(sa.text("SELECT why FROM backup_copy WHERE outcome = 'failed'"))]
    assert time.monotonic() - began < 60
    assert stored["hanging://mount/folder"] == (
        "hanging://mount/folder: not written "
        "(TimeoutError: it did not answer for 0.5 s (KEIZOKU_BACKUP_TIMEOUT_SECONDS))"
    )
    refused = stored["refusing://far.example/folder"]
    assert refused is not None
    assert refused.startswith("refusing://far.example/folder: not written (ConnectionRefusedError: cannot connect to ")
    assert "tiger" not in "".join(told)
    assert stored[str(good)] is None
    assert keeper.current_state(rules, night_at(DAY)).too_old

    # foreign files in the good place are told, and keep nothing from being found
    for name, text in (
        ("notes.json", "[]"),
        ("more.json", '{"taken_at": 5, "bytes": null}'),
        ("deep.json", "[" * 9999),
    ):
        (good / name).write_text(text)
    (good / "folder.json").mkdir()
    copies, unreadable, strange = keeper.looked_through(rules)
    assert (len(copies), len(unreadable), len(strange)) == (1, 2, 4)
    assert all(line.startswith(f"{good}: ") and "is no manifest of a backup" in line for line in strange)
    lines: list[str] = []
    assert keeper.restore_into(rules, target, identity, progress=lines.append) == []
    not_used = [line for line in lines if line.startswith("not used: ")]
    assert len(not_used) == 6
    assert "tiger" not in "".join(lines)


def test_a_restore_names_every_copy_and_why_it_was_not_used(databases: tuple[sa.URL, sa.URL], tmp_path: Path) -> None:
    source, target = databases
    secret, public = new_key()
    identity = tmp_path / "identity"
    identity.write_text(secret)
    rules = rules_for([str(tmp_path / name) for name in "abcd"] + [FAR_PLACE], public)
    with make_engine(source).connect() as session:
        keeper.run(session, source, rules, night_at(DAY))
    (dump,) = (tmp_path / "a").glob("*.dump.age")
    dump.write_bytes(b"x" + dump.read_bytes()[1:])
    (proof,) = (tmp_path / "b").glob("*.proof.age")
    proof.write_bytes(b"x")
    (manifest,) = (tmp_path / "c").glob("*.json")
    manifest.write_text("[]")
    (gone,) = (tmp_path / "d").glob("*.dump.age")
    gone.unlink()
    with pytest.raises(BackupError) as refused:
        keeper.restore_into(rules, target, identity)
    said = str(refused.value)
    for name, why in (
        ("a", "the dump's bytes are not those that were written"),
        ("b", "the proof's bytes are not those that were written"),
        ("c", f"{manifest.name} is no manifest of a backup"),
        ("d", f"{gone.name} cannot be read (FileNotFoundError"),
    ):
        assert f"{tmp_path / name}: {why}" in said
    assert "refusing://far.example/folder: cannot be read (ConnectionRefusedError" in said
    assert "tiger" not in said


def test_a_place_is_not_waited_for_once_the_worker_stops() -> None:
    stopping = threading.Event()
    store = Store.at("hanging://mount/folder", 60, stopping)
    threading.Timer(0.3, stopping.set).start()
    began = time.monotonic()
    with pytest.raises(StoreError, match="the worker is stopping"):
        store.copies()
    assert time.monotonic() - began < 10


def test_no_secret_of_an_address_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    places = ["/backup/a", "sftp://user:pa/ss@host/folder", "s3://key:hidden@bucket/x?token=abcdef"]
    monkeypatch.setenv("KEIZOKU_BACKUP_STORES", json.dumps(places))
    (line,) = (each for each in load_settings().lines() if each.name == "backup_stores")
    assert line.value == ["/backup/a", "sftp://host/folder", "s3://bucket/x"]
    for wrong in ('["s3://key:hidden@bucket"', '[{"at": "s3://key:hidden@bucket"}]', '{"s3://key:hidden@bucket": 1}'):
        monkeypatch.setenv("KEIZOKU_BACKUP_STORES", wrong)
        with pytest.raises(SettingsError) as refused:
            load_settings()
        assert "hidden" not in str(refused.value)
    assert masked("C:/folder") == "C:/folder"
    assert without_secrets("user:pa/ss failed, pa/ss is wrong", places[1]) == "**** failed, **** is wrong"
