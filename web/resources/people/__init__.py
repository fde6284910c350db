"""Accounts, contracts, cards, prices, codes."""
