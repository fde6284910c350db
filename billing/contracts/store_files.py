"""A store's report in the store's own format, taken into the books: orders joined to contracts, totals to terms.

    an order (Google Play) ──store_order──> an account ──the day──> the term that it paid for
    totals of a product (Apple) ──plan──> the terms that began in those days: as many, or nothing is booked

Reports in our own columns, with refunds as rows below zero, are taken here too. A row that cannot be joined, is in
other money, or does not fit is a finding; the good ones go on.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.contracts.store_refunds import StoreRefund, refund_term
from keizoku.billing.receivables.csv_layout import BadValueError, Layout, day_of, read_money_file, yen_of
from keizoku.billing.receivables.import_log import MoneyImport, known_import, note_import
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.receivables.store_orders import check_order, order_of, owners_of, refuse_taken, write_orders
from keizoku.billing.receivables.store_reports import (
    COLUMNS,
    NEEDED,
    StoreReport,
    report_of,
    store_contract_end,
    take_report,
)
from keizoku.billing.rules.bank.statement import file_digest
from keizoku.billing.statements.store_files import (
    STORE_FORMATS,
    ProductTotal,
    StoreFile,
    StoreSale,
    read_store_file,
    store_format_of,
)
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.bank import store_order
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import store_report
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import read_whole
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["Payout", "import_store_file", "note_orders", "order_of"]

EARLY = timedelta(days=2)
"""How long before a term begins its store may charge for it."""
SETTLE = "correct the row, or settle it with the store"


@dataclass(frozen=True, slots=True)
class Payout:
    """The payout that a whole report was paid out with, where its rows do not say."""

    id: str
    on: date


def note_orders(session: Session, orders: Mapping[str, str], by: str, now: datetime) -> int:
    """Record whose orders are (order -> account); commits; the new ones. Refused for another account's order."""
    want_to_add(session, store_order)
    owners = owners_of(session, {order_of(written) for written in orders})
    found: dict[str, str] = {}
    known: set[str] = set()
    try:
        for written, account in orders.items():
            order = order_of(written)
            check_order(order)
            if account not in known:
                want_account(session, account)
                known.add(account)
            refuse_taken(order, account, owners)
            owners[order] = found[order] = account
    except Refused:
        session.rollback()
        raise
    fresh = write_orders(session, found, by, now)
    session.commit()
    return fresh


def import_store_file(
    session: Session,
    rules: Rules,
    path: Path,
    layout: Layout,
    author: str,
    now: datetime,
    *,
    preset: str = "",
    payout: Payout | None = None,
) -> MoneyImport:
    """Take a store's report, in the store's own format or in our columns, by a mapping or not. Raises OSError.

    Refused for a preset that there is not. Killed in the middle, the same call takes what is missing.
    """
    if preset and preset not in STORE_FORMATS:
        raise Refused("preset.unknown", f"no preset {preset!r}; there are {', '.join(STORE_FORMATS)}")
    if payout is not None and payout.on > jst_day(now):
        raise Refused("payment.ahead", f"payout {payout.id} of {payout.on} lies ahead", "name it when it has arrived")
    taking = _Taking(session, rules, str(path), layout, author, now, payout)
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return taking.of_ours(path)  # whose reader says how large a file may be
    name = preset or ("" if layout.columns else store_format_of(raw))
    if name:
        return taking.of_store(read_store_file(str(path), raw, name), raw)
    return taking.of_ours(path)


