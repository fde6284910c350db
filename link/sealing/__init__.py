"""Sealing: tokens are encrypted under keys that are outside the database."""
