"""The resources under /v1, by field: each a thin call of the services and read models that the command line uses."""
