"""Commands of the linked service: conditions, access, data, orders, stops, and what people find."""
