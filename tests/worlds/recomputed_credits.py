"""What becomes of credits, and which letters tell of it, computed once more from the rows of events.

granted ──> invoices from the month after the claim on, oldest first ── or the card, once no invoice will come
   └─ held from a consent to another remedy on: released, or ended when the remedy was performed
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from tests.worlds.recomputed_months import Verdict

LEAST_ON_A_CARD = 50


class Credits:
    """An account's credits with all that happened to them."""

    def __init__(self, session: Session, account: str) -> None:
        def rows(query: str) -> Sequence[Any]:
            return session.execute(sa.text(query), {"account": account}).all()

        self.credits = rows("SELECT * FROM credit WHERE account = :account ORDER BY usable_from, id")
        self.used = rows(
            "SELECT used.*, issued_at FROM credit_application AS used JOIN invoice ON invoice.id = invoice_id "
            "WHERE account = :account"
        )
        self.refunds = rows("SELECT * FROM credit_refund WHERE account = :account")
        self.ended = rows(
            "SELECT gone.* FROM credit_extinguishment AS gone JOIN credit ON credit.id = credit_id "
            "WHERE account = :account"
        )
        self.invoices = rows("SELECT * FROM invoice WHERE account = :account ORDER BY issued_at, id")
        self.consents = rows(
            "SELECT consent.*, month FROM alternative_consent AS consent JOIN claim ON claim.id = claim_id "
            "WHERE account = :account"
        )
        self.outcomes = rows(
            "SELECT outcome.*, month FROM alternative_outcome AS outcome JOIN alternative_consent AS consent "
            "ON consent.id = consent_id JOIN claim ON claim.id = claim_id WHERE account = :account"
        )
        self.charges = rows("SELECT * FROM payment_attempt WHERE account = :account AND outcome = 'succeeded'")
        self.overpaid = rows("SELECT * FROM overpayment_refund WHERE account = :account")
        self.contracts = rows("SELECT * FROM contract WHERE account = :account AND approved_at IS NOT NULL")

    def is_held(self, month: str, at: datetime) -> bool:
        """Another remedy is agreed for the month and not off, or was performed, as recorded by an instant."""
        for consent in self.consents:
            if consent.month != month or consent.recorded_at > at:
                continue
            became = {
                each.outcome for each in self.outcomes if each.consent_id == consent.id and each.recorded_at <= at
            }
            if "performed" in became or not became:
                return True
        return False

    def left(self, credit: Any, at: datetime, before: Any = None) -> int:
        """Of a credit at an instant; with an invoice: as it was issued, after those before it."""
        gone = sum(each.yen for each in self.ended if each.credit_id == credit.id and each.recorded_at <= at)
        gone += sum(
            each.yen
            for each in self.refunds
            if each.credit_id == credit.id and each.requested_at <= at and each.outcome in (None, "succeeded")
        )
        for each in self.used:
            if each.credit_id != credit.id:
                continue
            by_then = (each.recorded_at, each.invoice_id) < (at, before.id) if before else each.recorded_at <= at
            gone += each.yen if by_then else 0
        return int(credit.granted_yen) - gone

    def check_invoices(self) -> None:
        """Each took what it could of the credits that were free for it, oldest first, and left a card enough."""
        for invoice in self.invoices:
            free = [
                (credit, self.left(credit, invoice.issued_at, invoice))
                for credit in self.credits
                if credit.recorded_at <= invoice.issued_at
                and credit.usable_from <= invoice.issued_on
                and not self.is_held(credit.month, invoice.issued_at)
            ]
            wanted = min(invoice.total_yen, sum(yen for _, yen in free))
            if invoice.method == "card" and 0 < invoice.total_yen - wanted < LEAST_ON_A_CARD:
                wanted = max(0, invoice.total_yen - LEAST_ON_A_CARD)
            assert invoice.credit_yen == wanted, (invoice, free)
            parts = {
                each.credit_id: each.yen
                for each in self.used
                if each.invoice_id == invoice.id and each.recorded_at == invoice.issued_at
            }
            for credit, yen in free:
                assert parts.pop(credit.id, 0) == min(yen, wanted), (invoice, credit)
                wanted -= min(yen, wanted)
            assert parts == {}, invoice

    def check_held(self) -> None:
        """Nothing was taken of a credit while another remedy stood in its place; one that was performed ends it."""
        month = {credit.id: credit.month for credit in self.credits}
        for each in self.used:
            assert not self.is_held(month[each.credit_id], each.recorded_at), each
        for each in self.refunds:
            assert not self.is_held(month[each.credit_id], each.requested_at), each
        for each in self.ended:
            assert self.is_held(month[each.credit_id], each.recorded_at), each

    def check_after_a_night(self, on: date, now: datetime) -> None:
        """What was performed leaves nothing; what was not done by its day has lapsed; what no bill takes goes back."""
        for consent in self.consents:
            if consent.by_on is not None and consent.by_on < on and consent.recorded_at < now:
                assert any(each.consent_id == consent.id for each in self.outcomes), consent
        performed = {each.month for each in self.outcomes if each.outcome == "performed" and each.recorded_at < now}
        by_card = any(each.method == "card" and each.ended_on is None for each in self.contracts)
        ended_now = any(each.end_recorded_at == now for each in self.contracts)
        for credit in self.credits:
            left = self.left(credit, now)
            assert credit.available_yen == left + sum(
                each.yen for each in self.refunds if each.credit_id == credit.id and each.outcome is None
            ), credit
            if credit.month in performed:
                assert left == 0, credit
            elif left and not by_card and not ended_now and not self.is_held(credit.month, now):
                assert self._room() == 0, (credit, left)

    def _room(self) -> int:
        """What can still go back to the card."""
        back = [*self.refunds, *self.overpaid]
        return sum(
            charge.yen
            - sum(each.yen for each in back if each.attempt_id == charge.id and each.outcome in (None, "succeeded"))
            for charge in self.charges
        )

    def letters(self) -> Iterator[tuple[str, str]]:
        """(kind, occasion) of each letter that these rows are told by."""
        for consent in self.consents:
            yield "remedy", str(consent.id)
        for invoice in self.invoices:
            if invoice.credit_yen and any(
                each.invoice_id == invoice.id and each.recorded_at == invoice.issued_at for each in self.used
            ):
                yield "credit", f"invoice:{invoice.id}"
        for refund in self.refunds:
            if refund.outcome == "succeeded":
                yield "refund", str(refund.id)
        for contract in self.contracts:
            if contract.ended_on is not None and contract.ended_reason != "termination":
                yield "contract_end", str(contract.id)


