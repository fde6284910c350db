"""The linked service in the demo: acts from `links.csv`, and the figures afterwards.

The partner is the simulated one that ships with this package: no securities firm is behind it, and nothing is asked of
anybody. Orders are drafted, shown, confirmed and sent as in an app; what goes wrong is told to the partner beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.letters import letter
from keizoku.db.tables.link.grants import link_grant, link_secret, link_token, link_use
from keizoku.db.tables.link.orders import link_order, link_order_event
from keizoku.extras import EXTRAS

if TYPE_CHECKING:
    from datetime import datetime

    from keizoku.scheduler.app import Services

__all__ = ["link_figures", "link_work", "with_links"]

_SIGNED: Final[dict[str, Any]] = {"by": "demo", "ground": "the example says so"}
_BACK: Final = "https://app.example/linked"


def with_links() -> bool:
    """Whether the extra of the linked service is installed; without it the demo leaves the links out."""
    return all(find_spec(module) is not None for module in EXTRAS["link"])


def link_work(account: str, act: str, detail: str, at: datetime) -> Callable[[Services], None]:
    """What a line of links.csv does. Raises ValueError for an act that there is not."""
    if act not in _ACTS:
        raise ValueError(f"act {act!r} is none of {', '.join(_ACTS)}")

    def work(services: Services) -> None:
        _ACTS[act](services, account, detail, at)

    return work


def link_figures(session: Session) -> Iterator[tuple[str, str, str, int]]:
    """(key, ja, en, count) of what the link did: grants and their ends, tokens, uses, orders, letters."""
    living = sa.case((link_grant.c.ended_at.is_(None), "linked"), else_=link_grant.c.ended_cause)
    grants = _counts(session, living)
    yield "links", "連携", "links", sum(grants.values())
    for cause, (ja, en) in _GRANTS.items():
        if cause in grants:
            yield f"link_{cause}", ja, en, grants[cause]
    renewed = sa.select(sa.func.count()).where(link_token.c.generation > 1)
    yield "tokens_renewed", "鍵の更新", "tokens renewed", int(session.scalar(renewed) or 0)
    held = sa.select(sa.func.count()).where(link_secret.c.sealed.is_not(None))
    yield "secrets_held", "保管中の鍵(暗号化)", "secrets held, sealed", int(session.scalar(held) or 0)
    fetches = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(link_use.c.dropped), 0)).where(
        link_use.c.purpose == "fetch"
    )
    shown, dropped = session.execute(fetches).one()
    yield "fetches", "照会(保存なし)", "fetches, nothing kept", int(shown)
    yield "fields_dropped", "うち指定外で捨てた値", "values dropped: not designated", int(dropped)
    yield from _orders(session)
    told = sa.select(sa.func.count()).where(letter.c.kind.in_(("link_ended", "link_lapses")))
    yield "link_letters", "お客さまへの連携の通知", "letters about a link", int(session.scalar(told) or 0)


def _orders(session: Session) -> Iterator[tuple[str, str, str, int]]:
    kinds = _counts(session, link_order_event.c.kind)
    yield "orders_sent", "注文の伝達(各1回)", "orders passed on, once each", kinds.get("sent", 0)
    yield "orders_unknown", "うち回答が失われたもの", "answers lost", kinds.get("unknown", 0)
    yield "orders_accepted", "提携先の受付", "accepted by the partner", kinds.get("accepted", 0)
    fees = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(link_order.c.fee_yen), 0)))
    yield "link_fees", "当社の手数料(円)", "our fees, in yen", int(fees or 0)


def _counts(session: Session, what: sa.ColumnElement[Any]) -> dict[str, int]:
    return {str(word): int(number) for word, number in session.execute(sa.select(what, sa.func.count()).group_by(what))}


_GRANTS: Final = {
    "linked": ("連携中", "linked"),
    "refused": ("終了 提携先が更新を拒否", "ended: the partner refused to renew"),
    "base_account_closed": ("終了 普通預金口座の解約", "ended: the bank account was closed"),
    "user_deleted": ("終了 ユーザーIDの削除", "ended: user id deleted"),
    "revoked": ("終了 お客さまの取消し", "ended: revoked by the customer"),
}


def _link(services: Services, account: str, wanted: str, at: datetime) -> None:
    """All conditions are recorded, and the customer authorises us."""
    from keizoku.link.partner.simulated import code_of

    link = services.link
    link.record_fact(account, "partner_account_opened", by="demo", now=at)
    link.record_fact(account, "rules_consented", rules_version="2026-01", by="demo", now=at)
    for clause in services.rules.discretion.link_needs_rulings:
        link.rule(account, clause, met=True, now=at, **_SIGNED)
    begun = link.begin(account, cast("Literal['data', 'orders']", wanted), _BACK, now=at)
    link.finish(begun.state, code_of(account), now=at)


def _order(services: Services, account: str, detail: str, at: datetime) -> None:
    side, product, quantity = detail.split()
    link = services.link
    number = link.draft_order(account, product, cast("Literal['buy', 'sell']", side), int(quantity), now=at)
    link.confirm_order(number, link.order_texts(number, now=at)["ja"].digest, now=at)
    link.send_order(number, now=at)


def _partner(services: Services, account: str, detail: str, at: datetime) -> None:
    """What will go wrong at the simulated partner."""
    from keizoku.link.partner.simulated import SimulatedPartner

    partner = services.link.setup.partner()
    if isinstance(partner, SimulatedPartner):
        setattr(partner.mishaps[account], detail, True if detail == "refuses_renewal" else 1)


_ACTS: Final[dict[str, Callable[[Services, str, str, datetime], object]]] = {
    "designate_field": lambda services, _, name, at: services.link.designate("field", name, now=at, **_SIGNED),
    "designate_product": lambda services, _, name, at: services.link.designate("product", name, now=at, **_SIGNED),
    "link": _link,
    "show": lambda services, account, kind, at: services.link.show(account, [kind], now=at),
    "order": _order,
    "partner": _partner,
    "bank_account_closed": lambda services, account, why, at: services.close_base_account(
        account, by="demo", ground=why, now=at
    ),
    "revoke": lambda services, account, why, at: services.link.revoke(account, by="demo", ground=why, now=at),
}
