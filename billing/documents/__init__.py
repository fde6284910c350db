"""What users are sent and shown: invoices, demands, letters, the outbox."""
