"""Keizoku as strangers have it: built into a wheel, installed into an environment of its own, without the checkout.

Third-party packages are those of the environment that runs the tests, all of them or only the core's; Keizoku is the
wheel's. Nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SOURCES = (
    "billing",
    "db",
    "keizoku",
    "link",
    "scheduler",
    "sla",
    "terms",
    "web",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Installed:
    """An environment with Keizoku in it."""

    folder: Path

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return next((self.folder / "lib").glob("python3.*/site-packages"))

    def run(self, *command: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, `python` or `keizoku`, with no setting or path of the run that we are in."""
        ours = ("KEIZOKU_", "PYTEST_", "PYTHON", "COVERAGE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        program, *arguments = command
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=cwd or self.folder, env=environment | variables, capture_output=True, text=True, check=False,
        )  # fmt: skip


def copy_of_checkout(folder: Path) -> Path:
    """What a distribution is built from, links kept as links: a build leaves its traces there, not in the checkout."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(kind: str, source: Path, into: Path) -> Path:
    """A `wheel` or an `sdist` of the source."""
    into.mkdir(exist_ok=True)
    code = f"import sys, setuptools.build_meta as backend; print(backend.build_{kind}(sys.argv[1]), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(into)], cwd=source, env=_without_python_path(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return into / done.stderr.splitlines()[-1]


def environment(folder: Path, install: tuple[str, ...], *, core_only: bool = False) -> Installed:
    """A fresh environment in which pip installs what is named, beside third-party packages that are there already."""
    venv.create(folder, with_pip=False, symlinks=True)
    installed = Installed(folder)
    if not core_only:
        (installed.site_packages / "others.pth").write_text(f"{SITE_PACKAGES}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-index",
         "--no-deps", "--no-build-isolation", "--disable-pip-version-check", *install],
        env=_without_python_path(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    if core_only:
        for each in _core():
            _link(each, installed.site_packages)
    return installed


def _without_python_path() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _core() -> Iterator[metadata.Distribution]:
    """What the distribution needs without any extra, and what that needs in turn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(each) for each in project["dependencies"]]
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            found = metadata.distribution(requirement.name)
            if not extra:
                yield found
            needs = map(Requirement, found.requires or ())
            wanted.extend(each for each in needs if each.marker is None or each.marker.evaluate({"extra": extra}))


def _link(found: metadata.Distribution, into: Path) -> None:
    """Make a distribution's files seen in another environment."""
    for name in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        place = into / name
        if not place.exists():
            place.symlink_to(SITE_PACKAGES / name)
