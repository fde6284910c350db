"""Commands on accounts, applications, contracts, prices and codes."""
