"""What the tests share: one PostgreSQL for the whole run, a database of its own for every test that wants tables.

The server is the embedded one in a temporary folder, shared by all workers of pytest-xdist, or any server
that KEIZOKU_TEST_DATABASE_URL names.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings as hypothesis_settings

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, make_engine, open_session
from keizoku.scheduler.pytest_plugin import SERVER
from tests.worlds.quick_folder import quick_folder

pytest_plugins = ("tests.stripe_double.watched",)

os.environ["KEIZOKU_LANG"] = "en"  # what commands print does not depend on the locale of whoever tests

SERVER_URL = "KEIZOKU_TEST_DATABASE_URL"
SERVER_MAJOR = "KEIZOKU_TEST_SERVER_MAJOR"
SERVER_DIR = "KEIZOKU_TEST_DATA_DIR"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
"""Nothing of a test has to outlive a power cut, and its log lies in memory (tests/worlds/quick_folder.py)."""
OwnDatabase = Callable[..., AbstractContextManager[sa.Engine]]
"""An engine on a copy of a database, named by `of`: the one with all tables and nothing in them, or a test's own."""

LONG = (
    "test_demo.py",  # one demo for the file's tests: first of all, so that no other worker takes some of them
    "test_lives.py",
    "test_docs.py",
    "premium-5.2-fixed-365.yaml",
    "premium-5.2-leap-year.yaml",
    "premium-3.3-leap-day.yaml",
    "test_missed_nights.py",
    "test_embedded.py",
    "test_worker.py",
)
"""What takes longest begins first: workers then end at about the same time."""

EVERY_SERVER = (
    "test_acts_by_role.py",
    "test_alerts_ring.py",
    "test_at_once.py",
    "test_backup.py",
    "test_backup_releases.py",
    "test_bank_transfers.py",
    "test_month_close.py",
    "test_codes.py",
    "test_commands_by_role.py",
    "test_contract_service.py",
    "test_default_service.py",
    "test_disputes.py",
    "test_forged_changes.py",
    "test_gateway_events.py",
    "test_failed_refunds.py",
    "test_migrations.py",
    "test_money_service.py",
    "test_nightly_run.py",
    "test_overpayment_refunds.py",
    "test_probes.py",
    "test_released.py",
    "test_revenue_stage.py",
    "test_roles.py",
    "test_session.py",
    "test_sla_claims_stage.py",
    "test_sla_service.py",
    "test_standing.py",
    "test_unknown_charges.py",
    "test_unknown_refunds.py",
    "test_two_clocks.py",
    "test_upgrade.py",
    "test_worker.py",
    "test_worker_waits.py",
)
"""What CI runs once more on the oldest server that is supported (marked `database`): every table, constraint, guard
and role, every stage of the night, every service, locks, migrations and backups. docs/explanation/testing.md
says what is not."""

hypothesis_settings.register_profile("keizoku", deadline=None, derandomize=True)
hypothesis_settings.load_profile("keizoku")


def pytest_configure(config: pytest.Config) -> None:
    """The run, not a worker, owns the folder: made before the workers start, removed at the end."""
    if SERVER_DIR not in os.environ and SERVER_URL not in os.environ:
        folder = quick_folder("keizoku-tests-")
        os.environ[SERVER_DIR] = str(folder)
        config.add_cleanup(lambda: _remove(folder))
    config.stash[SERVER] = _server  # for scenarios


def pytest_report_header() -> str | None:
    """Which server the run has, where it is not the embedded one."""
    major = os.environ.get(SERVER_MAJOR)
    return f"server: PostgreSQL {major}" if major else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, the rest as it was; those for every server get their mark before -m chooses."""
    rank = {name: number for number, name in enumerate(LONG)}
    for item in items:
        if item.path.name in EVERY_SERVER:
            item.add_marker("database")
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def _remove(folder: Path) -> None:
    EmbeddedServer(folder).stop(force=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.environ.pop(SERVER_DIR, None)


@contextmanager
def _server() -> Iterator[sa.URL | str]:
    """The address of the server of this run."""
    if SERVER_URL in os.environ:
        yield os.environ[SERVER_URL]
        return
    with EmbeddedServer(Path(os.environ[SERVER_DIR]), FAST) as server:
        yield server.url


@pytest.fixture(scope="session")
def database_url() -> Iterator[sa.URL | str]:
    """The address of the server of this run."""
    with _server() as url:
        yield url


@pytest.fixture
def engine_for_schema(database_url: sa.URL | str) -> Iterator[Callable[[], sa.Engine]]:
    """A function that makes an engine on a fresh, empty schema; the schemas go away with the test."""
    made: list[tuple[str, sa.Engine]] = []

    def fresh() -> sa.Engine:
        schema = f"t{uuid.uuid4().hex}"
        admin = make_engine(database_url)
        with admin.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
        engine = make_engine(database_url, schema)
        made.append((schema, engine))
        return engine

    yield fresh
    for schema, engine in made:
        engine.dispose()
        with make_engine(database_url).begin() as connection:
            connection.execute(sa.schema.DropSchema(schema, cascade=True))


@pytest.fixture(scope="session")
def run_alone(database_url: sa.URL | str) -> Iterator[Callable[[str], object]]:
    """A function that runs a statement outside of any transaction, as those on whole databases want it."""
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as admin:
        yield admin.exec_driver_sql
    server.dispose()


@pytest.fixture(scope="session")
def database_with_tables(database_url: sa.URL | str, run_alone: Callable[[str], object]) -> Iterator[str]:
    """The name of a database with all tables and nothing in them, to be copied: a fifth of what making them costs."""
    name = f"template_{uuid.uuid4().hex}"
    run_alone(f"CREATE DATABASE {name}")
    with open_session(sa.make_url(database_url).set(database=name)) as session:
        create_all(session)
        session.commit()
    yield name
    run_alone(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def own_database(
    database_url: sa.URL | str, run_alone: Callable[[str], object], database_with_tables: str
) -> OwnDatabase:
    """An engine on a fresh database with all tables, which goes away with the block: for what tests of a file share.

    One that nobody is connected to can itself be copied: what tests of a file begin with is lived once.
    """

    @contextmanager
    def own(of: str = database_with_tables) -> Iterator[sa.Engine]:
        name = f"t{uuid.uuid4().hex}"
        run_alone(f"CREATE DATABASE {name} TEMPLATE {of} STRATEGY file_copy")
        engine = make_engine(sa.make_url(database_url).set(database=name), "public")
        try:
            yield engine
        finally:
            engine.dispose()
            run_alone(f"DROP DATABASE {name} WITH (FORCE)")

    return own


@pytest.fixture
def engine_with_tables(own_database: OwnDatabase) -> Iterator[Callable[[], sa.Engine]]:
    """A function that makes an engine on a fresh database with all tables; the databases go away with the test."""
    with ExitStack() as made:
        yield lambda: made.enter_context(own_database())


@pytest.fixture
def engine(engine_with_tables: Callable[[], sa.Engine]) -> sa.Engine:
    """An engine on a database with all tables, for tests that need several sessions."""
    return engine_with_tables()


@pytest.fixture
def session(engine: sa.Engine) -> Iterator[Session]:
    """A session on a database with all tables and nothing in them."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def database_folder() -> Iterator[Path]:
    """An empty folder for an embedded server of the test's own, which the server's account may pass through."""
    folder = quick_folder("keizoku-database-")
    yield folder
    EmbeddedServer(folder).stop(force=True)
    shutil.rmtree(folder)
