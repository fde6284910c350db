"""Backups (Article 10): three encrypted copies, one of them far away, proven by restoring them.

plan.py     when the next backup is due and which old ones may be removed: pure
stores.py   where copies are kept: folders of this machine and a remote place, through fsspec
dump.py     PostgreSQL's own dump, encrypted as it is written; and the restore
proof.py    what a database holds, in numbers that a restored one must match
keeper.py   run, list, verify, restore
"""
