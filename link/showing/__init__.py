"""Aggregation: a customer's data are fetched, filtered to what is designated, and shown; by default none are kept."""
