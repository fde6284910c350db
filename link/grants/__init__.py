"""Grants and their tokens: authorised by the customer, renewed ahead of their end, ended, revoked, destroyed."""
