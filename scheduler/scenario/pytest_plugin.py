"""Collects scenario files as tests: one test per *.yaml, failing with the table of what did not come true.

    # conftest.py beside the files
    from scheduler.scenario.pytest_plugin import pytest_collect_file

The database is the one of the settings, unless the conftest puts another server into `config.stash[SERVER]`;
each file has a schema of its own in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from scheduler.scenario.outcome import Outcome

__all__ = ["SERVER", "ScenarioFailedError", "ScenarioFile", "ScenarioItem", "pytest_collect_file"]


Server = Callable[[], AbstractContextManager["URL | str"]]
SERVER: Final = pytest.StashKey[Server]()
"""Opens the server that scenarios run on, for the time of a test session."""
_URL: Final = pytest.StashKey["URL | str"]()


class ScenarioFailedError(Exception):
    """A scenario did not come true; `outcome` says what."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.title)
        self.outcome = outcome


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Take every .yaml file beside or under the conftest that imports this."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.suffix == ".yaml" else None


class ScenarioFile(pytest.File):
    """One file is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test, named by the file."""
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """A scenario as a test."""

    def runtest(self) -> None:
        """Run the file; raises ScenarioFailedError."""
        from scheduler.scenario.run import run_file

        outcome = run_file(self.path, _database_url(self.config))
        if not outcome.passed:
            raise ScenarioFailedError(outcome) from outcome.crash

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Expected beside actual; with the traceback where the program itself failed."""
        from scheduler.scenario.report import as_text

        if not isinstance(excinfo.value, ScenarioFailedError):
            return super().repr_failure(excinfo, style=style)
        table = as_text(excinfo.value.outcome)
        crash = excinfo.value.__cause__
        if not isinstance(crash, Exception):
            return table
        trace = pytest.ExceptionInfo.from_exception(crash).getrepr(style="short")
        return f"{table}\n{trace}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and its name without the ending."""
        return self.path, 0, f"scenario {self.name}"


def _database_url(config: pytest.Config) -> URL | str:
    """The address of the server, opened at the first scenario and let go at the end of the session."""
    if _URL not in config.stash:
        stack = ExitStack()
        config.stash[_URL] = stack.enter_context(config.stash.get(SERVER, _server_of_the_settings)())
        config.add_cleanup(stack.close)
    return config.stash[_URL]


@contextmanager
def _server_of_the_settings() -> Iterator[URL | str]:
    from scheduler.cli.context import open_database, settings_of_this_process

    with open_database(settings_of_this_process()) as database:
        yield database.url
