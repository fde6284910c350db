"""What is owed and what came in: invoices, credits, open items, receipts, deposits."""
