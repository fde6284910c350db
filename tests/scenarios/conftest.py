"""Every .yaml file here is a test (docs/how-to/scenarios.md), on the one server of the test run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from db.embedded import EmbeddedServer
from scheduler.scenario.pytest_plugin import SERVER, pytest_collect_file

__all__ = ["pytest_collect_file"]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVER] = _server_of_the_tests


@contextmanager
def _server_of_the_tests() -> Iterator[sa.URL | str]:
    """The server that tests/conftest.py names in the environment."""
    if "KEIZOKU_TEST_DATABASE_URL" in os.environ:
        yield os.environ["KEIZOKU_TEST_DATABASE_URL"]
        return
    fast = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with EmbeddedServer(Path(os.environ["KEIZOKU_TEST_DATA_DIR"]), fast) as server:
        yield server.url
