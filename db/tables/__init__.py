"""Every table of Keizoku on one MetaData, by aggregate."""

from sqlalchemy import Date, DateTime

from keizoku.db.tables import (
    bank,
    books,
    claims,
    closing,
    codes,
    contracts,
    documents,
    evidence,
    gateway,
    guards,
    letters,
    link,
    money,
    operations,
    people,
    restoration,
    simulated,
    web,
)
from keizoku.db.tables.base import metadata, within_reach
from keizoku.db.tables.lengths import limit_lengths

_NIGHTLY = {
    "term",
    "invoice",
    "payment_attempt",
    "settlement",
    "entry",
    "claim_decision",
    "award",
    "credit",
    "user_notice",
    "letter",
    "link_use",
    "link_token",
}
"""Written by nights alone, by the hundred thousand: their times are worked out, not typed."""

for _table in metadata.tables.values():
    _timed = [_each.name for _each in _table.columns if isinstance(_each.type, Date | DateTime)]
    if _timed and _table.name not in _NIGHTLY:
        _table.append_constraint(within_reach(_timed))

__all__ = [
    "bank",
    "books",
    "claims",
    "closing",
    "codes",
    "contracts",
    "documents",
    "evidence",
    "gateway",
    "guards",
    "letters",
    "link",
    "metadata",
    "money",
    "operations",
    "people",
    "restoration",
    "simulated",
    "web",
]

limit_lengths(metadata)
