"""Pages of the documents whose code a test runs."""

import re
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.migrate import upgrade


def python_blocks(page: Path) -> list[str]:
    """The blocks of Python as they are printed."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def url_of_new_database(engine_for_schema: Callable[[], sa.Engine]) -> str:
    """An empty database with all tables, as the host's settings name it."""
    empty = engine_for_schema()
    with empty.connect() as session:
        upgrade(session)
        session.commit()
        schema = session.execute(sa.text("SELECT current_schema()")).scalar_one()
    return empty.url.update_query_dict({"options": f"-c search_path={schema}"}).render_as_string(hide_password=False)
