"""Coupons and product keys by the batch: sold, used, left, owed for; what is unused on a base date; one batch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Figure, Figures, Filters, Input, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown
from keizoku.web.pages.shared.view import Rows, View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["batch", "codes"]

_KINDS: Final = ("product_key", "coupon")
_BASE_DATES: Final = ((3, 31), (9, 30))
"""Of the Payment Services Act."""


@staff.screen("/codes", command="key list", resource="codes")
def codes(view: View) -> Page:
    """Every batch, and what is not used yet."""
    say = view.say
    batches = {kind: worked_out(view, "codes.list_batches", kind=kind).page(view, kind, "batch") for kind in _KINDS}
    keys = batches["product_key"].data
    on = view.query.get("on", "")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Keys sold"), view.number(sum(each["sold"] for each in keys), "#table-product_key")),
                Figure(say("Keys used"), view.number(sum(each["used"] for each in keys), "#table-product_key")),
                Figure(
                    say("Owed for keys (2125)"),
                    view.yen(sum(each["liability_yen"] for each in keys), to("ledger", "accounts", "2125")),
                ),
                Figure(
                    say("Coupons open"),
                    view.number(sum(each["open"] for each in batches["coupon"].data), "#table-coupon"),
                ),
            ]
        ),
        view.acts(
            say("What may be done"), [view.act(name) for name in ("codes.issue", "codes.check", "codes.redeem")]
        ),
        *(_batches(view, kind, found) for kind, found in batches.items()),
        Filters(
            (Input("on", say("Not used yet, on the base date"), "date", on or str(_base_date(view.call.today))),),
            say("Show"),
        ),
        *(_unused(view, on) if on else []),
    ]  # fmt: skip
    return Page(say("Codes"), blocks)


@staff.screen("/codes/{kind}/{batch}", command="key show", resource="codes")
def batch(view: View, kind: Id, batch: Id) -> Page:
    """One batch."""
    say = view.say
    found = view.ask("codes.show", batch=batch, kind=kind)
    acts = [
        view.act("codes.sell", batch=batch) if kind == "product_key" else None,
        view.act("codes.revoke", batch=batch, kind=kind),
    ]
    return Page(batch, [*shown(view, "", found), view.acts(say("What may be done"), acts)],
                above=[(say("Codes"), to("codes"))])  # fmt: skip


def _batches(view: View, kind: str, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.text(each["batch"], to("codes", kind, each["batch"])),
            view.text(each["plan"]),
            view.number(each["months"]),
            view.yen(each["yen"]),
            view.day(each["issued_on"]),
            _expires(view, each),
            view.number(each["codes"]),
            view.number(each["sold"]),
            view.number(each["used"]),
            view.number(each["open"]),
            view.yen(each["liability_yen"]),
        ]
        for each in found.data
    ]
    columns = [
        say("Batch"), say("Plan"), say("Months"), say("Price of one"), say("Issued on"), say("Expires on"),
        say("Codes"), say("Sold"), say("Used"), say("Not used"), say("Owed for them"),
    ]  # fmt: skip
    return view.table(word("choice", kind, view.lang), columns, rows, name=kind, next=found.next,
                      empty=say("No batch was issued. “Issue codes” makes one; its codes are shown once."))  # fmt: skip


def _expires(view: View, each: Mapping[str, Any]) -> Cell:
    return view.day(each["expires_on"], tone="soft" if str(each["expires_on"]) <= str(view.call.today) else "")


def _unused(view: View, on: str) -> list[Block]:
    """What was unused on a base date, beside the threshold and the ledger."""
    say = view.say
    found = view.ask("codes.unused", on=on)
    off = found["unused_yen"] + found["terms_yen"] - found["ledger_yen"]
    rows = [
        [
            view.text(each["batch"], to("codes", "product_key", each["batch"])),
            view.yen(each["yen"]),
            view.number(each["sold_in_period"]),
            view.number(each["sold"]),
            view.number(each["used"]),
            view.number(each["refunded"]),
            view.number(each["expired"]),
            view.number(each["unused"]),
            view.yen(each["unused_yen"]),
            view.day(each["expires_on"]),
            view.yes(each["exempt"]),
        ]
        for each in found["batches"]
    ]
    columns = [
        say("Batch"), say("Price of one"), say("Sold in the half year"), say("Sold"), say("Used"), say("Paid back"),
        say("Expired"), say("Not used"), say("Unused sum"), say("Expires on"), say("Exempt (six months)"),
    ]  # fmt: skip
    return [
        Figures(
            [
                Figure(say("Unused sum"), view.yen(found["unused_yen"], "#table-unused")),
                Figure(
                    say("Counted for the threshold"),
                    view.yen(found["counted_yen"]),
                    say("above 10,000,000 yen") if found["above_threshold"] else say("not above 10,000,000 yen"),
                ),
                Figure(
                    say("To be deposited"), view.yen(found["deposit_yen"], tone="warn" if found["deposit_yen"] else "")
                ),
                Figure(say("Used, their terms not begun"), view.yen(found["terms_yen"])),
                Figure(say("In the books (2125)"), view.yen(found["ledger_yen"], to("ledger", "accounts", "2125"))),
                Figure(say("Not explained"), view.yen(off, tone="bad" if off else "good")),
            ]
        ),
        view.table(say("Unused on {day}", day=on), columns, rows, name="unused",
                   empty=say("No key had been sold by then.")),
    ]  # fmt: skip


def _base_date(today: date) -> date:
    """The newest base date that has come."""
    days = [date(year, month, day) for year in (today.year - 1, today.year) for month, day in _BASE_DATES]
    return max(each for each in days if each <= today)
