"""The database of the house: tables, migrations, sessions and the PostgreSQL server that comes with it."""
