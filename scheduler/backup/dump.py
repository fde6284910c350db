"""PostgreSQL's own dump, encrypted with age as it is written; and back into an empty database.

pg_dump ──pipe──> age (public keys) ──> file          no unencrypted byte touches a disk
file ──> age (the identity) ──pipe──> pg_restore ──its script──> psql, in one transaction
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pyrage
import sqlalchemy as sa

from keizoku.db.programs import client_program

_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}

_SINCE_17 = b"SET transaction_timeout = 0;\n"
_FOR_ANY_SERVER = b"SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';\n"
"""A dump's script sets this near its beginning, before any row; an older server does not know it."""
_BLOCK = 1 << 20


class BackupError(Exception):
    """A backup cannot be made or used; one line for the person at the keyboard."""


def recipients_of(keys: Sequence[str]) -> list[Any]:
    """Public keys of age (age1…). Raises BackupError for text that is not one."""
    found = []
    for key in keys:
        try:
            found.append(pyrage.x25519.Recipient.from_str(key.strip()))
        except pyrage.RecipientError as error:
            raise BackupError(
                f"KEIZOKU_BACKUP_RECIPIENTS: {key[:12]}… is no public key of age (age1…): {error}"
            ) from error
    if not found:
        raise BackupError(
            "KEIZOKU_BACKUP_RECIPIENTS names no public key of age (age1…); `keizoku backup key` makes one"
        )
    return found


def new_key() -> tuple[str, str]:
    """A new pair of age: the secret key, and the public one to encrypt for."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def identity_in(file: Path) -> Any:
    """The secret key of age in a file, comments left out. Raises BackupError."""
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{file}: the key cannot be read ({type(error).__name__})") from error
    keys = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    if len(keys) != 1:
        raise BackupError(f"{file}: holds {len(keys)} secret keys of age, one is needed")
    try:
        return pyrage.x25519.Identity.from_str(keys[0])
    except pyrage.IdentityError as error:
        raise BackupError(f"{file}: no secret key of age") from error


def dump(url: sa.URL, snapshot: str, recipients: Sequence[Any], target: Path, schema: str = "public") -> None:
    """Dump the database as it is in an exported snapshot, encrypted. Raises BackupError.

    Of a database in which the tables have a schema of their own, that schema alone: the rest is not ours.
    """
    try:
        _encrypted(url, snapshot, recipients, target, [] if schema == "public" else [f"--schema={schema}"])
    except (OSError, pyrage.EncryptError) as error:  # a full disk may show only when the file is closed
        raise BackupError(f"the dump was not written: {_words(error)}") from error


def _encrypted(url: sa.URL, snapshot: str, recipients: Sequence[Any], target: Path, only: Sequence[str]) -> None:
    kind = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
    command = [client_program("pg_dump"), *kind, *only]
    with (
        target.open("wb") as out,
        subprocess.Popen(  # noqa: S603  our own program, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(url)
        ) as process,
    ):
        try:
            pyrage.encrypt_io(_pipe(process.stdout), out, list(recipients))
        except BaseException:
            process.kill()
            raise
        output = _pipe(process.stderr).read()
        _check(process.wait(), output, "pg_dump")


def encrypt_bytes(content: bytes, recipients: Sequence[Any]) -> bytes:
    """A few bytes, encrypted."""
    return bytes(pyrage.encrypt(content, list(recipients)))


def decrypt_bytes(content: bytes, identity: Any) -> bytes:
    """Decrypt them. Raises BackupError where the key does not fit or the bytes are not what was written."""
    try:
        return bytes(pyrage.decrypt(content, [identity]))
    except pyrage.DecryptError as error:
        raise BackupError(f"it does not open with this key, or is damaged: {error}") from error


def restore(file: Path, identity: Any, url: sa.URL, at_last: str = "") -> None:
    """Write an encrypted dump into an empty database, and one statement more, all or nothing. Raises BackupError.

    pg_restore itself refuses servers older than 17: it sets what they do not know. Only a whole script is committed.
    """
    command = [
        client_program("psql"),
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={url.database or ''}",
    ]
    with subprocess.Popen(  # noqa: S603  our own program, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment(url)
    ) as psql:
        script = _pipe(psql.stdin)
        try:
            _write(script, b"BEGIN;\n")
            _through(file, identity, ["--no-owner", "--no-privileges", "--file=-"], script)
            _write(script, f"{at_last};\nCOMMIT;\n".encode())
        finally:
            with contextlib.suppress(BrokenPipeError):
                script.close()
        output = _pipe(psql.stderr).read()
        _check(psql.wait(), output, "psql")


def _write(script: IO[bytes], words: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # the program says why it ended
        script.write(words)


def _forward(made: IO[bytes], script: IO[bytes]) -> None:
    """Forward pg_restore's script to its end, whether or not psql still reads it."""
    for line in made:
        _write(script, _FOR_ANY_SERVER if line == _SINCE_17 else line)
        if line == _SINCE_17:
            break
    while block := made.read(_BLOCK):
        _write(script, block)


def contents(file: Path, identity: Any) -> None:
    """Read an encrypted dump from end to end without writing it anywhere. Raises BackupError."""
    _through(file, identity, ["--file=/dev/null"])


def _through(file: Path, identity: Any, options: Sequence[str], script: IO[bytes] | None = None) -> None:
    """Decrypt a dump into pg_restore, and forward the script that it writes."""
    with (
        file.open("rb") as encrypted,
        subprocess.Popen(  # noqa: S603  our own program, no shell
            [client_program("pg_restore"), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if script is None else subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        failed: Exception | None = None
        reader = None
        if script is not None:
            reader = threading.Thread(target=_forward, args=(_pipe(process.stdout), script))
            reader.start()
        try:
            _decrypt(encrypted, _pipe(process.stdin), identity)
        except BrokenPipeError:
            pass  # the program says why it ended
        except (OSError, pyrage.DecryptError) as error:
            failed = error
            process.kill()
        with contextlib.suppress(BrokenPipeError):
            _pipe(process.stdin).close()
        output = _pipe(process.stderr).read()
        code = process.wait()
        if reader is not None:
            reader.join()
    if failed is not None:
        raise BackupError(f"the backup does not open with this key, or is damaged: {_words(failed)}") from failed
    _check(code, output, "pg_restore")


def _decrypt(encrypted: IO[bytes], out: IO[bytes], identity: Any) -> None:
    pyrage.decrypt_io(encrypted, out, [identity])


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the program was started without this pipe")
    return stream


def _check(code: int, output: bytes, program: str) -> None:
    if code != 0:
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        raise BackupError(f"{program} failed: {lines[0] if lines else f'exit code {code}'}")


def _environment(url: sa.URL) -> dict[str, str]:
    """The connection as environment variables of the programs; a password never appears on a command line."""
    found = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGUSER": url.username or ""}
    found["PGDATABASE"] = url.database or ""
    if url.password is not None:
        found["PGPASSWORD"] = str(url.password)
    named = {"host": url.host, "port": str(url.port) if url.port else None} | dict(url.query)
    for name, variable in _VARIABLES.items():
        value = named.get(name) or (url.query.get(name))
        if isinstance(value, str):
            found[variable] = value
    return {name: value for name, value in found.items() if value}


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
