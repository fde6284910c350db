"""Commands on invoices, payments, transfers, stores, deposits and their explanations."""
