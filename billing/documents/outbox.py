"""Documents for users, to be sent by a mailer: what was written, and when each was handed over.

    the night writes it ──> `waiting` lists it ──> the mailer sends it ──> `issued_letters.hand_over` records when

Writing a document does not send it, and a declaration counts from the day on which it reaches the user: so the time
of the handover is a fact of its own, recorded once and never changed. Notices have ids like N12, demands for late
interest like D3, letters about decisions like L7.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.letters import (
    Heading,
    LetterText,
    Page,
    PrintedLetter,
    addressed,
    letter_text,
    notice_letter,
    printed,
    printed_of_json,
)
from keizoku.billing.rules.documents.notice_text import SUBJECTS, Item
from keizoku.db.session import Session, numbers
from keizoku.db.tables.documents import issued_document
from keizoku.db.tables.letters import letter
from keizoku.db.tables.money import demand, handover, user_notice
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang

NOBODY = Issuer()
"""The sender where none is set."""


@dataclass(frozen=True, slots=True)
class OutgoingDocument:
    """A notice or a demand; instants in JST text, None where it was not handed over."""

    id: str
    kind: str
    account: str
    written_at: str
    handed_over_at: str | None
    handed_over_by: str | None
    subject_ja: str
    subject_en: str
    body_ja: str
    body_en: str
    facts: Mapping[str, Any] | None = None  # of a letter about a decision
    items: Sequence[Item] = ()  # the list of a notice or a demand
    written_ja: str = ""  # its paragraphs, a line each
    written_en: str = ""
    content: Mapping[str, Any] | None = None  # the stored letter, where it went out: subject and body are its own
    dated_on: date | None = None  # the JST day that it bears; None: that of writing

    def in_language(self, lang: Lang) -> dict[str, Any]:
        """As one row with `subject` and `body` in one language."""
        row = asdict(self)
        subject, body = row[f"subject_{lang}"], row[f"body_{lang}"]
        left_out = ("facts", "items", "content", "dated_on")
        shared = {
            name: value for name, value in row.items() if name not in left_out and not name.endswith(("_ja", "_en"))
        }
        return {**shared, "lang": lang, "subject": subject, "body": body}

    def page(self, lang: Lang, sender: Issuer = NOBODY, addressee: str = "") -> Page:
        """As a letter: Japanese and then English, or English alone; `addressee`: its name instead of the account.

        As it went out, if it did; else as it would go out now, from this sender.
        """
        langs: tuple[Lang, ...] = ("ja", "en") if lang == "ja" else ("en",)
        to = Addressee(addressee) if addressee else None
        return Page(tuple(addressed(self._letter(each, sender), self.account, to) for each in langs))

    def html(self, lang: Lang, sender: Issuer = NOBODY, addressee: str = "") -> str:
        """The same as a page of its own that loads nothing from elsewhere."""
        from keizoku.billing.documents.rendering import letter_html

        return letter_html(self.page(lang, sender, addressee))

    def _letter(self, lang: Lang, sender: Issuer) -> PrintedLetter:
        return self.printed(lang, sender) if self.content is None else printed_of_json(self.content[lang])

    def printed(self, lang: Lang, sender: Issuer) -> PrintedLetter:
        """The letter that would go out now, to the account."""
        heading = Heading(self.id, self.written_on, sender, self.account)
        return printed(heading, self.subject_ja if lang == "ja" else self.subject_en, self.text(lang), lang)

    @property
    def written_on(self) -> date:
        """The day that it bears."""
        return self.dated_on or date.fromisoformat(self.written_at[:10])

    def text(self, lang: Lang) -> LetterText:
        """What it says now, without its heading; what it said when it went out is in issued_letters.py."""
        if self.facts is not None:
            return letter_text(self.kind, self.facts, lang)
        return notice_letter(self.kind, self.written_ja if lang == "ja" else self.written_en, self.items, lang)

    def to_json(self) -> dict[str, Any]:
        """Both languages, as one row."""
        return {name: value for name, value in asdict(self).items() if name not in _RAW}


_RAW: Final = ("items", "written_ja", "written_en", "content", "dated_on")
"""Of what a body is made."""


Among = Mapping[str, tuple[int, Sequence[int]]]
"""table -> (id, ids): the documents above the one, and the others."""


def waiting(
    session: Session,
    *,
    account: str | None = None,
    kinds: Collection[str] = (),
    also_handed_over: bool = False,
    limit: int | None = None,
    after: str = "",
    among: Among | None = None,
) -> list[OutgoingDocument]:
    """Documents that wait for the mailer, in the order in which they were written.

    At most `limit`, behind the document `after`, which may have been handed over meanwhile. `among`: of which alone
    any can wait, as whoever asks has seen before; without it all are looked through.
    """
    query = _waiting(account, kinds, also_handed_over=also_handed_over, among=among)
    columns = query.selected_columns
    if after:
        last = document(session, after)
        series, number = parse_id(after)
        same = columns.written_at == datetime.fromisoformat(last.written_at)
        query = query.where(
            sa.or_(
                columns.written_at > datetime.fromisoformat(last.written_at),
                sa.and_(same, columns.letter < series),
                sa.and_(same, columns.letter == series, columns.id > number),
            )
        )
    rows = session.execute(query.order_by(columns.written_at, columns.letter.desc(), columns.id).limit(limit)).all()
    stored = _stored(session, rows)
    return [_document(row, stored) for row in rows]


def waiting_count(
    session: Session,
    *,
    account: str | None = None,
    kinds: Collection[str] = (),
    also_handed_over: bool = False,
) -> int:
    """How many documents `waiting` has in all."""
    query = _waiting(account, kinds, also_handed_over=also_handed_over)
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _waiting(
    account: str | None, kinds: Collection[str], *, also_handed_over: bool, among: Among | None = None
) -> sa.Select[Any]:
    def wanted(table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
        """Of each table, so that its own indexes find them."""
        if account is not None:
            yield table.c.account == account
        if kinds and "kind" in table.c:
            yield table.c.kind.in_(kinds)
        if not also_handed_over:
            yield handover.c.handed_at.is_(None)
            if among is not None:
                up_to, still_open = among.get(table.name, (0, ()))
                yield sa.or_(table.c.id > up_to, table.c.id == sa.any_(numbers(still_open)))

    query = _documents(wanted)
    return query.where(query.selected_columns.kind.in_(kinds)) if kinds else query


def document(session: Session, document_id: str) -> OutgoingDocument:
    """One document. Raises Refused for an id that does not exist."""
    kind, number = parse_id(document_id)
    query = _documents()
    columns = query.selected_columns
    row = session.execute(query.where(columns.letter == kind, columns.id == number)).first()
    if row is None:
        raise Refused(
            "document.unknown", f"there is no document {document_id}", "`keizoku notice list --also-sent` lists them"
        )
    return _document(row, _stored(session, [row]))


HANDOVER_OF = {"N": "notice_id", "L": "letter_id", "D": "demand_id"}
"""The first letter of an id -> the column of its handover."""


def parse_id(document_id: str) -> tuple[str, int]:
    """Series and number of an id like N12. Raises Refused for what is none."""
    kind, number = document_id[:1].upper(), document_id[1:]
    if kind not in HANDOVER_OF or not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise Refused(
            "document.id_form", f"not the id of a document: {document_id!r}", "notices are N12, demands D3, letters L7"
        )
    return kind, int(number)


_INVOICE = sa.cast(sa.func.split_part(letter.c.occasion, ":", 2), sa.BigInteger)


def _nothing_more(table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
    del table
    return iter(())


def _documents(wanted: Callable[[sa.Table], Iterator[sa.ColumnElement[bool]]] = _nothing_more) -> sa.Select[Any]:
    sent = (handover.c.handed_at, handover.c.author)
    notices = sa.select(
        sa.literal("N").label("letter"),
        user_notice.c.id,
        user_notice.c.kind,
        user_notice.c.account,
        user_notice.c.written_at,
        user_notice.c.body_ja,
        user_notice.c.body_en,
        user_notice.c.details,
        sa.cast(None, JSONB).label("facts"),
        sa.cast(None, sa.Date).label("dated_on"),
        *sent,
    ).outerjoin(handover, handover.c.notice_id == user_notice.c.id)
    demands = sa.select(
        sa.literal("D"),
        demand.c.id,
        sa.literal("demand"),
        demand.c.account,
        demand.c.written_at,
        demand.c.body_ja,
        demand.c.body_en,
        demand.c.details,
        sa.cast(None, JSONB),
        sa.cast(None, sa.Date),
        *sent,
    ).outerjoin(handover, handover.c.demand_id == demand.c.id)
    nothing = sa.cast(None, sa.Text)
    letters = sa.select(
        sa.literal("L"),
        letter.c.id,
        letter.c.kind,
        letter.c.account,
        letter.c.written_at,
        nothing,
        nothing,
        sa.cast(None, JSONB),
        sa.case(  # the number of its invoice is in its occasion alone
            (letter.c.kind == "credit", letter.c.facts + sa.func.jsonb_build_object("invoice", _INVOICE)),
            else_=letter.c.facts,
        ),
        letter.c.written_on,
        *sent,
    ).outerjoin(handover, handover.c.letter_id == letter.c.id)
    arms = ((notices, user_notice), (demands, demand), (letters, letter))
    return sa.select(sa.union_all(*(arm.where(*wanted(table)) for arm, table in arms)).subquery())


def _stored(session: Session, rows: Sequence[sa.Row[Any]]) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """(kind, number) -> content of those that went out."""
    wanted = [(row.kind, row.id) for row in rows]
    if not wanted:
        return {}
    columns = issued_document.c
    query = sa.select(columns.kind, columns.number, columns.content).order_by(columns.version)
    found = session.execute(query.where(sa.tuple_(columns.kind, columns.number).in_(wanted)))
    return {(row.kind, row.number): row.content for row in found}


def _document(row: sa.Row[Any], stored: Mapping[tuple[str, int], Mapping[str, Any]]) -> OutgoingDocument:
    subject_ja, subject_en = SUBJECTS[row.kind]
    found = OutgoingDocument(
        id=f"{row.letter}{row.id}",
        kind=row.kind,
        account=row.account,
        written_at=iso_jst(row.written_at),
        handed_over_at=iso_jst(row.handed_at) if row.handed_at is not None else None,
        handed_over_by=row.author,
        subject_ja=subject_ja,
        subject_en=subject_en,
        body_ja="",
        body_en="",
        facts=row.facts,
        dated_on=row.dated_on,
        items=row.details or (),
        written_ja=row.body_ja or "",
        written_en=row.body_en or "",
    )
    content = stored.get((row.kind, row.id))
    if content is None:
        return replace(found, body_ja=found.text("ja").plain("ja"), body_en=found.text("en").plain("en"))
    ja, en = printed_of_json(content["ja"]), printed_of_json(content["en"])
    return replace(
        found, subject_ja=ja.subject, subject_en=en.subject, body_ja=ja.plain(), body_en=en.plain(), content=content
    )
