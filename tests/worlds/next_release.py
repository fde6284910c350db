"""A release after this one, made up for a test: a copy of our migrations with one revision more."""

import shutil
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.releases import OURS, Migrations
from keizoku.db.session import make_engine
from keizoku.db.shape import written_shape

VERSION = "99.1.0"
_STEP = '''"""{title}."""

from pathlib import Path

from alembic import op

from keizoku.db.session import driver_cursor

revision = "{revision}"
down_revision = "{after}"


def upgrade() -> None:
    with driver_cursor(op.get_bind()) as cursor:
        cursor.execute(Path(__file__).with_suffix(".sql").read_bytes())
'''


def next_release(folder: Path, sql: str, *, adds: dict[str, str] | None = None, title: str = "one more") -> Migrations:
    """Our migrations and one revision that runs `sql`, after which the tables have what it `adds`, too."""
    copy = folder / "migrations"
    shutil.copytree(OURS.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    revision = f"{int(OURS.head) + 1:04d}"
    file = copy / "versions" / f"{revision}_{title.replace(' ', '_')}.py"
    file.write_text(_STEP.format(title=title, revision=revision, after=OURS.head))
    file.with_suffix(".sql").write_text(sql)
    shape = written_shape({**OURS.shape(OURS.head), **(adds or {})})
    (copy / "shapes" / f"{revision}.toml").write_text(f"shape = '''\n{shape}'''\n")
    return Migrations(copy, VERSION)


def with_a_remark(folder: Path) -> Migrations:
    """The next release has a column for remarks on accounts."""
    return next_release(
        folder, "ALTER TABLE account ADD COLUMN remark TEXT;\n", adds={"column account.remark": "text"}, title="remarks"
    )


def columns_of(url: sa.URL, table: str, schema: str = "public") -> set[str]:
    """The columns of a table, as another connection sees them."""
    engine = make_engine(url, schema)
    try:
        return {column["name"] for column in sa.inspect(engine).get_columns(table)}
    finally:
        engine.dispose()
