"""What every command is given when logins of every role walk through all of them, and the world that it finds.

`{n}` is another number for each role that may, `{new}` for each role, `{who}` the role, `{dir}` a folder; the other
names in braces are looked up in the database when their turn comes (`FOUND`). Whoever may not give a command gives it
before somebody does, so that it is the database that refuses, not the state of the world.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from keizoku.billing.rules.screening import Applicant, ScreeningRuling, approve
from keizoku.db.session import Session
from keizoku.db.tables.gateway import gateway_dispute
from keizoku.db.tables.money import credit_refund, payment_attempt, review_task
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import jst_day, parse_instant
from tests.worlds.link_world import key_file_in
from tests.worlds.world import live, open_world

__all__ = ["FOUND", "NOT_WALKED", "WALK", "everybody", "leave_unanswered", "live_for_the_walk", "write_files"]

BY: Final = "--by keiri --ground test"
AUTHOR: Final = "--author keiri --ground test"
NOW: Final = parse_instant("2026-05-07 09:00")
FROM_TO: Final = "--from 2026-04-1{n}T10:00:00+09:00 --to 2026-04-1{n}T10:30:00+09:00"

WALK: Final[tuple[tuple[str, str, int], ...]] = (
    ("night hold", AUTHOR, 0),
    ("night approve", "--on 2026-05-08 " + AUTHOR, 0),
    ("night release", AUTHOR, 0),
    ("night", "--on 2026-05-08", 0),
    ("link record", "new2 partner_account_opened", 0),
    ("link record", "new2 rules_consented --rules 2026-01", 0),
    *(("link rule", f"new2 {clause} met {AUTHOR}", 0) for clause in ("4.3", "4.4", "4.5")),
    ("link designate", "product 1306 " + AUTHOR, 0),
    ("link designations", "", 0),
    ("link begin", "new2 --back https://app.example/back", 0),
    ("link show", "new2", 0),
    ("link list", "", 0),
    ("link uses", "", 0),
    ("link renew", "new2", 1),
    ("link revoke", "new2 " + AUTHOR, 1),
    ("link fetch", "new2 positions", 1),
    ("link rotate-keys", "", 0),
    ("link adopt", AUTHOR, 1),
    ("link order show", "1", 1),
    ("link order send", "1", 1),
    ("link order settle", "1", 1),
    ("link order list", "", 0),
    ("link stop add", "partner --what upkeep " + AUTHOR, 0),
    ("link stop announce", "1 --place site --author keiri", 0),
    ("link stop lift", "1 --author keiri", 0),
    ("link stop list", "", 0),
    ("link event add", "feared_leak --what phone --account new2 " + AUTHOR, 0),
    ("link event disclose", "1 new2 --what name --to partner " + AUTHOR, 0),
    ("link event list", "", 0),
    ("link load show", "", 0),
    ("link load rule", "new2 allowed --from 2026-04-01 --to 2026-04-02 " + AUTHOR, 0),
    ("contract apply", "new1 --plan monthly --method app_store", 0),
    ("contract list", "", 0),
    ("contract queue", "", 0),
    ("offer", "monthly", 0),
    ("contract show-again", "waits1", 0),
    ("contract show-again", "waits3", 0),
    ("tasks list", "", 1),
    ("tasks show", "T999", 1),
    ("contract approve", "waits1 --author keiri", 0),
    ("contract reject", "waits2 --ground other", 0),
    ("contract screen", "", 0),
    ("contract import", "{dir}/applications.csv", 0),
    ("contract end-of-use", "a0", 0),
    ("contract withdraw-end-of-use", "a0", 0),
    ("contract store-stop", "store1", 0),
    ("contract change-method", "a0 other", 0),
    ("contract void-fact", "a0 change_method " + AUTHOR, 0),
    ("contract leave", "a1", 0),
    ("contract delete-user", "a2", 0),
    ("plan add", "pro month", 0),
    ("plan list", "", 0),
    ("price add", "pro 700 --announced 2026-07-01 --new-from 2026-07-02 --renewals-from 2026-09-01", 0),
    ("price list", "", 0),
    ("terms announce", "2030-04-01 --published 2030-01-15 --effective 2030-04-01 --where page", 0),
    ("terms announced", "", 0),
    ("price simulate", "monthly 550 --announced 2027-07-01 --new-from 2027-07-02 --renewals-from 2027-09-01", 0),
    ("acts service-change", "--what new --ground better", 0),
    ("acts disclosure", "a0 --to court --what name --ground law", 0),
    ("acts list", "", 0),
    ("sla incident add", "--id s{n} " + FROM_TO + " --affected 60000 " + AUTHOR, 0),
    ("sla incident correct", "s{n} --affected 70000 " + AUTHOR, 0),
    ("sla incident environment", "s{n} " + AUTHOR, 0),
    ("sla incident import", "{dir}/incidents{new}.csv", 0),
    ("sla incident list", "", 0),
    ("sla observations import", "{dir}/observations{new}.csv", 0),
    ("sla notice add", "--id n{n} --published 2026-04-01 " + FROM_TO, 0),
    ("sla notice list", "", 0),
    ("sla notice publish", "--out {dir}/notices-{who}", 0),
    ("sla interruption add", FROM_TO + " --ground flood --approver boss", 0),
    ("sla interruption list", "", 0),
    ("sla population add", "{n}000000 --from 2026-04-2{n}", 0),
    ("sla population list", "", 0),
    (
        "sla counts import",
        "{dir}/counts{new}.csv --range 2026-04-2{new}T10:00:00+09:00/2026-04-2{new}T12:00:00+09:00",
        0,
    ),
    ("sla unknown list", "", 0),
    ("sla unknown decide", "2026-04-2{n}T11:00:00+09:00/2026-04-2{n}T12:00:00+09:00 up " + AUTHOR, 0),
    ("claim submit", "u0{n} --month 2026-04 --id k{n}", 0),
    ("claim import", "{dir}/claims{new}.csv", 0),
    ("claim recognise", "k{n} --window 2026-04-11T10:00:00+09:00/2026-04-11T10:30:00+09:00 " + AUTHOR, 0),
    ("claim environment", "k{n} " + AUTHOR, 0),
    ("claim consent", "k{n} --what voucher " + AUTHOR, 0),
    ("claim perform-remedy", "k{n} " + AUTHOR, 0),
    ("claim withdraw-remedy", "c0 " + AUTHOR, 1),
    ("claim grant-late", "c0 --approved-by b " + AUTHOR, 1),
    ("claim submit", "a{n} --month 2026-04 --id w{n}", 0),
    ("claim withdraw", "w{n} " + AUTHOR, 0),
    ("claim form-down", FROM_TO + " " + AUTHOR, 0),
    ("claim list", "", 0),
    ("claim show", "c0", 0),
    ("sla imports", "", 0),
    ("sla budget", "2026-04", 0),
    ("sla history", "2026-04", 0),
    ("sla replay", "2026-04", 0),
    ("sla differences", "", 0),
    ("sla report", "2026-04 --out {dir}/sla-{who}", 0),
    ("explain cap", "u00 --on 2026-04-10", 0),
    ("explain invoice", "1", 0),
    ("explain interest", "u01", 0),
    ("explain claim", "c0", 0),
    ("account list", "", 0),
    ("account show", "key", 0),
    ("account file", "key --out {dir}/member-{who}", 0),
    ("account hold", "a3 --until 2030-05-20 " + AUTHOR, 0),
    ("account release", "a3 " + AUTHOR, 0),
    ("account suspend", "a3 " + BY, 0),
    ("account resume", "a3 " + BY, 0),
    ("account set-off", "u05 " + BY, 1),
    ("account write-off", "u01 --term {u01_term} " + BY, 0),
    ("account terminate", "a4 " + BY, 0),
    ("account base-closed", "a7 " + AUTHOR, 0),
    ("card new", "a5", 0),
    ("card list", "a5", 0),
    ("api new-key", "shop{new} --role support --scope * --author keiri", 0),
    ("api keys", "", 0),
    ("api end-key", "1 " + AUTHOR, 0),
    ("webhook add", "shop https://shop.example/hooks --author keiri", 0),
    ("webhook list", "", 0),
    ("webhook deliveries", "1", 0),
    ("webhook change", "1 --type invoice.paid " + AUTHOR, 0),
    ("webhook switch", "1 --off " + AUTHOR, 0),
    ("webhook replay", "1 0-0", 0),
    ("webhook rotate", "1 --author keiri", 0),
    ("webhook test", "1", 1),
    ("api sessions", "--living", 0),
    ("api proposals", "--state waiting", 0),
    ("api access", "", 0),
    ("api requests", "--account a5", 0),
    ("api approve", "1 " + AUTHOR, 1),
    ("api turn-down", "1 " + AUTHOR, 1),
    ("api withdraw", "1 " + AUTHOR, 1),
    ("api member-link", "a5 " + "--author keiri", 0),
    ("api end-session", "1 " + AUTHOR, 1),
    ("gateway check", "", 1),
    ("gateway rebind", BY, 1),
    ("payments unknown", "", 1),
    ("payments settle", "", 1),
    ("payments nothing-charged", "{attempt} " + BY, 0),
    ("payments refunds", "", 1),
    ("payments nothing-refunded", "refund-1 " + BY, 0),
    ("payments failed-refunds", "", 1),
    ("payments refund-dealt-with", "9 " + BY, 0),
    ("payments disputes", "", 0),
    ("payments dispute-lost", "dp_1 --choice claim_stays " + BY, 0),
    ("bank import", "{dir}/bank.csv", 0),
    ("bank list", "", 0),
    ("bank match", "a6 {first_line} " + AUTHOR, 0),
    ("bank unmatch", "{first_line} " + AUTHOR, 0),
    ("bank send-back", "{first_line} " + AUTHOR, 0),
    ("bank payout", "{second_line} " + AUTHOR, 1),
    ("bank references", "a6", 0),
    ("bank statement", "", 0),
    ("bank suggest", "", 0),
    ("bank rules", "", 0),
    ("bank forget", "9 " + AUTHOR, 1),
    ("bank imports", "", 0),
    ("bank balance", "", 0),
    ("bank fee", "{second_line} " + AUTHOR, 1),
    ("bank transfer", "{first_line} {second_line} " + AUTHOR, 1),
    ("bank other", "{second_line} --code 7120 " + AUTHOR, 0),
    ("bank take-back", "9 " + AUTHOR, 1),
    ("store import", "{dir}/store.csv", 0),
    ("transfer propose", "a6 --yen 1 --bank 0009 --branch 001 --number 1 --holder ｱ " + AUTHOR, 1),
    ("transfer approve", "1 " + AUTHOR, 1),
    ("transfer reject", "1 " + AUTHOR, 1),
    ("transfer file", "--again 1 --out {dir}/transfers.txt --author keiri", 1),
    ("transfer sent-back", "1 " + AUTHOR, 1),
    ("transfer list", "", 0),
    ("payments import-balance", "{dir}/balance.csv", 0),
    ("store order", "a6 GPA.1-2", 0),
    ("store orders", "{dir}/orders.csv", 0),
    ("store refund", "a6 2026-04-01 --yen 1 " + AUTHOR, 1),
    ("store list", "", 0),
    ("key issue", "--batch b1 --count 2 --months 1 --plan monthly --expires 2199-12-31 --out {dir}/keys-{who}", 0),
    ("key sell", "b1 --count 1 --author kato", 0),
    ("key unused", "--on 2026-03-31", 0),
    ("key list", "", 0),
    ("key show", "b1", 0),
    ("key check", "{key}", 0),
    ("key redeem", "new5 {key}", 0),
    ("key revoke", "b1 " + AUTHOR, 0),
    (
        "coupon issue",
        "--batch b2 --count 2 --months 1 --plan monthly --expires 2199-12-31 --out {dir}/coupons-{who}",
        0,
    ),
    ("coupon list", "", 0),
    ("coupon show", "b2", 0),
    ("coupon check", "{coupon}", 0),
    ("coupon redeem", "new6 {coupon}", 0),
    ("coupon revoke", "b2 " + AUTHOR, 0),
    ("interest preview", "u01", 0),
    ("invoice show", "1", 0),
    ("invoice credit-note", "1", 1),
    ("invoice month", "2026-04 --out {dir}/invoices-{who}", 0),
    ("documents issue", "2026-04", 1),  # nobody is set as the issuer
    ("documents list", "", 0),
    ("documents show", "1", 1),
    ("documents export", "--out {dir}/issued-{who}.zip", 0),
    ("documents reissue", "invoice 1", 1),  # nobody is set as the issuer
    ("documents reseal", "", 2),  # no key file is set
    ("demand list", "", 0),
    ("demand show", "D1", 0),
    ("deposit list", "", 0),
    ("deposit from-credits", "payer " + AUTHOR, 1),
    ("deposit refund", "payer --yen 10 " + AUTHOR, 0),
    ("deposit apply", "payer " + AUTHOR, 1),
    ("notice list", "", 0),
    ("notice show", "N1", 0),
    ("notice mark-sent", "N1", 0),
    ("notice send", "--out {dir}/letters-{who}", 0),
    ("ledger trial", "", 0),
    ("ledger account", "1110", 0),
    ("ledger find", "--late", 0),
    ("ledger entry", "1", 0),
    ("ledger deferred", "", 0),
    ("ledger post", "6110=18 1131=-18 " + AUTHOR, 0),
    ("ledger reverse", "{by_hand} " + AUTHOR, 0),
    ("reconcile month", "2026-04", 1),
    ("reconcile resolve", "2026-04 {exception} " + AUTHOR, 0),
    ("report", "2026-04 --out {dir}/report-{who}", 0),
    ("export", "2026-04 --format csv --out {dir}/export-{who}", 0),
    ("close month", "2026-03", 0),
    ("close list", "", 0),
    ("close verify", "", 0),
    ("close reopen", "2026-03 " + AUTHOR, 0),
    ("backup member", "u00 --out {dir}/member-{who}", 0),
    ("backup list", "", 1),
    ("backup held", "", 0),
    ("backup run", "", 0),
    ("db status", "", 0),
    ("db check", "", 0),
)
"""Command, what it is given, and its exit code for those who may give it."""


NOT_WALKED: Final = {
    "link finish": "it reads stdin; test_link_cli.py gives it an address",
    "link order draft": "whether the link is open is looked up first, by whoever may read; test_link_cli.py drafts one",
    "link order confirm": "its order is looked up first; test_link_cli.py confirms one",
    "link order withdraw": "its order is looked up first; test_link_cli.py withdraws one",
    "link order never-arrived": "its order is looked up first; test_link_service.py says so of one",
    "tasks done": "its item is looked up first, by whoever may read; test_work_list.py closes one",
    "tasks snooze": "its item is looked up first, by whoever may read; test_work_list.py puts one off",
    "sla collect": "a monitor is asked first; test_collect.py has one, and counts import is walked",
    "worker": "it does not end; it does what nights, news and backups do",
    "serve": "it does not end; its calls are walked in tests/integration/web",
    "card begin": "Stripe's alone",
    "card finish": "Stripe's alone",
    "card detach": "Stripe's alone",
    "backup release": "nothing waits here (test_restored_stripe)",
    "db upgrade": "nothing is to be done",
    "db roles": "its refusal names what an administrator has to run",
}

FOUND: Final = {
    "u01_term": "SELECT t.starts_on FROM invoice i JOIN term t ON t.id = i.term_id "
    "WHERE i.account = 'u01' AND i.state = 'open' ORDER BY i.id LIMIT 1",
    "attempt": "SELECT id FROM payment_attempt WHERE key = 'unanswered'",
    "first_line": "SELECT min(id) FROM bank_line",
    "second_line": "SELECT max(id) FROM bank_line",
    "by_hand": "SELECT max(entry_id) FROM manual_entry",
}
"""What is looked up when its turn comes."""


def everybody(_: Applicant) -> ScreeningRuling:
    """A rule for `contract screen`."""
    return approve()


def live_for_the_walk(services: Services) -> None:
    """The small world until 7 May, and somebody for each act."""
    open_world(services)
    live(services, date(2026, 5, 7))
    billing = services.billing
    for number in range(8):
        billing.approve(f"a{number}", "monthly", "card", now=NOW)
    for account in ("waits1", "waits2", "waits3"):
        billing.register(account, "monthly", "app_store", now=NOW)
    billing.approve("store1", "monthly", "app_store", now=NOW)
    billing.approve("payer", "monthly", "other", now=NOW)
    billing.pay("payer", 5_000, now=NOW)


def leave_unanswered(session: Session) -> None:
    """A charge and a refund without an answer, a refund that failed, a dispute."""
    today, paid = jst_day(NOW), payment_attempt.c.outcome == "succeeded"
    charge = session.execute(sa.select(payment_attempt).where(paid).order_by(payment_attempt.c.id)).first()
    assert charge is not None
    newest = session.exec_driver_sql("SELECT max(id) FROM invoice").scalar()
    attempt = {"invoice_id": newest, "account": "u01", "key": "unanswered", "yen": 1, "wanted_on": today}
    session.execute(sa.insert(payment_attempt).values(**attempt, started_on=today, started_at=NOW))
    refund = {"credit_id": 1, "attempt_id": charge.id, "account": charge.account, "key": "refund-1", "yen": 1}
    session.execute(sa.insert(credit_refund).values(**refund, requested_on=today, requested_at=NOW))
    task = {"kind": "refund_failed", "subject": "refund 9", "detail": {"account": "u00", "yen": 1, "code": "x"}}
    session.execute(sa.insert(review_task).values(**task, opened_at=NOW))
    dispute = {"dispute": "dp_1", "payment": charge.gateway_id, "attempt_id": charge.id, "amount": 1, "fee": 0}
    dispute |= {"number": 1, "returned": 0, "held": 1, "currency": "jpy"}
    session.execute(sa.insert(gateway_dispute).values(**dispute, state="open", happened_at=NOW, recorded_at=NOW))
    session.commit()


def write_files(folder: Path) -> None:
    """What the imports take."""
    files = {
        "applications.csv": "account,plan,method\nfiled1,monthly,card\n",
        "bank.csv": "date,amount,payer,reference\n2026-04-01,77,A,\n2026-04-01,78,B,\n",
        "balance.csv": "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)\n",
        "orders.csv": "order,account\nGPA.1-3,a6\n",
        "store.csv": "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n",
    }
    for n in (1, 2, 3, 4):
        files |= {
            f"incidents{n}.csv": "id,from,to,affected,cause,ground,author\n"
            f"f{n},2026-04-1{n} 14:00,2026-04-1{n} 15:00,70000,fault,logs,sato\n",
            f"observations{n}.csv": "user_id,symptom,started_at,ended_at\n"
            f"x{n},site,2026-04-0{n} 10:00,2026-04-0{n} 11:00\n",
            f"counts{n}.csv": f"from,to,affected,total\n2026-04-2{n} 10:00,2026-04-2{n} 11:00,1,1000000\n",
            f"claims{n}.csv": f"id,account,month,received_at,windows\nfc{n},u0{n},2026-04,2026-04-01 10:00,\n",
        }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    key_file_in(folder)
