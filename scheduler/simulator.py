"""What only a simulated world can do: cards that are set to fail, disputes, refunds that come back.

Stands beside the services and never on them: who holds `Services` holds what a real operator can do. Scenarios, the
demo and tests use this; where real cards are charged, each of it is refused.

    simulator = Simulator(services)
    simulator.cards.set_card("hanako", "lost_card")
    simulator.dispute("hanako", term, "lost", decided_on=day, now=now)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keizoku.billing.cards import simulated_events
from keizoku.billing.gateway.simulated import SimulatedGateway

if TYPE_CHECKING:
    from datetime import date, datetime

    from keizoku.scheduler.app import Services


@dataclass(frozen=True, slots=True)
class Simulator:
    """The acts of a simulated world on some services."""

    services: Services

    @property
    def cards(self) -> SimulatedGateway:
        """The simulated cards; TypeError where real cards are charged."""
        gateway = self.services.gateway
        if not isinstance(gateway, SimulatedGateway):
            raise TypeError(f"cards are set with the simulated gateway only, not with {gateway.name}")
        return gateway

    def dispute(self, account: str, term: date, outcome: str, *, decided_on: date, now: datetime) -> None:
        """A cardholder disputes the charge of a term, which is decided on a day.

        Refused where no card paid the term. Real disputes come from the gateway: `services.billing.take_disputes`.
        """
        services = self.services
        simulated_events.dispute(services.session, services.gateway, account, term, outcome, decided_on, now)
        services.billing.take_disputes(now=now)

    def refund_fails(self, account: str, *, now: datetime) -> None:
        """An account's card takes no refund from now on, and what went back to it comes back."""
        simulated_events.fail_refunds(self.services.session, self.services.gateway, account, now)
        self.services.billing.sync_refund_events(now=now)
