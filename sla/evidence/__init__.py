"""Observations, counts, incidents and maintenance notices: reading and keeping them."""
