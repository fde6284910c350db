"""How readers make a line: amounts in minor units of the currency, texts made even, nothing that is no money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from keizoku.billing.rules.bank.statement import YEN, Direction, LineState, StatementLine, digest_of
from keizoku.billing.statements.values import BadValueError, text_of
from keizoku.limits import LONGEST_NAME

__all__ = ["account_key", "cut", "line_of", "minor_units"]

_NO_MINOR: Final = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
_THREE: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def minor_units(amount: Decimal, currency: str) -> int:
    """An amount in the smallest units of its currency (ISO 4217): 5.00 USD are 500. Raises BadValueError."""
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise BadValueError(currency or "no currency", "a currency has three letters", "write it as JPY")
    places = 0 if currency in _NO_MINOR else 3 if currency in _THREE else 2
    units = amount * 10**places
    if units != units.to_integral_value() or abs(units) >= 10**15:
        remedy = "have the bank write the file again"
        raise BadValueError(f"{amount}", f"it is no amount of whole units of {currency}", remedy)
    return int(units)


def cut(text: str) -> str:
    """A long text of the bank, as far as one is kept."""
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def account_key(bank: str, branch: str, kind: str, number: str) -> str:
    """The key of an account in Japan, whichever format names it: 0005-001-1-1234567."""
    return "-".join((bank, branch, kind, number.lstrip("0").rjust(7, "0")))


def line_of(
    *,
    account: str,
    line: int,
    booked_on: date,
    amount: Decimal,
    raw: str | bytes,
    currency: str = YEN,
    value_on: date | None = None,
    kind: str = "",
    payer: str = "",
    reference: str = "",
    bank_id: str = "",
    balance: Decimal | None = None,
    state: LineState = LineState.BOOKED,
    ignored: bool = False,
) -> StatementLine | None:
    """A line of `amount`, above zero for money that came in; None for a line of no money. Raises BadValueError."""
    units = minor_units(amount, currency)
    if not units:
        return None
    return StatementLine(
        account=account,
        line=line,
        booked_on=booked_on,
        direction=Direction.IN if units > 0 else Direction.OUT,
        amount=abs(units),
        currency=currency,
        value_on=value_on,
        kind_text=text_of(kind),
        payer=text_of(payer),
        reference=text_of(reference),
        bank_id=text_of(bank_id),
        balance=None if balance is None else minor_units(balance, currency),
        state=state,
        digest=digest_of(raw),
        ignored=ignored,
    )
