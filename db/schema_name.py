"""What the schema of our tables may be called; apart from all else, so that settings are read without a driver."""

import re

__all__ = ["LONGEST_SCHEMA_NAME", "SCHEMA_NAME"]

LONGEST_SCHEMA_NAME = 63

SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""Nothing that would need quotes."""
