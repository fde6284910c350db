"""What waits for people, what was proposed, terms, nights, keys."""
