"""What the processes of the door know of each other: when the claim form was seen to answer, how far jobs have come."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import identity, instant, metadata, text

form_sighting = Table(
    "form_sighting",
    metadata,
    Column("name", TEXT, primary_key=True),
    instant("seen_at"),
    CheckConstraint("name = 'claim form'", name="the_claim_form"),
)
"""One row. Where it is older than the form's own check allows, the time between is an outage of the form (9.5)."""

job_state = Table(
    "job_state",
    metadata,
    identity(),
    text("job"),
    text("state"),
    text("business_date"),
    text("stage"),
    Column("rows", BigInteger, nullable=False),
    text("said"),
    Column("nights", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0"),  # of what it counts by itself
    Column("whole", BigInteger, nullable=False, server_default="0"),  # of so many; 0: by the stages of nights
    instant("counted_from", nullable=True),
    Column("refused", TEXT, nullable=False, server_default=""),  # the code of the refusal that ended it
    instant("began_at", nullable=True),
    instant("recorded_at"),
    Index("ix_job_state_job", "job", "id"),
    CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
)
"""How far a job has come: `done` of `whole`, or `steps` stages, of those of `nights` nights. Its newest row counts.

One that has not ended, and whose lock nobody has, was lost with its process.
"""
