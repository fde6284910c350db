"""What a database holds, in numbers that a restored one must match: rows of every table, and the audit's sums.

Some references are checked by a trigger instead of a foreign key, and not while a dump is restored: those to missing
rows are counted here. The proof is taken in the same snapshot as the dump.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.integrity_audit import audit
from keizoku.db.releases import OURS
from keizoku.db.session import Session
from keizoku.db.standing import standing
from keizoku.db.tables import metadata
from keizoku.db.tables.books import certificate
from keizoku.db.tables.guards import SHARED_REFERENCES
from keizoku.scheduler.night import run_log


@dataclass(frozen=True, slots=True)
class Proof:
    """What a database holds. A release's proofs are read by every later one: a field that is new has a default."""

    revision: str | None
    rows: Mapping[str, int]  # table -> how many
    refer_to_nothing: Mapping[str, int]  # table.column -> rows that refer to a row that is not there
    certificate: Mapping[str, str] | None  # the last one: business_date, state, hash
    audit: Mapping[str, object] | None  # counts, sums, differences of the whole audit
    release: str | None = None
    schema: str = "public"

    @classmethod
    def read(cls, content: bytes) -> Proof:
        """As it was written. ValueError, KeyError or TypeError for what is none."""
        found: dict[str, Any] = json.loads(content)
        return cls(**{each.name: found[each.name] for each in fields(cls) if each.name in found or _is_needed(each)})

    def written(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()


def _is_needed(each: Field[object]) -> bool:
    return each.default is MISSING


def take(session: Session) -> Proof:
    """The proof of a database, in the transaction that is open."""
    stands = standing(session)
    last = run_log.last_night(session)
    newest = session.execute(
        sa.select(certificate.c.business_date, certificate.c.state, certificate.c.hash)
        .order_by(certificate.c.id.desc())
        .limit(1)
    ).first()
    tables = {
        table.name: session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }
    found = audit(session, last, recognised_to=last) if last is not None else None
    return Proof(
        release=OURS.release,
        revision=stands.revision,
        schema=stands.schema,
        rows=tables,
        refer_to_nothing={f"{table}.{column}": _dangling(session, table, column, of) for table, column, of in _SHARED},
        certificate=None
        if newest is None
        else {"business_date": newest.business_date.isoformat(), "state": newest.state, "hash": newest.hash},
        audit=None
        if found is None
        else {"counts": dict(found.counts), "sums": dict(found.sums), "differences": list(found.differences)},
    )


def differences(expected: Proof, found: Proof) -> list[str]:
    """Where a restored database does not hold what was backed up, one line each."""
    compared = {
        "revision": (expected.revision, found.revision),
        "certificate": (expected.certificate, found.certificate),
        "audit": (expected.audit, found.audit),
    }
    lines = [
        f"{key}: backed up {json.dumps(before, sort_keys=True)}, restored {json.dumps(now, sort_keys=True)}"
        for key, (before, now) in compared.items()
        if before != now
    ]
    lines += lost_rows(expected, found.rows)
    lines += [
        f"{name}: {count} rows refer to rows that are not there"
        for name, count in found.refer_to_nothing.items()
        if count
    ]
    return lines


def lost_rows(expected: Proof, found: Mapping[str, int]) -> list[str]:
    """Tables with another number of rows than was backed up, one line each."""
    return [
        f"table {name}: {count} rows were backed up, {found.get(name)} are restored"
        for name, count in expected.rows.items()
        if found.get(name) != count
    ]


def rows_by_name(session: Session, tables: Iterable[str]) -> dict[str, int]:
    """How many rows these tables hold: those of an earlier release, which are not declared any more."""
    counts = {name: sa.select(sa.func.count()).select_from(sa.table(name)) for name in tables}
    return {name: int(session.execute(query).scalar_one()) for name, query in counts.items()}


_SHARED = [(table, column, of) for table, columns in SHARED_REFERENCES.items() for column, of in columns.items()]


def _dangling(session: Session, table: str, column: str, of: tuple[str, str]) -> int:
    rows, referred = metadata.tables[table], metadata.tables[of[0]]
    is_there = sa.exists().where(referred.c[of[1]] == rows.c[column])
    lost = sa.select(sa.func.count()).select_from(rows).where(rows.c[column].is_not(None), ~is_there)
    return int(session.execute(lost).scalar_one())
