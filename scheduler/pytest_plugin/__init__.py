"""The pytest plugin: scenario files are tests, one per file, failing with the table of what did not come true.

It comes with the package (entry point `pytest11`), so every run of pytest beside an installed Keizoku loads it.
Therefore nothing of the engine is imported, and no database is opened, before the first scenario runs; and only
these files are taken:

    *.scenario.yaml                                  wherever pytest looks
    *.yaml under a folder of `keizoku_scenarios`     an option of the host's pytest configuration

The database is the one of `--keizoku-database-url`, else the one of the settings, as for `keizoku scenario run`; a
conftest may put another into `config.stash[SERVER]`. Each file has empty tables of its own on that server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from keizoku.scheduler.scenario.outcome import Outcome
    from keizoku.scheduler.scenario.scratch_schema import ScratchSchema

__all__ = ["SERVER", "ScenarioFailedError", "ScenarioFile", "ScenarioItem"]

SUFFIX: Final = ".scenario.yaml"
FOLDERS: Final = "keizoku_scenarios"
URL_OPTION: Final = "--keizoku-database-url"

Server = Callable[[], AbstractContextManager["URL | str"]]
SERVER: Final = pytest.StashKey[Server]()
"""Opens the server that scenarios run on, for the time of a test session."""
_SCRATCH: Final = pytest.StashKey["ScratchSchema"]()
_FOLDERS: Final = pytest.StashKey[list[Path]]()


class ScenarioFailedError(Exception):
    """A scenario did not come true; `outcome` says what."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.title)
        self.outcome = outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a host can set."""
    parser.addini(
        FOLDERS,
        f"folders in which every .yaml file is a Keizoku scenario (elsewhere only *{SUFFIX})",
        type="paths",
        default=[],
    )
    parser.getgroup("keizoku", "Keizoku scenarios").addoption(
        URL_OPTION,
        metavar="URL",
        help="the PostgreSQL server that scenarios run on, in schemas of their own; "
        "default: KEIZOKU_DATABASE_URL, else the embedded server",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Know the folders; one that is not there would leave its scenarios out in silence."""
    folders = [Path(os.path.normpath(folder)) for folder in config.getini(FOLDERS)]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise pytest.UsageError(f"{FOLDERS}: no such folder: {', '.join(map(str, missing))}")
    config.stash[_FOLDERS] = folders


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Take a file that is a scenario by its name or by its folder."""
    named = file_path.name.endswith(SUFFIX)
    folders = parent.config.stash[_FOLDERS]
    placed = file_path.suffix == ".yaml" and any(file_path.is_relative_to(folder) for folder in folders)
    return ScenarioFile.from_parent(parent, path=file_path) if named or placed else None


class ScenarioFile(pytest.File):
    """One file is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test, named by the file."""
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(SUFFIX).removesuffix(".yaml"))


class ScenarioItem(pytest.Item):
    """A scenario as a test."""

    def runtest(self) -> None:
        """Run the file; raises ScenarioFailedError."""
        from keizoku.scheduler.scenario.run import run_on

        outcome = run_on(_scratch(self.config), self.path)
        if not outcome.passed:
            raise ScenarioFailedError(outcome) from outcome.crash

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Expected beside actual; with the traceback where the program itself failed; one line for no database."""
        if not isinstance(excinfo.value, ScenarioFailedError):
            return _why_no_database(excinfo.value) or super().repr_failure(excinfo, style=style)
        from keizoku.scheduler.scenario.report import as_text

        table = as_text(excinfo.value.outcome)
        crash = excinfo.value.__cause__
        if not isinstance(crash, Exception):
            return table
        trace = pytest.ExceptionInfo.from_exception(crash).getrepr(style="short")
        return f"{table}\n{trace}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and its name without the ending."""
        return self.path, 0, f"scenario {self.name}"


def _scratch(config: pytest.Config) -> ScratchSchema:
    """On the server, which is opened at the first scenario; both are let go at the end of the session."""
    if _SCRATCH not in config.stash:
        from keizoku.scheduler.scenario.scratch_schema import ScratchSchema

        stack = ExitStack()
        config.add_cleanup(stack.close)
        url = config.getoption(URL_OPTION) or stack.enter_context(config.stash.get(SERVER, _server_of_the_settings)())
        config.stash[_SCRATCH] = stack.enter_context(ScratchSchema(url))
    return config.stash[_SCRATCH]


@contextmanager
def _server_of_the_settings() -> Iterator[URL | str]:
    from keizoku.scheduler.cli.shared.context import open_database, settings_of_this_process

    with open_database(settings_of_this_process()) as database:
        yield database.url


def _why_no_database(error: BaseException) -> str:
    """What a person can act on, where the server or a setting is at fault; empty for any other error."""
    from keizoku.scheduler.cli.shared.output import explained

    mendable = explained(error)
    return f"{mendable[0]}\n(the server is that of {URL_OPTION}, else of the settings)" if mendable else ""
