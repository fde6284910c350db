"""Notices, demands and letters as they went out: stored once as printed, printed from the store from then on.

    issue_letter(…, document N12) ──> issued_document: kind overdue, number 12, the printed letter ja and en, SHA-256
                                         └─ templates, own sentences or the issuer change: the letter does not

A letter is issued when it goes out: by mail, into a folder, to a mailer of others, or marked as sent. Its sum is what
it is about: what is asked for, given or given up, 0 where it is about no amount.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.documents.addressees import SealingKeys, sealed_of
from keizoku.billing.documents.issued_documents import Issuing, checked, last_version, store
from keizoku.billing.documents.outbox import HANDOVER_OF, OutgoingDocument, document, parse_id
from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.letters import (
    Page,
    addressed,
    printed_of_json,
)
from keizoku.db.review_tasks import close_tasks
from keizoku.db.session import Session
from keizoku.db.tables.money import handover, review_task
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang, sentence

__all__ = ["hand_over", "issue_letter", "letters_of", "page_of", "preview_of"]

_FIRST: Final = frozenset({"demand", "claim_granted", "recalculation"})
"""Kinds whose sum is the first of their amounts, the new one; of the others it is the last."""
_BOTH: Final[tuple[Lang, Lang]] = ("ja", "en")


def issue_letter(session: Session, letter: OutgoingDocument, issuing: Issuing) -> sa.Row[Any] | None:
    """The stored row of a letter, which is stored now unless it is. None: its user's name is unfit (`issuing.naming`).

    Refused where the directory is silent. Does not commit.
    """
    number = parse_id(letter.id)[1]
    last = last_version(session, letter.kind, number)
    if last is not None:
        checked(last)
        return last
    on = letter.written_on
    said = {lang: letter.printed(lang, issuing.issuer) for lang in _BOTH}
    facts = {
        "kind": letter.kind,
        "number": number,
        "account": letter.account,
        "issued_on": on,
        "yen": _sum(letter.kind, said["ja"].amounts),
        "tax_yen": 0,
        "issuer": issuing.issuer.on(on).name,
        "registration": None,
        "qualified": False,
        "content": json.loads(json.dumps({lang: asdict(letter) for lang, letter in said.items()})),
    }
    if store(session, facts, issuing, None) is None:
        return None
    return last_version(session, letter.kind, number)


def page_of(session: Session, row: sa.Row[Any], lang: Lang, keys: SealingKeys | None, *, by_account: bool) -> Page:
    """A stored letter as it is sent: Japanese and then English, or English alone. Refused where its key is missing."""
    addressee = None if by_account else sealed_of(session, row.id, keys)
    return letters_of(row, lang, addressee)


def letters_of(row: sa.Row[Any], lang: Lang, addressee: Addressee | None) -> Page:
    """The same, to an addressee that is known already, or to the account."""
    langs: tuple[Lang, ...] = _BOTH if lang == "ja" else ("en",)
    return Page(tuple(addressed(printed_of_json(row.content[each]), row.account, addressee) for each in langs))


def hand_over(session: Session, document_id: str, issuing: Issuing, handed_at: datetime) -> bool:
    """Record when a document was given to the mailer, once; False where the same time is recorded already. Commits.

    What went out is stored with it, unless it is. Raises Refused for a time before it was written or still to come, and
    for another time than the recorded one.
    """
    series, number = parse_id(document_id)
    known = document(session, document_id)
    when, now = iso_jst(handed_at), issuing.now
    if not issuing.author.strip():
        raise Refused("act.unsigned", f"document {document_id}: say who or what sends it")
    if when < known.written_at or handed_at > now:
        raise Refused(
            "document.handed_over_outside",
            f"document {document_id}: it was written at {known.written_at} and it is {iso_jst(now)} now; "
            f"it cannot have been handed over at {when}",
        )
    done = session.execute(
        insert(handover)
        .values({HANDOVER_OF[series]: number, "handed_at": handed_at, "author": issuing.author, "recorded_at": now})
        .on_conflict_do_nothing()
        .returning(handover.c.id)
    ).first()
    if done is not None:
        issue_letter(session, known, issuing)
    close_tasks(
        session,
        issuing.author,
        "handed over",
        now,
        review_task.c.kind.in_(("mail_no_address", "mail_refused", "mail_unknown", "addressee_unfit")),
        review_task.c.subject == known.id,
    )
    session.commit()
    if done is not None:
        return True
    recorded = document(session, document_id).handed_over_at
    if recorded != when:
        raise Refused(
            "document.handed_over", f"document {document_id}: it was handed over at {recorded} already; that stays"
        )
    return False


def preview_of(letter: OutgoingDocument, issuer: Issuer, lang: Lang, addressee: Addressee | None = None) -> Page:
    """What a letter that has not gone out would be, marked as such."""
    langs: tuple[Lang, ...] = _BOTH if lang == "ja" else ("en",)
    drawn = [addressed(letter.printed(each, issuer), letter.account, addressee) for each in langs]
    marks = [sentence("letter.preview", each.lang, {}) for each in drawn]
    return Page(tuple(replace(each, number=f"{each.number} {mark}") for each, mark in zip(drawn, marks, strict=True)))


def _sum(kind: str, amounts: Sequence[tuple[str, int]]) -> int:
    return amounts[0 if kind in _FIRST else -1][1] if amounts else 0
