"""Documents as they were issued: stored once, printed from the store, found, handed over.

    issue(…, "invoice", 12) ──> version 1: content ja and en, sums, issuer, SHA-256 ──> the same bytes of facts for good
                                 the facts are others by now (voided) and people ask for it ──> version 2 replaces it

Refused: an invoice of nobody (no issuer is set). What is not issued can be looked at; of nobody it says that it is a
draft. Letters are issued by issued_letters.py; where a directory is set, documents bear names (addressees.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.documents.addressees import Naming, SealingKeys, keep_sealed, sealed_of
from keizoku.billing.documents.invoice_documents import credit_note_of, statement_of
from keizoku.billing.rules.documents.addressee import Addressee, Unfit
from keizoku.billing.rules.documents.invoice_document import (
    PrintedDocument,
    credit_note_document,
    invoice_document,
    to_addressee,
)
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.session import Session
from keizoku.db.tables.documents import INVOICE_KINDS, issued_document
from keizoku.terms.money import tax_included_yen
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang
from keizoku.terms.rules import Rules

Kind = Literal["invoice", "credit_note"]
COLUMNS: Final = (
    "id", "kind", "number", "version", "supersedes", "account", "issued_on", "yen", "tax_yen", "issuer", "registration",
    "sha256", "author", "stored_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class IssuedDocument(ReadModel):
    """A version of a document in the store; whole yen, tax included, below zero for what was given back."""

    id: int
    kind: str
    number: int
    version: int
    supersedes: int | None
    account: str
    issued_on: date
    yen: int
    tax_yen: int
    issuer: str
    registration: str | None
    sha256: str
    author: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentSearch:
    """What is looked for; conditions that are stated hold together. Days and sums include both ends."""

    from_on: date | None = None
    to_on: date | None = None
    from_yen: int | None = None
    to_yen: int | None = None
    account: str | None = None
    kinds: tuple[str, ...] = ()

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """As conditions of a query."""
        columns = issued_document.c
        if self.from_on is not None:
            yield columns.issued_on >= self.from_on
        if self.to_on is not None:
            yield columns.issued_on <= self.to_on
        if self.from_yen is not None:
            yield columns.yen >= self.from_yen
        if self.to_yen is not None:
            yield columns.yen <= self.to_yen
        if self.account is not None:
            yield columns.account == self.account
        if self.kinds:
            yield columns.kind.in_(self.kinds)


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who issues, who asks for it, and when."""

    issuer: Issuer
    author: str
    now: datetime
    naming: Naming | None = None


def issue(session: Session, rules: Rules, kind: Kind, number: int, issuing: Issuing, *, anew: bool = False) -> bool:
    """Store a document unless it is stored; True where a version was added. Does not commit.

    `anew`: where what it says is not what its last version says, a further version replaces that.
    """
    last = last_version(session, kind, number)
    if last is not None and not anew:
        return False
    return store(session, _facts(session, rules, kind, number, issuing.issuer), issuing, last) is not None


def store(session: Session, facts: Mapping[str, Any], issuing: Issuing, last: sa.Row[Any] | None) -> int | None:
    """Store a version with its addressee, sealed, behind the last one; its number, or None where it says the same.

    Refused without an author or, for an invoice, an issuer. A user whose name cannot stand on a document gets none;
    `issuing.naming` says why. Does not commit.
    """
    named = f"{facts['kind']} {facts['number']}"
    if facts["kind"] in INVOICE_KINDS and not facts["issuer"].strip():
        raise Refused("document.no_issuer", f"{named}: nobody issues it", "set KEIZOKU_ISSUER_NAME")
    if not issuing.author.strip():
        raise Refused("act.unsigned", f"{named}: say who issues it")
    sha256 = digest_of(facts["content"])
    if last is not None and last.sha256 == sha256:
        return None
    addressee = issuing.naming.of(facts["account"]) if issuing.naming is not None else None
    if isinstance(addressee, Unfit):
        return None
    stored_id = int(
        session.execute(
            insert(issued_document)
            .values(
                version=1 if last is None else last.version + 1,
                supersedes=None if last is None else last.id,
                sha256=sha256,
                author=issuing.author,
                stored_at=issuing.now,
                **facts,
            )
            .on_conflict_do_nothing(index_elements=["kind", "number", "version"])  # somebody stored it this moment
            .returning(issued_document.c.id)
        ).scalar()
        or 0
    )
    if not stored_id:
        return None
    if addressee is not None and issuing.naming is not None:
        keep_sealed(session, stored_id, issuing.naming.keys, addressee, issuing.now)
    return stored_id


