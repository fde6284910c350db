"""The acts of `act_walk.py` that need more of the world than it has: what another party is asked in, what is rare.

A card processor, a bank's book, a partner, a restore, an overdue fee beside a credit: each is put there as small as can
be, some of it behind the back of the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from keizoku.billing.cards.saved_cards import begin_card
from keizoku.billing.contracts.code_batches import BatchOrder
from keizoku.billing.receivables.customer_deposits import DepositUse, use_deposit
from keizoku.billing.services.cards import CardService
from keizoku.db.tables.money import review_task
from keizoku.db.tables.restoration import restoration, restoration_end
from keizoku.link.partner.simulated import SimulatedPartner, code_of
from keizoku.scheduler.app import Services
from keizoku.scheduler.settings import Settings
from keizoku.terms.calendar import epoch, parse_instant
from tests.worlds.bank_files import payout
from tests.worlds.link_world import admit, confirmed_order, designate, grant, service_on
from tests.worlds.stub_stripe import stub_calls
from tests.worlds.world import services_on

if TYPE_CHECKING:
    from tests.integration.web.conftest import House

__all__ = ["MORE_ACTS", "MORE_FOUND", "prepare_more"]

G: Final = {"ground": "a test"}
TO: Final = {"bank_code": "0009", "branch": "001", "number": "1234567", "holder": "ｱ"}
_ORDER: Final = {"product": "1306", "side": "buy", "quantity": 10}
_HEADER: Final = b"date,amount,payer,reference\n"

MORE_ACTS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("accounts.member_file", "/accounts/a0/file", {"recipient": "court", **G}),
    ("accounts.base_closed", "/accounts/a7/base-closed", G),
    ("accounts.set_off", "/accounts/overdue/set-off", G),
    ("payments.apply_deposit", "/accounts/holder/deposit/apply", G),
    ("payments.keep_credit", "/accounts/left/deposit/from-credits", G),
    (
        "payments.import_balance",
        "/gateway-balances",
        b"id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)\n",
    ),
    ("codes.check", "/codes/check", {"code": "{code}"}),
    ("codes.redeem", "/codes/redeem", {"account": "new5", "code": "{code}"}),
    ("documents.issue", "/months/2026-04/issue-documents", {}),
    ("documents.reissue", "/documents/reissue", {"kind": "invoice", "number": 1}),
    ("bank.forget", "/payer-rules/{rule}/forget", G),
    ("bank.fee", "/bank-payments/{fee_line}/fee", G),
    ("bank.payout", "/bank-payments/{payout_line}/payout", G),
    ("bank.transfer", "/bank-payments/{out_line}/transfer", {"other": "{in_line}", **G}),
    ("bank.take_back", "/bank-imports/{last_import}/take-back", G),
    ("bank.propose", "/transfers-out", {"account": "payer", "yen": 11, **TO, **G}),
    ("bank.reject_transfer", "/transfers-out/{transfer}/reject", G),
    ("bank.propose", "/transfers-out", {"account": "payer", "yen": 12, **TO, **G}),
    ("bank.approve_transfer", "/transfers-out/{transfer}/approve", G),
    ("bank.transfer_file", "/transfer-files", {"on": "2026-05-11"}),
    ("bank.transfer_sent_back", "/transfers-out/{transfer}/sent-back", G),
    ("stores.import_file", "/store-imports", b"store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n"),
    ("stores.refund", "/accounts/store1/store-refunds", {"term": "2026-05-07", "yen": 1, **G}),
    (
        "evidence.decide_unknown",
        "/unknown-time/decide",
        {"from_at": "2026-04-22T10:00:00+09:00", "to_at": "2026-04-22T11:00:00+09:00", "verdict": "up", **G},
    ),
    ("claims.submit", "/claims", {"account": "u04", "month": "2026-04", "claim": "k3"}),
    ("claims.consent", "/claims/k3/consent", {"what": "voucher", **G}),
    ("claims.withdraw_remedy", "/claims/k3/withdraw-remedy", G),
    ("claims.grant_late", "/claims/late/grant-late", G),
    ("proposals.approve", "/proposals/{proposal}/approve", G),
    ("months.reconcile", "/months/2026-04/reconcile", {}),
    ("months.resolve", "/months/2026-04/exceptions/resolve", {"exception": "{exception}", **G}),
    ("nights.hold", "/nights/hold", G),
    ("nights.approve", "/nights/2026-05-08/approve", {"shown": {}, **G}),
    ("nights.release", "/nights/release", G),
    ("tasks.snooze", "/tasks/T{other_task}/snooze", {"until": "2026-05-20", **G}),
    ("endpoints.test", "/endpoints/{endpoint}/test", {}),
    ("cards.begin", "/accounts/a6/cards/begin", {}),
    ("cards.finish", "/accounts/a6/cards/finish", {"setup": "seti_a6"}),
    ("cards.detach", "/accounts/a6/cards/detach", {"card": "pm_a6"}),
    ("links.adopt", "/link-adoption", G),
    ("links.begin", "/links/ready/begin", {"scope": "orders", "back": "https://app.example/back"}),
    ("links.finish", "/links/finish", {"state": "{state}", "code": "{word}"}),
    ("links.renew", "/links/linked/renew", {}),
    ("link-orders.draft", "/links/linked/orders", _ORDER),
    ("link-orders.confirm", "/link-orders/{drafted}/confirm", {"account": "linked", "digest": "{digest}"}),
    ("link-orders.send", "/link-orders/{confirmed}/send", {"account": "linked"}),
    ("link-orders.settle", "/link-orders/{unsure}/settle", {}),
    ("link-orders.withdraw", "/link-orders/{withdrawn}/withdraw", {"account": "linked"}),
    ("link-orders.never_arrived", "/link-orders/{lost}/never-arrived", G),
    ("links.revoke", "/links/linked/revoke", G),
)
"""(operation, path, what is sent), after those of `act_walk.py`."""

MORE_FOUND: Final = {
    "rule": "SELECT max(id) FROM payer_rule",
    "fee_line": "SELECT id FROM bank_line WHERE yen = 33",
    "payout_line": "SELECT id FROM bank_line WHERE yen = 55",
    "out_line": "SELECT id FROM bank_line WHERE yen = 44 AND direction = 'out'",
    "in_line": "SELECT id FROM bank_line WHERE yen = 44 AND direction = 'in'",
    "last_import": "SELECT id FROM money_import WHERE source LIKE 'three%%'",
    "exception": "SELECT exceptions -> 0 ->> 'exception' FROM reconciliation_result ORDER BY id DESC LIMIT 1",
    "transfer": "SELECT max(id) FROM transfer_order",
    "other_task": "SELECT max(id) FROM review_task WHERE kind = 'small_rest'",
}


def more_settings(settings: Settings, folder: Path) -> Settings:
    """The settings that these acts want: an issuer, an account to pay from, an endpoint of ours, a partner."""
    more = {
        "issuer_name": "Keizoku", "transfer_payer": "1234567890/0005-001-1-7654321/ｶ",
        "webhook_allowed_hosts": ("localhost:9",), "link_partner": "simulated", "link_key_file": folder / "keys",
    }  # fmt: skip
    return settings.model_copy(update=more)


def prepare_more(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put everything there; what only we know (codes, states) goes to `house.known`."""
    house.door.settings = more_settings(house.door.settings, folder)
    with services_on(house.engine) as services:
        _money(services, folder, house)
        _evidence(services, house)
    with house.engine.connect() as session:
        calls = _cards(session, house)
        monkeypatch.setattr(CardService, "_calls", lambda *_: calls)
        _links(session, house)
        before = house.now - timedelta(hours=2)
        mark = {"backup": "b", "taken_at": before, "restored_at": before, "drill": False, "by": "t"}
        made = session.execute(sa.insert(restoration).values(**mark).returning(restoration.c.id)).scalar_one()
        read = {"how": "released", "author": "t", "ground": "t", "recorded_at": house.now}
        session.execute(sa.insert(restoration_end).values(restoration_id=made, **read))
        session.commit()


