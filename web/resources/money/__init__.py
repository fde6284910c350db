"""Payments, the bank, transfers out, stores, documents."""
