"""What documents say, decided from facts: still pure, without a page or a database."""
