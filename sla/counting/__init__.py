"""How many users were affected, and for which claimant: one portable query."""
