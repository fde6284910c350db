"""Months under Article 9, claims about them, stops and notices."""
