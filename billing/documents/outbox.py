"""Documents for users, to be sent by a mailer: what was written, and when each was handed over.

    the night writes it ──> `waiting` lists it ──> the mailer sends it ──> `hand_over` records when

Writing a document does not send it, and a declaration counts from the day on which it reaches the user: so the time
of the handover is a fact of its own, recorded once and never changed. Notices have ids like N12, demands for late
interest like D3, letters about decisions like L7.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.letters import Heading, LetterText, Page, letter_text, printed
from keizoku.billing.rules.documents.notice_text import SUBJECTS
from keizoku.db.review_tasks import close_tasks
from keizoku.db.session import Session
from keizoku.db.tables.letters import letter
from keizoku.db.tables.money import demand, handover, review_task, user_notice
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
    dated_on: date | None = None  # the JST day that it bears; None: that of writing

    def in_language(self, lang: Lang) -> dict[str, Any]:
        """As one row with `subject` and `body` in one language."""
        row = asdict(self)
        subject, body = row[f"subject_{lang}"], row[f"body_{lang}"]
        inner = ("facts", "dated_on")
        shared = {name: row[name] for name in row if name not in inner and not name.endswith(("_ja", "_en"))}
        return {**shared, "lang": lang, "subject": subject, "body": body}

    def page(self, lang: Lang, sender: Issuer = NOBODY, addressee: str = "") -> Page:
        """As a letter: Japanese and then English, or English alone; `addressee`: its name instead of the account."""
        on = self.dated_on or date.fromisoformat(self.written_at[:10])
        heading = Heading(self.id, on, sender, addressee or self.account)
        both: tuple[Lang, ...] = ("ja", "en") if lang == "ja" else ("en",)
        return Page(tuple(printed(heading, *self._words(each), each) for each in both))

    def html(self, lang: Lang, sender: Issuer = NOBODY, addressee: str = "") -> str:
        """The same as a page of its own that loads nothing from elsewhere."""
        from keizoku.billing.documents.rendering import letter_html

        return letter_html(self.page(lang, sender, addressee))

    def _words(self, lang: Lang) -> tuple[str, LetterText]:
        subject, body = (self.subject_ja, self.body_ja) if lang == "ja" else (self.subject_en, self.body_en)
        if self.facts is not None:
            return subject, letter_text(self.kind, self.facts, lang)
        return subject, LetterText(tuple(body.splitlines()))


def waiting(
    session: Session,
    *,
    account: str | None = None,
    kinds: Collection[str] = (),
    also_handed_over: bool = False,
    limit: int | None = None,
    after: str = "",
) -> list[OutgoingDocument]:
    """Documents that wait for the mailer, in the order in which they were written.

    At most `limit`, behind the document `after`, which may have been handed over meanwhile.
    """
    query = _waiting(account, kinds, also_handed_over=also_handed_over)
    columns = query.selected_columns
    if after:
        last = document(session, after)
        series, number = _parse(after)
        same = columns.written_at == datetime.fromisoformat(last.written_at)
        query = query.where(
            sa.or_(
                columns.written_at > datetime.fromisoformat(last.written_at),
                sa.and_(same, columns.letter < series),
                sa.and_(same, columns.letter == series, columns.id > number),
            )
        )
    return [
        _document(row)
        for row in session.execute(query.order_by(columns.written_at, columns.letter.desc(), columns.id).limit(limit))
    ]


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


def _waiting(account: str | None, kinds: Collection[str], *, also_handed_over: bool) -> sa.Select[Any]:
    query = _documents()
    if account is not None:
        query = query.where(query.selected_columns.account == account)
    if kinds:
        query = query.where(query.selected_columns.kind.in_(kinds))
    if not also_handed_over:
        query = query.where(query.selected_columns.handed_at.is_(None))
    return query


def document(session: Session, document_id: str) -> OutgoingDocument:
    """One document. Raises Refused for an id that does not exist."""
    kind, number = _parse(document_id)
    query = _documents()
    columns = query.selected_columns
    row = session.execute(query.where(columns.letter == kind, columns.id == number)).first()
    if row is None:
        raise Refused(
            "document.unknown", f"there is no document {document_id}", "`keizoku notice list --also-sent` lists them"
        )
    return _document(row)


def hand_over(session: Session, document_id: str, *, by: str, handed_at: datetime, now: datetime) -> bool:
    """Record when a document was given to the mailer, once; False where the same time is recorded already. Commits.

    Raises Refused for a time before it was written or still to come, and for another time than the recorded one.
    """
    kind, number = _parse(document_id)
    known = document(session, document_id)
    when = iso_jst(handed_at)
    if not by.strip():
        raise Refused("act.unsigned", f"document {document_id}: say who or what sends it")
    if when < known.written_at or handed_at > now:
        raise Refused(
            "document.handed_over_outside",
            f"document {document_id}: it was written at {known.written_at} and it is {iso_jst(now)} now; "
            f"it cannot have been handed over at {when}",
        )
    column = _COLUMNS[kind]
    done = session.execute(
        insert(handover)
        .values({column: number, "handed_at": handed_at, "author": by, "recorded_at": now})
        .on_conflict_do_nothing()
        .returning(handover.c.id)
    ).first()
    close_tasks(
        session,
        by,
        "handed over",
        now,
        review_task.c.kind.in_(("mail_no_address", "mail_refused", "mail_unknown")),
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


_COLUMNS = {"N": "notice_id", "L": "letter_id", "D": "demand_id"}
"""The first letter of an id -> the column of its handover."""


def _parse(document_id: str) -> tuple[str, int]:
    kind, number = document_id[:1].upper(), document_id[1:]
    if kind not in _COLUMNS or not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise Refused(
            "document.id_form", f"not the id of a document: {document_id!r}", "notices are N12, demands D3, letters L7"
        )
    return kind, int(number)


_INVOICE = sa.cast(sa.func.split_part(letter.c.occasion, ":", 2), sa.BigInteger)


def _documents() -> sa.Select[Any]:
    sent = (handover.c.handed_at, handover.c.author)
    notices = sa.select(
        sa.literal("N").label("letter"),
        user_notice.c.id,
        user_notice.c.kind,
        user_notice.c.account,
        user_notice.c.written_at,
        user_notice.c.body_ja,
        user_notice.c.body_en,
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
        sa.case(  # the number of its invoice is in its occasion alone
            (letter.c.kind == "credit", letter.c.facts + sa.func.jsonb_build_object("invoice", _INVOICE)),
            else_=letter.c.facts,
        ),
        letter.c.written_on,
        *sent,
    ).outerjoin(handover, handover.c.letter_id == letter.c.id)
    return sa.select(sa.union_all(notices, demands, letters).subquery())


def _document(row: sa.Row[Any]) -> OutgoingDocument:
    subject_ja, subject_en = SUBJECTS[row.kind]
    if row.facts is None:
        ja, en = LetterText((row.body_ja,)), LetterText((row.body_en,))
    else:
        ja, en = letter_text(row.kind, row.facts, "ja"), letter_text(row.kind, row.facts, "en")
    return OutgoingDocument(
        id=f"{row.letter}{row.id}",
        kind=row.kind,
        account=row.account,
        written_at=iso_jst(row.written_at),
        handed_over_at=iso_jst(row.handed_at) if row.handed_at is not None else None,
        handed_over_by=row.author,
        subject_ja=subject_ja,
        subject_en=subject_en,
        body_ja=ja.plain("ja"),
        body_en=en.plain("en"),
        facts=row.facts,
        dated_on=row.dated_on,
    )
