"""Writes what a release freezes of its tables: base SQL, shape, hashes, a dump with a year of lives in it, and
the description of the HTTP API.

    python -m tests.release_schema            all of it, for the version in keizoku/__init__.py; a minute
    python -m tests.release_schema --no-dump  all but the dump; two seconds

Until the first release the base revision's SQL is written anew from the tables; from then on a change of tables is a
revision of its own, written by hand, and this writes its shape. What an earlier version released is never written
(docs/explanation/schema.md).
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all, ddl_script, upgrade
from keizoku.db.releases import OURS, Migrations, Released, sha256_of
from keizoku.db.session import make_engine, open_session
from keizoku.db.shape import shape_of, written_shape
from tests.conftest import FAST
from tests.worlds.stored_year import stored_year

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "db" / "migrations"
BASE = FOLDER / "versions" / "0001_first_tables.sql"


def main(*arguments: str) -> int:
    """Write everything; 1 where it would change what was released."""
    here = Migrations(FOLDER, OURS.release)
    before = [each for each in here.released() if each.version != here.release]
    changed = changed_files(FOLDER, before)
    if changed or _is_tagged(here.release):
        why = f"{', '.join(changed)} changed" if changed else "it has its tag"
        print(f"release {here.release} cannot be written: {why}", file=sys.stderr)  # noqa: T201
        return 1
    with _server() as url:
        if not before:
            BASE.write_text(ddl_script(), encoding="utf-8")
        with open_session(url) as session:
            create_all(session)
            _write_shape(here, written_shape(shape_of(session)))
            session.rollback()
        _write_released(here, before)
        with open_session(url) as session:  # says so where the migrations do not end in the tables
            upgrade(session, here)
        if "--no-dump" not in arguments:
            kept = ROOT / "tests" / "released" / here.release
            stored_year(make_engine(sa.make_url(url)), kept)
            shutil.copy(ROOT / "docs" / "reference" / "openapi.json", kept)
    print(f"release {here.release}: revision {here.head}, fingerprint {here.fingerprint(here.head)}")  # noqa: T201
    return 0


def changed_files(folder: Path, released: list[Released]) -> list[str]:
    """Files of these releases that are gone or not as they were released."""
    return [
        name
        for each in released
        for name, digest in each.files.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]


def _write_shape(here: Migrations, text: str) -> None:
    if "'''" in text or "\\u" in ascii(text.replace("\n", "")):
        raise SystemExit("the shape cannot be written as a literal string of TOML")
    (FOLDER / "shapes").mkdir(exist_ok=True)
    (FOLDER / "shapes" / f"{here.head}.toml").write_text(
        f"# The tables at revision {here.head} (db/shape.py); written by `python -m tests.release_schema`.\n"
        f"shape = '''\n{text}'''\n",
        encoding="utf-8",
    )


def _write_released(here: Migrations, before: list[Released]) -> None:
    known = {name for each in before for name in each.files}
    files = {
        str(file.relative_to(FOLDER)): sha256_of(file)
        for step in here.steps
        for file in (step.file, step.file.with_suffix(".sql"), FOLDER / "shapes" / f"{step.revision}.toml")
        if file.is_file()
    }
    mine = Released(here.release, here.head, {name: each for name, each in files.items() if name not in known})
    lines = [
        "# Each release with the revision of its tables and the SHA-256 of its files, which stay as they are.",
        "# Written by `python -m tests.release_schema`; docs/explanation/schema.md says when.",
    ]
    for each in (*before, mine):
        lines += ["", "[[release]]", f'version = "{each.version}"', f'revision = "{each.revision}"', "[release.files]"]
        lines += [f'"{name}" = "{digest}"' for name, digest in sorted(each.files.items())]
    (FOLDER / "released.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _is_tagged(version: str) -> bool:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return False
    found = subprocess.run(
        ["git", "tag", "--list", f"v{version}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return bool(found.stdout.strip())


@contextmanager
def _server() -> Iterator[sa.URL]:
    folder = Path(tempfile.mkdtemp(prefix="keizoku-release-"))
    folder.chmod(0o755)  # as root the server's own account passes through it
    try:
        with EmbeddedServer(folder, FAST) as server:
            yield server.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
