"""Where each yen went: invoices, payments, the bank, the gateway."""
