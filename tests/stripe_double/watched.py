"""A pytest plugin: the run fails where any request to a double of Stripe violated the types of the pinned SDK.

The doubles of all workers and of all processes that tests start write into one file; who begins the run reads it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.stripe_double.server import VIOLATIONS

_OWN = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """The run, not a worker, owns the file."""
    if VIOLATIONS not in os.environ:
        handle, name = tempfile.mkstemp(prefix="keizoku-stripe-violations-")
        os.close(handle)
        os.environ[VIOLATIONS] = name
        config.stash[_OWN] = Path(name)


def _found(config: pytest.Config) -> list[str]:
    own = config.stash.get(_OWN, None)
    return own.read_text(encoding="utf-8").splitlines() if own is not None and own.exists() else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No violation, or no green run."""
    if _found(session.config) and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which."""
    found = _found(config)
    if found:
        terminalreporter.section(f"{len(found)} requests that Stripe refuses")
        for line in sorted(set(found)):
            terminalreporter.line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    own = config.stash.get(_OWN, None)
    if own is not None:
        own.unlink(missing_ok=True)
        os.environ.pop(VIOLATIONS, None)
