"""Money that counts from an earlier day than what is recorded already: taken back in turn, and applied in order."""
