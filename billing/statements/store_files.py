"""Reports of app stores as the stores write them: Google Play's earnings, Apple's financial and sales reports. Pure.

    google_play        a row for the charge, the fee, the tax, the refund, each with the order: joined to one sale
    apple_financial    totals of a product and a country over Apple's month, no orders; Total_… lines below
    apple_sales        the same of a day, a week or a month (Sales and Trends)

Columns as in public parsers of these files (looked up 2026-11). Money that is not in yen is a finding: we keep yen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from keizoku.billing.rules.bank.statement import YEN
from keizoku.billing.statements.presets import folded_name
from keizoku.billing.statements.recognise import decoded
from keizoku.billing.statements.values import BadValueError, amount_of, even, is_blank, month_day_of, yen_of
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records

__all__ = ["STORE_FORMATS", "ProductTotal", "StoreFile", "StoreSale", "read_store_file", "store_format_of"]

_GOOGLE = ("Description", "Transaction Date", "Transaction Type", "Merchant Currency", "Amount (Merchant Currency)")
_FINANCIAL = ("Start Date", "End Date", "Vendor Identifier", "Quantity", "Extended Partner Share",
              "Partner Share Currency", "Sales or Return", "Customer Price", "Customer Currency")  # fmt: skip
_SALES = ("SKU", "Units", "Developer Proceeds", "Begin Date", "End Date", "Customer Currency", "Currency of Proceeds",
          "Customer Price")  # fmt: skip
STORE_FORMATS: Mapping[str, tuple[str, ...]] = {
    "google_play": _GOOGLE,
    "apple_financial": _FINANCIAL,
    "apple_sales": _SALES,
}
"""Each format with the columns that it is known by."""
_KINDS = {"charge": "gross", "google fee": "fee", "tax": "tax", "charge refund": "refund",
          "google fee refund": "fee_back", "tax refund": "tax_back"}  # fmt: skip
_ZONES = {"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "UTC": "UTC", "GMT": "UTC", "JST": "Asia/Tokyo"}
Row = tuple[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class StoreSale:
    """One order in a report: what was charged, kept and given back, each in whole yen above zero or zero."""

    line: int
    order: str
    product: str
    on: date  # of the charge, or of the refund where the report has no charge
    gross_yen: int
    fee_yen: int
    tax_yen: int
    refund_yen: int = 0
    fee_back_yen: int = 0
    tax_back_yen: int = 0
    refunded_on: date | None = None


@dataclass(frozen=True, slots=True)
class ProductTotal:
    """What a report says of a product in sum: units at a price, and our share of one; below zero, given back."""

    line: int
    product: str
    from_on: date
    to_on: date
    units: int
    price_yen: int
    share_yen: int  # of one unit


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A report read: sales by order, or totals by product; what cannot be used."""

    format: str
    sales: tuple[StoreSale, ...] = ()
    totals: tuple[ProductTotal, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: int = 0
    rows: int = 0


def store_format_of(raw: bytes) -> str:
    """The name of the store's format that a file has; empty: none of them."""
    text = decoded(raw)
    return _found(text)[0] if text else ""


def read_store_file(source: str, raw: bytes, name: str = "") -> StoreFile:
    """The report in a file, under the format that it has or that people named."""
    text = decoded(raw)
    if text is None:
        rule = "a file is UTF-8, UTF-16 or cp932, all of it"
        return StoreFile(name, findings=(Finding(source, None, "its letters", rule, "download it again"),))
    found, header, records = _found(text, name)
    if not found:
        rule = f"no line of the file has the columns of {name or 'a store'}"
        return StoreFile(name, findings=(Finding(source, None, "no header", rule, "download the report again"),))
    reading = _Reading(source, header)
    rows = list(reading.rows(records))
    sales = _sales(rows, reading) if found == "google_play" else ()
    totals = () if found == "google_play" else _totals(rows, reading, _TOTALS[found])
    findings = tuple(sorted(reading.findings, key=lambda each: each.line or 0))
    return StoreFile(found, sales, totals, findings, reading.notes, len(rows))


def _found(text: str, wanted: str = "") -> tuple[str, list[str], Iterator[tuple[int, Sequence[str] | BrokenRecord]]]:
    """The format, the header and the records behind it."""
    for delimiter in "\t,":
        records = csv_records(text, delimiter)
        for _, (_, cells) in zip(range(10), records, strict=False):
            if isinstance(cells, BrokenRecord):
                continue
            names = [folded_name(cell) for cell in cells]
            for name, needed in STORE_FORMATS.items():
                if wanted in ("", name) and {folded_name(each) for each in needed} <= set(names):
                    return name, names, records
    return "", [], iter(())


@dataclass
class _Reading:
    """The rows of a report while they come by."""

    source: str
    header: list[str]
    findings: list[Finding] = field(default_factory=list)
    notes: int = 0

    def rows(self, records: Iterator[tuple[int, Sequence[str] | BrokenRecord]]) -> Iterator[Row]:
        """(line, values by folded name) of each row; totals below them are notes."""
        for line, cells in records:
            if isinstance(cells, BrokenRecord):
                self.find(line, cells.value, "rows are CSV", "download the report again")
            elif not any(cell.strip() for cell in cells):
                continue
            elif cells[0].strip().casefold().startswith("total_"):
                self.notes += 1
            elif len(cells) < len(self.header) and sum(1 for cell in cells if cell.strip()) <= 4:
                self.notes += 1  # Apple's small table of countries below the totals
            elif len(cells) != len(self.header) and any(cell.strip() for cell in cells[len(self.header) :]):
                rule = f"the header has {len(self.header)} columns, this row {len(cells)}"
                self.find(line, ",".join(cells)[:80], rule, "download the report again")
            else:
                values = [*cells, *[""] * (len(self.header) - len(cells))]
                yield line, {name: cell.strip() for name, cell in zip(self.header, values, strict=False)}

    def find(self, line: int, value: str, rule: str, remedy: str) -> None:
        """A finding of a row."""
        self.findings.append(Finding(self.source, line, value, rule, remedy))


def _of(row: Mapping[str, str], name: str) -> str:
    return row.get(folded_name(name), "")


def _sales(rows: Sequence[Row], reading: _Reading) -> tuple[StoreSale, ...]:
    """The sales of Google Play: the rows of an order joined."""
    orders: dict[str, dict[str, int]] = {}
    facts: dict[str, tuple[int, str, date]] = {}
    refunded: dict[str, date] = {}
    for line, row in rows:
        try:
            order, kind = _of(row, "Description"), _KINDS.get(_of(row, "Transaction Type").casefold())
            currency = _of(row, "Merchant Currency").upper()
            if kind is None:
                raise BadValueError(_of(row, "Transaction Type"), "no such kind of row is known", "book it by hand")
            if currency != YEN:
                remedy = "have the store pay in yen, or book it by hand"
                raise BadValueError(
                    f"{_of(row, 'Amount (Merchant Currency)')} {currency}", "reports are in JPY", remedy
                )
            if not order:
                raise BadValueError("no order", "a row names its order", "book it by hand")
            yen = yen_of(_of(row, "Amount (Merchant Currency)"))
            on = _google_day(row)
        except BadValueError as bad:
            reading.find(line, *bad.args)
            continue
        sums = orders.setdefault(order, dict.fromkeys(_KINDS.values(), 0))
        sums[kind] += yen
        if kind == "gross" or order not in facts:
            facts[order] = (line, _of(row, "Sku Id") or _of(row, "Product Title"), on)
        if kind == "refund":
            refunded[order] = on
    made = []
    for order, sums in orders.items():
        line, product, on = facts[order]
        made.append(
            StoreSale(
                line=line,
                order=even(order),
                product=even(product),
                on=on,
                gross_yen=sums["gross"],
                fee_yen=-sums["fee"],
                tax_yen=-sums["tax"],
                refund_yen=-sums["refund"],
                fee_back_yen=sums["fee_back"],
                tax_back_yen=sums["tax_back"],
                refunded_on=refunded.get(order),
            )
        )
    return tuple(made)


def _google_day(row: Mapping[str, str]) -> date:
    """The day in Japan of Google's day and time, which are in the time of California."""
    on = month_day_of(_of(row, "Transaction Date"))
    *clock, zone = even(_of(row, "Transaction Time")).rsplit(" ", 1)
    if not clock or zone.upper() not in _ZONES:
        return on
    for form in ("%I:%M:%S %p", "%H:%M:%S"):
        try:
            at = datetime.strptime(clock[0], form).time()  # noqa: DTZ007 - the zone comes next
        except ValueError:
            continue
        return jst_day(datetime.combine(on, at, ZoneInfo(_ZONES[zone.upper()])))
    return on


def _financial(line: int, row: Mapping[str, str]) -> ProductTotal | None:
    units = yen_of(_of(row, "Quantity"))
    if not units:
        return None
    share = _yen(_of(row, "Extended Partner Share"), _of(row, "Partner Share Currency"))
    price = _yen(_of(row, "Customer Price"), _of(row, "Customer Currency"))
    returned = _of(row, "Sales or Return").casefold().startswith("r")
    count = -abs(units) if returned else units
    return ProductTotal(
        line,
        even(_of(row, "Vendor Identifier")),
        month_day_of(_of(row, "Start Date")),
        month_day_of(_of(row, "End Date")),
        count,
        _whole(abs(price)),
        _whole(abs(share) / abs(units)),
    )


def _trends(line: int, row: Mapping[str, str]) -> ProductTotal | None:
    units = yen_of(_of(row, "Units"))
    proceeds = _of(row, "Developer Proceeds")
    if not units or is_blank(proceeds) or not amount_of(proceeds):
        return None  # downloads of what is free
    share = _yen(proceeds, _of(row, "Currency of Proceeds"))
    price = _yen(_of(row, "Customer Price"), _of(row, "Customer Currency"))
    days = month_day_of(_of(row, "Begin Date")), month_day_of(_of(row, "End Date"))
    below = units < 0 or price < 0
    return ProductTotal(
        line, even(_of(row, "SKU")), *days, -abs(units) if below else units, _whole(abs(price)), _whole(abs(share))
    )


_TOTALS: Mapping[str, Callable[[int, Mapping[str, str]], ProductTotal | None]] = {
    "apple_financial": _financial,
    "apple_sales": _trends,
}


def _totals(
    rows: Sequence[Row], reading: _Reading, read: Callable[[int, Mapping[str, str]], ProductTotal | None]
) -> tuple[ProductTotal, ...]:
    made = []
    for line, row in rows:
        try:
            total = read(line, row)
        except BadValueError as bad:
            reading.find(line, *bad.args)
            continue
        if total is None:
            reading.notes += 1
        else:
            made.append(total)
    return tuple(made)


def _yen(written: str, currency: str) -> Decimal:
    if currency.upper() != YEN:
        remedy = "book what the store pays in other money by hand"
        raise BadValueError(f"{written} {currency}", "reports are in JPY", remedy)
    return amount_of(written)


def _whole(amount: Decimal) -> int:
    if amount != amount.to_integral_value():
        raise BadValueError(f"{amount}", "it is no amount of whole yen", "ask the store")
    return int(amount)
