"""The linked service: who is linked, what was fetched, and the orders that were passed on."""

from keizoku.db.tables.link import grants, orders, stops

__all__ = ["grants", "orders", "stops"]
