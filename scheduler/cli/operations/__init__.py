"""Commands that run Keizoku: database, night, worker, backup, demo, scenarios, settings."""
