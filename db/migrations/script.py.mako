"""${message}

Revision ${up_revision}, after ${down_revision or "nothing"}.
"""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """${message}."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """There is no way back: restore a backup."""
    raise NotImplementedError
