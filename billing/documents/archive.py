"""Issued documents handed over: a ZIP of index.csv and a page of each version in each language."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from typing import cast

from keizoku.billing.documents.addressees import SealingKeys, sealed_of
from keizoku.billing.documents.issued_documents import COLUMNS, DocumentSearch, found, kept, printed_document
from keizoku.billing.documents.issued_letters import letters_of
from keizoku.billing.documents.rendering import document_html, letter_html
from keizoku.billing.rules.documents.letters import Page
from keizoku.db.session import Session
from keizoku.db.tables.documents import INVOICE_KINDS
from keizoku.terms.calendar import iso_jst
from keizoku.terms.rendering import Lang

__all__ = ["archive"]


def archive(
    session: Session, wanted: DocumentSearch, keys: SealingKeys | None = None, *, by_account: bool = False
) -> bytes:
    """The documents that are found as a ZIP: index.csv, and a page of each version in each language.

    Refused where a document bears a name whose key is missing; with `by_account` none bears one.
    """
    out, index = io.BytesIO(), io.StringIO(newline="")
    rows = csv.writer(index, lineterminator="\r\n")
    rows.writerow((*COLUMNS, "file_ja", "file_en"))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:

        def put(name: str, text: str) -> None:
            packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text.encode(), zipfile.ZIP_DEFLATED)

        for each in found(session, wanted):
            names = [f"{each.kind}-{each.number}-v{each.version}.{lang}.html" for lang in ("ja", "en")]
            values = {**each.to_json(), "stored_at": iso_jst(each.stored_at)}
            rows.writerow((*(values[name] for name in COLUMNS), *names))
            row = kept(session, each.id)
            addressee = None if by_account else sealed_of(session, each.id, keys)
            for name, lang in zip(names, cast("Sequence[Lang]", ("ja", "en")), strict=True):
                if each.kind in INVOICE_KINDS:
                    put(name, document_html(printed_document(row, lang, addressee)))
                else:
                    put(name, letter_html(Page(letters_of(row, lang, addressee).letters[:1])))
        put("index.csv", "\ufeff" + index.getvalue())
    return out.getvalue()
