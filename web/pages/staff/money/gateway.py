"""The card gateway: charges and refunds without an answer and how old they are, refunds that failed, disputes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["gateway"]


@staff.screen("/gateway", command="payments unknown", resource="payments")
def gateway(view: View) -> Page:
    """What the gateway has not answered, gave back, or disputes."""
    say = view.say
    charges = view.rows("payments.list_unknown", table="charges")
    refunds = view.rows("payments.list_refunds", table="refunds")
    failed = view.rows("payments.list_failed_refunds", table="failed")
    disputes = view.rows("payments.list_disputes", table="disputes")

    def leads(act: str, part: str, key: str) -> Any:
        def to_act(row: Mapping[str, Any]) -> str | None:
            return view.act_at(act, **{part: row[key]})

        return {key: to_act}

    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Charges without an answer"), view.number(len(charges.data))),
                Figure(say("Refunds without an answer"), view.number(len(refunds.data))),
                Figure(say("Failed refunds"), view.number(len(failed.data))),
                Figure(say("Disputes"), view.number(len(disputes.data))),
            ]
        ),
        table_of(view, say("Charges without an answer"), charges.data, name="charges", next=charges.next,
                 empty=say("Every charge has its answer."),
                 hrefs=leads("payments.nothing_charged", "attempt", "attempt")),
        table_of(view, say("Refunds without an answer"), refunds.data, name="refunds", next=refunds.next,
                 empty=say("Every refund has its answer."), hrefs=leads("payments.nothing_refunded", "key", "key")),
        table_of(view, say("Failed refunds"), failed.data, name="failed", next=failed.next,
                 empty=say("No refund came back."), hrefs=leads("payments.refund_dealt_with", "refund", "refund")),
        table_of(view, say("Disputes"), disputes.data, name="disputes", next=disputes.next,
                 empty=say("No charge is disputed."), hrefs=leads("payments.dispute_lost", "dispute", "dispute")),
        view.acts(say("What may be done"), [view.act("payments.settle")]),
    ]  # fmt: skip
    return Page(say("Card gateway"), blocks)
