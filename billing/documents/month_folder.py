"""The documents of a month, one file each: billing statements, credit notes, demands for late interest.

    write_documents(session, rules, Month(2026, 4), Path("2026-04"), Printing(issuer, "ja"))
        statement-12.pdf   return-4.pdf   demand-3.html   …   documents.jsonl   SHA256SUMS

A run that is killed is continued by the next: `documents.jsonl` names each file that is complete, and from which facts;
a file with the same facts and the same bytes is kept, everything else is written. SHA256SUMS comes last: a folder
that has it is whole. A document counts to the JST month in which it was issued, granted or demanded. Read only; memory
does not grow with the documents' size. OSError where a file cannot be written, Refused while another run writes there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from keizoku.billing.documents.atomic_files import SUMS, alone, digest
from keizoku.billing.documents.interest_demands import demand_html, demand_of
from keizoku.billing.documents.invoice_documents import credit_note_of, statement_of
from keizoku.billing.documents.issued_documents import BY_ACCOUNT, Kind, NamingKeys, as_issued
from keizoku.billing.documents.rendering import document_html, document_pdf
from keizoku.billing.rules.documents.invoice_document import (
    RETURN_INVOICE_FROM_YEN,
    PrintedDocument,
    credit_note_document,
    invoice_document,
    unissued,
)
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.session import Session
from keizoku.db.tables.money import credit, demand, invoice
from keizoku.terms.calendar import Month
from keizoku.terms.rendering import Lang
from keizoku.terms.rules import Rules

Form = Literal["pdf", "html"]
Progress = Callable[[int, int], None]
"""Called with how many documents are there, of how many."""
MANIFEST = "documents.jsonl"
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Printing:
    """How statements and return invoices are printed: by whom, in which language and form, with which font."""

    issuer: Issuer
    lang: Lang
    form: Form = "pdf"
    font: Path | None = None
    naming: NamingKeys = BY_ACCOUNT


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did."""

    folder: Path
    documents: int
    new: int  # written by this run; the others were there already
    yen: int  # what the statements ask for, after credits


class _Made(NamedTuple):
    """A document before it is rendered: its file, a digest of its facts, how to render it, the yen it asks for."""

    name: str
    facts: str
    draw: Callable[[], bytes]
    yen: int


class _Kept(NamedTuple):
    facts: str
    sha256: str


def write_documents(
    session: Session,
    rules: Rules,
    month: Month,
    folder: Path,
    printing: Printing,
    *,
    progress: Progress = lambda done, whole: None,
) -> Written:
    """Write every document of a month into a folder, which is made, or finish what an earlier run began there.

    Demands are pages in both languages as they were sent, whatever `printing` says. Raises FontError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / ".lock", folder):
        (folder / SUMS).unlink(missing_ok=True)
        known = _known(folder)
        new = yen = 0
        sums: dict[str, _Kept] = {}
        whole = sum(_count(session, month))
        with (folder / MANIFEST).open("a", encoding="utf-8") as manifest:
            manifest.write("\n")  # end a line that a killed run left incomplete
            for made in _documents(session, rules, month, printing):
                kept = known.get(made.name)
                if kept is None or kept.facts != made.facts or not _stands(folder / made.name, kept.sha256):
                    kept = _write(folder / made.name, made)
                    new += 1
                    manifest.write(_line(made.name, kept))
                    manifest.flush()
                sums[made.name] = kept
                yen += made.yen
                progress(len(sums), whole)
        for name in known.keys() - sums.keys():  # in another format, or of something that is gone
            (folder / name).unlink(missing_ok=True)
        _put(folder / MANIFEST, "".join(_line(name, kept) for name, kept in sums.items()))
        lines = {name: kept.sha256 for name, kept in sums.items()} | {MANIFEST: digest(folder / MANIFEST)}
        _put(folder / SUMS, "".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))
    return Written(folder, len(sums), new, yen)


def _documents(session: Session, rules: Rules, month: Month, printing: Printing) -> Iterator[_Made]:
    issuer, lang, form, font = printing.issuer, printing.lang, printing.form, printing.font

    def drawn(kind: Kind, number: int, drafted: PrintedDocument, by: Issuer, yen: int = 0) -> _Made:
        document = as_issued(session, kind, number, lang, printing.naming) or unissued(drafted, by)
        name = f"{'statement' if kind == 'invoice' else 'return'}-{number}"
        facts = hashlib.sha256(f"{form} {font or ''} {document!r}".encode()).hexdigest()
        if form == "html":
            return _Made(f"{name}.html", facts, lambda: document_html(document).encode(), yen)
        return _Made(f"{name}.pdf", facts, lambda: document_pdf(document, font), yen)

    invoices, credits, demands = _wanted(month)
    for number in _numbers(session, invoices):
        statement = statement_of(session, rules, number, issuer)
        yield drawn("invoice", number, invoice_document(statement, lang), statement.issuer, statement.charged_yen)
    for number in _numbers(session, credits):
        note = credit_note_of(session, rules, number, issuer)
        yield drawn("credit_note", number, credit_note_document(note, lang), note.issuer)
    for number in _numbers(session, demands):
        page = demand_html(demand_of(session, number)).encode()
        yield _Made(f"demand-{number}.html", hashlib.sha256(page).hexdigest(), partial(bytes, page), 0)


def _wanted(month: Month) -> tuple[sa.Select[Any], ...]:
    """The numbers of the month's invoices, of its credits for which a document is due, and of its demands."""
    days = ((invoice, invoice.c.issued_on), (credit, credit.c.granted_on), (demand, demand.c.demanded_on))
    queries = [
        sa.select(table.c.id).where(on >= month.first_on, on < month.end_on).order_by(table.c.id) for table, on in days
    ]
    queries[1] = queries[1].where(credit.c.granted_yen >= RETURN_INVOICE_FROM_YEN)
    return tuple(queries)


def _count(session: Session, month: Month) -> Iterator[int]:
    for query in _wanted(month):
        yield int(session.execute(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())).scalar_one())


def _numbers(session: Session, query: sa.Select[Any]) -> Iterator[int]:
    """The numbers, in chunks."""
    number = query.selected_columns[0]
    last = 0
    while found := [int(row[0]) for row in session.execute(query.where(number > last).limit(_AT_ONCE))]:
        yield from found
        last = found[-1]


def _known(folder: Path) -> dict[str, _Kept]:
    """What earlier runs recorded as written; incomplete lines are left out."""
    known: dict[str, _Kept] = {}
    try:
        with (folder / MANIFEST).open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    progress = json.loads(line)
                    name, kept = str(progress["file"]), _Kept(str(progress["facts"]), str(progress["sha256"]))
                except (ValueError, KeyError, TypeError):
                    continue
                if name == Path(name).name:
                    known[name] = kept
    except FileNotFoundError:
        pass
    return known


def _stands(file: Path, sha256: str) -> bool:
    try:
        return digest(file) == sha256
    except FileNotFoundError:
        return False


def _write(file: Path, made: _Made) -> _Kept:
    content = made.draw()
    beside = file.with_name(".partial")
    beside.write_bytes(content)
    beside.replace(file)
    return _Kept(made.facts, hashlib.sha256(content).hexdigest())


def _put(file: Path, text: str) -> None:
    beside = file.with_name(".partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def _line(name: str, kept: _Kept) -> str:
    return json.dumps({"file": name, "facts": kept.facts, "sha256": kept.sha256}) + "\n"
