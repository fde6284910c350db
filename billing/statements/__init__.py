"""Statements of banks as their own files write them, read into values: pure, and known by content, not by name."""
