"""A partner in our own process, for scenarios, the demo and trials. It is ours and says so: no house is behind it.

Tokens name their account and generation, so any process that has one can use it; orders are in a table of its own, so
that they can be looked up later. What goes wrong is told to it beforehand (`Mishaps`), one account at a time.
"""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from keizoku.db.tables.link.stops import simulated_link_order
from keizoku.link.partner.port import OrderAnswer, PartnerError, TokenAnswer
from keizoku.link.rules.orders import Listed, OrderRequest

__all__ = ["LIFE_SECONDS", "Mishaps", "SimulatedPartner", "code_of"]

LIFE_SECONDS: Final = 1_800
_PREFIX: Final = "simulated"


@dataclass
class Mishaps:
    """What goes wrong for one account, as often as it says."""

    refuses_renewal: bool = False
    unavailable: int = 0  # so many calls are answered with 503
    too_many: int = 0  # so many with 429
    loses_answer: int = 0  # so many orders are taken, and the answer is lost
    gives_no_number: int = 0  # so many orders are accepted without a number
    lapses: int = 0  # so many orders are accepted and void a moment later
    refuses_order: str = ""  # the code with which orders are refused
    lists_late: int = 0  # so many listings do not show the newest order yet
    voided: set[str] = field(default_factory=set)


def code_of(account: str) -> str:
    """The code that the simulated partner gives for an account."""
    return f"{_PREFIX}-code:{quote(account, safe='')}"


class SimulatedPartner:
    """Tokens, data and orders of a partner that there is not."""

    name = "simulated"

    def __init__(self, engine: sa.Engine, life_seconds: int = LIFE_SECONDS) -> None:
        self._engine = engine
        self._life = life_seconds
        self._lock = threading.Lock()
        self.mishaps: defaultdict[str, Mishaps] = defaultdict(Mishaps)
        self.data: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []
        self.issued: defaultdict[str, list[str]] = defaultdict(list)

    def authorization_url(self, scopes: Sequence[str], redirect_uri: str, state: str, verifier: str) -> str:
        """An address that nobody serves."""
        asked = {"scope": " ".join(scopes), "redirect_uri": redirect_uri, "state": state}
        return f"https://partner.invalid/authorize?{urlencode(asked)}"

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
        """The first token for a code."""
        head, _, account = code.partition(":")
        if head != f"{_PREFIX}-code" or not account:
            raise PartnerError("refused", "invalid_grant")
        self._happens(account)
        return self._token(account)

    def refresh(self, refresh_token: str) -> TokenAnswer:
        """The next generation."""
        account = self._account(refresh_token)
        found = self._happens(account)
        if found.refuses_renewal or refresh_token in found.voided:
            raise PartnerError("refused", "invalid_grant")
        return self._token(account)

    def revoke(self, token: str) -> None:
        """The token is no longer taken."""
        account = self._account(token)
        self._happens(account)
        self.mishaps[account].voided.add(token)

    def fetch(self, kind: str, access: str) -> Any:
        """The data of a kind that a test or a scenario has put here; without any, a few made-up values."""
        account = self._account(access)
        self._authorised(account, access)
        return self.data.get(account, _DATA).get(kind, [])

    def send_order(self, wanted: OrderRequest, reference: str, good_until: str | None, access: str) -> OrderAnswer:
        """Take an order."""
        account = self._account(access)
        found = self._authorised(account, access)
        if found.refuses_order:
            return OrderAnswer(False, code=found.refuses_order)
        lapses, loses, unnumbered = found.lapses > 0, found.loses_answer > 0, found.gives_no_number > 0
        found.lapses -= lapses
        found.loses_answer -= loses
        found.gives_no_number -= unnumbered
        number = f"S{secrets.token_hex(6)}"
        with self._engine.begin() as session:
            self.sent.append(reference)
            session.execute(
                sa.insert(simulated_link_order).values(
                    reference=reference,
                    account=account,
                    partner_id=number,
                    state="lapsed" if lapses else "working",
                    recorded_at=sa.func.now(),
                )
            )
        if loses:
            raise PartnerError("no_answer", "timeout")
        return OrderAnswer(True, None if unnumbered else number)

    def list_orders(self, access: str) -> Sequence[Listed]:
        """The orders of the account, by our references."""
        account = self._account(access)
        found = self._authorised(account, access)
        with self._engine.begin() as session:
            rows = session.execute(
                sa.select(simulated_link_order)
                .where(simulated_link_order.c.account == account)
                .order_by(simulated_link_order.c.recorded_at, simulated_link_order.c.reference)
            ).all()
        if found.lists_late > 0:
            found.lists_late -= 1
            rows = rows[:-1]
        return [Listed(row.partner_id, OrderRequest("", "buy", 1), row.state, row.reference) for row in rows]

    def void(self, account: str) -> None:
        """The tokens of an account are no longer taken, as after a daily logout; they can be renewed."""
        self.mishaps[account].voided |= {token for token in self.issued[account] if ":a:" in token}

    def _token(self, account: str) -> TokenAnswer:
        access, refresh = (f"{_PREFIX}:{account}:{kind}:{secrets.token_urlsafe(16)}" for kind in "ar")
        self.issued[account] = [access, refresh]
        return TokenAnswer(access, refresh, self._life)

    def _account(self, token: str) -> str:
        parts = token.split(":")
        if len(parts) != 4 or parts[0] != _PREFIX:
            raise PartnerError("unauthorized", "4001009")
        return parts[1]

    def _authorised(self, account: str, token: str) -> Mishaps:
        found = self._happens(account)
        if token in found.voided:
            raise PartnerError("unauthorized", "4001009")
        return found

    def _happens(self, account: str) -> Mishaps:
        with self._lock:
            found = self.mishaps[account]
            if found.unavailable > 0:
                found.unavailable -= 1
                raise PartnerError("unavailable", "503")
            if found.too_many > 0:
                found.too_many -= 1
                raise PartnerError("too_many", "4001006")
        return found


_DATA: Final[dict[str, Any]] = {
    "positions": [{"Symbol": "0000", "SymbolName": "見本", "LeavesQty": 100, "Valuation": "120000"}],
    "balance": {"StockAccountWallet": "50000"},
    "orders": [],
}