@contextmanager
def _behind_the_rules(session: Any) -> Iterator[None]:
    session.execute(sa.text("SET session_replication_role = replica"))
    yield
    session.execute(sa.text("SET session_replication_role = origin"))
    session.commit()


def _money(services: Services, folder: Path, house: House) -> None:
    billing, session, now = services.billing, services.session, house.now
    early = parse_instant("2026-04-20 10:00")
    for account in ("overdue", "holder"):
        billing.approve(account, "monthly", "other", now=early)
    billing.approve("left", "monthly", "other", now=early)
    billing.pay("left", 500, now=early)
    billing.terminate("left", ground="t", now=now)
    with _behind_the_rules(session):  # credits without claims
        for number, account in enumerate(("overdue", "left", "holder"), 900_001):
            row = {"award": number, "account": account}
            session.execute(
                sa.text(
                    "INSERT INTO credit (award_id, account, month, total_yen, granted_yen, available_yen, usable_from, "
                    "granted_on, recorded_at) VALUES (:award, :account, '2026-03', 100, 100, 100, '2026-04-01', "
                    "'2026-04-01', '2026-04-01 12:00+09')"
                ),
                row,
            )
        kept = session.execute(
            sa.text("UPDATE credit SET available_yen = 0 WHERE account = 'holder' RETURNING id")
        ).scalar()
        use_deposit(session, DepositUse("holder", "credit", "sent", -100, "t", "t", credit_id=kept), now)
    codes: list[Any] = []
    order = BatchOrder("more", "product_key", "monthly", 1, 1, date(2199, 12, 31), sold=1)
    billing.issue_codes(order, hand_out=codes.extend, by="t", now=now)
    house.known["code"] = str(getattr(codes[0], "text", codes[0]))
    files = {
        "one": "2026-05-01,-33,FEE,\n2026-05-01,55,PAYOUT,\n2026-05-01,-44,OWN,\n",
        "two": "2026-05-01,44,OWN,\n",
        "three": "2026-05-01,66,NOBODY,\n",
        "four": "2026-05-01,99,KNOWN,\n",
    }
    for name, lines in files.items():
        file = folder / f"{name}.csv"
        file.write_bytes(_HEADER + lines.encode())
        billing.import_bank(file, author="t", now=now, account=name)
    known = session.execute(sa.text("SELECT id FROM bank_line WHERE yen = 99")).scalar_one()
    billing.match_payment(known, "a5", by="t", ground="t", remember=True, now=now)
    payout(services, "po_1", 55, "2026-04-10")
    billing.store_report("store1", date(2026, 5, 7), 500, 75, now=now)
    left = session.execute(sa.text("SELECT id FROM credit WHERE account = 'left'")).scalar_one()
    for kind, subject in (("small_rest", "a5"), ("credit_without_charge", f"credit {left}")):
        session.execute(sa.insert(review_task).values(kind=kind, subject=subject, detail={}, opened_at=now))
    session.commit()


