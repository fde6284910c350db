"""The shape of a schema's tables, as the server's catalog tells it, and where two shapes differ.

A shape is {what: how}: `column invoice.note` -> `text`, `trigger entry.entry_append_only` -> its definition. It is the
same on every server that is supported, in a schema of any name, and whatever the order in which columns came.

Ours are the tables of a release and all that hangs on them: columns, constraints, triggers, rules, unique indexes, and
the functions that triggers call. What else stands in the schema is not looked at, nor is what changes no row: further
indexes that are not unique, storage parameters, statistics, privileges, comments.
"""

import hashlib
from collections.abc import Mapping

from keizoku.db.session import Session, server_version

__all__ = [
    "NEWEST_KNOWN_SERVER",
    "Shape",
    "differences",
    "differences_on",
    "fingerprint",
    "read_shape",
    "shape_of",
    "written_shape",
]

Shape = Mapping[str, str]

NEWEST_KNOWN_SERVER = 18
"""The newest major version of PostgreSQL whose words for a definition are known to be those of the older ones.

On a newer server definitions are not compared, so that no night waits because it writes a constraint differently.
"""

_FUNCTION = "function "
_KINDS = ("table ", "column ", "constraint ", "unique index ", "index ", "trigger ", "rule ", _FUNCTION)

_CATALOG = r"""
WITH ours AS (
  SELECT c.oid, c.relname, c.relpersistence, c.relrowsecurity FROM pg_class c
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
)
SELECT 'table ' || relname,
       CASE relpersistence WHEN 'p' THEN 'logged' ELSE 'not logged' END
       || CASE WHEN relrowsecurity THEN ', rows hidden by policies' ELSE '' END
FROM ours
UNION ALL
SELECT 'column ' || relname || '.' || attname,
       format_type(atttypid, atttypmod)
       || CASE WHEN attnotnull THEN ' not null' ELSE '' END
       || CASE attidentity WHEN '' THEN '' WHEN 'a' THEN ' identity always' ELSE ' identity' END
       || CASE WHEN attgenerated = '' THEN coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid, true), '')
               ELSE ' generated ' || pg_get_expr(d.adbin, d.adrelid, true) END
FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = ours.oid AND d.adnum = attnum
UNION ALL
SELECT 'constraint ' || relname || '.' || conname,
       pg_get_constraintdef(k.oid, true)
       || CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = k.oid AND tgenabled <> 'O')
               THEN ', switched off' ELSE '' END
FROM ours JOIN pg_constraint k ON conrelid = ours.oid AND contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT CASE WHEN indisunique THEN 'unique index ' ELSE 'index ' END || relname || '.'
       || (SELECT relname FROM pg_class WHERE oid = indexrelid),
       pg_get_indexdef(indexrelid, 0, true) || CASE WHEN indisvalid THEN '' ELSE ', not valid' END
FROM ours JOIN pg_index ON indrelid = ours.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger ' || relname || '.' || tgname,
       pg_get_triggerdef(t.oid, true) || CASE tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ', switched off'
       ELSE ', fires otherwise' END
FROM ours JOIN pg_trigger t ON tgrelid = ours.oid AND NOT tgisinternal
UNION ALL
SELECT 'rule ' || relname || '.' || rulename, pg_get_ruledef(r.oid, true)
FROM ours JOIN pg_rewrite r ON ev_class = ours.oid
UNION ALL
SELECT 'function ' || proname,
       encode(sha256(convert_to(concat_ws(E'\n', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
              lanname, provolatile, prosecdef, proconfig, prosrc), 'UTF8')), 'hex')
FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, 'keizoku_')
"""


def shape_of(session: Session) -> dict[str, str]:
    """The shape of all tables in the session's schema but the version table; one query, some 20 ms."""
    found = {str(what): str(how) for what, how in session.exec_driver_sql(_CATALOG)}
    return {what: " ".join(how.split()) for what, how in sorted(found.items())}


def differences(expected: Shape, found: Shape, *, definitions: bool = True) -> list[str]:
    """Where the tables found are not those expected, a line each; none: nobody changed them.

    Without `definitions` only what is there counts, not how it is written.
    """
    tables = {what.removeprefix("table ") for what in expected if what.startswith("table ")}
    lost = {what.removeprefix("table ") for what in expected.keys() - found.keys() if what.startswith("table ")}
    lines = [f"table {table} is missing" for table in sorted(lost)]
    lines += [
        f"{what} is missing"
        for what in expected
        if what not in found and _table_of(what) not in lost and not what.startswith("table ")
    ]
    lines += [f"{what} is not ours" for what in found if what not in expected and _hangs_on(what, tables)]
    if definitions:
        lines += [
            f"{what} is not the one of the release"
            if what.startswith(_FUNCTION)
            else f"{what} is “{found[what]}”, of the release “{how}”"
            for what, how in expected.items()
            if found.get(what, how) != how
        ]
    return lines


def differences_on(session: Session, expected: Shape) -> list[str]:
    """The same for the tables in the session's schema."""
    known = server_version(session)[0] <= NEWEST_KNOWN_SERVER
    return differences(expected, shape_of(session), definitions=known)


def fingerprint(shape: Shape) -> str:
    """The SHA-256 of a shape."""
    return hashlib.sha256(written_shape(shape).encode()).hexdigest()


def written_shape(shape: Shape) -> str:
    """A shape as text, one line for each thing in it."""
    return "".join(f"{what}: {how}\n" for what, how in sorted(shape.items()))


def read_shape(text: str) -> dict[str, str]:
    """And back."""
    pairs = (line.partition(": ") for line in text.splitlines() if line)
    return {what: how for what, _, how in pairs}


def _table_of(what: str) -> str:
    """The table that something hangs on; a function hangs on none."""
    kind = next(each for each in _KINDS if what.startswith(each))
    return "" if kind == _FUNCTION else what.removeprefix(kind).partition(".")[0]


def _hangs_on(what: str, tables: set[str]) -> bool:
    return not what.startswith(("index ", "table ")) and _table_of(what) in tables
