"""Every table of Keizoku on one MetaData, by aggregate."""

from keizoku.db.tables import (
    bank,
    books,
    claims,
    closing,
    codes,
    contracts,
    evidence,
    gateway,
    guards,
    money,
    operations,
    people,
    restoration,
)
from keizoku.db.tables.base import metadata

__all__ = [
    "bank",
    "books",
    "claims",
    "closing",
    "codes",
    "contracts",
    "evidence",
    "gateway",
    "guards",
    "metadata",
    "money",
    "operations",
    "people",
    "restoration",
]
