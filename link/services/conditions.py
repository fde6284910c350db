"""What is recorded of a customer (api_link/4, 12.2), what people rule, and what is designated (6.2, 6.3)."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from keizoku.db.tables.link.grants import FACTS, link_designation, link_fact, link_ruling
from keizoku.link.grants.ending import end_if_due, revoke_left, undestroyed
from keizoku.link.records.customers import ensure_account, lock_account
from keizoku.link.records.uses import Elapsing
from keizoku.link.rules.designation import KINDS
from keizoku.link.services.base import Desk
from keizoku.terms.api_link.link_discretion import RULED
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused

__all__ = ["ConditionDesk"]


class ConditionDesk(Desk):
    """Facts, rulings and designations."""

    def record_fact(
        self,
        account: str,
        kind: str,
        *,
        occurred_at: datetime | None = None,
        rules_version: str | None = None,
        by: str,
        ground: str | None = None,
        revoke: bool = True,
        now: datetime,
    ) -> None:
        """Record what happened to a customer at the partner or at the bank; a fact that ends the link ends it at once.

        Kinds: partner_account_opened, partner_account_closed, rules_consented (with the rules' version),
        rules_withdrawn, base_account_closed, base_account_opened, partner_ended, partner_resumed. Without `revoke` the
        tokens of a link that ends are left to `revoke_ended`, for a caller whose transaction is still open.
        """
        if kind not in FACTS:
            raise Refused("link.fact", f"{kind!r} is none of {', '.join(FACTS)}")
        happened = occurred_at or now
        self._want_past(kind, happened, now)
        if not by.strip():
            raise Refused("act.unsigned", f"{kind}: who records it?")
        if (kind == "rules_consented") != bool((rules_version or "").strip()):
            raise Refused("link.rules_version", f"{kind}: a consent, and only that, names the version of the API rules")
        ensure_account(self.session, account, now)
        lock_account(self.session, account)
        self.session.execute(
            sa.insert(link_fact).values(
                account=account,
                kind=kind,
                rules_version=rules_version or None,
                occurred_at=happened,
                author=by,
                ground=ground,
                recorded_at=now,
            )
        )
        self.session.commit()
        if kind in ("base_account_closed", "partner_ended"):
            end_if_due(self.session, account, now)
            if revoke:
                self.revoke_ended(account, now=now)

    def revoke_ended(self, account: str, *, now: datetime) -> None:
        """Have the tokens of the account's ended grants revoked and destroyed, where this login can; else the night."""
        if self._may_use_tokens():
            link = self._link()
            for grant_id in undestroyed(self.session, account):
                revoke_left(link, grant_id, Elapsing(now))

    def rule(
        self,
        account: str,
        clause: str,
        *,
        met: bool,
        occurred_at: datetime | None = None,
        by: str,
        ground: str,
        now: datetime,
    ) -> None:
        """People rule on a condition whose text is not at hand, 4.3 or api_link/4.3; the newest ruling holds."""
        short = clause.removeprefix("api_link/")
        if short not in RULED:
            raise Refused("link.clause", f"{clause!r} is none of the clauses that people rule on: {', '.join(RULED)}")
        self._want_signed(f"a ruling on {clause}", by, ground)
        happened = occurred_at or now
        self._want_past(f"a ruling on {clause}", happened, now)
        ensure_account(self.session, account, now)
        self.session.execute(
            sa.insert(link_ruling).values(
                account=account, clause=short, met=met, occurred_at=happened, author=by, ground=ground, recorded_at=now
            )
        )
        self.session.commit()

    def designate(
        self,
        kind: str,
        name: str,
        *,
        is_designated: bool = True,
        holds_from: date | None = None,
        by: str,
        ground: str,
        now: datetime,
    ) -> None:
        """Designate a field (positions.Symbol) or a product from a day on, or no longer; never for a past day."""
        if kind not in ("field", "product"):
            raise Refused("link.designation", f"{kind!r}: a field or a product is designated")
        self._want_signed(f"a designation of {name}", by, ground)
        head, dot, rest = name.partition(".")
        if kind == "field" and not (head in KINDS and dot and all(part.strip() for part in rest.split("."))):
            known = ", ".join(f"{each}.…" for each in KINDS)
            raise Refused("link.designation", f"field {name!r}: it is named by its kind and path: {known}")
        if not name.strip():
            raise Refused("link.designation", "a product is named by its code at the partner")
        day = holds_from or jst_day(now)
        if day < jst_day(now):
            raise Refused("link.designation", f"{name}: from {day}, a day that is past", "designate from today on")
        self.session.execute(
            sa.insert(link_designation).values(
                kind=kind,
                name=name,
                designated=is_designated,
                holds_from=day,
                author=by,
                ground=ground,
                recorded_at=now,
            )
        )
        self.session.commit()
