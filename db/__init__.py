"""The database of Keizoku: tables, migrations, sessions and the PostgreSQL server that comes with it."""
