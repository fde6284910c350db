"""Months under Article 9, claims about them, outages and notices."""
