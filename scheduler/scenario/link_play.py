"""Plays the steps of a scenario about the linked service, and looks at what its checks ask for; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa

from keizoku.db.tables.link.grants import link_kept, link_secret, link_token, link_use
from keizoku.db.tables.money import review_task
from keizoku.scheduler.scenario.link_words import LINK_ACTIONS

if TYPE_CHECKING:
    from keizoku.link.partner.simulated import SimulatedPartner
    from keizoku.link.services.link_service import LinkService
    from keizoku.scheduler.app import Services

__all__ = ["is_of_link", "link_view", "orders_view", "perform_link", "tasks_view"]

_SAID: Final[dict[str, Any]] = {"by": "the scenario", "ground": "as the scenario states"}
_BACK: Final = "https://app.example/back"


def is_of_link(action: str) -> bool:
    """Whether a step is one of these."""
    return action in LINK_ACTIONS


def perform_link(action: str, facts: Mapping[str, Any], services: Services, now: datetime) -> None:
    """Do what a step says, at its instant. Raises Refused."""
    if action == "base_account_closed":
        services.close_base_account(facts["account"], now=now, **_SAID)
        return
    _STEPS[action](services.link, facts, now)


def _partner(link: LinkService) -> SimulatedPartner:
    return cast("SimulatedPartner", link.setup.partner())


def _admit(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    account = facts["account"]
    link.record_fact(account, "partner_account_opened", by="the scenario", now=now)
    link.record_fact(account, "rules_consented", rules_version="2026-01", by="the scenario", now=now)
    for clause in link.rules.discretion.link_needs_rulings:
        link.rule(account, clause, met=True, now=now, **_SAID)


def _record(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    more = {key: facts[key] for key in ("rules_version", "occurred_at") if key in facts}
    link.record_fact(facts["account"], facts["fact"], now=now, **_SAID, **more)


def _grant(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    from keizoku.link.partner.simulated import code_of

    begun = link.begin(facts["account"], facts["scope"], _BACK, now=now)
    link.finish(begun.state, code_of(facts["account"]), now=now)


def _order(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    link.draft_order(
        facts["account"],
        facts["product"],
        facts["side"],
        facts["quantity"],
        limit_price=facts.get("price"),
        now=now,
    )


def _confirm(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    link.confirm_order(facts["order"], link.order_texts(facts["order"], now=now)["ja"].digest, now=now)


def _stop(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    more = {key: facts[key] for key in ("scope", "kind", "account") if key in facts}
    link.stop(
        whose=facts["whose"],
        what=facts["what"],
        clause=facts["clause"],
        from_at=facts.get("from"),
        now=now,
        **_SAID,
        **more,
    )


def _mishap(link: LinkService, facts: Mapping[str, Any], now: datetime) -> None:
    """Nothing of ours: the simulated partner is told how to behave."""
    found = _partner(link).mishaps[facts["account"]]
    name = facts["mishap"]
    if name == "voids_token":
        _partner(link).void(facts["account"])
    elif name == "refuses_order":
        found.refuses_order = facts.get("code", "100217")
    elif name == "refuses_renewal":
        found.refuses_renewal = True
    else:
        setattr(found, name, facts.get("times", 1))


_STEPS: Final[Mapping[str, Callable[[LinkService, Mapping[str, Any], datetime], object]]] = {
    "link_admit": _admit,
    "link_record": _record,
    "link_rule": lambda link, facts, now: link.rule(
        facts["account"], facts["clause"], met=facts["met"], now=now, **_SAID
    ),
    "link_grant": _grant,
    "link_renew": lambda link, facts, now: link.renew(facts["account"], now=now),
    "link_revoke": lambda link, facts, now: link.revoke(facts["account"], now=now, **_SAID),
    "link_designate": lambda link, facts, now: link.designate(
        facts["kind"],
        facts["name"],
        is_designated=facts.get("designated", True),
        holds_from=facts.get("from"),
        now=now,
        **_SAID,
    ),
    "link_fetch": lambda link, facts, now: link.show(facts["account"], facts["kinds"], now=now),
    "link_order": _order,
    "link_confirm": _confirm,
    "link_send": lambda link, facts, now: link.send_order(facts["order"], now=now),
    "link_settle": lambda link, facts, now: link.settle_order(facts["order"], now=now),
    "link_withdraw": lambda link, facts, now: link.withdraw_order(facts["order"], now=now),
    "link_never_arrived": lambda link, facts, now: link.order_never_arrived(
        facts["order"], by="the scenario", ground=facts["ground"], now=now
    ),
    "link_stop": _stop,
    "link_lift": lambda link, facts, now: link.lift(facts["stop"], by="the scenario", now=now),
    "link_announce": lambda link, facts, now: link.announce(
        facts["stop"], place=facts["place"], by="the scenario", ground=facts.get("ground"), now=now
    ),
    "link_event": lambda link, facts, now: link.security_event(
        facts["kind"], facts["what"], account=facts.get("account"), now=now, **_SAID
    ),
    "link_disclose": lambda link, facts, now: link.disclose(
        facts["event"], facts["account"], facts["what"], recipient="the partner", now=now, **_SAID
    ),
    "link_load_ruling": lambda link, facts, now: link.rule_on_load(
        facts["account"], facts["outcome"], from_at=facts["from"], to_at=facts["to"], now=now, **_SAID
    ),
    "link_partner": _mishap,
}


def link_view(services: Services, account: str, at: datetime) -> Mapping[str, Any]:
    """A customer's link at an instant, with the figures of its uses."""
    from keizoku.link.services.views import link_view as view_of

    session, link = services.session, services.link
    view = view_of(session, account, at)
    uses = session.execute(
        sa.select(link_use.c.purpose, sa.func.count().label("n"), sa.func.sum(link_use.c.dropped).label("dropped"))
        .where(link_use.c.account == account)
        .group_by(link_use.c.purpose)
    ).all()
    counts = {row.purpose: row.n for row in uses}
    secrets = sa.select(sa.func.count()).where(
        link_token.c.account == account, link_secret.c.token_id == link_token.c.id, link_secret.c.destroyed_at.is_(None)
    )
    kept = sa.select(sa.func.count()).where(link_kept.c.account == account)
    shown = {
        **view,
        **{scope: link.may_use(account, scope, now=at).outcome for scope in ("data", "orders")},
        "secrets": session.scalar(secrets),
        "fetches": counts.get("fetch", 0),
        "renewals": counts.get("refresh", 0),
        "dropped": sum(row.dropped or 0 for row in uses),
        "kept": session.scalar(kept),
        "sent": counts.get("order", 0),
    }
    session.rollback()
    return shown


def orders_view(services: Services, account: str) -> Mapping[str, Any]:
    """A customer's orders."""
    from keizoku.link.services.views import order_list

    rows = order_list(services.session, account)
    return {"list": [{**row, "numbered": row["partner_id"] is not None} for row in rows]}


def tasks_view(services: Services, account: str) -> Mapping[str, Any]:
    """The open tasks about a customer's link, by kind."""
    query = sa.select(review_task.c.kind).where(
        review_task.c.closed_at.is_(None), review_task.c.detail["account"].astext == account
    )
    kinds = sorted(services.session.scalars(query).all())
    services.session.rollback()
    return {"kinds": tuple(kinds)}
