"""A month drawn: time line and waterfall."""
