"""When the claim form was last seen to answer."""

from sqlalchemy import CheckConstraint, Column, Table
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import instant, metadata

form_sighting = Table(
    "form_sighting",
    metadata,
    Column("name", TEXT, primary_key=True),
    instant("seen_at"),
    CheckConstraint("name = 'claim form'", name="the_claim_form"),
)
"""One row. Where it is older than the form's own check allows, the time between is an outage of the form (9.5)."""
