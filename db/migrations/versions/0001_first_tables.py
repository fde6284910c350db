"""The first tables.

Until the first release its SQL, in the file beside this one, is written anew whenever the tables change:
`python -m tests.release_schema`.
From then on it stays as it is, and a change is a revision after it.
"""

from pathlib import Path

from alembic import op

from keizoku.db.session import driver_cursor

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every table, index and guard of the first release."""
    with driver_cursor(op.get_bind()) as cursor:
        cursor.execute(Path(__file__).with_suffix(".sql").read_bytes())


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError
