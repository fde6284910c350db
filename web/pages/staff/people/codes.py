"""Coupons and product keys by the batch: how many are used, sold, left; what became of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Filters, Input, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["batch", "codes"]

_KINDS = ("product_key", "coupon")


@staff.screen("/codes", command="key list", resource="codes")
def codes(view: View) -> Page:
    """Every batch, and what is not used yet."""
    say = view.say
    blocks: list[Block] = []
    for kind in _KINDS:
        counted = worked_out(view, "codes.list_batches", kind=kind)
        found = counted.page(view, kind, "batch")

        def leads(row: Mapping[str, Any], kind: str = kind) -> str:
            return to("codes", kind, row["batch"])

        blocks.append(
            table_of(view, word("choice", kind, view.lang), found.data, name=kind, next=found.next,
                     empty=counted.note(view) or say("No batch was issued."), hrefs={"batch": leads})
        )  # fmt: skip
    on = view.query.get("on", "")
    blocks.append(Filters((Input("on", say("Not used yet, on the base date"), "date", on),), say("Show")))
    if on:
        blocks += shown(view, say("Not used yet"), view.ask("codes.unused", on=on))
    acts = [view.act(name) for name in ("codes.issue", "codes.check", "codes.redeem")]
    return Page(say("Codes"), [*blocks, view.acts(say("What may be done"), acts)])


@staff.screen("/codes/{kind}/{batch}", command="key show", resource="codes")
def batch(view: View, kind: Id, batch: Id) -> Page:
    """One batch."""
    say = view.say
    found = view.ask("codes.show", batch=batch, kind=kind)
    acts = [view.act("codes.sell", batch=batch), view.act("codes.revoke", batch=batch, kind=kind)]
    return Page(batch, [*shown(view, "", found), view.acts(say("What may be done"), acts)],
                above=[(say("Codes"), to("codes"))])  # fmt: skip
