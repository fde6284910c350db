"""What every service of billing has: a session, the rules, a gateway, and an account's contract as it is now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts import renewal_stage
from keizoku.billing.dunning import delinquency_stage
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.receivables import invoice_stage
from keizoku.db.act_keys import KeyFormError, KeyTakenError, once
from keizoku.db.fence import is_of_item, one_line
from keizoku.db.session import Session, texts
from keizoku.db.tables.contracts import contract, suspension
from keizoku.terms.calendar import jst_day
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Service:
    """Acts on one session, under the rules, with a gateway for cards."""

    session: Session
    rules: Rules
    gateway: Gateway

    def __init_subclass__(cls) -> None:
        """Every act of every desk first refuses what no act can take."""
        guard_acts(sa.exc.DataError)(cls)

    def _once(
        self, key: str | None, act: str, content: Mapping[str, object], do: Callable[[], Any], now: datetime
    ) -> Any:
        """Do an act; with a key, once: said again with the same content, what it returned then (db/act_keys.py)."""
        if key is None:
            return do()
        try:
            return once(self.session, key, act, content, do, now)
        except KeyFormError as error:
            raise Refused("key.unfit", f"key {key!r}: 1 to 100 letters, digits and . _ : -") from error
        except KeyTakenError as error:
            raise Refused("key.other_content", str(error), "say what you said before, or give it a new key") from error

    def _reconsider(self, account: str, now: datetime) -> None:
        """A suspension whose reason a payment or an act took away is lifted at once."""
        for contract_id in self.session.scalars(
            sa.select(contract.c.id).where(contract.c.account == account, contract.c.ended_on.is_(None))
        ).all():
            delinquency_stage.reconsider(self.session, self.rules, contract_id, now)

    def _reconsider_all(self, accounts: Sequence[str], now: datetime) -> None:
        """The same for many accounts: only contracts that are suspended are looked at."""
        suspended = sa.exists().where(suspension.c.contract_id == contract.c.id, suspension.c.lifted_at.is_(None))
        for start in range(0, len(accounts), 5_000):
            some = texts(accounts[start : start + 5_000])
            found = sa.select(contract.c.id).where(
                contract.c.account == sa.any_(some), contract.c.ended_on.is_(None), suspended
            )
            for contract_id in self.session.scalars(found.order_by(contract.c.id)).all():
                delinquency_stage.reconsider(self.session, self.rules, contract_id, now)

    def _latest(self, account: str) -> sa.Row[tuple[object, ...]]:
        row = self.session.execute(
            sa.select(contract)
            .where(contract.c.account == account, contract.c.approved_at.is_not(None))
            .order_by(contract.c.id.desc())
            .limit(1)
        ).first()
        if row is None:
            raise Refused("contract.none", f"account {account!r} has no contract", "approve one first")
        return row

    def _running(self, account: str, now: datetime) -> sa.Row[tuple[object, ...]]:
        self._latest(account)
        self._bring_up_to_date(account, now)
        row = self._latest(account)
        if row.ended_on is not None:
            raise Refused("contract.not_running", f"account {account}: its contract ended on {row.ended_on}")
        return row

    def _bring_up_to_date(self, account: str, now: datetime) -> None:
        """A contract whose last term is over by now, before its night has run, is renewed or ended first."""
        today = jst_day(now)
        for contract_id in self.session.scalars(
            sa.select(contract.c.id).where(
                contract.c.account == account, contract.c.ended_on.is_(None), contract.c.renews_on <= today
            )
        ).all():
            try:
                self._renew(contract_id, today, now)
            except Exception as error:
                self.session.rollback()
                if isinstance(error, Refused) or not is_of_item(error):
                    raise
                raise Refused(
                    "contract.set_aside",
                    f"account {account}: its renewal cannot be done: {one_line(error)}",
                    "take back what is recorded wrongly: `keizoku contract void-fact`",
                ) from None

    def _renew(self, contract_id: int, today: date, now: datetime) -> None:
        due = renewal_stage.due(self.session, self.rules, today, contract_id=contract_id)
        if due:
            renewals = renewal_stage.decide(self.session, self.rules, due, today, now)
            late = renewal_stage.late_notices_of(self.session, self.rules, due, renewals, today)
            renewal_stage.save(self.session, renewals, now, late)
        for opened in invoice_stage.all_due(self.session, contract_ids=[contract_id]):
            invoice_stage.save(self.session, invoice_stage.decide(self.rules, opened), now)
