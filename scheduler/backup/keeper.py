"""Backups run, listed, verified and restored, each one call.

run      snapshot ──> proof + encrypted dump ──> every store ──> a row of backup_copy each
verify   every store: the bytes are those that were written; with the key: they open, to the end
restore  an encrypted dump ──> an empty database ──> its proof has to be the one that was backed up
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.db.migrate import upgrade
from keizoku.db.releases import OURS, Migrations
from keizoku.db.roles import want_to_add
from keizoku.db.session import DatabaseError, Session, make_engine, open_session
from keizoku.db.tables.link.grants import link_secret
from keizoku.db.tables.operations import backup_copy
from keizoku.db.tables.restoration import restoration
from keizoku.scheduler.backup import proof
from keizoku.scheduler.backup.dump import (
    BackupError,
    contents,
    decrypt_bytes,
    dump,
    encrypt_bytes,
    identity_in,
    recipients_of,
    restore,
)
from keizoku.scheduler.backup.plan import BackupState, Copy, backup_state, may_go, stores_wanting
from keizoku.scheduler.backup.proof import Proof
from keizoku.scheduler.backup.restore_mark import RestoreMark
from keizoku.scheduler.backup.stores import DUMP, PROOF, Store, StoreError, sha256_of
from keizoku.terms.policy import Policy

Progress = Callable[[str], None]
"""Called with what is being done, in words."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Where backups go, for whom they are encrypted, and how long they are kept."""

    stores: tuple[Store, ...]
    recipients: tuple[str, ...]
    keep_days: int
    keep_months: int
    policy: Policy

    def check(self) -> None:
        """Raises BackupError where the places are not what the contract promises (premium/10.1)."""
        remote = {store.name for store in self.stores if store.remote}
        why = stores_wanting([store.name for store in self.stores], remote, self.policy.backup.copies)
        if why is not None:
            raise BackupError(f"{why} (premium/10.1); name them in KEIZOKU_BACKUP_STORES")


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of a backup in one store; `why` where it was not written."""

    backup: str
    store: str
    bytes: int
    sha256: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What verifying a copy found; no complaints: it is whole. `taken_at`: of the backup, where a copy is known."""

    backup: str
    store: str
    complaints: tuple[str, ...]
    taken_at: datetime | None = None


def run(
    session: Session, url: sa.URL, rules: Rules, now: datetime, progress: Progress = lambda _: None
) -> list[Stored]:
    """Make a backup and write it to every store; a store that fails does not stop the others. Commits.

    Raises BackupError where none could be made. `url` is the session's own database.
    """
    want_to_add(session, link_secret)  # a copy has every table; asked before hours of work, as the next is
    want_to_add(session, backup_copy)
    rules.check()
    recipients = recipients_of(rules.recipients)
    backup = f"keizoku-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="keizoku-backup-") as folder:
        files = {DUMP: Path(folder) / "dump", PROOF: Path(folder) / "proof"}
        progress("dumping")
        session.rollback()
        session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        snapshot: str = session.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        holds = proof.take(session)
        dump(url, snapshot, recipients, files[DUMP], holds.schema)
        session.rollback()
        files[PROOF].write_bytes(encrypt_bytes(holds.written(), recipients))
        size, digest = files[DUMP].stat().st_size, sha256_of(files[DUMP])
        manifest = {
            "backup": backup,
            "taken_at": now.astimezone(UTC).isoformat(),
            "bytes": size,
            "sha256": digest,
            "proof_sha256": sha256_of(files[PROOF]),
            "release": holds.release,
            "revision": holds.revision,
            "schema": holds.schema,
        }
        results = []
        for store in rules.stores:
            progress(f"writing to {store.name}")
            try:
                store.put(backup, files, manifest)
            except StoreError as error:
                results.append(Stored(backup, store.name, size, digest, str(error)))
            else:
                results.append(Stored(backup, store.name, size, digest, None))
    _record(session, results, now)
    failed = {each.store for each in results if each.why}
    for store in rules.stores:
        if store.name not in failed:
            _forget_old(session, store, rules, now)
    return results


def listed(rules: Rules) -> tuple[list[Copy], list[str]]:
    """Every whole copy in every store, newest first, and the stores that could not be read."""
    copies, unreadable, _ = looked_through(rules)
    return copies, unreadable


def looked_through(rules: Rules) -> tuple[list[Copy], list[str], list[str]]:
    """Whole copies, newest first; the stores that could not be read; what lies there as a manifest and is none."""
    copies: list[Copy] = []
    unreadable: list[str] = []
    strange: list[str] = []
    for store in rules.stores:
        try:
            found, others = store.contents()
        except StoreError as error:
            unreadable.append(str(error))
        else:
            copies += found
            strange += others
    return sorted(copies, key=lambda each: (each.taken_at, each.store), reverse=True), unreadable, strange


