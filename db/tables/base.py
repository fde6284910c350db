"""The one MetaData of Keizoku, and the column kinds that every table shares.

Amounts are whole yen (BIGINT), instants are aware (TIMESTAMPTZ), days are JST dates (DATE).
Tables carry no schema name: the search path chooses the schema.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, DateTime, Identity, MetaData, Text

from keizoku.limits import LAST_SECOND, LAST_YEAR

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

__all__ = [
    "FIRST_DAY",
    "FIRST_DAY_BEYOND",
    "day",
    "identity",
    "instant",
    "listed",
    "metadata",
    "spans",
    "text",
    "whole_second",
    "within_reach",
    "yen",
]

FIRST_DAY, FIRST_DAY_BEYOND = "1900-01-01", f"{LAST_YEAR + 1}-01-01"
"""Days and instants that people and files name are in [first, beyond): what is not was mistyped, and no calendar of
ours reaches it (no infinity, no year 1 and 9999, at whose ends Japan's days leave the calendar)."""

_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+]09:00$"
_SPAN = (
    'strict $[*] ? (@.type() == "array" && @.size() == 2 '
    f'&& @[0] like_regex "{_TIME}" && @[1] like_regex "{_TIME}" && @[0].datetime() < @[1].datetime())'
)
_FIRST, _LAST = -86_400, LAST_SECOND + 86_400  # a day more for zones


def identity(name: str = "id") -> Column[int]:
    """A technical key drawn from the table's own sequence."""
    return Column(name, BigInteger, Identity(always=False), primary_key=True)


def instant(name: str, *, nullable: bool = False) -> Column[object]:
    """An instant with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def day(name: str, *, nullable: bool = False) -> Column[object]:
    """A JST day."""
    return Column(name, Date, nullable=nullable)


def yen(name: str, *, nullable: bool = False) -> Column[int]:
    """An amount in whole yen."""
    return Column(name, BigInteger, nullable=nullable)


def text(name: str, *, nullable: bool = False) -> Column[str]:
    """A word or a sentence."""
    return Column(name, Text, nullable=nullable)


def spans(column: str) -> CheckConstraint:
    """JSON that is a list of [from, to], each a time of Japan to the second, as the services write them."""
    good = f"jsonb_path_query_array({column}, '{_SPAN}', '{{}}', true)"
    return CheckConstraint(
        f"CASE WHEN jsonb_typeof({column}) = 'array' THEN jsonb_array_length({column}) = jsonb_array_length({good}) "
        f"ELSE {column} IS NULL END",
        name=f"{column}_are_spans",
    )


def listed(column: str, each: str, *, name: str) -> CheckConstraint:
    """JSON that is a list, for each member of which (`@`) a condition of a path holds."""
    good = f"jsonb_path_query_array({column}, 'strict $[*] ? ({each})', '{{}}', true)"
    return CheckConstraint(
        f"CASE WHEN jsonb_typeof({column}) = 'array' THEN jsonb_array_length({column}) = jsonb_array_length({good}) "
        "ELSE false END",
        name=name,
    )


def whole_second(place: str) -> str:
    """The condition of a path that there is a second that a day of our years has, as a whole number since 1970."""
    return f'{place}.type() == "number" && {place} == {place}.floor() && {place} >= {_FIRST} && {place} <= {_LAST}'


def within_reach(columns: list[str]) -> CheckConstraint:
    """Days and instants that lie in [FIRST_DAY, FIRST_DAY_BEYOND)."""
    return CheckConstraint(
        " AND ".join(f"{each} >= DATE '{FIRST_DAY}' AND {each} < DATE '{FIRST_DAY_BEYOND}'" for each in columns),
        name="within_reach",
    )
