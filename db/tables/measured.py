"""What a day's observations came to, kept: a day that is over is read once (`keizoku.sla.months.observed_days`).

Append-only, and never out of date: a row is found by the digest of all that it was worked out from. New evidence of
the day, another number of users, other people unable at its beginning make another digest, and so another row.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text

_HEX = r"~ '^[0-9a-f]{64}$'"

observation_arrival = Table(  # so many observations that begin on a day came with one statement: a trigger writes it
    "observation_arrival",
    metadata,
    identity(),
    day("day"),
    Column("observations", BigInteger, nullable=False),
    instant("recorded_at"),
    CheckConstraint("observations > 0", name="some"),
    Index("ix_observation_arrival_day", "day", "recorded_at"),
)

unable_at_midnight = Table(  # who was unable as a day began, and until when as far as known: a line for each, packed
    "unable_at_midnight",
    metadata,
    identity(),
    text("sha256"),  # of the lines
    Column("lines", LargeBinary, nullable=False),
    UniqueConstraint("sha256"),
    CheckConstraint(f"sha256 {_HEX}", name="sha256_is_hex"),
)

measured_day = Table(
    "measured_day",
    metadata,
    identity(),
    day("day"),
    text("arrived"),  # digest of the day's arrivals; of all before the day where a reach begins
    text("sha256"),  # of all that decides the rest: arrivals, who was unable at its beginning, how many are needed
    Column("windows", JSONB, nullable=False),  # [from, to] in seconds: enough of those observed were unable
    Column("unable_sha256", Text, ForeignKey("unable_at_midnight.sha256"), nullable=True),  # at its end; null: nobody
    instant("recorded_at"),
    UniqueConstraint("sha256"),
    CheckConstraint(f"sha256 {_HEX}", name="sha256_is_hex"),
    CheckConstraint("jsonb_typeof(windows) = 'array'", name="windows_are_listed"),
    Index("ix_measured_day_day", "day"),
    Index("ix_measured_day_unable_sha256", "unable_sha256"),
)