def current_state(rules: Rules, now: datetime) -> BackupState:
    """Whether a backup is due, and whether the last complete one is too old (premium/10.3), by what the stores hold."""
    return state_of(rules, listed(rules)[0], now)


def state_of(rules: Rules, copies: Sequence[Copy], now: datetime) -> BackupState:
    """The same by copies that were listed already: a place that does not answer is waited for once."""
    numbers = rules.policy.backup
    names = [store.name for store in rules.stores]
    return backup_state(copies, names, now, numbers.every_days, numbers.longest_pause_days)


def last_whole_at(session: Session, stores: Sequence[str]) -> datetime | None:
    """The newest backup that went into every store, as our own rows say: cheap, for alerts."""
    whole = (
        sa.select(backup_copy.c.taken_at)
        .where(backup_copy.c.outcome == "stored", backup_copy.c.store.in_(list(stores)))
        .group_by(backup_copy.c.backup, backup_copy.c.taken_at)
        .having(sa.func.count(sa.distinct(backup_copy.c.store)) >= len(set(stores)))
        .order_by(backup_copy.c.taken_at.desc())
        .limit(1)
    )
    found: datetime | None = session.execute(whole).scalar_one_or_none()
    return found


def last_tried_at(session: Session) -> datetime | None:
    """When the newest backup was begun, whatever became of it, as our own rows say."""
    tried = sa.select(sa.func.max(backup_copy.c.taken_at)).where(backup_copy.c.outcome.in_(("stored", "failed")))
    found: datetime | None = session.execute(tried).scalar_one()
    return found


def verify(rules: Rules, backup: str | None = None, identity_file: Path | None = None) -> list[Checked]:
    """Read copies back (of one backup, or of the newest): hashes, and with the key that they open to the end."""
    copies, unreadable = listed(rules)
    chosen = backup or (copies[0].backup if copies else None)
    taken_at = next((each.taken_at for each in copies if each.backup == chosen), None)
    results = [Checked(chosen or "", line, ("the place cannot be read",), taken_at) for line in unreadable]
    identity = None if identity_file is None else identity_in(identity_file)
    for store in rules.stores:
        own = [each for each in copies if each.backup == chosen and each.store == store.name]
        if not own:
            if not any(line.startswith(store.name) for line in unreadable):
                results.append(Checked(chosen or "", store.name, ("no whole copy lies here",), taken_at))
            continue
        results.append(Checked(own[0].backup, store.name, tuple(_complaints(store, own[0], identity)), taken_at))
    return results


def restore_into(
    rules: Rules,
    target: sa.URL,
    identity_file: Path,
    backup: str | None = None,
    progress: Progress = lambda _: None,
    migrations: Migrations = OURS,
    *,
    drill: bool = False,
    now: datetime | None = None,
) -> list[str]:
    """Restore a backup (the newest) into an empty database; the differences to what was backed up, none if it is whole.

    The database then knows that it was restored, and from when: charges and refunds wait until the gateway was read.
    The copy of a `drill` never speaks to the live account.

    The tables of an earlier release are then upgraded. Raises BackupError for a database that holds anything, a key
    that does not fit, a backup of a later release, or where no copy can be used.
    """
    _check_empty(target)
    identity = identity_in(identity_file)
    copies, unreadable, strange = looked_through(rules)
    chosen = backup or (copies[0].backup if copies else "")
    tried = [*unreadable, *strange]
    for line in tried:
        progress(f"not used: {line}")
    for store in rules.stores:
        copy = next((each for each in copies if each.backup == chosen and each.store == store.name), None)
        if copy is None:
            if chosen and not any(line.startswith(f"{store.name}: ") for line in unreadable):
                tried.append(f"{store.name}: no whole copy of {chosen} lies here")
            continue
        with tempfile.TemporaryDirectory(prefix="keizoku-restore-") as folder:
            progress(f"reading {chosen} from {store.name}")
            file, proof_file = Path(folder) / "dump", Path(folder) / "proof"
            why = _fetched(store, copy, file, proof_file)
            if why is not None:
                progress(f"not used: {why}")
                tried.append(why)
                continue
            expected = Proof.read(decrypt_bytes(proof_file.read_bytes(), identity))
            _check_release(chosen, expected, migrations)
            progress("restoring")
            mark = RestoreMark(chosen, copy.taken_at, now or datetime.now(UTC), drill)
            is_current = expected.revision == migrations.head
            # the rows and what they are told about themselves come in one transaction: there is never one alone
            restore(file, identity, target, mark.statement(expected.schema) if is_current else "")
        schema = expected.schema
        if schema != "public":
            progress(f"its tables are in schema {schema}: set KEIZOKU_DATABASE_SCHEMA={schema}")
        with open_session(target, schema) as session:
            return _proven(session, expected, migrations, progress, mark)
    raise BackupError(f"no copy of {chosen or 'any backup'} can be used" + (f": {'; '.join(tried)}" if tried else ""))


