"""Letters that ask for money: how much, by when, which bank account, what to state; none says what will not come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from keizoku.billing.documents.invoice_documents import statement_of
from keizoku.billing.documents.outbox import waiting
from keizoku.billing.rules.documents.invoice_document import invoice_document
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.world import open_world, services_on

BANK = "継続銀行 本店 普通 1234567"
SETTINGS = Discretion(transfer_account=BANK, suspend_after_days=40, terminate_after_days=50)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine, Rules(Terms.load("premium"), SETTINGS)) as found:
        open_world(found)
        for account in ("ends", "goes-on", "fired"):
            found.billing.approve(account, "monthly", "other", now=parse_instant("2026-04-10 09:00"))  # due on the 24th
        found.billing.end_of_use("ends", now=parse_instant("2026-04-12 09:00"))
        yield found


def body(services: Services, account: str, kind: str) -> list[str]:
    [found] = waiting(services.session, account=account, kinds=[kind])
    return found.body_en.splitlines()


def test_7_1__no_suspension_is_named_after_the_day_on_which_the_contract_ends(services: Services) -> None:
    run_night(services, date(2026, 4, 25), night_at(date(2026, 4, 25)))
    assert body(services, "goes-on", "overdue")[2] == "Please pay it by 2 June 2026."
    assert [each for each in body(services, "goes-on", "overdue") if "suspended" in each] == [
        "Until it is paid it bears late interest, and access is suspended on 3 June 2026. (Articles 5.2 and 7.1)"
    ]
    told = body(services, "ends", "overdue")
    assert told[2] == "Please pay it now."
    assert [each for each in told if "suspended" in each] == []


def test_7_2__who_is_terminated_by_people_is_told_what_is_due_where_and_what_to_state(services: Services) -> None:
    services.billing.terminate("fired", "虚偽の登録", now=parse_instant("2026-04-15 09:00"))
    assert body(services, "fired", "termination") == [  # nothing is due before the acceleration makes it so
        "Your contract is terminated as of 15 April 2026. Ground: 虚偽の登録 (Article 7.1)",
    ]
    assert body(services, "fired", "acceleration")[1:] == [
        "Please pay it now.",
        "You may also pay by transfer to the account below.",
        "Please put the payment number before your name.",
        f"Account: {BANK}",
        "Payment number: 100000308",
        "Due at once: 500 yen",
    ]


def test_4_1__an_invoice_by_transfer_and_the_letter_of_an_end_say_where_to_pay(services: Services) -> None:
    fields = dict(invoice_document(statement_of(services.session, services.rules, 1, Issuer("継続")), "en").fields)
    assert (fields["Due on"], fields["Account"], fields["Payment number"]) == ("24 April 2026", BANK, "200000130")
    services.billing.leave_service("ends", now=parse_instant("2026-04-20 09:00"))
    run_night(services, date(2026, 4, 21), night_at(date(2026, 4, 21)))
    told = body(services, "ends", "contract_end")
    assert "Please pay them by 24 April 2026, when the last of them is due." in told
    assert told[-3:] == [f"Account: {BANK}", "Payment number: 100000114", "Unpaid fees: 500 yen"]
