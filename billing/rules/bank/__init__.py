"""What a line of the bank is, and whose."""
