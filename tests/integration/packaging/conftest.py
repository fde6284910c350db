"""One wheel and two environments for the files of this folder."""

from pathlib import Path

import pytest

from tests.worlds.installed import Installed, build, copy_of_checkout, environment


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout to build in."""
    return copy_of_checkout(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout."""
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, with every extra."""
    return environment(tmp_path_factory.mktemp("installed"), (str(wheel),))


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, with no extra."""
    return environment(tmp_path_factory.mktemp("core"), (str(wheel),), core_only=True)
