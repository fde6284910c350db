"""Saved cards: begun, confirmed by the card holder, listed, removed (5.1.1.a, 5.4).

    begin_card ──> client secret ──> the host's page: card holder, 3-D Secure ──> finish_card ──> charged off-session

Real cards only: a simulated account has a card already. Numbers never reach us; what crosses are ids of the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keizoku.billing.services.contracts import ContractService
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.gateway import card_end, saved_card
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from keizoku.billing.cards.saved_cards import CardSetup
    from keizoku.billing.gateway.stripe_calls import StripeCalls


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A card that was saved; the newest that has not ended is the one that is charged."""

    card: str
    saved_at: datetime
    ended_at: datetime | None
    charged: bool


@dataclass(frozen=True, slots=True)
class CardService(ContractService):
    """Acts on saved cards."""

    def begin_card(self, account: str, *, now: datetime) -> CardSetup:
        """Start to save a card; the host's page lets the card holder confirm it. Refused where Stripe is silent."""
        from keizoku.billing.cards.saved_cards import begin_card

        return begin_card(self.session, self._calls(account), account, now)

    def finish_card(self, account: str, setup: str, *, now: datetime) -> bool:
        """Keep the card that its holder confirmed, and charge to it what is open; False if it was kept before.

        Refused for a setup that is another account's, that is not confirmed, or whose card has ended since.
        """
        from keizoku.billing.cards.saved_cards import finish_card

        kept = finish_card(self.session, self._calls(account), account, setup, now)
        member = sa.exists().where(contract.c.account == account, contract.c.approved_at.is_not(None))
        if kept and self.session.execute(sa.select(member)).scalar_one():
            self.new_card(account, now=now)  # commits the card with the fact
        self.session.commit()
        return kept

    def cards(self, account: str) -> list[SavedCard]:
        """Every card that was saved for an account, the newest first."""
        rows = self.session.execute(
            sa.select(saved_card.c.payment_method_id, saved_card.c.recorded_at, card_end.c.ended_at)
            .outerjoin(card_end, card_end.c.card_id == saved_card.c.id)
            .where(saved_card.c.account == account)
            .order_by(saved_card.c.id.desc())
        ).all()
        charged = next((place for place, row in enumerate(rows) if row.ended_at is None), None)
        return [
            SavedCard(row.payment_method_id, row.recorded_at, row.ended_at, place == charged)
            for place, row in enumerate(rows)
        ]

    def detach_card(self, account: str, card: str, *, now: datetime) -> bool:
        """A card is charged no more, here and at Stripe; False if that was so before.

        Refused for a card of another account, while a charge to the account has no answer yet (the same attempt has
        to be sent to the same card), and where Stripe gives no answer.
        """
        from keizoku.billing.cards.saved_cards import detach_card

        return detach_card(self.session, self._calls(account), account, card, now)

    def _calls(self, account: str) -> StripeCalls:
        from keizoku.billing.gateway.stripe_gateway import StripeGateway

        if not isinstance(self.gateway, StripeGateway):
            raise Refused(
                "gateway.not_stripe",
                f"account {account}: cards are saved at Stripe, and the gateway here is {self.gateway.name}",
            )
        return self.gateway.calls
