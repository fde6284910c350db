"""Letters to a mail server (SMTP, RFC 5321): each goes out once, or people are told.

    waiting ──> address (the host's, at this moment) ──> MAIL, RCPT ──> marked ──> DATA ──> taken: handed over
                 └─ none: a task                          └─ 4xx: later, 5xx: a task   └─ no answer: a task, never twice

One sender at a time (a lock in the database). A server that does not answer, or does not want us at all, ends the run
in a word; nothing is lost, since what waits is what has no handover. Addresses are neither kept nor logged.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from keizoku.billing.documents import mailings
from keizoku.billing.documents.addressees import Naming, sealed_of
from keizoku.billing.documents.issued_documents import Issuing
from keizoku.billing.documents.issued_letters import hand_over, issue_letter, letters_of
from keizoku.billing.documents.outbox import OutgoingDocument, document, waiting
from keizoku.billing.documents.rendering import letter_html
from keizoku.billing.gateway.restored import is_drill
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.documents.letters import Page, PrintedLetter, listed
from keizoku.db.locks import leader_lock
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session
from keizoku.scheduler.mail_settings import AddressOf, MailServer, is_address
from keizoku.terms.calendar import JST
from keizoku.terms.refusal import Refused

__all__ = ["SendingEndedError", "Sent", "message_of", "send_waiting"]

SECONDS: Final = 30
PAGE: Final = 500
LOCK: Final = "mail"
_ENHANCED: Final = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
_POLICY: Final = SMTP.clone(cte_type="7bit")


class SendingEndedError(Exception):
    """Nothing more can be sent now; the message says why, without anything personal."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run did: documents by what became of them, and why it ended early, if it did."""

    taken: int
    deferred: int
    refused: int
    unknown: int
    no_address: int
    why: str
    unfit: int = 0

    @property
    def wants_people(self) -> bool:
        """Whether a task was opened, or it could not go on."""
        return bool(self.refused or self.unknown or self.no_address or self.unfit or self.why)


