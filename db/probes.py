"""The names under which a night's probes are given their values.

A probe answers "is there anything for this stage?" and is defined beside the stage's `due`, from the same conditions:
it may say yes for nothing, and never no for something. All probes of a night run in one statement.
"""

import sqlalchemy as sa

__all__ = ["BUSINESS_DATE", "FLOOR", "MONTH", "NOTIFIES_MONTHLY", "NOW", "TODAY"]

BUSINESS_DATE = sa.bindparam("business_date", type_=sa.Date())  # the night's business date
MONTH = sa.bindparam("month", type_=sa.Text())  # the business date's month: "2026-04"
TODAY = sa.bindparam("today", type_=sa.Date())  # the JST day on which the night runs
NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))  # the night's clock
NOTIFIES_MONTHLY = sa.bindparam("notifies_monthly", type_=sa.Boolean())  # renewals of monthly plans are announced too
FLOOR = sa.bindparam("floor", type_=sa.BigInteger())  # terms up to this id are covered by a certificate
