"""What people took back, as SQL: each reversal, also of a reversal, with the entry that it is about in the end."""

from typing import Final

ORIGINS: Final = """
    WITH RECURSIVE taken_back AS (
        SELECT entry_id, reverses AS origin FROM manual_entry WHERE reverses IS NOT NULL
        UNION ALL
        SELECT taken_back.entry_id, manual_entry.reverses FROM taken_back
        JOIN manual_entry ON manual_entry.entry_id = taken_back.origin WHERE manual_entry.reverses IS NOT NULL
    ), origins AS (
        SELECT entry_id, min(origin) AS origin FROM taken_back GROUP BY entry_id
    )"""
"""The head of a statement: `origins` has (entry_id, origin), origin being the first entry of the chain."""
