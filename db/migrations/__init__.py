"""The migrations, run by `db.migrate`."""
