"""Claims: what was asked, what was decided, why, and the records of both."""
