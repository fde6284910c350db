"""Accounts and who applies, who is behind, codes, links."""
