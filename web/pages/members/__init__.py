"""A member's pages: the same answers as the staff's, about their own account, in plainer words."""
