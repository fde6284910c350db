"""Backups for real: a dump, age, two folders and an S3 server; restored into an empty database and proven."""

from __future__ import annotations

import csv
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer

from keizoku.billing.gateway.restored import is_drill, is_waiting
from keizoku.db.migrate import upgrade
from keizoku.db.session import make_engine, normalised_url
from keizoku.db.tables import metadata
from keizoku.db.tables.claims import claim_decision
from keizoku.db.tables.restoration import restoration
from keizoku.scheduler.backup import keeper, proof
from keizoku.scheduler.backup.dump import BackupError, new_key
from keizoku.scheduler.backup.kept import BackupStanding, backup_standing, record_checked
from keizoku.scheduler.backup.member_data import tables_of_members, write_member
from keizoku.scheduler.backup.stores import Store
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from tests.worlds.world import FIRST_NIGHT, live, open_world, services_on

LAST_NIGHT = FIRST_NIGHT + timedelta(days=5)
NOW = night_at(LAST_NIGHT) + timedelta(hours=2)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A folder in a bucket of an S3 server on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    wanted = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        import s3fs

        s3fs.S3FileSystem().mkdir("keizoku-backups")
        yield "s3://keizoku-backups/daily"
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        server.stop()


@pytest.fixture
def databases(database_url: sa.URL | str) -> Iterator[tuple[sa.URL, sa.URL]]:
    """Two empty databases on the server of the tests."""
    url = normalised_url(database_url)
    names = [f"backup_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    with make_engine(url).connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        for name in names:
            autocommit.exec_driver_sql(f"CREATE DATABASE {name}")
        yield url.set(database=names[0]), url.set(database=names[1])
        for name in names:
            autocommit.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_10_1__a_backup_in_three_places_restored_is_the_same_house(
    databases: tuple[sa.URL, sa.URL], bucket: str, tmp_path: Path
) -> None:
    source, target = databases
    secret, public = new_key()
    identity = tmp_path / "identity"
    identity.write_text(f"# made for a test\n{secret}\n")
    stores = tuple(Store.at(place) for place in (str(tmp_path / "a"), str(tmp_path / "b"), bucket))
    assert [store.remote for store in stores] == [False, False, True]
    rules = keeper.Rules(stores, (public,), 30, 12, Terms.load("premium").at(LAST_NIGHT))
    engine = make_engine(source)
    with engine.connect() as session:
        upgrade(session)
    with services_on(engine) as services:
        open_world(services)
        live(services, LAST_NIGHT)
        stored = keeper.run(services.session, source, rules, NOW)
        assert [each.why for each in stored] == [None, None, None]
        assert keeper.last_whole_at(services.session, [store.name for store in stores]) == NOW
    assert not keeper.current_state(rules, NOW).wanted

    # nothing of the contents can be read where the copies lie
    for file in (tmp_path / "a").iterdir():
        assert b"u01" not in file.read_bytes()

    assert [each.complaints for each in keeper.verify(rules, identity_file=identity)] == [(), (), ()]
    dump = next((tmp_path / "b").glob("*.dump.age"))
    written = dump.read_bytes()
    dump.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    said = {each.store: each.complaints for each in keeper.verify(rules)}
    assert said[str(tmp_path / "b")] == ("the dump's bytes are not those that were written",)
    with engine.connect() as session:
        read_back = NOW + timedelta(hours=1)
        record_checked(session, keeper.verify(rules), read_back)
        assert backup_standing(session) == BackupStanding(NOW, NOW, (), read_back, NOW, (str(tmp_path / "b"),))

    other = tmp_path / "other"
    other.write_text(new_key()[0])
    with pytest.raises(BackupError, match="does not open with this key"):
        keeper.restore_into(rules, target, other)
    next((tmp_path / "a").glob("*.dump.age")).unlink()
    # the first place lost its file, the second was damaged: the third serves
    assert keeper.restore_into(rules, target, identity) == []
    restored = make_engine(target)
    with engine.connect() as before, restored.connect() as after:
        for table in metadata.sorted_tables:
            if table.name not in ("backup_copy", "restoration"):
                query = sa.select(table)
                assert sorted(map(str, before.execute(query))) == sorted(map(str, after.execute(query))), table.name
    with pytest.raises(BackupError, match="restore into an empty one"):
        keeper.restore_into(rules, target, identity)
    with restored.connect() as after:
        [mark] = after.execute(sa.select(restoration))
        assert (mark.taken_at, mark.drill, is_waiting(after), is_drill(after)) == (NOW, False, True, False)
        assert mark.by
        with pytest.raises(sa.exc.DBAPIError):
            after.execute(sa.text("DELETE FROM restoration"))
    with services_on(restored) as services:
        # what must never be is refused there too, and the next night goes on
        with pytest.raises(sa.exc.DBAPIError):
            services.session.execute(sa.text("DELETE FROM entry"))
        services.session.rollback()
        [result] = live_one_more(services)
        assert result == "ok"
        assert not is_waiting(services.session)  # that night has read the gateway

        _check_member(services.session, tmp_path / "member")
    engine.dispose()
    restored.dispose()


def live_one_more(services: object) -> list[str]:
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.nightly_run import run_night

    assert isinstance(services, Services)
    next_date = LAST_NIGHT + timedelta(days=1)
    return [run_night(services, next_date, night_at(next_date)).certificate]


def _check_member(session: sa.Connection, folder: Path) -> None:
    """premium/10.4: a member's rows, and nobody else's."""
    written = write_member(session, "u05", folder)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert {"account", "contract", "term", "invoice"} <= set(written)
    for name, count in written.items():
        with (folder / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == count
        column = tables_of_members()[name].name
        assert {row[column] for row in rows} == {"u05"}
    assert write_member(session, "nobody", folder / "none") == {}


def test_a_store_that_fails_is_told_and_does_not_keep_the_backup_from_the_others(
    databases: tuple[sa.URL, sa.URL], bucket: str, tmp_path: Path
) -> None:
    source, _ = databases
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    places = (str(tmp_path / "a"), str(blocked / "b"), f"{bucket}/second")
    rules = keeper.Rules(
        tuple(Store.at(place) for place in places), (new_key()[1],), 30, 12, Terms.load("premium").at(date(2026, 4, 1))
    )
    engine = make_engine(source)
    with engine.connect() as session:
        upgrade(session)
        stored = keeper.run(session, source, rules, NOW)
        assert [each.why is None for each in stored] == [True, False, True]
        assert keeper.last_whole_at(session, [store.name for store in rules.stores]) is None
    assert keeper.current_state(rules, NOW).too_old
    engine.dispose()
    with pytest.raises(BackupError, match="far away"):
        keeper.Rules(tuple(Store.at(str(tmp_path / name)) for name in "abc"), (), 30, 12, rules.policy).check()


def test_an_address_is_shown_without_its_secret() -> None:
    from keizoku.scheduler.addresses import masked

    assert masked("sftp://user:secret@host/folder") == "sftp://host/folder"
    assert json.dumps(masked("/var/backups")) == '"/var/backups"'


def test_a_decision_that_refers_to_nothing_is_told_of_a_restored_database(session: sa.Connection) -> None:
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))  # as if a dump had come without the rows
    decided = {"claim_id": "c1", "revision": 1, "outcome": "rejected", "reason": "method", "seconds": 0, "term_ids": []}
    made = {"reasoning_id": 7, "review_id": 8, "decided_on": LAST_NIGHT, "decided_at": NOW, "evidence_hash": "0" * 64}
    session.execute(sa.insert(claim_decision).values(**decided, **made))
    found = proof.take(session)
    assert proof.differences(found, found) == [
        "claim_decision.reasoning_id: 1 rows refer to rows that are not there",
        "claim_decision.review_id: 1 rows refer to rows that are not there",
    ]


def test_a_proof_is_read_as_it_was_written_also_one_that_says_less() -> None:
    held = proof.Proof(
        "0001", {"term": 2}, {}, None, {"counts": {}, "sums": {"1131": -5}, "differences": []}, "0.2.0", "s"
    )
    assert proof.Proof.read(held.written()) == held
    early = {name: value for name, value in json.loads(held.written()).items() if name not in ("release", "schema")}
    assert proof.Proof.read(json.dumps(early).encode()) == replace(held, release=None, schema="public")
    with pytest.raises(KeyError, match="revision"):
        proof.Proof.read(b"{}")
