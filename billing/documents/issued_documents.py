"""Invoices and credit notes as they were issued: stored once, printed from the store, found, handed over.

    issue(…, "invoice", 12) ──> version 1: content ja and en, sums, issuer, SHA-256 ──> the same bytes of facts for good
                                 the facts are others by now (voided) and people ask for it ──> version 2 replaces it

Refused: a document of nobody (no issuer is set). What is not issued can be looked at; of nobody it says that it is a
draft.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Final, Literal, cast

import sqlalchemy as sa

from keizoku.billing.documents.invoice_documents import credit_note_of, statement_of
from keizoku.billing.documents.rendering import document_html
from keizoku.billing.rules.documents.invoice_document import (
    RETURN_INVOICE_FROM_YEN,
    PrintedDocument,
    credit_note_document,
    invoice_document,
)
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.documents import issued_document
from keizoku.db.tables.money import credit, invoice
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.money import tax_included_yen
from keizoku.terms.read_model import ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang
from keizoku.terms.rules import Rules

Kind = Literal["invoice", "credit_note"]
_COLUMNS: Final = (
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
class Wanted:
    """What is looked for; conditions that are stated hold together. Days and sums include both ends."""

    from_on: date | None = None
    to_on: date | None = None
    from_yen: int | None = None
    to_yen: int | None = None
    account: str | None = None

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


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who issues, who asks for it, and when."""

    issuer: Issuer
    author: str
    now: datetime


def issue(session: Session, rules: Rules, kind: Kind, number: int, issuing: Issuing, *, anew: bool = False) -> bool:
    """Store a document unless it is stored; True where a version was added. Does not commit.

    `anew`: where what it says is not what its last version says, a further version replaces that.
    """
    if not issuing.issuer.name.strip():
        raise Refused("document.no_issuer", f"{kind} {number}: nobody issues it", "set KEIZOKU_ISSUER_NAME")
    if not issuing.author.strip():
        raise Refused("act.unsigned", f"{kind} {number}: say who issues it")
    last = _last(session, kind, number)
    if last is not None and not anew:
        return False
    facts = _facts(session, rules, kind, number, issuing.issuer)
    sha256 = digest_of(facts["content"])
    if last is not None and last.sha256 == sha256:
        return False
    version, supersedes = (1, None) if last is None else (last.version + 1, last.id)
    session.execute(
        sa.insert(issued_document).values(
            kind=kind,
            number=number,
            version=version,
            supersedes=supersedes,
            issuer=issuing.issuer.name,
            sha256=sha256,
            author=issuing.author,
            stored_at=issuing.now,
            **facts,
        )
    )
    return True


def issue_month(session: Session, rules: Rules, month: Month, issuing: Issuing) -> int:
    """Store every invoice of a month, and every credit note that is due, that is not stored; how many. Commits."""
    want_to_add(session, issued_document)
    stored: sa.ColumnElement[bool] = sa.exists().where(issued_document.c.number == invoice.c.id, _is("invoice"))
    noted: sa.ColumnElement[bool] = sa.exists().where(issued_document.c.number == credit.c.id, _is("credit_note"))
    days = month.first_on, month.end_on
    wanted: list[tuple[Kind, sa.Select[int]]] = [
        (
            "invoice",
            sa.select(invoice.c.id).where(invoice.c.issued_on >= days[0], invoice.c.issued_on < days[1], ~stored),
        ),
        (
            "credit_note",
            sa.select(credit.c.id).where(
                credit.c.granted_on >= days[0],
                credit.c.granted_on < days[1],
                credit.c.granted_yen >= RETURN_INVOICE_FROM_YEN,
                ~noted,
            ),
        ),
    ]
    added = 0
    for kind, query in wanted:
        for number in session.scalars(query.order_by(query.selected_columns[0])).all():
            added += issue(session, rules, kind, number, issuing)
    session.commit()
    return added


def found(session: Session, wanted: Wanted, *, limit: int | None = None, after: int = 0) -> list[IssuedDocument]:
    """The documents that meet every condition, in the order of storing; at most `limit`, behind `after`."""
    query = sa.select(*(issued_document.c[name] for name in _COLUMNS)).where(
        issued_document.c.id > after, *wanted.conditions()
    )
    return [
        IssuedDocument(**row._mapping) for row in session.execute(query.order_by(issued_document.c.id).limit(limit))
    ]


def found_count(session: Session, wanted: Wanted) -> int:
    """How many `found` has in all."""
    query = sa.select(sa.func.count()).select_from(issued_document).where(*wanted.conditions())
    return session.scalar(query) or 0


def as_issued(session: Session, kind: Kind, number: int, lang: Lang) -> PrintedDocument | None:
    """What the newest version says; None: it was not issued. Refused where it is not what was stored."""
    last = _last(session, kind, number)
    return None if last is None else stored(session, last.id, lang)


def stored(session: Session, document_id: int, lang: Lang) -> PrintedDocument:
    """What a version says in a language. Refused for one that does not exist, or whose content has another hash."""
    row = session.execute(sa.select(issued_document).where(issued_document.c.id == document_id)).one_or_none()
    if row is None:
        raise Refused("document.not_issued", f"no document {document_id} was issued", "see `keizoku documents list`")
    if digest_of(row.content) != row.sha256:
        raise Refused("document.altered", f"document {document_id} is not what was stored: its hash is another")
    return _printed(row.content[lang])


def archive(session: Session, wanted: Wanted) -> bytes:
    """The documents that are found as a ZIP: index.csv, and a page of each version in each language."""
    out, index = io.BytesIO(), io.StringIO(newline="")
    rows = csv.writer(index, lineterminator="\r\n")
    rows.writerow((*_COLUMNS, "file_ja", "file_en"))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:

        def put(name: str, text: str) -> None:
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text.encode(), zipfile.ZIP_DEFLATED)

        for each in found(session, wanted):
            names = [f"{each.kind}-{each.number}-v{each.version}.{lang}.html" for lang in ("ja", "en")]
            values = {**each.to_json(), "stored_at": iso_jst(each.stored_at)}
            rows.writerow((*(values[name] for name in _COLUMNS), *names))
            for name, lang in zip(names, cast("Sequence[Lang]", ("ja", "en")), strict=True):
                put(name, document_html(stored(session, each.id, lang)))
        put("index.csv", "\ufeff" + index.getvalue())
    return out.getvalue()


def digest_of(content: object) -> str:
    """SHA-256 of a document's content, as canonical JSON: keys in order, UTF-8."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _is(kind: Kind) -> sa.ColumnElement[bool]:
    return issued_document.c.kind == kind


def _last(session: Session, kind: Kind, number: int) -> sa.Row[Any] | None:
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
    content = json.loads(json.dumps({"ja": asdict(draw("ja")), "en": asdict(draw("en"))}))
    return {
        "account": account,
        "issued_on": on,
        "yen": amounts[0],
        "tax_yen": amounts[1],
        "registration": registration,
        "qualified": registration is not None,
        "content": content,
    }


def _printed(said: dict[str, Any]) -> PrintedDocument:
    return PrintedDocument(
        said["lang"],
        said["title"],
        tuple((name, words) for name, words in said["fields"]),
        tuple((name, yen) for name, yen in said["rows"]),
        tuple((name, yen) for name, yen in said["totals"]),
        tuple(said["notes"]),
    )
