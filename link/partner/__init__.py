"""The port to the partner, over HTTP or simulated: tokens, the customer's data, orders. No change, no cancellation."""
