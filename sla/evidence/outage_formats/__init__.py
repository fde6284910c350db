"""Outages as monitors and status pages export them, each in the form of its own tool."""
