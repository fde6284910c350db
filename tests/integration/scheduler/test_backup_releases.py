"""A backup says which release made it: an older one is upgraded when it is restored, a newer one is refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku import __version__
from keizoku.db.migrate import upgrade
from keizoku.db.releases import OURS
from keizoku.db.session import make_engine, normalised_url, open_session
from keizoku.db.standing import check_current
from keizoku.scheduler import cli
from keizoku.scheduler.backup import keeper
from keizoku.scheduler.backup.dump import BackupError, new_key
from keizoku.scheduler.backup.stores import Store
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.policy import Terms
from tests.worlds.next_release import VERSION, columns_of, with_a_remark
from tests.worlds.world import FIRST_NIGHT, live, open_world, services_on

LAST_NIGHT = FIRST_NIGHT + timedelta(days=3)
NOW = night_at(LAST_NIGHT) + timedelta(hours=2)


@pytest.fixture
def databases(database_url: sa.URL | str, run_alone: Callable[[str], object]) -> Iterator[list[sa.URL]]:
    """Three empty databases."""
    names = [f"releases_{uuid.uuid4().hex[:12]}" for _ in range(3)]
    for name in names:
        run_alone(f"CREATE DATABASE {name}")
    yield [normalised_url(database_url).set(database=name) for name in names]
    for name in names:
        run_alone(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[keeper.Rules, Path]:
    """Where backups go, and the key; the settings say the same."""
    secret, public = new_key()
    identity = tmp_path / "identity"
    identity.write_text(secret)
    addresses = (str(tmp_path / "a"), str(tmp_path / "b"), f"memory://{uuid.uuid4().hex}")
    monkeypatch.setenv("KEIZOKU_BACKUP_STORES", ",".join(addresses))
    monkeypatch.setenv("KEIZOKU_BACKUP_RECIPIENTS", public)
    stores = tuple(Store.at(each) for each in addresses)
    return keeper.Rules(stores, (public,), 30, 12, Terms.load("premium").at(LAST_NIGHT)), identity


def lived(url: sa.URL, rules: keeper.Rules, schema: str = "public") -> None:
    """Some days, and a backup of them."""
    engine = make_engine(url, schema)
    with services_on(engine) as services:
        upgrade(services.session)
        open_world(services)
        live(services, LAST_NIGHT)
        assert [each.why for each in keeper.run(services.session, url, rules, NOW)] == [None, None, None]
    engine.dispose()


def test_a_backup_names_its_release_and_an_older_one_is_upgraded_when_it_is_restored(
    databases: list[sa.URL], places: tuple[keeper.Rules, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target, _ = databases
    rules, identity = places
    lived(source, rules)
    copies, _ = keeper.listed(rules)
    assert {copy.release for copy in copies} == {__version__}
    mark = json.loads(next((tmp_path / "a").glob("*.json")).read_text())
    assert (mark["release"], mark["revision"], mark["schema"]) == (__version__, OURS.head, "public")
    with pytest.raises(SystemExit):
        cli.main(["backup", "list", "--json"])
    assert {copy["release"] for copy in json.loads(capsys.readouterr().out)["copies"]} == {__version__}

    told: list[str] = []
    coming = with_a_remark(tmp_path)
    assert keeper.restore_into(rules, target, identity, progress=told.append, migrations=coming) == []
    assert f"upgrading from release {__version__} to {VERSION}" in told
    with open_session(target, "public") as session:
        check_current(session, migrations=coming)
    assert "remark" in columns_of(target, "account")


def test_a_backup_of_a_later_release_is_refused_and_nothing_is_written(
    databases: list[sa.URL],
    places: tuple[keeper.Rules, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, target, _ = databases
    rules, identity = places
    with open_session(source, "public") as session:
        upgrade(session, with_a_remark(tmp_path))
        monkeypatch.setattr("keizoku.scheduler.backup.proof.OURS", with_a_remark(tmp_path / "again"))
        keeper.run(session, source, rules, NOW)
    line = (
        f"was made by release {VERSION} (revision 0002) and this is {__version__}, which does not know its tables: "
        f"restore it with release {VERSION} or a later one"
    )
    with pytest.raises(BackupError) as refused:
        keeper.restore_into(rules, target, identity)
    assert str(refused.value).endswith(line)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(["backup", "restore", target.render_as_string(hide_password=False), "--identity", str(identity)])
    assert (ended.value.code, capsys.readouterr().err.splitlines()[-1].endswith(line)) == (1, True)
    assert columns_or_none(target) is None


def columns_or_none(url: sa.URL) -> set[str] | None:
    try:
        return columns_of(url, "account")
    except sa.exc.NoSuchTableError:
        return None


def test_of_a_schema_of_its_own_that_schema_alone_is_backed_up_and_comes_back_under_its_name(
    databases: list[sa.URL], places: tuple[keeper.Rules, Path]
) -> None:
    source, target, _ = databases
    rules, identity = places
    with open_session(source) as session:
        session.exec_driver_sql("CREATE TABLE basket (id BIGINT)")  # the host's own
        session.commit()
    lived(source, rules, "keizoku")
    told: list[str] = []
    assert keeper.restore_into(rules, target, identity, progress=told.append) == []
    assert "its tables are in schema keizoku: set KEIZOKU_DATABASE_SCHEMA=keizoku" in told
    with open_session(target, "keizoku") as session:
        check_current(session, "keizoku")
        assert session.exec_driver_sql("SELECT to_regclass('public.basket')").scalar_one() is None
