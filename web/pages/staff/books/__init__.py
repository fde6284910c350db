"""The month's close and the ledger."""
