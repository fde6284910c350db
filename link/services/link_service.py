"""The linked service for a host, a command, the worker, a scenario: every act and every question about links.

    link.record_fact("hanako", "partner_account_opened", by="desk", now=now)
    begun = link.begin("hanako", "data", redirect_uri, now=now)      the customer goes to begun.url, and comes back with
    link.finish(state, code, now=now)                                state and code
    link.show("hanako", ["positions"], now=now)                      designated fields only; nothing is kept

Each act is committed; what cannot be done is Refused in one line. No act touches money.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Literal

from keizoku.db.roles import want_to_add
from keizoku.db.tables.link.grants import link_secret
from keizoku.db.tables.restoration import link_adoption
from keizoku.link.grants import authorising, ending, renewing
from keizoku.link.grants.authorising import Begun
from keizoku.link.grants.generations import Renewal
from keizoku.link.grants.renewing import RenewalCounts, Renewals
from keizoku.link.orders import book, looking_up, placing
from keizoku.link.orders.book import Order
from keizoku.link.orders.looking_up import LookedUp
from keizoku.link.records import restored, secrets
from keizoku.link.records.customers import load_customer, lock_account
from keizoku.link.records.uses import Elapsing
from keizoku.link.rules.eligibility import use_of_service
from keizoku.link.rules.ends import CLAUSES, LinkEnd
from keizoku.link.rules.facts import Scope
from keizoku.link.rules.orders import OrderRequest, OrderText
from keizoku.link.services.conditions import ConditionDesk
from keizoku.link.services.stops import StopDesk
from keizoku.link.showing import fetching
from keizoku.link.showing.fetching import Fetched
from keizoku.terms.api_link.link_policy import link_policy
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Decision
from keizoku.terms.refusal import Refused

__all__ = ["LinkService"]


class LinkService(ConditionDesk, StopDesk):
    """Acts on links."""

    def begin(self, account: str, wanted: Scope, redirect_uri: str, *, by: str = "keizoku", now: datetime) -> Begun:
        """Where the customer authorises us, for `data` or for `orders` (which include the data)."""
        if wanted not in authorising.SCOPES:
            raise Refused("link.scope", f"{wanted!r}: a customer authorises data or orders")
        if not redirect_uri.startswith(("https://", "http://localhost", "http://127.0.0.1")):
            raise Refused("link.redirect", "the customer comes back to an https:// address")
        return authorising.begin(self._with_tokens(by), account, wanted, redirect_uri, now)

    def finish(
        self,
        state: str,
        code: str,
        *,
        by: str = "keizoku",
        now: datetime,
        keep: Callable[[int], None] = lambda _: None,
    ) -> int:
        """The customer is back with the partner's code: the grant's id, given to `keep` in the grant's transaction."""
        return authorising.finish(self._with_tokens(by), state, code, now, keep)

    def renew(self, account: str, *, only_if_due: bool = False, by: str = "keizoku", now: datetime) -> Renewal:
        """Renew the account's token now, whether or not it is due."""
        return renewing.renew(self._with_tokens(by), account, now, only_if_due=only_if_due)

    def renew_due(self, *, now: datetime) -> RenewalCounts:
        """Renew every token that is due, at the partner's pace."""
        run = self.renewals(now=now)
        deque(run, maxlen=0)  # to its end
        return run.counts

    def renewals(self, *, now: datetime) -> Renewals:
        """The same step by step, for whoever has to be able to stop in between."""
        return Renewals(self._with_tokens(), now, at_once=self.setup.calls_at_once)

    def revoke(self, account: str, *, by: str, ground: str, now: datetime) -> bool:
        """The customer ends the access: recorded, revoked at the partner, destroyed; True: the partner confirmed it.

        It ends though the partner or the keys cannot be reached here: then the night revokes and destroys.
        """
        self._want_signed("a revocation", by, ground)
        lock_account(self.session, account)
        grant = load_customer(self.session, account).grant
        if grant is None or grant.ended_at is not None:
            self.session.rollback()
            raise Refused("link.none", f"account {account}: no access is granted")
        ending.end_grant(self.session, account, grant.id, LinkEnd(now, "revoked", CLAUSES["revoked"]), now)
        self.session.commit()
        return self._may_use_tokens() and ending.revoke_left(self._link(by), grant.id, Elapsing(now))

    def adopt(self, *, by: str, ground: str, now: datetime) -> int:
        """After a restore: people say that no other database works with these links, so tokens are used again."""
        self._want_signed("an adoption", by, ground)
        want_to_add(self.session, link_adoption)
        return restored.adopt(self.session, by, ground, now)

    def end_all_due(self, *, now: datetime) -> int:
        """End every link that what is recorded has ended; how many."""
        ended = 0
        while accounts := ending.due_ends(self.session, now):
            before = ended
            for account in accounts:
                ended += ending.end_if_due(self.session, account, now) is not None
            if ended == before:
                break
        return ended

    def revoke_left(self, *, now: datetime) -> int:
        """Revoke and destroy what ended grants still have, and note what a dead process left of them; how many."""
        link, clock, done, after = self._with_tokens(), Elapsing(now), 0, 0
        while grants := ending.undestroyed(self.session, after=after):
            after = grants[-1]
            for grant_id in grants:
                ending.revoke_left(link, grant_id, clock)
                done += 1
        return done + ending.settle_renewals_of_ended(self.session, clock.at())

    def show(self, account: str, kinds: Sequence[str], *, by: str = "keizoku", now: datetime) -> list[Fetched]:
        """The customer's designated data of these kinds: positions, balance, orders."""
        return fetching.fetch(self._with_tokens(by), account, kinds, now)

    def destroy_kept(self, *, now: datetime) -> int:
        """Destroy what may be shown no more; how many."""
        return fetching.destroy_kept(self.session, now)

    def draft_order(
        self,
        account: str,
        product: str,
        side: Literal["buy", "sell"],
        quantity: int,
        *,
        limit_price: str | None = None,
        good_until: date | None = None,
        by: str = "keizoku",
        now: datetime,
    ) -> int:
        """What a customer wants to order; its number. The text of `order_texts` is shown before it is confirmed."""
        if side not in ("buy", "sell"):
            raise Refused("link.order_content", f"account {account}: {side!r} is neither buy nor sell")
        wanted = OrderRequest(product, side, quantity, limit_price)
        return placing.draft(self._link(by), account, wanted, good_until, now)

    def order_texts(self, order_number: int, *, now: datetime) -> dict[str, OrderText]:
        """What is shown with an order (6.4), in Japanese and English, each with its digest."""
        return placing.texts_of(self._link(), book.load(self.session, order_number), now)

    def confirm_order(self, order_number: int, digest: str, *, account: str | None = None, now: datetime) -> None:
        """The customer has seen the text of this digest and confirms."""
        placing.confirm(self._link(), order_number, digest, now, account)

    def withdraw_order(self, order_number: int, *, account: str | None = None, now: datetime) -> None:
        """Give an order up that was not sent; after that only the partner can (6.5)."""
        placing.withdraw(self._link(), order_number, now, account)

    def send_order(self, order_number: int, *, account: str | None = None, by: str = "keizoku", now: datetime) -> Order:
        """Pass a confirmed order on, once; the order with what came of it."""
        return placing.send(self._with_tokens(by), order_number, now, account)

    def settle_order(self, order_number: int, *, by: str = "keizoku", now: datetime) -> Order:
        """Look one order up at the partner."""
        return looking_up.settle(self._with_tokens(by), order_number, now)

    def look_up_orders(self, *, only_unanswered: bool = False, now: datetime) -> LookedUp:
        """Look up every order without an answer and, unless only these are wanted, every one without an end."""
        return looking_up.look_up_all(self._with_tokens(), now, only_unanswered=only_unanswered)

    def order_never_arrived(self, order_number: int, *, by: str, ground: str, now: datetime) -> None:
        """People say that an order without an answer never reached the partner."""
        looking_up.never_arrived(self._link(by), order_number, by, ground, now)

    def order(self, order_number: int) -> Order:
        """An order as our book has it."""
        found = book.load(self.session, order_number)
        self.session.rollback()
        return found

    def may_use(self, account: str, scope: Scope, *, now: datetime) -> Decision:
        """Whether the service is open to a customer, condition by condition (2, 4, 10.4, 12.2)."""
        customer = load_customer(self.session, account)
        needed = self.rules.discretion.link_needs_rulings
        return use_of_service(customer, scope, needed, link_policy(jst_day(now)), now)

    def seal_anew(self) -> int:
        """Seal every secret under the first key of the key file; how many."""
        want_to_add(self.session, link_secret)
        return secrets.seal_anew(self.session, self.setup.ring())
