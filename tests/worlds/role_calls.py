"""What every act of the library is given when logins of every role call all of them, in the world of `role_walk`.

`Given.n` is another number for each role that may. Whoever may not call an act does so before somebody does it, with
the same arguments, so that it is the database that refuses, not the state of the world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.contracts.application import Application
from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.statements.transfer_file import BankAccount, Payer
from keizoku.sla.evidence.incident_files import Incident
from keizoku.sla.rules.announcements import EventIssue, Occurrence
from keizoku.sla.rules.outages import Cause
from keizoku.sla.services.announced import Announcement
from keizoku.terms.calendar import Month, epoch, parse_instant
from tests.worlds.role_walk import FOUND, everybody

__all__ = ["CALLS", "READS", "Given", "allowed"]

NOW: Final = parse_instant("2026-05-08 09:00")
OVER: Final = parse_instant("2026-05-08 08:30")
READS: Final = frozenset(
    {
        *("billing.offer", "billing.preview_interest", "billing.simulate_price"),
        *("sla.is_known_outage", "sla.refused_spans"),
    }
)
"""Acts that look only: for every role."""
BY: Final[Mapping[str, str]] = {"by": "keiri", "ground": "test"}
TO: Final = BankAccount("0009", "001", "1", "1234567", "ｱ")

BEGUN: Final = epoch(parse_instant("2026-04-10 10:00"))


def allowed(act: str) -> tuple[str, ...]:
    """The roles that an act is for: evidence and claims are support's too, all other acts are the worker's."""
    if act in READS:
        return ("support", "finance", "worker")
    return ("support", "worker") if act.startswith("sla.") else ("worker",)


@dataclass
class Given:
    """Whose call it is, and what its arguments need of the world."""

    n: int
    folder: Path
    engine: sa.Engine
    codes: list[str]

    def looked_up(self, name: str) -> Any:
        """A value of `FOUND`, as the database has it by now."""
        with self.engine.connect() as session:
            return session.exec_driver_sql(FOUND[name]).scalar()

    def line(self, place: int) -> int:
        """The id of a line of the bank, the first one being 0."""
        with self.engine.connect() as session:
            return int(session.exec_driver_sql("SELECT id FROM bank_line ORDER BY id").scalars().all()[place])

    def file(self, name: str, text: str) -> Path:
        """A file with this text."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def window(self) -> tuple[datetime, datetime]:
        """Half an hour of April of the role's own."""
        return parse_instant(f"2026-04-1{self.n} 10:00"), parse_instant(f"2026-04-1{self.n} 10:30")

    @property
    def span(self) -> Mapping[str, datetime]:
        """The same as arguments."""
        return dict(zip(("from_at", "to_at"), self.window, strict=True))

    @property
    def claim(self) -> str:
        """The role's own claim."""
        return f"k{self.n}"

    def stop(self, end: datetime) -> Incident:
        """A stop as a monitor has it, until then: until now while it is open."""
        start = parse_instant(f"2026-05-08 07:0{self.n}")
        return Incident(f"f{self.n}", epoch(start), epoch(end), 70_000, Cause.FAULT, "logs", "sato", is_open=end == NOW)


Arguments = Callable[[Given], Mapping[str, Any]]

_PRICE: Final = {
    "announced": date(2026, 7, 1),
    "for_new_from": date(2026, 7, 2),
    "for_renewals_from": date(2026, 9, 1),
}
_BANK: Final = (
    "date,amount,payer,reference\n2026-04-01,71,ｱｲ ｳｴ,\n2026-04-02,-72,ｷﾞﾝｺｳ,\n2026-04-03,73,ｶｷ,\n"
    "2026-04-04,-74,ｻｼ,\n2026-04-05,75,ﾀﾁ,\n2026-04-06,76,ﾅﾆ,\n"
)
_BALANCE: Final = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)\n"
_STORE: Final = "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n"


