"""Evidence: what is known about stops of the service, and what people ruled about them.

Append-only. Every row has two times: when it holds (`from_at`, `to_at`) and when we learned it
(`recorded_at`). A correction is a new row: an incident has revisions, the newest holds; a population
figure recorded later for the same instant replaces the earlier one.

`month_to_review` says which month (or whose claim of it) has to be looked at again;
`month_review` says up to which of those rows a night has done so.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, listed, metadata, spans, text, whole_second

#: What a user could not do; one list for the database and the readers.
SYMPTOMS = ("site", "login", "view")
#: What people may name as the cause of a stop; one list for the database and the readers.
CAUSES = ("fault", "system_update", "partner", "user_environment")

_MONTH_PATTERN = r"month ~ '^2\d{3}-(0[1-9]|1[0-2])$'"


def _one_of(column: str, allowed: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in allowed)})"


evidence_import = Table(
    "evidence_import",
    metadata,
    identity(),
    text("kind"),
    text("sha256"),
    text("read_as"),  # what the file does not say of itself: names of columns or series, a partition; else empty
    text("source"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_used", BigInteger, nullable=False),  # good, whether or not they were known before
    Column("rows_new", BigInteger, nullable=False),
    Column("rows_refused", BigInteger, nullable=False),  # each of them was reported as a finding
    text("author"),
    instant("recorded_at"),
    UniqueConstraint("sha256", "kind", "read_as"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    CheckConstraint(
        "rows_read = rows_used + rows_refused AND rows_new BETWEEN 0 AND rows_used AND rows_refused >= 0",
        name="rows_add_up",
    ),
    CheckConstraint("author <> ''", name="has_author"),
)

observation = Table(  # whole seconds; the row is (user, symptom, start, end) and is kept once
    "observation",
    metadata,
    identity(),
    text("user_id"),
    text("symptom"),
    instant("started_at"),
    instant("ended_at", nullable=True),
    instant("recorded_at"),
    UniqueConstraint("user_id", "symptom", "started_at", "ended_at", postgresql_nulls_not_distinct=True),
    CheckConstraint(_one_of("symptom", SYMPTOMS), name="symptom_known"),
    CheckConstraint("started_at < ended_at", name="period_not_empty"),
    Index("ix_observation_period", "started_at", "ended_at", postgresql_using="brin"),
)

incident = Table(
    "incident",
    metadata,
    identity(),
    text("incident_id"),
    Column("revision", Integer, nullable=False),
    instant("from_at"),
    instant("to_at"),
    Column("affected", BigInteger, nullable=False),
    text("cause"),
    text("ground", nullable=True),
    text("author"),
    Column("exact", Boolean, nullable=False),  # confirmed to the second: gaps to other exact edges are real
    instant("recorded_at"),
    UniqueConstraint("incident_id", "revision"),
    CheckConstraint("revision >= 1", name="revision_from_one"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
    CheckConstraint("affected >= 0", name="affected_not_negative"),
    CheckConstraint(_one_of("cause", CAUSES), name="cause_known"),
)

outage_count = Table(
    "outage_count",
    metadata,
    identity(),
    instant("from_at"),
    instant("to_at"),
    Column("affected", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    instant("recorded_at"),
    UniqueConstraint("from_at", "to_at", "affected", "total"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
    CheckConstraint("affected >= 0 AND total > 0 AND affected <= total", name="share_is_a_share"),
    Index("ix_outage_count_to_at", "to_at"),
)

unknown_time = Table(  # a series of counts has no sample here; what other counts know of it is left out when read
    "unknown_time",
    metadata,
    identity(),
    instant("from_at"),
    instant("to_at"),
    text("source"),
    text("author"),
    instant("recorded_at"),
    UniqueConstraint("from_at", "to_at"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
)

unknown_ruling = Table(
    "unknown_ruling",
    metadata,
    identity(),
    instant("from_at"),
    instant("to_at"),
    text("verdict"),
    Column("affected", BigInteger, nullable=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
    CheckConstraint("verdict IN ('up', 'down', 'excluded', 'unknown')", name="verdict_known"),
    CheckConstraint("(verdict = 'down') = (affected IS NOT NULL) AND affected >= 0", name="down_has_users"),
    CheckConstraint("ground <> '' AND author <> ''", name="has_ground_and_author"),
)

_WHICH = f'{whole_second("@[0]")} && @[1] like_regex "^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$"'
"""Of which occurrence of its series: its start by the rule, and that day."""

notice_issue = Table(  # an event as a file has it; what all of them announce is worked out when read
    "notice_issue",
    metadata,
    identity(),
    text("object"),  # the digest of all that the file says of this event: that belongs together
    Column("place", Integer, nullable=False),
    text("uid"),
    text("calendar"),
    Column("recurrence", JSONB(none_as_null=True), nullable=True),  # which occurrence of its series it is about
    Column("sequence", BigInteger, nullable=False),
    instant("stamped_at", nullable=True),  # when it was written: which of two issues is newer
    instant("edited_at", nullable=True),
    instant("published_at"),
    text("published_from"),  # what says so: a property of the event, people (--published), or that we first saw it then
    Column("is_series", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False),  # cancelled or tentative
    Column("occurrences", JSONB, nullable=False),  # [its start by the rule, that day, from, to, left out], in seconds
    instant("from_at", nullable=True),
    instant("to_at", nullable=True),
    text("author"),
    instant("recorded_at"),
    UniqueConstraint("object", "place"),
    CheckConstraint(r"object ~ '^[0-9a-f]{64}$'", name="object_is_hex"),
    CheckConstraint("place >= 0", name="place_from_zero"),
    CheckConstraint("uid <> '' AND author <> ''", name="has_uid_and_author"),
    listed(
        "occurrences",
        f'@.type() == "array" && @.size() == 5 && {_WHICH} && {whole_second("@[2]")} && {whole_second("@[3]")} '
        '&& @[2] < @[3] && @[4].type() == "boolean"',
        name="occurrences_are_listed",
    ),
    CheckConstraint(
        "recurrence IS NULL OR jsonb_path_exists(recurrence, "
        f'\'strict $ ? (@.type() == "array" && @.size() == 5 && {_WHICH} && @[2].type() == "boolean" '
        '&& @[3].type() == "boolean" && @[4].type() == "boolean")\', \'{}\', true)',
        name="recurrence_is_listed",
    ),
    CheckConstraint("(from_at IS NULL) = (to_at IS NULL) AND from_at < to_at", name="period_not_empty"),
    CheckConstraint("(jsonb_array_length(occurrences) = 0) = (from_at IS NULL)", name="period_of_occurrences"),
    CheckConstraint("withdrawn OR from_at IS NOT NULL", name="announces_something"),
    Index("ix_notice_issue_uid", "uid"),
    Index("ix_notice_issue_period", "from_at", "to_at"),
)

maintenance_notice = Table(  # a window that people stated, as it was published; `cancelled` withdraws it from then on
    "maintenance_notice",
    metadata,
    identity(),
    Column("calendar", Text, nullable=False, server_default=""),  # an event's id is one within its calendar
    text("uid"),
    instant("published_at"),
    instant("from_at"),
    instant("to_at"),
    Column("cancelled", Boolean, nullable=False, server_default="false"),
    text("author"),
    text("ground", nullable=True),  # where it was published
    instant("recorded_at"),
    UniqueConstraint("calendar", "uid", "published_at", "from_at", "to_at", "cancelled"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
)

notice_publication = Table(  # a calendar of ours, as it was written to be put where users read it
    "notice_publication",
    metadata,
    identity(),
    text("sha256"),
    Column("windows", JSONB, nullable=False),  # [name, from, to] in seconds
    text("author"),
    instant("recorded_at"),
    UniqueConstraint("sha256"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    listed(
        "windows",
        f'@.type() == "array" && @.size() == 3 && @[0].type() == "string" && {whole_second("@[1]")} '
        f"&& {whole_second('@[2]')}",
        name="windows_are_listed",
    ),
    CheckConstraint("author <> ''", name="has_author"),
)

notice_sighting = Table(  # such a calendar, fetched back from its public address
    "notice_sighting",
    metadata,
    identity(),
    Column("sha256", Text, ForeignKey("notice_publication.sha256"), nullable=False),
    text("url"),
    instant("seen_at"),
    text("author"),
    CheckConstraint("url <> '' AND author <> ''", name="has_url_and_author"),
    Index("ix_notice_sighting_sha256", "sha256"),
)

interruption = Table(
    "interruption",
    metadata,
    identity(),
    instant("from_at"),
    instant("to_at"),
    text("ground"),
    text("approved_by"),
    text("author"),
    instant("recorded_at"),
    # a ground is longer than what an index holds
    Index("uq_interruption_once", "from_at", "to_at", func.md5(sql("ground")), "approved_by", unique=True),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
    CheckConstraint("ground <> '' AND approved_by <> ''", name="has_ground_and_approver"),
)

environment_ruling = Table(
    "environment_ruling",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id")),
    text("incident_id", nullable=True),
    Column("incident_revision", Integer, nullable=False, server_default="1"),  # its first: with the id, what exists
    Column("windows", JSONB(none_as_null=True), nullable=False),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("(claim_id IS NULL) <> (incident_id IS NULL)", name="has_one_subject"),
    CheckConstraint("incident_revision = 1", name="first_revision"),
    ForeignKeyConstraint(["incident_id", "incident_revision"], ["incident.incident_id", "incident.revision"]),
    spans("windows"),
    CheckConstraint("ground <> '' AND author <> ''", name="has_ground_and_author"),
    Index("ix_environment_ruling_claim_id", "claim_id"),
)

population = Table(
    "population",
    metadata,
    identity(),
    instant("from_at"),
    Column("users", BigInteger, nullable=False),
    text("author"),
    instant("recorded_at"),
    CheckConstraint("users > 0", name="users_positive"),
)

claim_form_outage = Table(
    "claim_form_outage",
    metadata,
    identity(),
    instant("from_at"),
    instant("to_at"),
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    UniqueConstraint("from_at", "to_at"),
    CheckConstraint("from_at < to_at", name="period_not_empty"),
)

month_to_review = Table(
    "month_to_review",
    metadata,
    identity(),
    text("month"),
    text("account", nullable=True),  # null: every claim of the month
    text("why"),
    instant("recorded_at"),
    CheckConstraint(_MONTH_PATTERN, name="month_is_a_month"),
    Index("ix_month_to_review_month_id", "month", "id"),
)

month_review = Table(
    "month_review",
    metadata,
    identity(),
    text("month"),
    Column("up_to_id", BigInteger, ForeignKey("month_to_review.id"), nullable=False),
    day("decided_on"),
    instant("decided_at"),
    UniqueConstraint("month", "up_to_id"),
)

# What a day's observations came to, kept: a day that is over is read once (`keizoku.sla.months.observed_days`). Never
# out of date: a row is found by the digest of all that it was worked out from. New evidence of the day, another number
# of users, other people unable at its beginning make another digest, and so another row.
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
