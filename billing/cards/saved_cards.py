"""Customers and saved cards at Stripe: 3-D Secure when a card is saved, off-session use afterwards (5.1.1.a, 5.4).

    begin_card ──> customer, SetupIntent ──> client secret ──> the host's page confirms it with the card holder
    finish_card ──> the SetupIntent is fetched again ──> succeeded: one row of `saved_card`
    detach_card ──> Stripe lets go of the payment method ──> one row of `card_end`

Card numbers never reach us; a customer at Stripe carries our account id and nothing personal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import stripe
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway.port import UnansweredError
from keizoku.billing.gateway.stripe_calls import ACCOUNT, StripeCalls
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.gateway import card_end, gateway_customer, saved_card
from keizoku.db.tables.money import payment_attempt
from keizoku.terms.refusal import Refused


@dataclass(frozen=True, slots=True)
class CardSetup:
    """What the host's page needs to let the card holder confirm a card."""

    setup_id: str
    client_secret: str


def begin_card(session: Session, calls: StripeCalls, account: str, now: datetime) -> CardSetup:
    """Start to save a card of an account. Commits the customer. Raises Refused where Stripe gives no answer."""
    want_to_add(session, saved_card)  # before the gateway is asked
    customer_id = _customer(session, calls, account, now)
    params: Any = {
        "customer": customer_id,
        "usage": "off_session",
        "allowed_payment_method_types": ["card"],
        "metadata": {ACCOUNT: account},
    }
    try:
        setup = calls.call(lambda client: client.v1.setup_intents.create(params))
    except (UnansweredError, stripe.InvalidRequestError, stripe.CardError) as error:
        raise Refused(
            "card.gateway_silent", f"account {account}: Stripe did not begin to save a card ({error})", "try again"
        ) from error
    return CardSetup(setup.id, str(setup.client_secret))


def finish_card(session: Session, calls: StripeCalls, account: str, setup_id: str, now: datetime) -> bool:
    """Keep the card of a confirmed SetupIntent; False if it was kept before. Does not commit.

    Raises Refused for a setup of another account and for one that the card holder has not confirmed.
    """
    try:
        setup = calls.call(lambda client: client.v1.setup_intents.retrieve(setup_id))
    except (UnansweredError, stripe.InvalidRequestError) as error:
        raise Refused(
            "card.setup_unreadable", f"account {account}: the saving of card {setup_id} cannot be read ({error})"
        ) from error
    customer_id = session.execute(
        sa.select(gateway_customer.c.customer_id).where(gateway_customer.c.account == account)
    ).scalar_one_or_none()
    if customer_id is None or setup.customer != customer_id:
        raise Refused("card.setup_of_another", f"account {account}: {setup_id} was begun for another account")
    if setup.status != "succeeded" or not setup.payment_method:
        raise Refused(
            "card.setup_unconfirmed",
            f"account {account}: the card holder has not confirmed {setup_id} yet; it is {setup.status}",
        )
    kept = session.execute(
        insert(saved_card)
        .values(
            account=account,
            customer_id=customer_id,
            payment_method_id=str(setup.payment_method),
            setup_id=setup_id,
            recorded_at=now,
        )
        .on_conflict_do_nothing(index_elements=["setup_id"])
        .returning(saved_card.c.id)
    ).first()
    return kept is not None


def detach_card(session: Session, calls: StripeCalls, account: str, card: str, now: datetime) -> bool:
    """Let go of a saved card, at Stripe first; False if it had ended. Commits.

    Raises Refused for a card that the account has not, while a charge has no answer, and where Stripe is silent.
    """
    lock_accounts(session, [account])
    rows = session.execute(
        sa.select(saved_card.c.id, card_end.c.ended_at)
        .outerjoin(card_end, card_end.c.card_id == saved_card.c.id)
        .where(saved_card.c.account == account, saved_card.c.payment_method_id == card)
    ).all()
    in_flight = sa.exists().where(payment_attempt.c.account == account, payment_attempt.c.outcome.is_(None))
    if not rows or session.execute(sa.select(in_flight)).scalar_one():
        session.rollback()
        if not rows:
            raise Refused("card.unknown", f"account {account}: has no saved card {card}")
        waiting = f"account {account}: a charge has no answer yet"
        raise Refused("card.charge_unanswered", waiting, "try again after it has one")
    living = [row.id for row in rows if row.ended_at is None]
    if living:
        try:
            calls.call(lambda client: client.v1.payment_methods.detach(card))
        except stripe.InvalidRequestError as error:
            if not _is_free(calls, card):
                session.rollback()
                raise Refused(
                    "card.gateway_silent", f"account {account}: Stripe did not let go of {card} ({error.code})"
                ) from error
        except UnansweredError as error:
            session.rollback()
            raise Refused(
                "card.gateway_silent", f"account {account}: Stripe did not let go of {card} ({error})", "try again"
            ) from error
        session.execute(
            sa.insert(card_end), [{"card_id": each, "ended_at": now, "recorded_at": now} for each in living]
        )
    session.commit()
    return bool(living)


def _is_free(calls: StripeCalls, card: str) -> bool:
    """Whether a payment method is attached to nobody any more, or is not there at all."""
    try:
        return calls.call(lambda client: client.v1.payment_methods.retrieve(card)).customer is None
    except stripe.InvalidRequestError as error:
        return error.code == "resource_missing"
    except UnansweredError:
        return False


def _customer(session: Session, calls: StripeCalls, account: str, now: datetime) -> str:
    """The account's customer, made on first use; of two made at once the first recorded one holds."""
    known = sa.select(gateway_customer.c.customer_id).where(gateway_customer.c.account == account)
    found: str | None = session.execute(known).scalar_one_or_none()
    if found is not None:
        return found
    params: Any = {"metadata": {ACCOUNT: account}}
    try:
        made = calls.call(lambda client: client.v1.customers.create(params))
    except (UnansweredError, stripe.InvalidRequestError) as error:
        raise Refused(
            "card.gateway_silent", f"account {account}: Stripe did not make a customer ({error})", "try again"
        ) from error
    session.execute(
        insert(gateway_customer)
        .values(account=account, customer_id=made.id, recorded_at=now)
        .on_conflict_do_nothing(index_elements=["account"])
    )
    session.commit()
    return str(session.execute(known).scalar_one())
