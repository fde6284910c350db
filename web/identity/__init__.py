"""Who comes in: keys of machines, staff, members; each as a role of the database."""
