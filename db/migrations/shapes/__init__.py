"""The tables at each revision, one line for each thing in them: written by `python -m tests.release_schema`."""
