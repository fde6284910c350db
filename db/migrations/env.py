"""Runs the migrations on the session that `db.migrate.upgrade` hands over.

The session's search path says in which schema; the version table lies there too.
"""

from alembic import context

from db.tables import metadata

session = context.config.attributes.get("session")
if session is None:
    raise SystemExit("migrations are run by `keizoku db upgrade`, or by db.migrate.upgrade(session)")
context.configure(connection=session, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
