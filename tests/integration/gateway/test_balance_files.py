"""Stripe's own files in place of its API: the same movements and payouts, recorded and booked once."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.gateway.balance_files import read_balance_file
from keizoku.billing.gateway.binding import Identity, hold
from keizoku.billing.gateway.books import Movement, Payout
from keizoku.db.tables.money import payment_attempt
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import balances, open_world, services_on

NOW = parse_instant("2026-11-20 10:00")
BALANCE = (
    "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description,Customer Facing Amount,"
    "Customer Facing Currency,Transfer,Transfer Date (UTC),Transfer Group,keizoku_key (metadata)\n"
    "txn_1,charge,ch_1,500.00,18.00,482.00,jpy,2026-11-05 01:00,2026-11-09 00:00,fee,500.00,jpy,po_1,2026-11-10 00:00,,"
    "k-1\n"
    "txn_2,payout,po_1,-482.00,0.00,-482.00,jpy,2026-11-09 00:30,2026-11-10 00:00,STRIPE PAYOUT,,,,,,\n"
)
ITEMISED = (
    "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,available_on_utc,currency,"
    "gross,fee,net,reporting_category,source_id,description,payment_intent_id,payment_metadata[keizoku_key]\n"
    "po_1,2026-11-10 00:00:00,txn_1,2026-11-05 01:00:00,2026-11-09 00:00:00,jpy,500,18,482,charge,ch_1,fee,pi_1,k-1\n"
)


def test_both_files_tell_the_movements_and_payouts_that_the_api_gives() -> None:
    charged, free = datetime(2026, 11, 5, 1, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)
    arrives = datetime(2026, 11, 10, tzinfo=UTC)
    charge = Movement("txn_1", "charge", 500, 18, 0, 482, "jpy", "ch_1", None, "k-1", charged, free)
    read = read_balance_file("balance.csv", BALANCE.encode("utf-8-sig"))
    assert (read.findings, read.found[0], read.found[1].kind) == ((), charge, "payout")
    sent = datetime(2026, 11, 9, 0, 30, tzinfo=UTC)
    assert read.paid == (Payout("po_1", 482, "jpy", "paid", True, sent, arrives),)
    itemised = read_balance_file("report.csv", ITEMISED.encode())
    assert (itemised.findings, itemised.found[0].our_key, itemised.found[0].payment) == ((), "k-1", "pi_1")
    assert itemised.paid == (Payout("po_1", 482, "jpy", "paid", True, arrives, arrives),)
    assert list(read.movements_of("po_1")) == list(itemised.movements_of("po_1")) == ["txn_1"]


def test_a_file_is_booked_once_however_often_it_comes(engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "balance.csv"
    with services_on(engine) as services:
        open_world(services)
        for written, rows in ((BALANCE, 4), (BALANCE, 0), (ITEMISED, 0)):
            file.write_text(written, encoding="utf-8")
            assert services.billing.import_balance(file, now=NOW)[1] == rows
        assert balances(services, "6110", "1131", "1110") == [
            18,
            -500,
            482,
        ]  # the charge itself is booked with its attempt


def test_a_file_of_a_test_or_of_another_account_is_refused_and_one_that_says_nothing_asks(
    engine: sa.Engine, tmp_path: Path
) -> None:
    file = tmp_path / "balance.csv"
    later = ITEMISED.replace("txn_1", "txn_7").replace("po_1", "po_7").replace("pi_1", "pi_7").replace("k-1", "k-7")

    def take(written: str, **said: str) -> int:
        file.write_text(written, encoding="utf-8")
        return services.billing.import_balance(file, now=NOW, **said)[1]

    with services_on(engine) as services:
        open_world(services)
        hold(services.session, Identity("acct_1Ours", livemode=True))
        services.session.commit()
        assert take(BALANCE) == 4
        mode, account = (
            "\n".join(
                f"{line},{name if not number else value}" for number, line in enumerate(ITEMISED.strip().split("\n"))
            )
            for name, value in (("livemode", "false"), ("connected_account_id", "acct_1Theirs"))
        )
        for written, why in (
            (mode, "line 2 is of test mode, and this database is bound to acct_1Ours, live mode"),
            (account, "line 2 is of acct_1Theirs"),
            (BALANCE.replace("482.00,jpy", "472.00,jpy"), r"txn_1 is \(472, 'jpy'\) there and \(482, 'jpy'\) here"),
            (later, "none of its 1 movements and 1 payouts is known here"),
        ):
            with pytest.raises(Refused, match=why) as refused:
                take(written)
            assert "\n" not in str(refused.value)
        assert take(later, by="keiri", ground="downloaded from our own account") == 3
        assert take(later) == 0
        told = services.session.execute(sa.text("SELECT kind, closed_by, closed_ground FROM review_task")).all()
        assert [tuple(row) for row in told] == [("balance_file_whose", "keiri", "downloaded from our own account")]
        # a test database has the same keys: the payment of the key tells it apart
        on = date(2026, 11, 5)
        _charged(services, {"key": "k-9", "outcome": "succeeded", "gateway_id": "pi_9", "settled_on": on})
        theirs = later.replace("k-7", "k-9").replace("txn_7", "txn_9").replace("po_7", "po_9")
        with pytest.raises(Refused, match="payment of the key k-9 is pi_7 there and pi_9 here"):
            take(theirs)
        assert take(theirs.replace("pi_7", "pi_9")) == 3


def _charged(services: Services, charge: dict[str, object]) -> None:
    """A charge of ours that succeeded."""
    services.billing.approve("hanako", "monthly", "card", now=NOW)
    services.session.execute(sa.text("ALTER TABLE payment_attempt DISABLE TRIGGER ALL"))
    services.session.execute(sa.update(payment_attempt).values(**charge))
    services.session.commit()


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("txn_3,charge,ch,5.00,0,5.00,usd,2026-11-05 01:00,2026-11-09 00:00,,,,,,,", "the balance is in JPY"),
        (
            "txn_3,charge,ch,5.50,0,5.50,jpy,2026-11-05 01:00,2026-11-09 00:00,,,,,,,",
            "it is not an amount of whole yen",
        ),
        ("txn_3,charge,ch,5,0,5,jpy,5/11/26,2026-11-09 00:00,,,,,,,", "it is no time of Stripe's"),
        ("ch_3,charge,ch,5,0,5,jpy,2026-11-05 01:00,2026-11-09 00:00,,,,,,,", "a balance transaction has an id"),
        ("txn_3,charge,ch,5", "the header has 16 columns, this row 4"),
        (BALANCE.splitlines()[1], "a balance transaction stands once in a file"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_finding_and_the_others_go_on(row: str, rule: str) -> None:
    read = read_balance_file("balance.csv", f"{BALANCE}{row}\n".encode())
    assert ([each.line for each in read.findings], len(read.found)) == ([4], 2)
    assert read.findings[0].rule.startswith(rule)


def test_what_is_no_file_of_stripe_says_so() -> None:
    for raw in (b"", b"a,b\n1,2\n", b"\0\0", b"\xff\xfe"):
        assert [each.rule for each in read_balance_file("x", raw).findings] == [
            "it is neither balance.csv nor an itemised report of Stripe's"
        ]


def test_times_in_a_zone_that_the_report_does_not_name_are_not_taken_for_utc() -> None:
    local = ITEMISED.replace("created_utc", "created").replace("available_on_utc", "available_on")
    read = read_balance_file("report.csv", local.encode())
    assert ([each.line for each in read.findings], read.found, read.paid) == ([1], (), ())
    assert read.findings[0].rule == "it lacks created_utc, and does not say in which zone its other times are"
