"""What becomes of credits, and which letters tell of it, computed once more from the rows of events.

granted ──> invoices from the month after the claim on, oldest first ── or the card, once no invoice will come
   └─ held from a consent to another remedy on: released, or ended when the remedy was performed
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from keizoku.terms.calendar import jst_day
from tests.worlds.recomputed_months import Verdict
from tests.worlds.recorded import Recorded

LEAST_ON_A_CARD = 50


def _stands(refund: Any) -> bool:
    """Whether its money is on the way back or back."""
    return refund.outcome in (None, "succeeded")


def _runs_by_card(contract: Any, at: datetime) -> bool:
    """Whether bills by card were still to come of it."""
    ended = contract.ended_on is not None and contract.end_recorded_at <= at
    return contract.method == "card" and contract.approved_at <= at and not ended


class Credits:
    """An account's credits with all that happened to them."""

    def __init__(self, recorded: Recorded, account: str) -> None:
        self.credits = sorted(recorded.of("credit", account), key=lambda each: (each.usable_from, each.id))
        mine = {each.id for each in self.credits}
        self.used = recorded.only("credit_application", lambda each: each.credit_id in mine)
        self.refunds = recorded.of("credit_refund", account)
        self.ended = recorded.only("credit_extinguishment", lambda each: each.credit_id in mine)
        self.invoices = sorted(recorded.of("invoice", account), key=lambda each: (each.issued_at, each.id))
        self.months = {each.id: each.month for each in recorded.of("claim", account)}
        self.consents = recorded.only("alternative_consent", lambda each: each.claim_id in self.months)
        agreed = {each.id for each in self.consents}
        self.outcomes = recorded.only("alternative_outcome", lambda each: each.consent_id in agreed)
        self.charges = [each for each in recorded.of("payment_attempt", account) if each.outcome == "succeeded"]
        self.overpaid = recorded.of("overpayment_refund", account)
        self.contracts = [each for each in recorded.of("contract", account) if each.approved_at is not None]

    def is_held(self, month: str, at: datetime) -> bool:
        """Another remedy is agreed for the month and not off, or was performed, as recorded by an instant."""
        for consent in self.consents:
            if self.months[consent.claim_id] != month or consent.recorded_at > at:
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
        left: int = credit.granted_yen - gone
        return left

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

    def check_refunds(self) -> None:
        """Money goes back only where no bill by card will come, to the charges that had room: the latest first."""
        for credit in self.credits:
            asked = sorted({each.requested_at for each in self.refunds if each.credit_id == credit.id})
            for at in asked:
                assert not any(_runs_by_card(each, at) for each in self.contracts), (credit, at)
                assert not self.is_held(credit.month, at), (credit, at)
                parts = {
                    each.attempt_id: each.yen
                    for each in self.refunds
                    if each.credit_id == credit.id and each.requested_at == at
                }
                wanted = credit.granted_yen - sum(
                    each.yen for each in (*self.used, *self.ended) if each.credit_id == credit.id
                    and each.recorded_at <= at
                )  # fmt: skip
                wanted -= sum(each.yen for each in self._back(at, before=credit) if each.credit_id == credit.id)
                for charge in sorted(self.charges, key=lambda each: (each.settled_on, each.id), reverse=True):
                    room = charge.yen - sum(
                        each.yen for each in self._back(at, before=credit) if each.attempt_id == charge.id
                    )
                    room -= sum(
                        each.yen
                        for each in self.overpaid
                        if each.attempt_id == charge.id and _stands(each) and each.requested_at < at
                    )
                    if charge.answer_recorded_at >= at or min(wanted, room) <= 0:  # a night refunds, then charges
                        continue
                    assert parts.pop(charge.id, 0) == min(wanted, room), (credit, charge)
                    wanted -= min(wanted, room)
                assert parts == {}, (credit, at)

    def _back(self, at: datetime, before: Any) -> Iterator[Any]:
        """What had gone back to the card as a credit's refund was asked for: of that night, the credits before it."""
        order = [credit.id for credit in self.credits]
        for each in self.refunds:
            first = order.index(each.credit_id) < order.index(before.id)
            if _stands(each) and (each.requested_at < at or (each.requested_at == at and first)):
                yield each

    def check_after_a_night(self, on: date, now: datetime) -> None:
        """What was performed leaves nothing; what was not done by its day has lapsed; what no bill takes goes back."""
        for consent in self.consents:
            if consent.by_on is not None and consent.by_on < on and consent.recorded_at < now:
                assert any(each.consent_id == consent.id for each in self.outcomes), consent
        done = {each.consent_id for each in self.outcomes if each.outcome == "performed" and each.recorded_at < now}
        performed = {self.months[each.claim_id] for each in self.consents if each.id in done}
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
                failed = any(each.credit_id == credit.id and each.outcome == "failed" for each in self.refunds)
                assert failed or self._room() == 0, (credit, left)  # what the card did not take waits for people

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
    recorded: Recorded, account: str, credits: Credits, claims: Mapping[str, Verdict], now: datetime
) -> None:
    """Every decision was told once, of its kind, and nothing else was."""
    kept = recorded.of("letter", account)
    found = {(each.kind, each.occasion) for each in kept}
    assert len(found) == len(kept)
    check_letters_about_terms(recorded, credits, {name for kind, name in found if kind == "terms"}, now)
    rest = {each for each in found if each[0] not in ("claim_received", "claim_granted", "claim_rejected", "terms")}
    assert rest == set(credits.letters()), account
    received = {each.id: jst_day(each.received_at) for each in recorded.of("claim", account) if each.recorded_at < now}
    assert {each.occasion: each.written_on for each in kept if each.kind == "claim_received"} == received
    for claim in received:
        of_claim = {(kind, name.partition("/")[2]) for kind, name in found if name.startswith(f"{claim}/")}
        granted = any(kind == "claim_granted" for kind, _ in of_claim)
        rejected = {name for kind, name in of_claim if kind == "claim_rejected"}
        verdict = claims.get(claim)
        if verdict is None:  # its month is not over
            assert not of_claim, claim
        elif verdict.answer == "granted":
            assert granted, claim
        else:
            assert granted or verdict.answer in rejected, claim


