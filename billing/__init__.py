"""Contracts, fees, payments and books: what a premium user owes, what was paid, and where it is written down.

The modules that decide (interest, allocation, credit, catalog, ledger, revenue and their like) take values
and return values; those that load facts and save decisions are thin and stand beside them.
"""
