"""The one MetaData of Keizoku, and the column kinds that every table shares.

Amounts are whole yen (BIGINT), instants are aware (TIMESTAMPTZ), days are JST dates (DATE).
Tables carry no schema name: the search path chooses the schema.
"""

from sqlalchemy import BigInteger, Column, Date, DateTime, Identity, MetaData, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

__all__ = ["day", "identity", "instant", "metadata", "text", "yen"]


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


_INSTANT = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?"
    "(Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
PAIRS_OF_INSTANTS = (
    """NOT jsonb_path_exists(windows, 'strict $[*] ? (@.type() != "array" || @.size() != 2)', '{}', true) """
    """AND NOT jsonb_path_exists(windows, """
    f"""'strict $[*][*] ? (@.type() != "string" || !(@ like_regex "{_INSTANT}"))', '{{}}', true)"""
)
"""Of a column `windows`: each is [from, to], and both are instants as nights read them."""
