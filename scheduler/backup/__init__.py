"""Backups (Article 10): three encrypted copies, one of them far away, proven by restoring them.

plan.py     when the next one is wanted, which old ones may go: pure
stores.py   where copies lie: folders of this machine and one remote place, by fsspec
dump.py     PostgreSQL's own dump, encrypted as it is written, and back
proof.py    what a database holds, in numbers that a restored one has to repeat
keeper.py   run, list, verify, restore
"""
