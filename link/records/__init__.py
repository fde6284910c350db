"""Reads and writes rows: a customer's facts, the uses of tokens, sealed secrets. Decides nothing."""
