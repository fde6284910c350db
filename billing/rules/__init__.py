"""The pure wing: facts in, decision out. No database, clock, network or settings."""
