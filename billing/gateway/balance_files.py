"""Stripe's own files in place of its API: balance.csv of the dashboard, and the itemised payout reconciliation report.

They are read into the same movements and payouts that the API gives, so that what comes twice, by a file and later by
the API, is recorded once. A file does not say what tax stands in a fee: none is taken to (Stripe's fees are exempt in
Japan). Columns as Stripe documents its reports (looked up 2026-11): none names the mode, and only those of connected
accounts an account, so whose a file is shows in what it carries (balance_owner). Rows that cannot be used are findings.
"""

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from keizoku.billing.gateway.balance_owner import Said, hold_owner
from keizoku.billing.gateway.books import Movement, Payout
from keizoku.billing.gateway.events import record_movements, record_payouts
from keizoku.billing.statements.presets import folded_name
from keizoku.billing.statements.recognise import decoded
from keizoku.billing.statements.values import BadValueError, is_blank, yen_of
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.gateway import balance_transaction
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, read_whole

__all__ = ["BalanceFile", "read_balance_file", "take_balance_file"]

_BALANCE = ("id", "Type", "Source", "Amount", "Fee", "Net", "Currency", "Created (UTC)", "Available On (UTC)")
_ITEMISED = ("balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category")
_CATEGORIES = {
    "charge": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_reversal": "payout_failure",
    "dispute": "adjustment",
    "dispute_reversal": "adjustment",
    "fee": "stripe_fee",
    "tax": "tax_fee",
    "risk_reserved_funds": "reserve_transaction",
}
"""Stripe's reporting categories as the types of balance transactions."""
_ACCOUNTS = ("account", "account_id", "connected_account", "connected_account_id")
_MODES = ("livemode", "mode")
_LIVE = {"true": True, "live": True, "false": False, "test": False, "sandbox": False}
_AGAIN = "export the report again, with times in UTC"
KEY = "keizoku_key"
"""The metadata of ours on a charge or a refund (stripe_calls.KEY); a file is read without Stripe's client."""


@dataclass(frozen=True, slots=True)
class BalanceFile:
    """What a file tells, as a gateway's books would: movements, payouts, which movements a payout is made of."""

    sha256: str
    found: tuple[Movement, ...] = ()
    paid: tuple[Payout, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    said: tuple[Said, ...] = ()

    def movements_of(self, payout: str) -> Sequence[str]:
        """The ids of the movements that an automatic payout is made of."""
        return self.members.get(payout, ())


def take_balance_file(
    session: Session, path: Path, now: datetime, *, by: str = "", ground: str = ""
) -> tuple[BalanceFile, int]:
    """Record what a file tells of the gateway's balance, and book it; commits; the file, and the rows written.

    Raises OSError if it cannot be opened, and Refused where it is not of this database's account and mode, or nothing
    shows that it is and nobody says so (`by`, `ground`).
    """
    want_to_add(session, balance_transaction)
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        finding = Finding(str(path), None, "too large", f"the file {error.strerror}", "import the parts")
        return BalanceFile("", findings=(finding,)), 0
    file = read_balance_file(str(path), raw)
    hold_owner(session, str(path), file.sha256, file.found, file.paid, file.said, by, ground, now)
    changes = record_movements(session, file.found, now) if file.found else 0
    if file.paid:
        changes += record_payouts(session, file, file.paid, now)
    session.commit()
    return file, changes


def read_balance_file(source: str, raw: bytes) -> BalanceFile:
    """The movements and payouts in a file, and what cannot be used in it."""
    digest = sha256(raw).hexdigest()
    text = decoded(raw)
    records = csv_records(text or "")
    _, header = next(records, (1, []))
    names = [] if isinstance(header, BrokenRecord) else [folded_name(cell) for cell in header]
    itemised = {folded_name(each) for each in _ITEMISED} <= set(names)
    if text is None or not (itemised or {folded_name(each) for each in _BALANCE} <= set(names)):
        rule = "it is neither balance.csv nor an itemised report of Stripe's"
        return BalanceFile(digest, findings=(Finding(source, 1, ",".join(names)[:80], rule, _AGAIN),))
    if itemised and folded_name("created_utc") not in names:
        rule = "it lacks created_utc, and does not say in which zone its other times are"
        return BalanceFile(digest, findings=(Finding(source, 1, ",".join(names)[:80], rule, _AGAIN),))
    findings: list[Finding] = []
    found: dict[str, Movement] = {}
    payouts: dict[str, Payout] = {}
    members: dict[str, list[str]] = {}
    said: dict[tuple[str | None, bool | None], Said] = {}
    for line, row in _rows(source, names, records, findings):
        try:
            movement, payout = (_itemised if itemised else _of_balance)(row)
        except BadValueError as bad:
            findings.append(Finding(source, line, *bad.args))
            continue
        if movement.id in found:
            rule = "a balance transaction stands once in a file"
            findings.append(Finding(source, line, movement.id, rule, _AGAIN))
            continue
        found[movement.id] = movement
        account, live = _of(row, *_ACCOUNTS) or None, _LIVE.get(_of(row, *_MODES).lower())
        said.setdefault((account, live), Said(line, account, live))
        if movement.kind == "payout" and movement.source:
            arrives = payout.arrives_at if payout and payout.id == movement.source else movement.available_at
            payouts[movement.source] = Payout(
                movement.source, -movement.amount, movement.currency, "paid", False, movement.happened_at, arrives
            )
        elif payout is not None:
            members.setdefault(payout.id, []).append(movement.id)
            payouts.setdefault(payout.id, payout)
    made = tuple(
        Payout(each.id, each.amount or _net(found, members, each.id), each.currency, each.state, each.id in members,
               each.happened_at, each.arrives_at)
        for each in payouts.values()
    )  # fmt: skip
    named = {payout: tuple(several) for payout, several in members.items()}
    return BalanceFile(digest, tuple(found.values()), made, named, tuple(findings), tuple(said.values()))


def _net(found: Mapping[str, Movement], members: Mapping[str, Sequence[str]], payout: str) -> int:
    return sum(found[each].net for each in members.get(payout, ()))


def _rows(
    source: str,
    names: Sequence[str],
    records: Iterator[tuple[int, Sequence[str] | BrokenRecord]],
    findings: list[Finding],
) -> Iterator[tuple[int, Mapping[str, str]]]:
    for line, cells in records:
        if isinstance(cells, BrokenRecord):
            findings.append(Finding(source, line, cells.value, "rows are CSV", _AGAIN))
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) != len(names):
            rule = f"the header has {len(names)} columns, this row {len(cells)}"
            findings.append(Finding(source, line, ",".join(cells)[:80], rule, _AGAIN))
        else:
            yield line, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}


