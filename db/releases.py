"""The revisions of the tables that a release has: its own, and all before, which stay as they were released.

    migrations/versions/0001_first_tables.py, .sql   the steps, one line without branches
    migrations/shapes/0001.toml                      the tables after each of them (db/shape.py)
    migrations/released.toml                         each release with the hashes of its files

`python -m tests.release_schema` writes the last two (docs/explanation/schema.md). Nothing here asks a
database, and Alembic is not imported: every command reads this.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from keizoku import __version__
from keizoku.db.shape import Shape, fingerprint, read_shape

__all__ = ["OURS", "Migrations", "Released", "Step", "newer", "sha256_of"]

_STEP = re.compile(r"(\d{4})_(\w+)\.py")


@dataclass(frozen=True, slots=True)
class Step:
    """One revision: its number, its title, and its file."""

    revision: str
    title: str
    file: Path

    @property
    def sql(self) -> str:
        """What it runs, as SQL; a line that names its file where it is a program."""
        beside = self.file.with_suffix(".sql")
        if beside.is_file():
            return beside.read_text(encoding="utf-8")
        return f"-- {self.file.name} is a program: read it there\n"


@dataclass(frozen=True, slots=True)
class Released:
    """What was released: version, the revision of its tables, and {file: SHA-256} of what came with it."""

    version: str
    revision: str
    files: dict[str, str]


@dataclass(frozen=True)
class Migrations:
    """The folder of the migrations, and the release that they belong to."""

    folder: Path
    release: str

    @functools.cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every revision, the first one first."""
        found = ((_STEP.fullmatch(file.name), file) for file in sorted((self.folder / "versions").iterdir()))
        return tuple(Step(named[1], named[2].replace("_", " "), file) for named, file in found if named)

    @property
    def head(self) -> str:
        """The revision that this release wants."""
        return self.steps[-1].revision

    def after(self, revision: str | None) -> tuple[Step, ...]:
        """The steps that a database at a known revision has not had; None: all of them."""
        return tuple(step for step in self.steps if revision is None or step.revision > revision)

    def knows(self, revision: str) -> bool:
        """Whether the revision is one of this release, or of one before."""
        return any(step.revision == revision for step in self.steps)

    def shape(self, revision: str) -> Shape:
        """The tables at a revision."""
        return read_shape(self._shape_text(revision))

    @functools.cached_property
    def _fingerprints(self) -> dict[str, str]:
        return {}

    def fingerprint(self, revision: str) -> str:
        """The fingerprint of the tables at a revision; as every command asks for it, nothing is parsed twice."""
        if revision not in self._fingerprints:
            self._fingerprints[revision] = fingerprint(self.shape(revision))
        return self._fingerprints[revision]

    def _shape_text(self, revision: str) -> str:
        said = tomllib.loads((self.folder / "shapes" / f"{revision}.toml").read_text(encoding="utf-8"))
        return str(said["shape"])

    def released(self) -> tuple[Released, ...]:
        """Every release, the first one first."""
        said = tomllib.loads((self.folder / "released.toml").read_text(encoding="utf-8"))
        return tuple(Released(each["version"], each["revision"], each["files"]) for each in said.get("release", ()))

    def release_of(self, revision: str) -> str:
        """The release in which a known revision came first."""
        return next((each.version for each in self.released() if each.revision >= revision), self.release)


OURS = Migrations(Path(__file__).parent / "migrations", __version__)


def newer(release: str, than: str) -> bool:
    """Whether a release comes after another, by the numbers of their versions."""
    return _numbers(release) > _numbers(than)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
