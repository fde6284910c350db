"""How money is asked of a card: the port, and what stands behind it."""
