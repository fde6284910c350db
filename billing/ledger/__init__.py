"""The journal: posting by one table of rules, manual entries, reversals, reading it."""