def _batch(name: str, kind: str) -> BatchOrder:
    return BatchOrder(name, kind, "monthly", 1, 2, date(2199, 12, 31), sold=0)


def _issue(given: Given) -> Mapping[str, Any]:
    def hand_out(codes: Any) -> None:
        given.codes += [str(getattr(each, "text", each)) for each in codes]

    return {"order": _batch("b1", "product_key"), "hand_out": hand_out, "by": "kato"}


CALLS: Final[tuple[tuple[str, Arguments, str], ...]] = (
    ("billing.register", lambda _: {"account": "new1", "plan": "monthly", "method": "app_store"}, ""),
    ("billing.enrol", lambda _: {"applications": [Application("new2", "monthly", "app_store", NOW)]}, ""),
    (
        "billing.import_applications",
        lambda g: {"path": g.file("applications.csv", "account,plan,method\nfiled1,monthly,card\n")},
        "",
    ),
    ("billing.offer", lambda _: {"plan": "monthly"}, ""),
    ("billing.show_again", lambda _: {"account": "waits1"}, ""),
    ("billing.show_again", lambda _: {"account": "waits3"}, ""),
    ("billing.approve", lambda _: {"account": "waits1"}, ""),
    ("billing.reject", lambda _: {"account": "waits2", "ground": "other"}, ""),
    ("billing.screen", lambda _: {"rule": everybody}, ""),
    ("billing.end_of_use", lambda _: {"account": "a0"}, ""),
    ("billing.withdraw_end_of_use", lambda _: {"account": "a0"}, ""),
    ("billing.store_stop", lambda _: {"account": "store1"}, ""),
    ("billing.change_method", lambda _: {"account": "a0", "method": "other"}, ""),
    ("billing.void_fact", lambda _: {"account": "a0", "kind": "change_method", **BY}, ""),
    ("billing.charge_open", lambda _: {"account": "a0"}, ""),
    ("billing.leave_service", lambda _: {"account": "a1"}, ""),
    ("billing.delete_user", lambda _: {"account": "a2"}, ""),
    ("billing.add_plan", lambda _: {"code": "pro", "interval": "month"}, ""),
    ("billing.simulate_price", lambda _: {"plan": "monthly", "yen": 550, **_PRICE}, ""),
    ("billing.price", lambda _: {"plan": "pro", "yen": 700, **_PRICE}, ""),
    (
        "billing.announce_terms",
        lambda _: {
            "version": "2030-04-01",
            "published_on": date(2030, 1, 15),
            "effective_on": date(2030, 4, 1),
            "place": "page",
            "by": "keiri",
        },
        "",
    ),
    ("billing.service_change", lambda _: {"what": "new", "occurred_at": NOW, **BY}, ""),
    (
        "billing.disclosure",
        lambda _: {"account": "a0", "what": "name", "recipient": "court", "occurred_at": NOW, **BY},
        "",
    ),
    ("billing.preview_interest", lambda _: {"account": "u01", "on": date(2026, 5, 8)}, ""),
    ("billing.suspend", lambda _: {"account": "a3", "ground": "test"}, ""),
    ("billing.resume", lambda _: {"account": "a3", "ground": "test"}, ""),
    ("billing.terminate", lambda _: {"account": "a4", "ground": "test"}, ""),
    ("billing.set_off", lambda _: {"account": "u05", "by": "keiri"}, "set_off.nothing_due"),
    ("billing.write_off", lambda g: {"account": "u01", "term": g.looked_up("u01_term"), **BY}, ""),
    ("billing.new_card", lambda _: {"account": "a5"}, ""),
    ("billing.pay", lambda _: {"account": "payer", "yen": 100, "key": "p1"}, ""),
    ("billing.settle_unknown", lambda _: {}, ""),
    ("billing.nothing_charged", lambda g: {"attempt": g.looked_up("attempt"), **BY}, ""),
    ("billing.nothing_refunded", lambda _: {"key": "refund-1", **BY}, ""),
    ("billing.sync_refund_events", lambda _: {}, ""),
    ("billing.take_disputes", lambda _: {}, ""),
    ("billing.refund_dealt_with", lambda _: {"refund": "refund 9", **BY}, ""),
    ("billing.dispute_lost", lambda _: {"dispute": "dp_1", "choice": "claim_stays", **BY}, ""),
    ("billing.import_bank", lambda g: {"file": g.file("bank.csv", _BANK), "author": "keiri"}, ""),
    ("billing.match_payment", lambda g: {"payment": g.line(0), "account": "a6", **BY, "remember": True}, ""),
    ("billing.forget_payer", lambda _: {"rule": 1, **BY}, ""),
    ("billing.unmatch_payment", lambda g: {"payment": g.line(0), **BY}, ""),
    ("billing.send_payment_back", lambda g: {"payment": g.line(0), **BY}, ""),
    ("billing.payment_is_fee", lambda g: {"payment": g.line(1), **BY}, ""),
    ("billing.payment_is_payout", lambda g: {"payment": g.line(2), **BY}, "transfer.no_payout"),
    ("billing.payments_are_transfer", lambda g: {"payment": g.line(3), "other": g.line(4), **BY}, "transfer.no_pair"),
    ("billing.payment_is_other", lambda g: {"payment": g.line(5), "code": "7120", **BY}, ""),
    ("billing.take_import_back", lambda _: {"number": 9, **BY}, "import.unknown"),
    ("billing.import_balance", lambda g: {"file": g.file("balance.csv", _BALANCE)}, ""),
    ("billing.import_store_reports", lambda g: {"file": g.file("store.csv", _STORE), "author": "keiri"}, ""),
    ("billing.store_orders", lambda _: {"orders": {"GPA.1-2": "a6"}, "by": "keiri"}, ""),
    ("billing.store_report", lambda _: {"account": "store1", "term": date(2026, 5, 7), "gross": 500, "fee": 75}, ""),
    ("billing.store_refund", lambda _: {"account": "store1", "term": date(2026, 5, 7), "yen": 1, **BY}, ""),
    ("billing.keep_credit", lambda _: {"account": "payer", **BY}, "credit.none_left_over"),
    ("billing.refund_deposit", lambda _: {"account": "payer", "yen": 10, **BY}, ""),
    ("billing.apply_deposit", lambda _: {"account": "payer", **BY}, "deposit.nothing_due"),
    ("billing.propose_transfer", lambda _: {"account": "payer", "yen": 1, "to": TO, **BY}, ""),
    ("billing.decide_transfer", lambda _: {"transfer": 1, "approve": True, "by": "boss", "ground": "test"}, ""),
    (
        "billing.send_transfers",
        lambda _: {"payer": Payer("1", TO), "on": date(2026, 5, 11), "by": "keiri"},
        "",
    ),
    ("billing.transfer_file_again", lambda _: {"number": 1}, ""),
    ("billing.transfer_sent_back", lambda _: {"transfer": 1, **BY}, ""),
    ("billing.issue_codes", _issue, ""),
    ("billing.sell_keys", lambda _: {"name": "b1", "codes": 1, "by": "kato"}, ""),
    ("billing.check_code", lambda g: {"text": (g.codes or ["0"])[0]}, ""),
    ("billing.redeem", lambda g: {"account": "new5", "text": (g.codes or ["0"])[0]}, ""),
    ("billing.revoke_batch", lambda _: {"name": "b1", "kind": "product_key", **BY}, ""),
    ("billing.hand_over", lambda _: {"document": "N1", "by": "keiri"}, ""),
    (
        "billing.post_by_hand",
        lambda _: {"lines": {"6110": 18, "1131": -18}, "on": date(2026, 5, 8), **BY},
        "",
    ),
    ("sla.record_outage", lambda g: {"id": f"s{g.n}", **g.span, "affected": 60_000}, ""),
    ("sla.correct_outage", lambda g: {"id": f"s{g.n}", "affected": 70_000, "ground": "logs"}, ""),
    ("sla.take_incident", lambda g: {"stated": g.stop(NOW)}, ""),
    ("sla.is_known_outage", lambda g: {"stated": g.stop(NOW)}, ""),
    ("sla.take_monitored", lambda g: {"stated": g.stop(OVER), "source": "file", "by": "sato"}, ""),
    ("sla.environment", lambda g: {"windows": [g.window], **BY, "outage": f"s{g.n}"}, ""),
    ("sla.observations", lambda g: {"rows": [(f"x{g.n}", "site", *g.window)]}, ""),
    ("sla.record_observations", lambda g: {"file": None, "rows": [(f"y{g.n}", "site", *g.window)], "by": "sato"}, ""),
    ("sla.notice", lambda g: {"id": f"n{g.n}", "published": parse_instant("2026-04-01 00:00"), **g.span}, ""),
    (
        "sla.take_notice",
        lambda g: {"announced": Announcement(f"m{g.n}", parse_instant("2026-04-01 00:00"), *g.window), "by": "sato"},
        "",
    ),
    (
        "sla.take_issues",
        lambda g: {
            "issues": [EventIssue(f"e{g.n}", BEGUN, "CREATED", (Occurrence(BEGUN, "2026-04-10", BEGUN, BEGUN + 60),))],
            "by": "sato",
        },
        "",
    ),
    ("sla.interruption", lambda g: {**g.span, "ground": "flood", "approved_by": "boss"}, ""),
    ("sla.population", lambda g: {"from_at": parse_instant(f"2026-04-2{g.n} 00:00"), "users": 1_000_000 * g.n}, ""),
    ("sla.counts", lambda g: {"rows": [(*g.window, 1, 1_000_000)]}, ""),
    ("sla.take_counts", lambda g: {"rows": [(*g.window, 2, 1_000_000)]}, ""),
    ("sla.refused_spans", lambda g: {"spans": [tuple(map(epoch, g.window))], "source": "counts"}, ""),
    (
        "sla.take_unknown",
        lambda g: {"spans": (tuple(map(epoch, g.window)),), "source": "counts"},
        "",
    ),
    ("sla.decide_unknown", lambda g: {**g.span, "decision": "up", **BY}, ""),
    ("sla.claim", lambda g: {"id": g.claim, "account": f"u0{g.n}", "month": Month(2026, 4)}, ""),
    ("sla.submit_claim", lambda g: {"id": f"l{g.n}", "account": f"a{g.n}", "month": Month(2026, 4)}, ""),
    ("sla.recognise", lambda g: {"claim": g.claim, "windows": [g.window], **BY}, ""),
    ("sla.consent_alternative", lambda g: {"claim": g.claim, "what": "voucher", **BY}, ""),
    ("sla.withdraw_alternative", lambda g: {"claim": g.claim, **BY}, ""),
    ("sla.consent_alternative", lambda g: {"claim": g.claim, "what": "voucher", **BY}, ""),
    ("sla.perform_alternative", lambda g: {"claim": g.claim, **BY}, ""),
    ("sla.grant_late", lambda g: {"claim": "c0", "ground": "test", "approved_by": "boss"}, "claim.in_time"),
    ("sla.withdraw_claim", lambda g: {"claim": f"l{g.n}", **BY}, ""),
    ("billing.hold_account", lambda _: {"account": "a1", "until_on": date(2026, 5, 20), **BY}, ""),
    ("billing.release_account", lambda _: {"account": "a1", **BY}, ""),
    ("sla.claim_form_down", lambda g: {**g.span, **BY}, ""),
)
"""Act, what it is given but the time, and the code of the rule that refuses it to those who may, if one does."""