def _of(row: Mapping[str, str], *names: str) -> str:
    """The first of some columns that has a value."""
    return next((row[folded_name(name)] for name in names if row.get(folded_name(name))), "")


def _yen(row: Mapping[str, str], name: str, currency: str) -> int:
    written = _of(row, name)
    if currency != "jpy":
        remedy = "leave the row out: what Stripe holds in other money is booked by people"
        raise BadValueError(f"{written} {currency}", "the balance is in JPY", remedy)
    return 0 if is_blank(written) else yen_of(written)


def _instant(written: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(written, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise BadValueError(written or "no time", "it is no time of Stripe's", _AGAIN)


def _of_balance(row: Mapping[str, str]) -> tuple[Movement, Payout | None]:
    """A row of balance.csv, and the payout that it went out with."""
    currency = _of(row, "Currency").lower()
    movement = Movement(
        id=_id(row, "id"),
        kind=_of(row, "Type"),
        amount=_yen(row, "Amount", currency),
        fee=_yen(row, "Fee", currency),
        fee_tax=0,
        net=_yen(row, "Net", currency),
        currency=currency,
        source=_of(row, "Source") or None,
        payment=_of(row, "PaymentIntent ID") or None,
        our_key=_of(row, f"{KEY} (metadata)") or None,
        happened_at=_instant(_of(row, "Created (UTC)")),
        available_at=_instant(_of(row, "Available On (UTC)")),
    )
    transfer, on = _of(row, "Transfer"), _of(row, "Transfer Date (UTC)")
    if not transfer or not on:
        return movement, None
    at = _instant(on)
    return movement, Payout(transfer, 0, currency, "paid", True, at, at)


def _itemised(row: Mapping[str, str]) -> tuple[Movement, Payout | None]:
    """A row of an itemised report, and the payout that it went out with."""
    currency = _of(row, "currency").lower()
    category = _of(row, "reporting_category")
    happened_at = _instant(_of(row, "created_utc"))
    available = _of(row, "available_on_utc", "available_on")
    movement = Movement(
        id=_id(row, "balance_transaction_id"),
        kind=_CATEGORIES.get(category, category),
        amount=_yen(row, "gross", currency),
        fee=_yen(row, "fee", currency),
        fee_tax=0,
        net=_yen(row, "net", currency),
        currency=currency,
        source=_of(row, "source_id", "charge_id") or None,
        payment=_of(row, "payment_intent_id") or None,
        our_key=_of(row, f"payment_metadata[{KEY}]", f"refund_metadata[{KEY}]") or None,
        happened_at=happened_at,
        available_at=_instant(available) if available else happened_at,
    )
    payout, on = (
        _of(row, "automatic_payout_id"),
        _of(row, "automatic_payout_effective_at_utc", "automatic_payout_effective_at"),
    )
    if not payout or not on:
        return movement, None
    at = _instant(on)
    return movement, Payout(payout, 0, currency, "paid", True, at, at)


def _id(row: Mapping[str, str], name: str) -> str:
    written = _of(row, name)
    if not written.startswith("txn_"):
        raise BadValueError(written or "no id", "a balance transaction has an id that begins txn_", _AGAIN)
    return written
