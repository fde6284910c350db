"""The migrations, run by `keizoku.db.migrate`."""