def _fetched(store: Store, copy: Copy, file: Path, proof_file: Path) -> str | None:
    """Fetch a copy's dump and proof; why it cannot be used, or None."""
    try:
        if store.get(copy.backup, DUMP, file) != copy.sha256:
            return f"{store.name}: the dump's bytes are not those that were written"
        proof_found = store.get(copy.backup, PROOF, proof_file)
        if proof_found != (copy.proof_sha256 or proof_found):
            return f"{store.name}: the proof's bytes are not those that were written"
    except StoreError as error:
        return str(error)
    return None


def _check_release(backup: str, expected: Proof, migrations: Migrations) -> None:
    """Raises BackupError for a backup whose tables this release does not know."""
    revision = expected.revision
    if revision is not None and not migrations.knows(revision):
        made_by = expected.release or "an unknown one"
        raise BackupError(
            f"{backup} was made by release {made_by} (revision {revision}) and this is {migrations.release}, which "
            f"does not know its tables: restore it with release {made_by} or a later one"
        )


def _proven(
    session: Session, expected: Proof, migrations: Migrations, progress: Progress, mark: RestoreMark
) -> list[str]:
    """The differences of what was restored to what was backed up; tables of an earlier release are upgraded first.

    An upgrade may move rows from table to table: they are counted before it, by the names that the tables had. Tables
    of an earlier release are marked after it; until then no command takes them.
    """
    lines: list[str] = []
    if expected.revision is not None and expected.revision != migrations.head:
        lines = proof.lost_rows(expected, proof.rows_by_name(session, expected.rows))
        progress(f"upgrading from release {expected.release} to {migrations.release}")
        try:
            upgrade(session, migrations)
        except DatabaseError as error:
            raise BackupError(f"it was restored and stays at revision {expected.revision}: {error}") from error
        expected = replace(expected, revision=migrations.head, rows={})
        mark.write(session)
    progress("proving")
    found = Proof.read(proof.take(session).written())
    marks = found.rows[restoration.name] - 1  # this restore's own was not backed up
    found = replace(found, rows={**found.rows, restoration.name: marks})
    return lines + proof.differences(expected, found)


def _complaints(store: Store, copy: Copy, identity: Any) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="keizoku-verify-") as folder:
        file, proof_file = Path(folder) / "dump", Path(folder) / "proof"
        try:
            found = store.get(copy.backup, DUMP, file)
            proof_found = store.get(copy.backup, PROOF, proof_file)
        except StoreError as error:
            return [str(error)]
        complaints = []
        if found != copy.sha256:
            complaints.append("the dump's bytes are not those that were written")
        if proof_found != copy.proof_sha256:
            complaints.append("the proof's bytes are not those that were written")
        if identity is not None and not complaints:
            try:
                contents(file, identity)
                json.loads(decrypt_bytes(proof_file.read_bytes(), identity))
            except (BackupError, ValueError) as error:
                complaints.append(str(error))
        return complaints


def _record(session: Session, results: Sequence[Stored], now: datetime) -> None:
    session.execute(
        sa.insert(backup_copy),
        [
            {
                "backup": each.backup,
                "store": each.store,
                "outcome": "failed" if each.why else "stored",
                "bytes": each.bytes,
                "sha256": each.sha256,
                "why": each.why,
                "taken_at": now,
                "recorded_at": now,
            }
            for each in results
        ],
    )
    session.commit()


def _forget_old(session: Session, store: Store, rules: Rules, now: datetime) -> None:
    """Remove copies past their time; a store that cannot be read now is looked at next time."""
    try:
        gone = may_go(store.copies(), now, rules.keep_days, rules.keep_months)
        for each in gone:
            store.remove(each.backup)
    except StoreError:
        return
    if gone:
        session.execute(
            sa.insert(backup_copy),
            [
                {
                    "backup": each.backup,
                    "store": each.store,
                    "outcome": "removed",
                    "taken_at": each.taken_at,
                    "recorded_at": now,
                }
                for each in gone
            ],
        )
        session.commit()


def _check_empty(target: sa.URL) -> None:
    engine = make_engine(target)
    try:
        with engine.connect() as session:
            tables: int = session.exec_driver_sql(
                "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
                "AND n.nspname NOT LIKE 'pg\\_%%'"
            ).scalar_one()
    finally:
        engine.dispose()
    if tables:
        raise BackupError(
            f"the database {target.database} holds {tables} tables already; restore into an empty one "
            "(createdb makes it)"
        )
