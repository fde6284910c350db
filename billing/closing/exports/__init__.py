"""The journal for the accountant's package: pure writers over entries that are streamed from the ledger."""
