"""The linked service over HTTP: links, their orders, and what people record about it."""
