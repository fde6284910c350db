"""The staff's console: each screen answers one question, and each figure leads to what it is made of."""
