"""Acts on links: one method each, with `now`; committed, or Refused in one line."""