def found(
    session: Session, wanted: DocumentSearch, *, limit: int | None = None, after: int = 0
) -> list[IssuedDocument]:
    """The documents that meet every condition, in the order of storing; at most `limit`, behind `after`."""
    query = sa.select(*(issued_document.c[name] for name in COLUMNS)).where(
        issued_document.c.id > after, *wanted.conditions()
    )
    return [
        IssuedDocument(**row._mapping) for row in session.execute(query.order_by(issued_document.c.id).limit(limit))
    ]


def found_count(session: Session, wanted: DocumentSearch) -> int:
    """How many `found` has in all."""
    query = sa.select(sa.func.count()).select_from(issued_document).where(*wanted.conditions())
    return session.scalar(query) or 0


@dataclass(frozen=True, slots=True)
class NamingKeys:
    """Whether documents are printed with the names of their users, and the keys that these are sealed with."""

    keys: SealingKeys | None = None
    named: bool = False

    def of(self, session: Session, document_id: int) -> Addressee | None:
        """To whom a document went by name, if that is to be printed. Refused where its key is missing."""
        return sealed_of(session, document_id, self.keys) if self.named else None


BY_ACCOUNT: Final = NamingKeys()


def as_issued(
    session: Session, kind: Kind, number: int, lang: Lang, naming: NamingKeys = BY_ACCOUNT
) -> PrintedDocument | None:
    """What the newest version says; None: it was not issued. Refused where it is not what was stored."""
    last = last_version(session, kind, number)
    if last is None:
        return None
    return printed_document(kept(session, last.id), lang, naming.of(session, last.id))


def stored(session: Session, document_id: int, lang: Lang) -> PrintedDocument:
    """What a version of an invoice or credit note says in a language. Refused as by `kept`."""
    return printed_document(kept(session, document_id), lang)


def kept(session: Session, document_id: int) -> sa.Row[Any]:
    """The row of a version. Refused for one that does not exist, or whose content has another hash."""
    row = session.execute(sa.select(issued_document).where(issued_document.c.id == document_id)).one_or_none()
    if row is None:
        raise Refused("document.not_issued", f"no document {document_id} was issued", "see `keizoku documents list`")
    checked(row)
    return row


def checked(row: sa.Row[Any]) -> None:
    """Refused where the content of a version is not what was stored."""
    if digest_of(row.content) != row.sha256:
        raise Refused("document.altered", f"document {row.id} is not what was stored: its hash is another")


def printed_document(row: sa.Row[Any], lang: Lang, addressee: Addressee | None = None) -> PrintedDocument:
    """What the row of an invoice or credit note says in a language, to its account or to a name."""
    said = row.content[lang]
    document = PrintedDocument(
        said["lang"],
        said["title"],
        tuple((name, words) for name, words in said["fields"]),
        tuple((name, yen) for name, yen in said["rows"]),
        tuple((name, yen) for name, yen in said["totals"]),
        tuple(said["notes"]),
    )
    return to_addressee(document, row.account, addressee)


def digest_of(content: object) -> str:
    """SHA-256 of a document's content, as canonical JSON: keys in order, UTF-8."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _is(kind: str) -> sa.ColumnElement[bool]:
    return issued_document.c.kind == kind


def last_version(session: Session, kind: str, number: int) -> sa.Row[Any] | None:
    """The newest version of a document, or None."""
    query = sa.select(issued_document).where(_is(kind), issued_document.c.number == number)
    return session.execute(query.order_by(issued_document.c.version.desc()).limit(1)).first()


def _facts(session: Session, rules: Rules, kind: Kind, number: int, issuer: Issuer) -> dict[str, Any]:
    draw: Callable[[Lang], PrintedDocument]
    if kind == "invoice":
        told = statement_of(session, rules, number, issuer)
        account, on, amounts = told.account, told.issued_on, (told.charged_yen, told.tax_yen)
        draw = partial(invoice_document, told)
    else:
        note = credit_note_of(session, rules, number, issuer)
        account, on = note.account, note.granted_on
        amounts = (-note.yen, -tax_included_yen(note.yen, note.tax_rate))
        draw = partial(credit_note_document, note)
    registration = issuer.number_on(on)
    by = issuer.on(on)
    content = json.loads(json.dumps({"ja": asdict(draw("ja")), "en": asdict(draw("en"))}))
    return {
        "kind": kind,
        "number": number,
        "account": account,
        "issued_on": on,
        "issuer": by.name,
        "yen": amounts[0],
        "tax_yen": amounts[1],
        "registration": registration,
        "qualified": registration is not None,
        "content": content,
    }
