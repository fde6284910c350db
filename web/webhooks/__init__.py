"""Webhooks out: endpoints of hosts, what is sent to them, signed and in order, as Standard Webhooks says."""