@dataclass(frozen=True, slots=True)
class _Run:
    session: Session
    server: MailServer
    address_of: AddressOf
    issuer: Issuer
    by: str
    clock: Callable[[], datetime]
    naming: Naming | None
    counts: Counter[str]

    def one(self, smtp: smtplib.SMTP, each: OutgoingDocument, attempt: int) -> None:
        """Give one document to the server; every way it can end is recorded. Raises SendingEndedError."""
        to = self._address(each)
        page = self._issued(each) if to is not None else None
        if to is None or page is None:
            return
        text = message_of(each, page, self.server.sender, to, attempt, self.clock()).as_bytes()
        try:
            code, said = smtp.mail(self.server.sender)
            if code != 250:
                raise SendingEndedError(f"the mail server does not take mail from us: {_codes(code, said)}")
            code, said = smtp.rcpt(to)
            if code not in (250, 251):
                self.session.rollback()  # it has not gone out, so it is not stored
                self._not_taken(each, attempt, code, said)
                smtp.rset()
                return
        except (smtplib.SMTPException, OSError) as error:
            raise SendingEndedError(f"the mail server broke off: {type(error).__name__}") from None
        mailings.begin(self.session, each.id, attempt, self.clock())  # and the letter is stored
        try:
            code, said = smtp.data(text)
        except smtplib.SMTPDataError as error:  # it did not want the text: nothing went out
            code, said = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
        except (smtplib.SMTPException, OSError) as error:
            self.unknown(each, attempt)
            raise SendingEndedError(f"the mail server broke off in {each.id}: {type(error).__name__}") from None
        if code != 250:
            self._not_taken(each, attempt, code, said)
            return
        now = self.clock()
        with suppress(Refused):  # somebody has marked it meanwhile: that stays
            hand_over(self.session, each.id, Issuing(self.issuer, self.by, now), now)
        self.counts["taken"] += 1

    def look_up(self, page: Sequence[OutgoingDocument]) -> None:
        """Ask the directory for the users of these letters. Raises SendingEndedError where silent; people are told."""
        if self.naming is None:
            return
        try:
            self.naming.look_up([each.account for each in page])
        except Refused as refused:
            open_task(self.session, "directory_silent", "directory", {"why": str(refused)}, self.clock())
            self.session.commit()
            raise SendingEndedError(str(refused)) from None
        close_task(self.session, "directory_silent", "directory", self.by, "it answers again", self.clock())
        self.session.commit()

    def _issued(self, each: OutgoingDocument) -> Page | None:
        """The letter as it is stored, now at the latest; None: its user cannot be named, and people are told."""
        why = ""
        row = issue_letter(self.session, each, Issuing(self.issuer, self.by, self.clock(), self.naming))
        try:
            if row is not None:
                addressee = sealed_of(self.session, row.id, self.naming.keys if self.naming is not None else None)
                return letters_of(row, "ja", addressee)
        except Refused as refused:  # the key of its addressee is missing
            why = str(refused)
        if self.naming is not None and not why:
            why = self.naming.unfit.get(each.account, "it is being stored by somebody else")
        mailings.tell(self.session, "addressee_unfit", each, why, self.clock())
        self.session.commit()
        self.counts["unfit"] += 1
        return None

    def unknown(self, each: OutgoingDocument, attempt: int) -> None:
        """Tell people of a document whose outcome nobody knows, with the name of its message in the server's log."""
        named = _message_id(each, attempt, self.server.sender)
        mailings.tell(self.session, "mail_unknown", each, named, self.clock())
        self.session.commit()
        self.counts["unknown"] += 1

    def _address(self, each: OutgoingDocument) -> str | None:
        try:
            found: object = self.address_of(each.account)
        except Exception as error:  # the host's code: what it says may be personal
            raise SendingEndedError(f"mail_address failed: {type(error).__name__}") from None
        if isinstance(found, str) and is_address(found):
            return found
        why = "no address is known" if found is None else "what mail_address gave is no address"
        mailings.tell(self.session, "mail_no_address", each, why, self.clock())
        self.session.commit()
        self.counts["no_address"] += 1
        return None

    def _not_taken(self, each: OutgoingDocument, attempt: int, code: int, said: bytes) -> None:
        codes, now = _codes(code, said), self.clock()
        outcome: mailings.Outcome = "refused" if 500 <= code < 600 else "deferred"
        mailings.note(self.session, each.id, attempt, outcome, codes, now)
        if outcome == "refused":
            mailings.tell(self.session, "mail_refused", each, codes, now)
        self.session.commit()
        self.counts[outcome] += 1
        if code == 421:
            raise SendingEndedError(f"the mail server ends the connection: {codes}")


def send_waiting(
    session: Session,
    server: MailServer,
    address_of: AddressOf,
    issuer: Issuer,
    *,
    by: str,
    clock: Callable[[], datetime],
    naming: Naming | None = None,
    again: Collection[str] = (),
    going: Callable[[], bool] = lambda: True,
) -> Sent:
    """Give what waits to the mail server, in the order in which it was written. Commits after each document.

    `again`: documents that people want sent once more although they were refused or their outcome is unknown; with
    any, only these are sent. `naming`: letters bear the names that the directory says. Between two documents `going`
    is asked whether to go on. Raises Refused for an id that does not exist.
    """
    run = _Run(session, server, address_of, issuer, by, clock, naming, Counter())
    why = ""
    wanted = [document(session, each) for each in again]
    if is_drill(session):
        session.rollback()
        return _sent(run.counts, "this is the copy of a drill: nobody gets mail from it")
    with leader_lock(session, LOCK) as mine:
        if not mine:
            return _sent(run.counts, "another run is sending")
        try:
            if not wanted:
                _tell_unanswered(run)
            due = _again(run, wanted) if wanted else _due(run, clock())
            first = next(due, None)
            if first is not None:
                with _connected(server) as smtp:
                    run.one(smtp, *first)
                    for each, attempt in due:
                        if not going():
                            break
                        run.one(smtp, each, attempt)
        except SendingEndedError as ended:
            why = str(ended)
    return _sent(run.counts, why)


