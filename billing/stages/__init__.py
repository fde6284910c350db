"""The night's stages on the billing side: each loads what is due, lets the pure modules decide, and saves."""
