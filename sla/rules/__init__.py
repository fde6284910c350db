"""The pure wing: which time counts and what a claim gets. No database, clock or network."""