def _sent(counts: Counter[str], why: str) -> Sent:
    return Sent(
        **{name: counts[name] for name in ("taken", "deferred", "refused", "unknown", "no_address", "unfit")}, why=why
    )


def _tell_unanswered(run: _Run) -> None:
    """A run that ended in the middle of a document left it begun: we hold the lock, so nobody is at it any more."""
    for name, attempt in mailings.unanswered(run.session).items():
        run.unknown(document(run.session, name), attempt)


def _next_attempt(session: Session, each: OutgoingDocument) -> int:
    if each.handed_over_at is not None:
        raise Refused("document.handed_over", f"document {each.id}: it was handed over at {each.handed_over_at}")
    last = mailings.newest(session, [each.id]).get(each.id)
    return last.attempt + 1 if last is not None else 1


def _again(run: _Run, wanted: Sequence[OutgoingDocument]) -> Iterator[tuple[OutgoingDocument, int]]:
    tried = [(each, _next_attempt(run.session, each)) for each in wanted]
    run.look_up(wanted)
    yield from tried


def _due(run: _Run, now: datetime) -> Iterator[tuple[OutgoingDocument, int]]:
    session, after = run.session, ""
    while page := waiting(session, limit=PAGE, after=after):
        marks = mailings.newest(session, [each.id for each in page])
        session.rollback()
        due = [
            (each, 1 if mark is None else mark.attempt + 1)
            for each in page
            if (mark := marks.get(each.id)) is None or mark.may_be_tried(now)
        ]
        if due:
            run.look_up([each for each, _ in due])
        yield from due
        after = page[-1].id


@contextmanager
def _connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    """A connection that has said hello, is encrypted where that is set, and is logged in. Raises SendingEndedError."""
    try:
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=SECONDS, context=ssl.create_default_context()
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    except (smtplib.SMTPException, OSError) as error:
        raise SendingEndedError(f"the mail server does not answer: {type(error).__name__}") from None
    try:
        try:
            smtp.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if server.user:
                smtp.login(server.user, server.password)
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", None)
            said = type(error).__name__ + (f" {code}" if code else "")
            raise SendingEndedError(f"the mail server does not let us in: {said}") from None
        yield smtp
    finally:
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def message_of(each: OutgoingDocument, page: Page, sender: str, to: str, attempt: int, now: datetime) -> EmailMessage:
    """The letter as a mail: plain text and HTML, Japanese and then English."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"], mail["Subject"] = sender, to, page.letters[0].subject
    mail["Date"] = format_datetime(now.astimezone(JST))
    mail["Message-ID"] = _message_id(each, attempt, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answer is wanted
    mail.set_content("\n\n\n".join(_plain(letter) for letter in page.letters))
    mail.add_alternative(letter_html(page), subtype="html")
    return mail


def _plain(letter: PrintedLetter) -> str:
    to = (letter.addressee, *([letter.customer] if letter.customer else []))
    head = (letter.number, letter.date, "", *to, "", *letter.sender, "", letter.subject, "")
    rows = listed(letter.details, letter.amounts, letter.lang)
    return "\n".join((*head, *letter.paragraphs, *(("", *rows) if rows else ()), "", letter.closing))


def _message_id(each: OutgoingDocument, attempt: int, sender: str) -> str:
    written = re.sub(r"\D", "", each.written_at)
    return f"<{each.id}.{attempt}.{written}@{sender.rpartition('@')[2]}>"


def _codes(code: int, said: bytes) -> str:
    """The numbers of an answer (RFC 5321, 3463); its words often repeat the address."""
    found = _ENHANCED.match(said)
    return f"{code} {found.group().decode()}" if found else str(code)
