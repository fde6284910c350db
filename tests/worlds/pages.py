"""Pages of the documents whose code a test runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.migrate import upgrade


def python_blocks(page: Path) -> list[str]:
    """The blocks of Python as they are printed."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def database_of_the_settings(engine_for_schema: Callable[[], sa.Engine], settings: pytest.MonkeyPatch) -> None:
    """The settings of the process mean an empty database with all tables."""
    empty = engine_for_schema()
    with empty.connect() as session:
        upgrade(session)
        session.commit()
        schema = session.execute(sa.text("SELECT current_schema()")).scalar_one()
    settings.setenv("KEIZOKU_DATABASE_URL", empty.url.render_as_string(hide_password=False))
    settings.setenv("KEIZOKU_DATABASE_SCHEMA", schema)
