"""Coupons and product keys: batches of codes, and what users redeem.

One method per act, with `now`, the instant at which it is received. Each act is committed; what cannot be done is
Refused in one line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from keizoku.billing.contracts import code_batches, key_sales
from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.contracts.code_redemption import Promise, hold_code, look_up
from keizoku.billing.rules.codes import Code, draw_secret
from keizoku.billing.rules.prepaid_refunds import SMALL
from keizoku.billing.services.contracts import ContractService


@dataclass(frozen=True, slots=True)
class CodeService(ContractService):
    """Acts on batches and codes."""

    def issue_codes(
        self,
        order: BatchOrder,
        hand_out: Callable[[Sequence[Code]], None],
        *,
        by: str,
        now: datetime,
        draw: Callable[[], str] = draw_secret,
    ) -> int:
        """Issue a batch; `hand_out` takes its codes, which are kept nowhere. Returns the batch's id.

        Keys are booked when they are sold: `order.sold` of them today, the others by `sell_keys`.
        """
        return code_batches.issue(self.session, order, by, now, hand_out, draw)

    def sell_keys(self, name: str, codes: int, *, buyer: str = "", by: str, now: datetime) -> int:
        """Keys of a batch are sold today (1131 / 2125); what they cost in all, in yen."""
        return key_sales.sell(self.session, name, codes, buyer, by, now)

    def revoke_batch(self, name: str, kind: str, *, by: str, ground: str, now: datetime, case: str = SMALL) -> int:
        """Take back what nobody has redeemed of a batch; how many codes.

        `case`: why the law allows what was sold to be paid back: small, abolished or hardship.
        """
        issuer = self.rules.discretion.prepaid_issuer
        return code_batches.revoke(self.session, name, kind, by, ground, now, case=case, issuer=issuer)

    def check_code(self, text: str, *, now: datetime) -> Promise:
        """What a typed code would pay for; Refused says what is wrong with it. Nothing is redeemed."""
        return look_up(self.session, text, now)

    def redeem(self, account: str, text: str, *, fallback: str | None = None, now: datetime) -> int:
        """Apply with a code, which says plan, method and months (premium/5.1.1.b); returns the contract's id.

        The application then waits for its approval, like any other; turned down, the code is free again.
        """
        self._bring_up_to_date(account, now)
        try:
            promise = look_up(self.session, text, now, hold=True)
            hold_code(self.session, promise, account, now)
            return self.register(account, promise.plan, promise.kind, months=promise.months, fallback=fallback, now=now)
        except BaseException:
            self.session.rollback()
            raise
