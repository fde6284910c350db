"""Runs the migrations on the session that `keizoku.db.migrate.upgrade` passes.

The session's search path says in which schema; the version table lies there too.
"""

from alembic import context

from keizoku.db.tables import metadata

session = context.config.attributes.get("session")
if session is None:
    raise SystemExit("migrations are run by `keizoku db upgrade`, or by keizoku.db.migrate.upgrade(session)")
context.configure(connection=session, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
