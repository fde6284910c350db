"""Names and addresses on documents: asked of the host's directory at the moment of printing, kept sealed or not at all.

    directory ──> name, address ──> the printed document
                       └─ sealed (AES-256-GCM) under the newest key ──> issued_addressee: key id, nonce, ciphertext

Keys lie in a file outside the database, a line each: `ID KEY` (32 bytes, base64), the newest first; `seal_again` puts a
new key's seal on what older keys sealed, and then an old line can go. What is sealed is bound to its document:
copied to another one it does not open. Nothing personal is in an error, a log or a repr. Errors: Refused, in one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.rules.documents.addressee import Addressee, Directory, Unfit
from keizoku.db.session import Session
from keizoku.db.tables.documents import issued_addressee, issued_document
from keizoku.extras import MissingExtraError
from keizoku.sealing import KEY_BYTES, key_lines, key_of, new_key, seal, unseal
from keizoku.terms.refusal import Refused

__all__ = ["Naming", "SealingKeys", "keep_sealed", "new_key_line", "seal_again", "sealed_of"]

AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The keys of a file by their ids; the first one seals."""

    newest: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, file: Path) -> SealingKeys:
        """Read a key file. Refused, by line and without the key, for what is no key."""
        try:
            lines = file.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _no_key(f"{file}: cannot be read ({type(error).__name__})") from None
        found: dict[str, bytes] = {}
        for number, line in key_lines(lines):
            key_id, _, written = line.partition(" ")
            try:
                key = key_of(written.strip())
            except ValueError:
                key = b""
            if len(key) != KEY_BYTES or key_id in found:
                raise _no_key(f"{file} line {number}: has to be an id of its own, a space, and 32 bytes in base64")
            found[key_id] = key
        if not found:
            raise _no_key(f"{file}: holds no key")
        return cls(next(iter(found)), found)

    def seal(self, addressee: Addressee, about: str) -> bytes:
        """Nonce and ciphertext of an addressee, for the document `about` alone."""
        text = json.dumps(addressee.to_json(), ensure_ascii=False).encode()
        return seal(self.keys[self.newest], text, about.encode())

    def opened(self, key_id: str, sealed: bytes, about: str) -> Addressee:
        """What was sealed. Refused where the key is missing, or where it is not what was sealed for this document."""
        key = self.keys.get(key_id)
        if key is None:
            raise Refused(
                "document.key_missing",
                f"document {about}: its addressee is sealed with the key {key_id}, which is not in the key file",
                "put that key's line back into it",
            )
        try:
            text = unseal(key, sealed, about.encode())
        except MissingExtraError:
            raise
        except Exception as error:  # InvalidTag; the library is imported only where it is used
            raise Refused(
                "document.altered", f"document {about}: its addressee is not what was sealed ({type(error).__name__})"
            ) from None
        return Addressee.of_json(json.loads(text))


def new_key_line(key_id: str) -> str:
    """A line of a key file with a fresh key."""
    return f"{key_id} {new_key()}\n"


@dataclass(slots=True)
class Naming:
    """Who asks for names, and how they are kept: a directory and the keys. What was asked is forgotten with it."""

    directory: Directory
    keys: SealingKeys
    unfit: dict[str, str] = field(default_factory=dict)
    """Account -> why its name cannot stand on a document."""
    _known: dict[str, object] = field(default_factory=dict, repr=False)

    def look_up(self, accounts: Sequence[str]) -> None:
        """Ask for these accounts in one go; those before are forgotten. Refused where the directory is silent."""
        wanted = list(dict.fromkeys(accounts))
        try:
            found = self.directory.addressees(wanted)
        except Refused:
            raise
        except Exception as error:  # the host's code: what it says may be personal
            raise silent(type(error).__name__) from None
        self._known = {account: found.get(account) for account in wanted}

    def of(self, account: str) -> Addressee | Unfit | None:
        """Who that is; None: the directory does not know the account, which then stands for itself."""
        if account not in self._known:
            self.look_up([account])
        found = self._known[account]
        if found is None or isinstance(found, Addressee):
            return found
        why = found.why if isinstance(found, Unfit) else "what the directory says is no addressee"
        self.unfit[account] = why
        return Unfit(why)

    def mail_of(self, account: str) -> str | None:
        """The mail address that the directory says, if any."""
        found = self.of(account)
        return found.mail if isinstance(found, Addressee) else None


def silent(why: str) -> Refused:
    """The directory cannot be asked now."""
    return Refused(
        "directory.silent", f"the directory of names does not answer: {why}", "what waits stays and goes out later"
    )


def keep_sealed(session: Session, document_id: int, keys: SealingKeys, addressee: Addressee, now: datetime) -> None:
    """Keep an addressee with a document, sealed with the newest key. Does not commit."""
    about = session.scalar(sa.select(_ABOUT).where(issued_document.c.id == document_id)) or ""
    values = {"document_id": document_id, "key_id": keys.newest, "recorded_at": now}
    session.execute(sa.insert(issued_addressee).values(sealed=keys.seal(addressee, about), **values))


def sealed_of(session: Session, document_id: int, keys: SealingKeys | None) -> Addressee | None:
    """To whom a document went by name; None: it went to the account. Refused where its key is missing."""
    row = session.execute(_newest().where(issued_addressee.c.document_id == document_id)).first()
    if row is None:
        return None
    if keys is None:
        raise Refused(
            "document.key_missing",
            f"document {row.about}: its addressee is sealed with the key {row.key_id}, and no key file is set",
            "set KEIZOKU_DOCUMENT_KEYS_FILE, or print it by account (--by-account)",
        )
    return keys.opened(row.key_id, bytes(row.sealed), row.about)


def seal_again(session: Session, keys: SealingKeys, now: datetime) -> int:
    """Seal with the newest key what older keys sealed last; how many. Commits as it goes; run again, it goes on."""
    changed, last = 0, 0
    query = _newest().where(issued_addressee.c.key_id != keys.newest).order_by(issued_addressee.c.id).limit(AT_ONCE)
    while rows := session.execute(query.where(issued_addressee.c.id > last)).all():
        for row in rows:
            addressee = keys.opened(row.key_id, bytes(row.sealed), row.about)
            keep_sealed(session, row.document_id, keys, addressee, now)
            changed += 1
        last = rows[-1].id
        session.commit()
    return changed


_ABOUT: Final = sa.func.concat_ws(
    " ", issued_document.c.kind, issued_document.c.number, issued_document.c.version, issued_document.c.account
)


def _newest() -> sa.Select[Any]:
    later = issued_addressee.alias("later")
    same = later.c.document_id == issued_addressee.c.document_id
    return (
        sa.select(issued_addressee, _ABOUT.label("about"))
        .join(issued_document, issued_document.c.id == issued_addressee.c.document_id)
        .where(~sa.exists().where(same, later.c.id > issued_addressee.c.id))
    )


def _no_key(why: str) -> Refused:
    return Refused("document.key_file", f"KEIZOKU_DOCUMENT_KEYS_FILE={why}", "see `keizoku documents new-key`")