def _evidence(services: Services, house: House) -> None:
    span = (epoch(parse_instant("2026-04-22 10:00")), epoch(parse_instant("2026-04-22 11:00")))
    services.sla.take_unknown((span,), "counts", now=house.now)
    services.session.commit()
    services.sla.submit_claim("u02", "2026-03", "late", now=house.now)


def _cards(session: Any, house: House) -> Any:
    """Calls to a processor that gives every account the customer, the setup and the card of its name."""

    def answer(name: str, given: tuple[Any, ...]) -> dict[str, Any]:
        said = {"id": "cus_a6", "status": "succeeded", "customer": "cus_a6", "payment_method": "pm_a6"}
        if name.startswith("setup_intents"):
            return said | {"id": "seti_a6", "client_secret": "s"}
        return said

    calls, _ = stub_calls(answer, services=("customers", "setup_intents", "payment_methods"))
    begin_card(session, calls, "a6", house.now)
    session.commit()
    return calls


def _links(session: Any, house: House) -> None:
    partner = SimulatedPartner(house.engine)
    link, now = service_on(session, partner), house.now - timedelta(hours=1)
    for account in ("ready", "linked", "back"):
        admit(link, account, now)
    products = {"confirmed": "1321", "withdrawn": "1489", "unsure": "1570", "lost": "2558"}
    designate(link, products=("1306", *products.values()), now=now)
    state = parse_qs(urlsplit(link.begin("back", "orders", "https://app.example/back", now=house.now).url).query)
    house.known |= {"state": state["state"][0], "word": code_of("back")}
    grant(link, "linked", "orders", now)
    at = now + timedelta(minutes=1)
    drafted = link.draft_order("linked", "1306", "buy", 10, now=at)
    house.known["digest"] = link.order_texts(drafted, now=at)["ja"].digest
    numbers = {name: confirmed_order(link, "linked", product, now=at) for name, product in products.items()}
    for name in ("unsure", "lost"):
        partner.mishaps["linked"].loses_answer = 1
        sent = link.send_order(numbers[name], now=at)
    session.execute(sa.text("DELETE FROM simulated_link_order WHERE reference = :r"), {"r": sent.reference})
    session.commit()
    for seconds in (600, 602):
        link.settle_order(numbers["lost"], now=at + timedelta(seconds=seconds))
    house.known |= {"drafted": str(drafted), **{name: str(number) for name, number in numbers.items()}}