def check_letters(
    session: Session, account: str, credits: Credits, claims: Mapping[str, Verdict], now: datetime
) -> None:
    """Every decision was told once, of its kind, and nothing else was."""
    kept = session.execute(
        sa.text("SELECT kind, occasion, written_on FROM letter WHERE account = :account"), {"account": account}
    ).all()
    found = {(each.kind, each.occasion) for each in kept}
    assert len(found) == len(kept)
    rest = {each for each in found if each[0] not in ("claim_received", "claim_granted", "claim_rejected")}
    assert rest == set(credits.letters()), account
    received = session.execute(
        sa.text(
            "SELECT id, (received_at AT TIME ZONE 'Asia/Tokyo')::date AS day FROM claim "
            "WHERE account = :account AND recorded_at < :now"
        ),
        {"account": account, "now": now},
    ).all()
    told = {each.occasion: each.written_on for each in kept if each.kind == "claim_received"}
    assert told == {each.id: each.day for each in received}
    for claim in (each.id for each in received):
        granted = any(kind == "claim_granted" and name.startswith(f"{claim}/") for kind, name in found)
        rejected = {
            name.partition("/")[2] for kind, name in found if kind == "claim_rejected" and name.startswith(f"{claim}/")
        }
        verdict = claims.get(claim)
        if verdict is None:  # its month is not over
            assert not granted, claim
            assert not rejected, claim
        elif verdict.answer == "granted":
            assert granted, claim
        else:
            assert granted or verdict.answer in rejected, claim


def check_award(session: Session, granted: Mapping[tuple[str, str], int], claims: Mapping[str, Verdict]) -> None:
    """The newest decision on each claim, and what every month came to so far, never less than before."""
    newest = session.execute(
        sa.text("SELECT DISTINCT ON (claim_id) * FROM claim_decision ORDER BY claim_id, revision DESC")
    ).all()
    assert {each.claim_id: (each.reason or each.outcome, each.seconds) for each in newest} == {
        name: (verdict.answer, verdict.seconds) for name, verdict in claims.items()
    }
    kept = session.execute(
        sa.text("SELECT account, month, sum(granted_yen) AS yen FROM credit GROUP BY 1, 2 HAVING sum(granted_yen) > 0")
    ).all()
    assert {(each.account, each.month): each.yen for each in kept} == {at: yen for at, yen in granted.items() if yen}
    for each in session.execute(
        sa.text(
            "SELECT credit.*, (date_trunc('month', received_at AT TIME ZONE 'Asia/Tokyo') + interval '1 month')::date "
            "AS next_month FROM credit JOIN award ON award.id = award_id JOIN claim ON claim.id = claim_id"
        )
    ):
        assert each.usable_from == each.next_month, each
