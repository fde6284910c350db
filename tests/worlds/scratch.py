"""Folders, databases and environments for one run, gone after it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import make_engine
from tests.worlds.disturbed_nights import FAST


@contextmanager
def folder() -> Iterator[Path]:
    """A folder; a server of its own in it is stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="keizoku-soak-"))
    folder.chmod(0o755)  # as root the server's own account passes through it
    try:
        yield folder
    finally:
        EmbeddedServer(folder).stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def engine_in(folder: Path) -> Iterator[sa.Engine]:
    """An engine on a server in a folder."""
    with EmbeddedServer(folder, FAST) as server:
        engine = make_engine(server.url)
        yield engine
        engine.dispose()


@contextmanager
def tables_in(folder: Path) -> Iterator[sa.Engine]:
    """The same, with the tables."""
    with engine_in(folder) as engine:
        with engine.begin() as session:
            create_all(session)
        yield engine


@contextmanager
def environment(meant: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with these values."""
    before = dict(os.environ)
    os.environ.update(meant)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
