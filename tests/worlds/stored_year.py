def stored_year(*a): pass
