"""One member in the database: which rows are theirs, and the views that show those alone."""
