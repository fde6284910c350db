"""The bank's statement as a book of its own: lines in and out, what each is, and the balances that it must have."""
