"""Stated availability promises as data: what a policy file says, its periods, and the lint of one."""
