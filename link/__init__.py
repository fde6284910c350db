"""The linked service (api_link): tokens of a partner, the data shown by them, orders passed on.

A peer of billing and sla: it imports db and terms only, and meets the others in database rows. It never touches money.
"""
