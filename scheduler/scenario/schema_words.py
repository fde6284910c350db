"""Every word of a scenario file: the actions, the checks, their keys and the kind of each value.

This file is the table of the format; `docs/how-to/scenarios.md` explains it to people. A rule that joins
two keys (one of `claim` and `stop`) is in document.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keizoku.scheduler.scenario.link_words import LINK_ACTIONS, LINK_CHECKS
from keizoku.scheduler.scenario.page import Key, Kind, Words
from keizoku.scheduler.scenario.values import (
    day,
    file_beside,
    flag,
    instant,
    list_of,
    mapping_of,
    month,
    natural,
    observation,
    one_of,
    rate,
    record_of,
    row_of,
    text,
    whole,
    window,
)

METHODS: Final = ("card", "coupon", "product_key", "app_store", "other")
PREPAID_METHODS: Final = ("coupon", "product_key")  # they pay for a number of months
CARD_OUTCOMES: Final = (
    "ok",
    "insufficient_funds",
    "lost_card",
    "expired_card",
    "authentication_required",
    "timeout_after_success",
    "timeout_before",
    "error_500",
)
CAUSES: Final = ("fault", "system_update", "partner", "user_environment")
CONTRACT_STATES: Final = ("applied", "rejected", "active", "suspended", "ended")
NOTICE_KINDS: Final = ("renewal", "suspension", "termination", "acceleration", "set_off", "price")
DOCUMENT_KINDS: Final = (
    *NOTICE_KINDS,
    "overdue",
    "demand",
    "resumption",
    "write_off",
    "recalculation",
    "contract_end",
    "terms",
    "claim_received",
    "claim_granted",
    "claim_rejected",
    "remedy",
    "credit",
    "refund",
    "link_lapses",
    "link_ended",
    "invoice",
    "credit_note",
)
EVENT_TYPES: Final = (
    "contract.applied",
    "contract.approved",
    "contract.rejected",
    "contract.ended",
    "access.changed",
    "contract.renewed",
    "end_of_use.requested",
    "end_of_use.withdrawn",
    "invoice.issued",
    "invoice.paid",
    "invoice.void",
    "charge.failed",
    "notice.written",
    "invoice.overdue",
    "card.needed",
    "refund.made",
    "refund.failed",
    "dispute.opened",
    "dispute.won",
    "dispute.lost",
    "claim.received",
    "claim.decided",
    "award.granted",
    "credit.applied",
    "month.closed",
    "month.reopened",
    "month.changed",
    "task.opened",
    "charge.unknown",
    "task.closed",
    "night.completed",
)
"""As the log of events has them (a test compares)."""
CLAIM_REASONS: Final = ("deadline", "not_member", "method", "threshold")
BUCKETS: Final = (
    "short_stop",
    "night",
    "announced_update",
    "interruption",
    "environment",
    "not_member",
    "suspended",
    "not_card",
    "not_claimed",
    "not_recognised",
    "recognised",
)


def must(kind: Kind, refers: str = "") -> Key:
    """A key that has to be there."""
    return Key(kind, required=True, refers=refers)


def may(kind: Kind, refers: str = "") -> Key:
    """A key of an action that may be there."""
    return Key(kind, refers=refers)


def stated(kind: Kind) -> Key:
    """A key of a check: compared if it is stated, null for nothing."""
    return Key(kind, nullable=True)


def listed(words: Words, what: str) -> Key:
    """A list of a check: compared whole and in order, each item by its stated keys."""
    return must(list_of(record_of(words, what), f"the list of {what}s"))


_ACCOUNT: Final = must(text, "account")
_GROUND: Final[Words] = {"account": _ACCOUNT, "ground": must(text)}
_ONLY_ACCOUNT: Final[Words] = {"account": _ACCOUNT}
_SPAN: Final[Words] = {"from": must(instant), "to": must(instant)}
_WINDOWS: Final = list_of(window, "the list of windows")
_TERM: Final = row_of(day, day, what="a term [first day, day after the last]")
_REGISTRATION: Final[Words] = {
    "plan": must(text, "plan"),
    "method": must(one_of(*METHODS)),
    "months": may(natural),
    "fallback": may(one_of("card")),
}
_COUNT_ROW: Final = row_of(instant, instant, natural, natural, what="a count [from, to, affected, total]")
_PRICE_DATES: Final[Words] = {
    "announced": may(day),
    "for_new_from": may(day),
    "for_renewals_from": may(day),
    "cohort": may(list_of(text, "the cohort"), "account"),
}

#: A price of a plan as the scenario begins: `from` holds for both kinds of terms unless they are stated.
INITIAL_PRICE: Final[Words] = {"yen": must(natural), "from": must(day), **_PRICE_DATES}
PLAN: Final[Words] = {
    "interval": must(one_of("month", "year")),
    "prices": must(list_of(record_of(INITIAL_PRICE, "a price"), "the list of prices")),
}
POPULATION: Final[Words] = {"from": must(instant), "users": must(natural)}

ACTIONS: Final[Mapping[str, Words]] = {
    "register": {"account": must(text), **_REGISTRATION},
    "approve": {"account": must(text), **{key: may(word.kind, word.refers) for key, word in _REGISTRATION.items()}},
    "reject": _GROUND,
    "end_of_use": _ONLY_ACCOUNT,
    "withdraw_end_of_use": _ONLY_ACCOUNT,
    "store_stop": {"account": _ACCOUNT, "stopped_on": may(day)},
    "leave_service": _ONLY_ACCOUNT,
    "delete_user": _ONLY_ACCOUNT,
    "change_method": {"account": _ACCOUNT, "method": must(one_of(*METHODS)), "store_stop_recorded": may(flag)},
    "new_card": _ONLY_ACCOUNT,
    "card": {"account": _ACCOUNT, "outcome": must(one_of(*CARD_OUTCOMES))},
    "pay": {
        "account": _ACCOUNT,
        "yen": must(natural),
        "via": must(one_of("bank")),
        "costs": may(natural),
        "costs_proof": may(text),
        "for": may(day),
        "received_on": may(day),
    },
    "write_off": {"account": _ACCOUNT, "term": must(day), "by": must(text), "ground": must(text)},
    "set_off": {"account": _ACCOUNT, "by": must(text)},
    "price": {
        "plan": must(text, "plan"),
        "yen": must(natural),
        "announced": must(day),
        "for_new_from": must(day),
        "for_renewals_from": must(day),
        "cohort": _PRICE_DATES["cohort"],
        "ground": may(text),
        "proof": may(text),
    },
    "suspend": _GROUND,
    "resume": _GROUND,
    "terminate": _GROUND,
    "stop": {"id": may(text), **_SPAN, "affected": must(natural), "cause": may(one_of(*CAUSES))},
    "correct_stop": {
        "id": must(text, "stop"),
        "from": may(instant),
        "to": may(instant),
        "affected": may(natural),
        "cause": may(one_of(*CAUSES)),
    },
    "counts": {"rows": must(list_of(_COUNT_ROW, "the rows of counts"))},
    "observations": {"file": may(file_beside), "rows": may(list_of(observation, "the rows of observations"))},
    "notice": {"id": must(text), "published": must(instant), **_SPAN},
    "interruption": {**_SPAN, "ground": must(text), "approved_by": must(text)},
    "claim": {"id": must(text), "account": must(text), "month": must(month), "windows": may(_WINDOWS)},
    "recognise": {"claim": must(text, "claim"), "windows": must(_WINDOWS), "by": must(text), "ground": must(text)},
    "environment": {
        "claim": may(text, "claim"),
        "stop": may(text, "stop"),
        "windows": must(_WINDOWS),
        "by": must(text),
        "ground": must(text),
    },
    "claim_form_down": _SPAN,
    "consent_alternative": {"claim": must(text, "claim"), "what": must(text), "by_on": may(day)},
    "perform_alternative": {"claim": must(text, "claim"), "performed_on": may(day)},
    "withdraw_alternative": {"claim": must(text, "claim")},
    "grant_late": {"claim": must(text, "claim"), "ground": must(text), "approved_by": must(text)},
    "dispute": {"account": _ACCOUNT, "term": must(day), "outcome": must(one_of("won", "lost")), "on": must(day)},
    "refund_fails": _ONLY_ACCOUNT,
    "store_refund": {"account": _ACCOUNT, "term": must(day), "yen": must(natural)},
    "store_report": {"account": _ACCOUNT, "term": must(day), "gross": must(natural), "fee": must(natural)},
    "close_month": {"month": must(month)},
    "skip_nights": {"from": must(day), "to": must(day)},
    "run_night": {"date": must(day)},
    **LINK_ACTIONS,
}

_INVOICE: Final[Words] = {
    "term": stated(_TERM),
    "total": stated(natural),
    "credit": stated(natural),
    "charged": stated(natural),
    "tax": stated(natural),
    "state": stated(one_of("open", "paid", "void")),
    "due": stated(day),
    "paid_on": stated(day),
    "price": stated(natural),
}
_ATTEMPT: Final[Words] = {"on": stated(day), "yen": stated(natural), "outcome": stated(text)}
_DEMAND: Final[Words] = {"on": stated(day), "interest": stated(natural)}
_NOTICE: Final[Words] = {"on": stated(day), "kind": stated(one_of(*NOTICE_KINDS))}
_EVENT: Final[Words] = {"on": stated(day), "type": stated(one_of(*EVENT_TYPES)), "subject": stated(text)}
_DOCUMENT: Final[Words] = {"on": stated(day), "kind": stated(one_of(*DOCUMENT_KINDS))}

#: A check's first key says what it looks at, the others what should be seen there.
CHECKS: Final[Mapping[str, Words]] = {
    "contract": {
        "account": _ACCOUNT,
        "state": stated(one_of(*CONTRACT_STATES)),
        "access": stated(flag),
        "term": stated(_TERM),
        "renews": stated(flag),
        "method": stated(one_of(*METHODS)),
        "ended_on": stated(day),
        "reason": stated(text),
    },
    "invoices": {"account": _ACCOUNT, "list": listed(_INVOICE, "invoice")},
    "attempts": {"account": _ACCOUNT, "list": listed(_ATTEMPT, "attempt")},
    "charges": {"account": _ACCOUNT, "count": stated(natural), "yen": stated(natural)},
    "owed": {
        "account": _ACCOUNT,
        "principal": stated(natural),
        "interest": stated(natural),
        "costs": stated(natural),
        "total": stated(natural),
        "deposit": stated(natural),
    },
    "demands": {"account": _ACCOUNT, "list": listed(_DEMAND, "demand")},
    "notices": {"account": _ACCOUNT, "list": listed(_NOTICE, "notice")},
    "documents": {"account": _ACCOUNT, "list": listed(_DOCUMENT, "document")},
    "events": {"account": _ACCOUNT, "list": listed(_EVENT, "event")},
    "claim": {
        "id": must(text, "claim"),
        "outcome": stated(one_of("pending", "granted", "rejected", "withdrawn")),
        "seconds": stated(natural),
        "rate": stated(rate),
        "credit": stated(natural),
        "reason": stated(one_of(*CLAIM_REASONS)),
        "waterfall": stated(mapping_of(natural, "the waterfall", BUCKETS)),
    },
    "month": {
        "month": must(month),
        "stop_seconds": stated(natural),
        "unusable_seconds": stated(natural),
        "windows": stated(_WINDOWS),
    },
    "credit": {
        "account": _ACCOUNT,
        "available": stated(natural),
        "applied": stated(natural),
        "refunded": stated(natural),
    },
    "refunds": {"account": _ACCOUNT, "count": stated(natural), "yen": stated(natural)},
    "journal": {"balanced": stated(flag), "balances": stated(mapping_of(whole, "the balances"))},
    "close": {
        "month": must(month),
        "unexplained": stated(natural),
        "exceptions": stated(mapping_of(natural, "the exceptions")),
    },
    "night": {"date": must(day), "changes": stated(natural), "certificate": stated(one_of("ok", "differences"))},
    **LINK_CHECKS,
}

#: What each check looks at; the rest of its keys is what should be seen.
SUBJECTS: Final[Mapping[str, str]] = {
    **{check: "account" for check, words in CHECKS.items() if "account" in words},
    "claim": "id",
    "month": "month",
    "journal": "",
    "close": "month",
    "night": "date",
}
