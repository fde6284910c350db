"""A month's books: recognised revenue, reconciliation, integrity audit, close, exports."""