@dataclass
class _Taking:
    """One file on its way into the books."""

    session: Session
    rules: Rules
    source: str
    layout: Layout
    author: str
    now: datetime
    payout: Payout | None
    fresh: int = 0
    known: int = 0

    def of_ours(self, path: Path) -> MoneyImport:
        """Rows in our columns; below zero they are refunds."""
        file = read_money_file(path, COLUMNS, NEEDED, self.layout)
        digest = file_digest(file.sha256, self.layout.model_dump_json())
        if (before := known_import(self.session, "store", file.sha256, digest)) is not None:
            return before
        findings = list(file.findings)
        for line, values in file.rows:
            stated = f"{values['account']} {values['term']}"
            try:
                below = yen_of(values["gross"]) < 0
                self._count(
                    self._refund_of_ours(values) if below else self._report(report_of(values, jst_day(self.now)))
                )
            except BadValueError as bad:
                findings.append(Finding(self.source, line, *bad.args))
            except Refused as refused:
                findings.append(Finding(self.source, line, stated, str(refused), SETTLE))
        read = len(file.rows) + file.passed_over + len(file.findings)
        return self._logged(file.sha256, digest, read, file.passed_over, findings)

    def of_store(self, file: StoreFile, raw: bytes) -> MoneyImport:
        """Orders or totals of a store's own format."""
        of_file = sha256(raw).hexdigest()
        digest = file_digest(of_file, f"{file.format}\x1f{self.layout.model_dump_json()}\x1f{self.payout}")
        if (before := known_import(self.session, "store", of_file, digest)) is not None:
            return replace(before, preset=file.format)
        findings = list(file.findings)
        for each in file.sales:
            try:
                self._sale(each)
            except Refused as refused:
                findings.append(Finding(self.source, each.line, each.order, str(refused), SETTLE))
        for product in dict.fromkeys(total.product for total in file.totals):
            self._product([total for total in file.totals if total.product == product], findings)
        read = file.rows + file.notes
        done = self._logged(of_file, digest, read, file.notes, findings)
        return replace(done, preset=file.format)

    def _count(self, changes: int) -> None:
        if changes:
            self.fresh += 1
        else:
            self.known += 1

    def _report(self, report: StoreReport) -> int:
        return take_report(self.session, self.rules, report, self.now, again=True)

    def _refund_of_ours(self, values: Mapping[str, str]) -> int:
        """A row whose gross is below zero: what the store gave back, and of its fee (either sign)."""
        positive = {"gross": str(abs(yen_of(values["gross"]))), "fee": str(abs(yen_of(values["fee"])))}
        if tax := values.get("fee_tax"):
            positive["fee_tax"] = str(abs(yen_of(tax)))
        told = report_of({**values, **positive}, jst_day(self.now))
        refund = StoreRefund(
            account=told.account,
            term_on=day_of(values["term"]),
            yen=told.gross_yen,
            fee_yen=told.fee_yen,
            refunded_on=told.paid_out_on or jst_day(self.now),
            fee_tax_yen=told.fee_tax_yen,
            payout_id=told.payout_id,
            paid_out_on=told.paid_out_on,
        )
        return self._refund(refund)

    def _refund(self, refund: StoreRefund) -> int:
        ground = f"the store's report {Path(self.source).name}"
        return refund_term(self.session, self.rules, refund, self.author, ground, self.now, again=True)

    def _sale(self, sale: StoreSale) -> None:
        """One order: its term's report, and its refund."""
        account = self.session.scalar(
            sa.select(store_order.c.account).where(store_order.c.order_id == order_of(sale.order))
        )
        if account is None:
            raise Refused(
                "store.order_unknown", f"no account is known for the order {sale.order}", "`keizoku store order`"
            )
        began = self._term_of(account, sale.on if sale.gross_yen else sale.refunded_on or sale.on)
        out = self.payout
        if sale.gross_yen:
            report = StoreReport(
                account=account,
                term_on=began,
                gross_yen=sale.gross_yen,
                fee_yen=sale.fee_yen,
                store=self.layout.constants.get("store", "google_play"),
                fee_tax_yen=0,  # from abroad: no tax of ours stands in it
                payout_id=out.id if out else None,
                paid_out_on=out.on if out else None,
            )
            self._count(self._report(report))
        if sale.tax_yen != sale.tax_back_yen:
            self.session.rollback()
            raise Refused(
                "store.tax_kept", f"order {sale.order}: the store keeps {sale.tax_yen - sale.tax_back_yen} yen of tax"
            )
        if sale.refund_yen:
            refund = StoreRefund(
                account=account,
                term_on=began,
                yen=sale.refund_yen,
                fee_yen=sale.fee_back_yen,
                refunded_on=sale.refunded_on or sale.on,
                fee_tax_yen=0,
                payout_id=out.id if out else None,
                paid_out_on=out.on if out else None,
            )
            self._count(self._refund(refund))

    def _term_of(self, account: str, on: date) -> date:
        """The first day of the term that a charge of this day is for, or the day itself after the contract's end.

        Refused where there was none.
        """
        found: date | None = self.session.scalar(
            sa.select(term.c.starts_on)
            .where(
                term.c.account == account,
                term.c.method == "app_store",
                term.c.starts_on <= on + EARLY,
                term.c.ends_on > on,
            )
            .order_by(term.c.starts_on.desc())
            .limit(1)
        )
        if found is None and store_contract_end(self.session, account, on) is not None:
            found = on
        self.session.rollback()
        if found is None:
            raise Refused("store.term_unknown", f"account {account}: no term of {on} is paid through an app store")
        return found

    @property
    def _totals_of(self) -> str:
        """The store that reports products in sum."""
        return self.layout.constants.get("store", "apple")

    def _product(self, totals: Sequence[ProductTotal], findings: list[Finding]) -> None:
        """All totals of a product: its terms of those days, as many as units; or a finding, and nothing is booked."""
        first = totals[0]
        plan = self.layout.products.get(first.product, first.product)
        if any(each.units < 0 for each in totals):
            units = sum(-each.units for each in totals if each.units < 0)
            remedy = "find whose they are, and record each: `keizoku store refund`"
            rule = "the report does not say of which terms"
            findings.append(Finding(self.source, first.line, f"{first.product}: {units} given back", rule, remedy))
        sold = [each for each in totals if each.units > 0]
        if not sold:
            return
        from_on, to_on = min(each.from_on for each in sold), max(each.to_on for each in sold)
        began = self.session.execute(
            sa.select(term.c.account, term.c.starts_on, term.c.price_yen, store_report.c.term_id)
            .outerjoin(store_report, store_report.c.term_id == term.c.id)
            .where(term.c.method == "app_store", term.c.plan == plan, term.c.starts_on.between(from_on, to_on))
            .where(sa.or_(store_report.c.store.is_(None), store_report.c.store == self._totals_of))
            .where(~sa.exists().where(store_order.c.account == term.c.account))  # sold by the store that names orders
            .order_by(term.c.starts_on, term.c.id)
        ).all()
        self.session.rollback()
        units, yen = sum(each.units for each in sold), sum(each.units * each.price_yen for each in sold)
        if (units, yen) != (len(began), sum(row.price_yen for row in began)):
            value = f"{first.product}: {units} units of {yen} yen"
            prices_yen = sum(row.price_yen for row in began)
            rule = f"{len(began)} terms of the plan {plan} of {prices_yen} yen began {from_on} to {to_on}"
            remedy = "name its plan in the mapping ([products]), or settle the difference with the store"
            findings.append(Finding(self.source, first.line, value, rule, remedy))
            return
        shares = {each.price_yen: each.share_yen for each in sold}
        for row in began:
            share_yen = shares.get(row.price_yen, sold[0].share_yen)
            report = StoreReport(
                account=row.account,
                term_on=row.starts_on,
                gross_yen=row.price_yen,
                fee_yen=row.price_yen - share_yen,
                store=self._totals_of,
                payout_id=self.payout.id if self.payout else None,
                paid_out_on=self.payout.on if self.payout else None,
            )
            try:
                self._count(self._report(report))
            except Refused as refused:
                stated = f"{row.account} {row.starts_on}"
                findings.append(Finding(self.source, first.line, stated, str(refused), SETTLE))

    def _logged(
        self, of_file: str, digest: str, read: int, passed_over: int, findings: Sequence[Finding]
    ) -> MoneyImport:
        done = MoneyImport(
            kind="store",
            source=Path(self.source).name,
            sha256=of_file,
            rows_read=read,
            rows_new=self.fresh,
            rows_known=self.known,
            rows_passed_over=passed_over,
            rows_refused=len(findings),
            author=self.author,
            recorded_at=self.now,
            findings=tuple(sorted(findings, key=lambda finding: finding.line or 0)),
            digest=digest,
        )
        return note_import(self.session, done)
