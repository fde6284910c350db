"""The words of scenarios about the linked service: steps and checks, with the same kinds of values as the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keizoku.db.tables.link.grants import FACTS
from keizoku.scheduler.scenario.page import Key, Words
from keizoku.scheduler.scenario.values import day, flag, instant, list_of, natural, one_of, record_of, text

__all__ = ["LINK_ACTIONS", "LINK_CHECKS"]

MISHAPS: Final = (
    "refuses_renewal",
    "unavailable",
    "too_many",
    "loses_answer",
    "gives_no_number",
    "lapses",
    "lists_late",
    "refuses_order",
    "voids_token",
)
STATES: Final = ("none", "active", "renewing", "lapsed", "refused", "revoked", "ended", "stopped")
ORDER_STATES: Final = (
    "drafted",
    "confirmed",
    "withdrawn",
    "sent",
    "unknown",
    "accepted",
    "refused",
    "never_arrived",
    "lapsed",
    "finished",
)


def _must(kind: object, refers: str = "") -> Key:
    return Key(kind, required=True, refers=refers)  # type: ignore[arg-type]


def _may(kind: object) -> Key:
    return Key(kind)  # type: ignore[arg-type]


def _stated(kind: object) -> Key:
    return Key(kind, nullable=True)  # type: ignore[arg-type]


_OF: Final = _must(text, "account")
_ORDER: Final = _must(natural)
_SCOPE: Final = one_of("data", "orders")

LINK_ACTIONS: Final[Mapping[str, Words]] = {
    "link_admit": {"account": _must(text)},
    "link_record": {
        "account": _must(text),
        "fact": _must(one_of(*FACTS)),
        "rules_version": _may(text),
        "occurred_at": _may(instant),
    },
    "link_rule": {"account": _OF, "clause": _must(text), "met": _must(flag)},
    "link_grant": {"account": _OF, "scope": _must(_SCOPE)},
    "link_renew": {"account": _OF},
    "link_revoke": {"account": _OF},
    "link_designate": {
        "kind": _must(one_of("field", "product")),
        "name": _must(text),
        "from": _may(day),
        "designated": _may(flag),
    },
    "link_fetch": {"account": _OF, "kinds": _must(list_of(text, "the kinds"))},
    "link_order": {
        "account": _OF,
        "product": _must(text),
        "side": _must(one_of("buy", "sell")),
        "quantity": _must(natural),
        "price": _may(text),
    },
    "link_confirm": {"order": _ORDER},
    "link_send": {"order": _ORDER},
    "link_settle": {"order": _ORDER},
    "link_withdraw": {"order": _ORDER},
    "link_never_arrived": {"order": _ORDER, "ground": _must(text)},
    "link_stop": {
        "whose": _must(one_of("partner", "operator")),
        "what": _must(text),
        "clause": _must(one_of("5.7", "10.4", "11.2")),
        "scope": _may(one_of("all", "data", "orders")),
        "kind": _may(one_of("stop", "change")),
        "account": _may(text),
        "from": _may(instant),
    },
    "link_lift": {"stop": _must(natural)},
    "link_announce": {"stop": _must(natural), "place": _must(text), "ground": _may(text)},
    "link_event": {
        "kind": _must(one_of("leak", "feared_leak", "misuse", "feared_misuse")),
        "what": _must(text),
        "account": _may(text),
    },
    "link_disclose": {"event": _must(natural), "account": _OF, "what": _must(text)},
    "link_load_ruling": {
        "account": _OF,
        "outcome": _must(one_of("forbidden", "allowed")),
        "from": _must(instant),
        "to": _must(instant),
    },
    "link_partner": {"account": _OF, "mishap": _must(one_of(*MISHAPS)), "times": _may(natural), "code": _may(text)},
    "base_account_closed": {"account": _must(text)},
}
"""What people, customers and the simulated partner do. Orders, stops and events are named by their numbers: 1, 2, …

`link_admit` records all conditions of use but the grant; `link_order` drafts an order, `link_confirm` confirms it with
the text shown.
"""

_ORDER_SHOWN: Final[Words] = {
    "state": _stated(one_of(*ORDER_STATES)),
    "product": _stated(text),
    "quantity": _stated(natural),
    "fee_yen": _stated(natural),
    "code": _stated(text),
    "numbered": _stated(flag),
}

LINK_CHECKS: Final[Mapping[str, Words]] = {
    "link": {
        "account": _OF,
        "state": _stated(one_of(*STATES)),
        "data": _stated(one_of("open", "closed")),
        "orders": _stated(one_of("open", "closed")),
        "generation": _stated(natural),
        "ended_at": _stated(instant),
        "ended_cause": _stated(text),
        "lapses_at": _stated(instant),
        "secrets": _stated(natural),
        "fetches": _stated(natural),
        "renewals": _stated(natural),
        "dropped": _stated(natural),
        "kept": _stated(natural),
        "sent": _stated(natural),
    },
    "link_orders": {
        "account": _OF,
        "list": _must(list_of(record_of(_ORDER_SHOWN, "an order"), "the list of orders")),
    },
    "link_tasks": {"account": _OF, "kinds": _stated(list_of(text, "the kinds"))},
}
"""What should be seen. `secrets`: sealed tokens that are not destroyed; `sent`: orders that the partner was sent."""
