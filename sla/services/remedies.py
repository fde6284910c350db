"""What people say about a claim beside ruling on it: another remedy in place of the credit, a late claim taken.

Another remedy (premium/9.2) by the user's consent:

    consent ──> holds the credit of the claim's month, also one that is granted later
       ├─ performed ──> extinguishes it (the night books 4190 and 2170 back)
       ├─ withdrawn ──> releases it
       └─ its day passes ──> lapsed: the next night releases it
             └─ performed by that day, and recorded only now ──> extinguishes what is left of it
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.locks import take_turn
from keizoku.db.roles import want_to_add
from keizoku.db.tables.claims import alternative_consent, alternative_outcome, claim_late_grant, claim_withdrawal
from keizoku.db.tables.claims import claim as claim_table
from keizoku.db.tables.money import credit, credit_application, credit_refund, deposit_use
from keizoku.sla.claims.lapsed_remedies import ENDED
from keizoku.sla.evidence.form_outages import form_outages
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.claims import claim_deadline
from keizoku.sla.services.evidence import PEOPLE, EvidenceService
from keizoku.sla.services.fact_checks import nearest_of, needed
from keizoku.terms.calendar import Month, iso_jst, jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.refusal import Refused

NEAREST_OF = 1_000  # claims among which the nearest id is looked for


@guard_acts(sa.exc.DataError)
class RemedyService(EvidenceService):
    """Takes consents to another remedy, what became of them, and late claims that people grant."""

    def consent_alternative(
        self,
        claim: str,
        what: str,
        by_on: date | None = None,
        *,
        now: datetime,
        by: str = PEOPLE,
        ground: str | None = None,
    ) -> list[Finding]:
        """The user agreed to another remedy than the reduction: from now on the month's credit is held.

        `by_on`: the last day (JST) on which it is to be performed; none: it holds until performed or withdrawn.
        Raises Refused for an unknown claim, a day that is over, a month with such an agreement, or whose credit is
        used already, in part or whole, or on its way to the card: the user never gets both.
        """
        source = "consent_alternative"
        needed(source, what=what)
        want_to_add(self._session, alternative_consent)
        row = self._known_claim(source, claim)
        self._hold(row)
        if self._is_withdrawn(row):
            rule = "the claim was taken back as recorded by mistake"
            raise Refused.fact("claim.withdrawn", source, claim, rule, "record the user's own claim first")
        if by_on is not None and by_on < jst_day(now):
            remedy = "name a day from today on, or none"
            raise Refused.fact("remedy.day_over", source, str(by_on), "the day for the remedy is over", remedy)
        if self._open_consent(row) is not None or self._performed_consent(row) is not None:
            rule = f"another remedy is agreed for {row.month} already"
            remedy = "withdraw that one first, if it is not performed: `keizoku claim withdraw-remedy`"
            raise Refused.fact("remedy.agreed", source, claim, rule, remedy)
        if used_yen := self._used_yen(row):
            rule = f"{used_yen} yen of the credit for {row.month} went to an invoice or the card already"
            raise Refused.fact("remedy.credit_used", source, claim, rule, "nothing is left to be replaced")
        values = {"claim_id": claim, "what": what, "by_on": by_on, "author": by, "ground": ground, "recorded_at": now}
        self._session.execute(sa.insert(alternative_consent).values(values))
        self._session.commit()
        return []

    def perform_alternative(
        self,
        claim: str,
        performed_on: date | None = None,
        *,
        now: datetime,
        by: str = PEOPLE,
        ground: str | None = None,
    ) -> list[Finding]:
        """The other remedy was performed (on a day, else today): the next night extinguishes the month's credit.

        The day of performance counts, not the day on which it is recorded: one performed by its last day may be
        recorded after it lapsed. Raises Refused where none is agreed, or for a day before the agreement, after its last
        day, or ahead, or of an earlier agreement while a newer one is open.
        """
        source = "perform_alternative"
        row = self._known_claim(source, claim)
        on = performed_on or jst_day(now)
        consent = self._open_consent_to_end(row)
        lapsed = None
        if consent is None or on < jst_day(consent.recorded_at):
            lapsed = self._lapsed_consent(row, on)
            if lapsed is not None and consent is not None:
                rule = f"that of {jst_day(lapsed.recorded_at)} had lapsed, and a newer one is agreed"
                remedy = "take the newer one back first: `keizoku claim withdraw-remedy`"
                raise Refused.fact("remedy.agreed", source, str(on), rule, remedy)
            consent = lapsed or consent
        if consent is None:
            raise self._none_open(source, claim)
        if not jst_day(consent.recorded_at) <= on <= jst_day(now):
            rule = f"it was agreed on {jst_day(consent.recorded_at)} and today is {jst_day(now)}"
            raise Refused.fact("remedy.performed_day", source, str(on), rule, "correct the day")
        if consent.by_on is not None and on > consent.by_on:
            rule = f"it was to be performed by {consent.by_on}, so the credit stands"
            remedy = "let the user agree anew, if they still want it: `keizoku claim consent`"
            raise Refused.fact("remedy.too_late", source, str(on), rule, remedy)
        return self._ended(consent, "performed", on, now, by, ground, lapsed.lapse_id if lapsed is not None else None)

    def withdraw_alternative(
        self, claim: str, *, now: datetime, by: str = PEOPLE, ground: str | None = None
    ) -> list[Finding]:
        """The agreement is off before the remedy was performed: the credit of the month is free again."""
        source = "withdraw_alternative"
        consent = self._open_consent_to_end(self._known_claim(source, claim))
        if consent is None:
            raise self._none_open(source, claim)
        return self._ended(consent, "withdrawn", jst_day(now), now, by, ground)

    def grant_late(
        self, claim: str, ground: str, approved_by: str, *, now: datetime, by: str = PEOPLE
    ) -> list[Finding]:
        """People take a claim that came after its deadline as one in time (premium/9.5), with ground and approver.

        Raises Refused for an unknown claim, and one that is in time or granted already.
        """
        source = "grant_late"
        needed(source, by=by, ground=ground, approved_by=approved_by)
        want_to_add(self._session, claim_late_grant)
        row = self._known_claim(source, claim)
        month = Month.parse(row.month)
        policy = policy_of(self._rules, month)
        deadline_at = claim_deadline(month, form_outages(self._session, month, policy), policy)
        if row.received_at < deadline_at:
            rule = f"it came before the deadline of {iso_jst(deadline_at)}"
            raise Refused.fact("claim.in_time", source, claim, rule, "nothing has to be granted")
        values = {"claim_id": claim, "ground": ground, "approved_by": approved_by, "author": by, "recorded_at": now}
        if not self._add(claim_late_grant, values):
            rule = "the claim is taken as one in time already"
            raise Refused.fact("claim.late_granted", source, claim, rule, "nothing is left to do")
        self._commit([month], f"late claim {claim} granted", now, row.account)
        return []

    def _ended(
        self,
        consent: sa.Row[Any],
        outcome: str,
        on: date,
        now: datetime,
        by: str,
        ground: str | None,
        corrects: int | None = None,
    ) -> list[Finding]:
        values = {"consent_id": consent.id, "outcome": outcome, "on_day": on, "author": by, "ground": ground}
        values["corrects"] = corrects
        if not self._add(alternative_outcome, {**values, "recorded_at": now}):  # somebody was quicker, or the night
            rule = "what became of the remedy was recorded this moment"
            raise Refused.fact(
                "remedy.none_open", outcome, consent.claim_id, rule, "look at the month: `keizoku sla history`"
            )
        self._session.commit()
        return []

    def _hold(self, row: sa.Row[Any]) -> None:
        """Keep others from agreeing on another remedy for the same account and month until this transaction ends.

        No lock of a row: that would want more of the database than the right to add rows.
        """
        take_turn(self._session, f"remedy/{row.month}/{row.account}")

    def _is_withdrawn(self, row: sa.Row[Any]) -> bool:
        found = sa.select(sa.exists().where(claim_withdrawal.c.claim_id == row.id))
        return bool(self._session.execute(found).scalar_one())

    def _no_remedy_by(self, source: str, row: sa.Row[Any]) -> None:
        """Refused where another remedy by this claim stands agreed or was performed: it would hold the month."""
        self._hold(row)
        for consent in (self._open_consent(row), self._performed_consent(row)):
            if consent is not None and consent.claim_id == row.id:
                rule = f"another remedy is agreed for {row.month} by this claim"
                remedy = "withdraw that one first, if it is not performed: `keizoku claim withdraw-remedy`"
                raise Refused.fact("remedy.agreed", source, row.id, rule, remedy)

    def _open_consent_to_end(self, row: sa.Row[Any]) -> sa.Row[Any] | None:
        """The open agreement that an act is about to end."""
        want_to_add(self._session, alternative_outcome)
        self._hold(row)
        return self._open_consent(row)

    def _none_open(self, source: str, claim: str) -> Refused:
        rule = "no other remedy is agreed and open for its month"
        return Refused.fact("remedy.none_open", source, claim, rule, "record the consent: `keizoku claim consent`")

    def _lapsed_consent(self, row: sa.Row[Any], on: date) -> sa.Row[Any] | None:
        """The agreement that lapsed and was running on a day, else the last that lapsed; None if one was performed."""
        if self._performed_consent(row) is not None:
            return None
        lapse = alternative_outcome.c.id.label("lapse_id")
        query = (
            self._consents(row)
            .add_columns(lapse)
            .join(alternative_outcome, alternative_outcome.c.consent_id == alternative_consent.c.id)
            .where(alternative_outcome.c.outcome == "lapsed")
            .order_by(alternative_consent.c.id.desc())
        )
        lapsed = self._session.execute(query).all()
        running = (each for each in lapsed if jst_day(each.recorded_at) <= on <= each.by_on)
        return next(running, lapsed[0] if lapsed else None)

    def _open_consent(self, row: sa.Row[Any]) -> sa.Row[Any] | None:
        """That of the claim's account and month, whichever of their claims it was said for."""
        query = self._consents(row).where(~ENDED)
        return self._session.execute(query.order_by(alternative_consent.c.id).limit(1)).one_or_none()

    def _performed_consent(self, row: sa.Row[Any]) -> sa.Row[Any] | None:
        query = self._consents(row).where(ENDED.where(alternative_outcome.c.outcome == "performed"))
        return self._session.execute(query.limit(1)).one_or_none()

    @staticmethod
    def _consents(row: sa.Row[Any]) -> sa.Select[Any]:
        of_month = sa.and_(claim_table.c.account == row.account, claim_table.c.month == row.month)
        return (
            sa.select(alternative_consent)
            .join(claim_table, claim_table.c.id == alternative_consent.c.claim_id)
            .where(of_month)
        )

    def _used_yen(self, row: sa.Row[Any]) -> int:
        """Of the credit of the claim's month: on invoices, refunded, on its way to the card, to be sent by bank."""
        of_month = sa.select(credit.c.id).where(credit.c.account == row.account, credit.c.month == row.month)
        gone = sa.and_(
            sa.or_(credit_refund.c.outcome.is_(None), credit_refund.c.outcome == "succeeded"),
            credit_refund.c.failure_recorded_at.is_(None),
        )
        applied, refunded = (
            sa.select(sa.func.coalesce(sa.func.sum(table.c.yen), 0)).where(table.c.credit_id.in_(of_month), *more)
            for table, more in ((credit_application, ()), (credit_refund, (gone,)))
        )
        kept = sa.select(sa.func.coalesce(-sa.func.sum(deposit_use.c.yen), 0)).where(
            deposit_use.c.credit_id.in_(of_month)
        )
        gone = applied.scalar_subquery() + refunded.scalar_subquery() + kept.scalar_subquery()
        return int(self._session.execute(sa.select(gone)).scalar_one())

    def _known_claim(self, source: str, claim_id: str) -> sa.Row[Any]:
        row = self._claim_row(claim_id)
        if row is None:
            raise self._unknown_claim(source, claim_id)
        return row

    def _claim_row(self, claim_id: str) -> sa.Row[Any] | None:
        return self._session.execute(sa.select(claim_table).where(claim_table.c.id == claim_id)).one_or_none()

    def _unknown_claim(self, source: str, claim_id: str) -> Refused:
        query = sa.select(claim_table.c.id).order_by(claim_table.c.recorded_at.desc()).limit(NEAREST_OF)
        known = self._session.execute(query).scalars()
        return Refused.fact("claim.unknown", source, claim_id, "no claim has this id", nearest_of(claim_id, known))
