"""Commands on the ledger, the month's close, reports and exports."""
