"""Acts of the operator that the contract allows and nothing computes: recorded, never judged.

premium/11.1: the contents of the service were changed. premium/8.1: data went to a card company to collect a debt.
Rows are only ever added; a mistaken one is followed by one that says so.
"""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.contracts.announced_terms import load_announcements
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.services.base import Service
from keizoku.db.session import Session
from keizoku.db.tables.people import member_file, operator_act, terms_announcement
from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.decision import decides
from keizoku.terms.law.announcements import TermsAnnouncement
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused

SERVICE_CHANGE = "service_change"
DISCLOSURE = "disclosure"
PRIVACY = "個人情報保護法33"
"""The law that asks for a member's file."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An act as somebody says that it was done."""

    kind: str
    what: str
    occurred_at: datetime
    by: str
    ground: str
    account: str | None = None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorActService(Service):
    """Acts of the operator around contracts."""

    @decides("premium/11.1")
    def service_change(
        self, what: str, *, occurred_at: datetime, by: str, ground: str, key: str | None = None, now: datetime
    ) -> int:
        """Record that contents were changed, added or withdrawn, and since when; returns the record's id."""
        return self._keyed_act(_Said(SERVICE_CHANGE, what, occurred_at, by, ground), key, now)

    @decides("premium/8.1")
    def disclosure(
        self,
        account: str,
        what: str,
        *,
        recipient: str,
        occurred_at: datetime,
        by: str,
        ground: str,
        key: str | None = None,
        now: datetime,
    ) -> int:
        """Record that data of an account went to a recipient: name the kinds of data, never the data themselves."""
        want_account(self.session, account)
        if not recipient.strip():
            raise Refused("disclosure.no_recipient", "a disclosure names its recipient")
        return self._keyed_act(_Said(DISCLOSURE, what, occurred_at, by, ground, account, recipient), key, now)

    def announce_terms(
        self,
        version: str,
        *,
        published_on: date,
        effective_on: date,
        place: str,
        beneficial: bool = False,
        ground: str | None = None,
        proof: str | None = None,
        by: str,
        now: datetime,
    ) -> None:
        """Record when and where a version of the terms was made known, and from which day it holds (Civil Code 548-4).

        One of a day before today needs ground and proof; that a change is wholly beneficial, a ground.
        """
        if not version.strip() or not place.strip() or not by.strip():
            raise Refused("act.incomplete", "an announcement names its version, where it was made and who records it")
        if published_on < jst_day(now) and not ((ground or "").strip() and (proof or "").strip()):
            raise Refused(
                "announcement.unproved",
                f"terms {version}: announced on {published_on}, a day before it is recorded, and nothing shows it",
                "state ground and proof (a page, a file and its digest)",
            )
        if beneficial and not (ground or "").strip():
            raise Refused("act.incomplete", f"terms {version}: that a change is wholly beneficial needs a ground")
        self.session.execute(
            sa.insert(terms_announcement).values(
                version=version,
                published_on=published_on,
                effective_on=effective_on,
                place=place,
                beneficial=beneficial,
                ground=ground,
                proof=proof,
                author=by,
                recorded_at=now,
            )
        )
        self.session.commit()

    def _keyed_act(self, said: _Said, key: str | None, now: datetime) -> int:
        """The act, once for its key: whenever it is said again, the instant at which it happened stays the first."""
        content = {
            "account": said.account,
            "what": said.what,
            "to": said.recipient,
            "by": said.by,
            "ground": said.ground,
        }
        done: int = self._once(key, said.kind, content, lambda: self._act(said, now), now)
        return done

    def _act(self, said: _Said, now: datetime) -> int:
        for name, given in (("what was done", said.what), ("the author", said.by), ("the ground", said.ground)):
            if not given.strip():
                raise Refused(
                    "act.incomplete", f"{said.kind}: {name} is missing", "an act is recorded with all of them"
                )
        if said.occurred_at > now:
            raise Refused(
                "act.ahead", f"{said.kind}: {iso_jst(said.occurred_at)} lies ahead", "record what has happened"
            )
        act_id = self.session.execute(
            sa.insert(operator_act)
            .values(
                kind=said.kind,
                account=said.account,
                what=said.what,
                recipient=said.recipient,
                ground=said.ground,
                author=said.by,
                occurred_at=said.occurred_at,
                recorded_at=now,
            )
            .returning(operator_act.c.id)
        ).scalar_one()
        self.session.commit()
        return int(act_id)


@dataclass(frozen=True, slots=True, eq=False)
class OperatorAct(ReadModel):
    """An act of the operator as it was recorded."""

    id: int | str  # F3: a member's file
    clause: str
    kind: str
    account: str | None
    what: str
    recipient: str | None
    ground: str
    author: str
    occurred_at: JapanInstant
    recorded_at: JapanInstant


def act_list(session: Session, account: str | None = None) -> list[OperatorAct]:
    """The acts in order of when they happened; of one account: those on it, and changes of the service.

    A member's file that was made is among them, as what it is: a disclosure.
    """
    acts, files = sa.select(operator_act), sa.select(member_file)
    if account is not None:
        acts = acts.where(sa.or_(operator_act.c.account == account, operator_act.c.account.is_(None)))
        files = files.where(member_file.c.account == account)
    found = [
        OperatorAct(
            id=row.id,
            clause="premium/11.1" if row.kind == SERVICE_CHANGE else "premium/8.1",
            kind=row.kind,
            account=row.account,
            what=row.what,
            recipient=row.recipient,
            ground=row.ground,
            author=row.author,
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
        )
        for row in session.execute(acts.order_by(operator_act.c.id))
    ]
    made = [
        OperatorAct(
            id=f"F{row.id}",
            clause=PRIVACY,
            kind=DISCLOSURE,
            account=row.account,
            what="member file",
            recipient=row.recipient,
            ground=row.ground,
            author=row.author,
            occurred_at=row.made_at,
            recorded_at=row.made_at,
        )
        for row in session.execute(files.order_by(member_file.c.id))
    ]
    return sorted([*found, *made], key=lambda each: each.occurred_at)


def terms_announcements(session: Session) -> list[TermsAnnouncement]:
    """Every announcement of new terms, in the order of recording."""
    found = load_announcements(session)
    session.rollback()
    return found
