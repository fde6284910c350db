"""Article 9: evidence, months, claims."""
