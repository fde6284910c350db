"""Every act over HTTP, once, with values that are good in the small world, in an order in which each can be done.

Names in braces are looked up when their turn comes (`FOUND`). A body of bytes is a file, named `f.csv`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from keizoku.db.tables.money import review_task
from keizoku.web.identity.browser import Site
from tests.integration.web.conftest import House
from tests.integration.web.more_acts import MORE_ACTS, MORE_FOUND, prepare_more
from tests.worlds.link_world import key_file_in
from tests.worlds.role_walk import leave_unanswered

G: Final = {"ground": "a test"}
_FROM_TO: Final = {"from_at": "2026-04-11T10:00:00+09:00", "to_at": "2026-04-11T10:30:00+09:00"}
_WINDOWS: Final = {"windows": [["2026-04-11T10:00:00+09:00", "2026-04-11T10:10:00+09:00"]]}
_LINES: Final = {"lines": {"6110": 18, "1131": -18}}

ACTS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("contracts.apply", "/applications", {"account": "new1", "plan": "monthly", "method": "card"}),
    ("contracts.show_again", "/applications/waits3/show-again", {}),
    ("contracts.approve", "/applications/waits1/approve", {}),
    ("contracts.reject", "/applications/waits2/reject", G),
    ("contracts.import_file", "/application-imports", b"account,plan,method\nfiled1,monthly,card\n"),
    ("contracts.screen", "/applications/screen", {}),
    ("contracts.end_of_use", "/contracts/a0/end-of-use", {}),
    ("contracts.withdraw_end_of_use", "/contracts/a0/withdraw-end-of-use", {}),
    ("contracts.store_stop", "/contracts/store1/store-stop", {}),
    ("contracts.change_method", "/contracts/a0/change-method", {"method": "other"}),
    ("contracts.void_fact", "/contracts/a0/void-fact", {"kind": "change_method", **G}),
    ("contracts.leave", "/contracts/a1/leave", {}),
    ("contracts.delete_user", "/contracts/a2/delete-user", {}),
    ("accounts.suspend", "/accounts/a3/suspend", G),
    ("accounts.resume", "/accounts/a3/resume", G),
    ("accounts.hold", "/accounts/a3/hold", {"until_on": "2026-05-20", **G}),
    ("accounts.release", "/accounts/a3/release", G),
    ("accounts.terminate", "/accounts/a4/terminate", G),
    ("accounts.write_off", "/accounts/u01/write-off", {"term": "{u01_term}", **G}),
    ("proposals.approve", "/proposals/{proposal}/approve", G),
    ("cards.new", "/accounts/a5/cards/new", {}),
    ("prices.add_plan", "/plans", {"plan": "pro", "interval": "month"}),
    (
        "prices.add_price",
        "/prices",
        {"plan": "pro", "yen": 700, "announced": "2026-07-01", "for_new_from": "2026-07-02",
         "for_renewals_from": "2026-09-01"},
    ),
    (
        "codes.issue",
        "/code-batches",
        {"kind": "coupon", "batch": "b2", "plan": "monthly", "months": 1, "count": 2, "expires": "2199-12-31"},
    ),
    (
        "codes.issue",
        "/code-batches",
        {"kind": "product_key", "batch": "b1", "plan": "monthly", "months": 1, "count": 2, "expires": "2199-12-31"},
    ),
    ("codes.sell", "/code-batches/b1/sell", {"count": 1}),
    ("codes.revoke", "/code-batches/b2/revoke", {"kind": "coupon", **G}),
    ("payments.pay", "/accounts/u05/payments", {"yen": 100, "via": "bank"}),
    ("payments.refund_deposit", "/accounts/payer/deposit/refund", {"yen": 10, **G}),
    ("proposals.turn_down", "/proposals/{proposal}/turn-down", G),
    ("payments.nothing_charged", "/charges/{attempt}/nothing-charged", G),
    ("payments.nothing_refunded", "/refunds/refund-1/nothing-refunded", G),
    ("payments.refund_dealt_with", "/refunds/refund 9/dealt-with", G),
    ("payments.dispute_lost", "/disputes/dp_1/if-lost", {"choice": "claim_stays", **G}),
    ("payments.settle", "/charges/settle", {}),
    ("bank.import_file", "/bank-imports", b"date,amount,payer,reference\n2026-04-01,77,A,\n2026-04-01,78,B,\n"),
    ("bank.match", "/bank-payments/{first_line}/match", {"account": "a6", **G}),
    ("bank.unmatch", "/bank-payments/{first_line}/unmatch", G),
    ("bank.send_back", "/bank-payments/{first_line}/send-back", G),
    ("bank.other", "/bank-payments/{second_line}/other", {"code": "7120", **G}),
    ("stores.note_orders", "/accounts/a6/store-orders", {"orders": ["GPA.1-2"]}),
    ("evidence.add_incident", "/incidents", {"incident": "s1", "affected": 60_000, **_FROM_TO, **G}),
    ("evidence.correct_incident", "/incidents/s1/correct", {"affected": 70_000, **G}),
    ("evidence.rule_on_environment", "/incidents/s1/environment", G),
    ("evidence.add_notice", "/notices", {"notice": "n1", "published": "2026-04-01T00:00:00+09:00", **_FROM_TO}),
    ("evidence.add_interruption", "/interruptions", {**_FROM_TO, **G}),
    ("evidence.add_population", "/population", {"from_at": "2026-04-21T00:00:00+09:00", "users": 1_000_000}),
    (
        "evidence.import_file",
        "/evidence-imports/observations",
        b"user_id,symptom,started_at,ended_at\nx1,site,2026-04-01 10:00,2026-04-01 11:00\n",
    ),
    ("claims.submit", "/claims", {"account": "u02", "month": "2026-04", "claim": "k1"}),
    ("claims.recognise", "/claims/k1/recognise", {**_WINDOWS, **G}),
    ("claims.environment", "/claims/k1/environment", G),
    ("claims.consent", "/claims/k1/consent", {"what": "voucher", **G}),
    ("claims.perform_remedy", "/claims/k1/perform-remedy", G),
    ("claims.submit", "/claims", {"account": "u07", "month": "2026-04", "claim": "k2"}),
    ("claims.withdraw", "/claims/k2/withdraw", G),
    ("claims.form_down", "/claim-form-outages", {**_FROM_TO, **G}),
    ("documents.mark_sent", "/letters/N1/mark-sent", {}),
    ("ledger.post", "/ledger/entries", {**_LINES, **G}),
    ("proposals.approve", "/proposals/{proposal}/approve", G),
    ("ledger.reverse", "/ledger/entries/{by_hand}/reverse", G),
    ("proposals.approve", "/proposals/{proposal}/approve", G),
    ("ledger.post", "/ledger/entries", {**_LINES, **G}),
    ("proposals.withdraw", "/proposals/{proposal}/withdraw", G),
    ("tasks.done", "/tasks/T{task}/done", G),
    ("member-sessions.open_pages", "/member-sessions", {"account": "a6"}),
    ("months.check", "/months/2026-03/check", {}),
    ("months.close", "/months/2026-03/close", {}),
    ("months.begin_close", "/months/2026-05/close-job", {}),
    ("months.reopen", "/months/2026-03/reopen", G),
    ("proposals.approve", "/proposals/{proposal}/approve", G),
    (
        "terms.announce",
        "/terms-announcements",
        {"version": "2030-04-01", "published": "2030-01-15", "effective": "2030-04-01", "where": "page"},
    ),
    ("terms.service_change", "/operator-acts/service-change", {"what": "new", **G}),
    ("terms.disclosure", "/accounts/a0/disclosures", {"recipient": "court", "what": "name", **G}),
    ("endpoints.add", "/endpoints", {"name": "shop", "url": "http://localhost:9/hooks"}),
    ("endpoints.change", "/endpoints/{endpoint}/change", {"types": ["invoice.paid"], **G}),
    ("endpoints.rotate", "/endpoints/{endpoint}/rotate", {}),
    ("endpoints.replay", "/endpoints/{endpoint}/replay", {"after": "0-0"}),
    ("links.record", "/links/new2/facts", {"fact": "partner_account_opened"}),
    ("links.record", "/links/new2/facts", {"fact": "rules_consented", "rules": "2026-01"}),
    ("links.rule", "/links/new2/rulings", {"clause": "4.3", "met": True, **G}),
    ("links.designate", "/link-designations", {"kind": "product", "name": "1306", **G}),
    ("link-findings.stop", "/link-stops", {"whose": "partner", "what": "upkeep", **G}),
    ("link-findings.announce", "/link-stops/{stop}/announce", {"place": "site"}),
    ("link-findings.lift", "/link-stops/{stop}/lift", {}),
    ("link-findings.event", "/link-events", {"kind": "feared_leak", "what": "phone", "account": "new2", **G}),
    (
        "link-findings.disclose",
        "/link-events/{event}/disclose",
        {"account": "new2", "what": "name", "recipient": "partner", **G},
    ),
    (
        "link-findings.rule_on_load",
        "/links/new2/load-rulings",
        {"outcome": "allowed", "from_at": "2026-04-01T00:00:00+09:00", "to_at": "2026-04-02T00:00:00+09:00", **G},
    ),
    *MORE_ACTS,
    ("endpoints.switch", "/endpoints/{endpoint}/switch", {"on": False, **G}),
    ("nights.run", "/nights", {"on": "2026-05-07"}),
)  # fmt: skip
"""(operation, path, what is sent)."""

FOUND: Final = {
    "u01_term": "SELECT t.starts_on FROM invoice i JOIN term t ON t.id = i.term_id "
    "WHERE i.account = 'u01' AND i.state = 'open' ORDER BY i.id LIMIT 1",
    "stop": "SELECT max(id) FROM link_stop",
    "event": "SELECT max(id) FROM link_security_event",
    "proposal": "SELECT max(id) FROM proposal",
    "endpoint": "SELECT max(id) FROM webhook_endpoint",
    "attempt": "SELECT id FROM payment_attempt WHERE key = 'unanswered'",
    "first_line": "SELECT id FROM bank_line WHERE yen = 77",
    "second_line": "SELECT id FROM bank_line WHERE yen = 78",
    "by_hand": "SELECT max(entry_id) FROM manual_entry",
    "task": "SELECT min(id) FROM review_task WHERE kind = 'small_rest'",
    **MORE_FOUND,
}


def make_ready(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the acts want beside the small world: keys, a site, what waits for an answer, a second worker."""
    house.door.settings = house.door.settings.model_copy(update={"webhook_key_file": key_file_in(folder)})
    house.door.site = Site("https://billing.example")
    with house.engine.connect() as session:
        leave_unanswered(session)
        task = {"kind": "small_rest", "subject": "a6", "detail": {}, "opened_at": house.now}
        session.execute(sa.insert(review_task).values(**task))
        session.commit()
    prepare_more(house, folder, monkeypatch)
    house.keys["second"] = house.key("worker", name="second")
