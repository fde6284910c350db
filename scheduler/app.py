"""The house: one session, the rules, a gateway, and the two desks. The composition root."""

from dataclasses import dataclass
from functools import cached_property

from billing.desk import BillingDesk
from billing.gateway.port import Gateway
from billing.gateway.simulated import SimulatedGateway
from db.session import Session
from sla.desk import SlaDesk
from terms.rules import Rules


@dataclass(frozen=True)
class House:
    """Everything that a command, the worker or a scenario needs, put together once."""

    session: Session
    rules: Rules
    gateway: Gateway

    @property
    def cards(self) -> SimulatedGateway:
        """The simulated cards of a scenario, a test or the demo; TypeError where real cards are charged."""
        if not isinstance(self.gateway, SimulatedGateway):
            raise TypeError(f"cards are set with the simulated gateway only, not with {self.gateway.name}")
        return self.gateway

    @cached_property
    def billing(self) -> BillingDesk:
        """Acts on contracts and money."""
        return BillingDesk(self.session, self.rules, self.gateway)

    @cached_property
    def sla(self) -> SlaDesk:
        """Facts about stops and claims."""
        return SlaDesk(self.session, self.rules)