def check_letters_about_terms(recorded: Recorded, credits: Credits, found: set[str], now: datetime) -> None:
    """Whose contract runs was told once of terms that were announced as they have to be; nobody else was."""
    today, owed, allowed = jst_day(now), set(), set()
    for each in recorded["terms_announcement"]:
        for contract in credits.contracts:
            if each.recorded_at > now or not (each.beneficial or each.published_on < each.effective_on):
                continue
            if jst_day(contract.approved_at) >= each.effective_on or each.published_on > today:
                continue
            allowed.add(f"{each.version}/{contract.id}")
            if contract.ended_on is None and each.effective_on > today - timedelta(days=59):
                owed.add(f"{each.version}/{contract.id}")
    assert owed <= found <= allowed, (owed, found, allowed)


def check_award(recorded: Recorded, granted: Mapping[tuple[str, str], int], claims: Mapping[str, Verdict]) -> None:
    """The newest decision on each claim, and what every month came to so far, never less than before."""
    newest = {each.claim_id: each for each in recorded["claim_decision"]}
    assert {name: each.reason or each.outcome for name, each in newest.items()} == {
        name: verdict.answer for name, verdict in claims.items()
    }
    for name, verdict in claims.items():
        if verdict.answer != "deadline":  # one that came too late is told what it would have been worth alone
            assert newest[name].seconds == verdict.seconds, (name, verdict)
    kept: dict[tuple[str, str], int] = defaultdict(int)
    awards, received = recorded.by_id("award"), recorded.by_id("claim")
    for each in recorded["credit"]:
        kept[each.account, each.month] += each.granted_yen
        claimed_on = jst_day(received[awards[each.award_id].claim_id].received_at)
        assert each.usable_from == (claimed_on.replace(day=1) + timedelta(days=31)).replace(day=1), each
    assert {at: yen for at, yen in kept.items() if yen} == {at: yen for at, yen in granted.items() if yen}
