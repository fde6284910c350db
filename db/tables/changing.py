"""The few columns that may change, table by table; all others keep what was written first (rule 6).

One list for who may change what (`db/roles.py`), for the guards that let nobody set a column twice (`guards.py`), and
for the tests that try every other column. A table that is in none of these is only ever added to.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["CACHES", "LOCKED", "SET_ONCE", "changing_columns"]

CACHES: Final[Mapping[str, tuple[str, ...]]] = {
    "contract": ("method", "renews_on"),
    "invoice": ("state", "open_yen", "paid_on"),
    "credit": ("available_yen",),
    "stage_run": ("started_at", "finished_at", "changes", "runs"),
    "night_range": ("state", "changes"),
    "gateway_cursor": ("seen_to",),
    "simulated_card": ("outcome", "refund_fails"),
    "link_secret": ("key_id", "sealed"),
    "link_kept": ("content",),
    "simulated_link_order": ("state",),
    "webhook_place": ("batch", "place", "turn", "failing_since", "rests_until"),
    "webhook_waiting": ("attempts", "next_at", "ended_at"),
    "web_session": ("last_seen_at",),
    "form_sighting": ("seen_at",),
}
"""What is derived from other rows, or how far work has come: it changes as often as they do."""

_ANSWER = ("outcome", "code", "gateway_id", "settled_on", "settled_at", "answer_recorded_at")
_LINK_END = ("ended_at", "ended_cause", "end_recorded_at")
_FAILURE = ("failure_recorded_at", "failed_on", "failed_at", "failed_code")

SET_ONCE: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "contract": (
        ("approved_at", "anchor_on"),
        ("rejected_at", "rejected_ground"),
        ("ended_on", "ended_at", "ended_reason", "end_recorded_at"),
    ),
    "term": (("closed_on", "closed_at"),),
    "suspension": (("lifted_at", "lifted_by", "lift_recorded_at"),),
    "invoice": (("accelerated_on", "accelerated_at"),),
    "payment_attempt": ((*_ANSWER, "advice"),),
    "credit_refund": (_ANSWER, _FAILURE),
    "overpayment_refund": (_ANSWER, _FAILURE),
    "review_task": (("closed_at", "closed_by", "closed_ground"),),
    "code_batch": (("closed_at",),),
    "code_redemption": (("contract_id", "used_on"), ("released_at",)),
    "simulated_refund": (("failed_at",),),
    "store_refund": (("payout_id", "paid_out_on"),),
    "link_grant": (_LINK_END,),
    "link_token": (_LINK_END,),
    "link_secret": (("destroyed_at",),),
    "link_kept": (("destroyed_at",),),
    "link_use": (("answered_at", "outcome", "code", "dropped"),),
    "web_session": (("ended_at", "ended_why"),),
}
"""What is written together, once, when it becomes known; the first column of each group says whether it was."""

LOCKED: Final[Mapping[str, str]] = {"account": "id", "bank_line": "id", "code": "id", "transfer_order": "id"}
"""Tables whose rows never change and are locked one by one, so that two do not act on the same.

PostgreSQL lets only those lock a row who may change a column of it; the append-only guard refuses the change itself.
"""


def changing_columns(table: str) -> tuple[str, ...]:
    """The columns of a table that may change, in order of their names."""
    once = [column for group in SET_ONCE.get(table, ()) for column in group]
    return tuple(sorted({*CACHES.get(table, ()), *once}))
