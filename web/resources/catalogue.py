"""Every resource, in the order in which a newcomer meets them."""

from typing import Final

from keizoku.web.calls.operation import Resource
from keizoku.web.pages.sign_in import router as SESSIONS  # noqa: N812 - it is no resource
from keizoku.web.resources.books.ledger import ledger
from keizoku.web.resources.books.months import months
from keizoku.web.resources.link.findings import link_findings
from keizoku.web.resources.link.links import links
from keizoku.web.resources.link.orders import link_orders
from keizoku.web.resources.money.bank import bank
from keizoku.web.resources.money.documents import documents
from keizoku.web.resources.money.payments import payments
from keizoku.web.resources.money.stores import stores
from keizoku.web.resources.operations.access import access_control
from keizoku.web.resources.operations.endpoints import endpoints
from keizoku.web.resources.operations.events import events
from keizoku.web.resources.operations.jobs import jobs
from keizoku.web.resources.operations.nights import nights
from keizoku.web.resources.operations.proposals import proposals
from keizoku.web.resources.operations.system import router as SYSTEM  # noqa: N812 - the one router that is no resource
from keizoku.web.resources.operations.tasks import tasks
from keizoku.web.resources.operations.terms import terms
from keizoku.web.resources.operations.webhooks import router as WEBHOOKS  # noqa: N812 - it is no resource
from keizoku.web.resources.people.accounts import accounts
from keizoku.web.resources.people.cards import cards
from keizoku.web.resources.people.codes import codes
from keizoku.web.resources.people.contracts import contracts
from keizoku.web.resources.people.member_sessions import member_sessions
from keizoku.web.resources.people.prices import prices
from keizoku.web.resources.sla.claims import claims
from keizoku.web.resources.sla.evidence import evidence

__all__ = ["RESOURCES", "SESSIONS", "SYSTEM", "WEBHOOKS"]

RESOURCES: Final[tuple[Resource, ...]] = (
    accounts,
    contracts,
    cards,
    member_sessions,
    prices,
    codes,
    payments,
    documents,
    bank,
    stores,
    evidence,
    claims,
    links,
    link_orders,
    link_findings,
    ledger,
    months,
    events,
    endpoints,
    nights,
    jobs,
    tasks,
    proposals,
    access_control,
    terms,
)
