"""The ledger, and months from reconciliation to close."""
