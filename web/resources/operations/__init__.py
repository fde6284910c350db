"""Nights, tasks, proposals, terms, keys; and what needs no key."""
