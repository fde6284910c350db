"""What decides about a link: facts in, decisions out. No database, no network, no clock."""
