"""What every command is given when logins of every role walk through all of them, and the world that it finds.

`{n}` is another number for each login, `{dir}` a folder; whoever may not give a command gives it before somebody does,
so that it is the database that refuses, not the state of the world.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.scheduler.app import Services
from keizoku.terms.calendar import parse_instant
from tests.worlds.world import live, open_world

__all__ = ["WALK", "live_for_the_walk", "write_files"]

BY: Final = "--by keiri --ground test"
AUTHOR: Final = "--author keiri --ground test"
NOW: Final = parse_instant("2026-06-02 09:00")
FROM_TO: Final = "--from 2026-05-1{n}T10:00:00+09:00 --to 2026-05-1{n}T10:30:00+09:00"

WALK: Final[tuple[tuple[str, str, int], ...]] = (
    ("contract apply", "new1 --plan monthly --method app_store", 0),
    ("contract list", "", 0),
    ("contract queue", "", 0),
    ("contract screen", "", 0),
    ("contract approve", "waits1 --author keiri", 0),
    ("contract reject", "waits2 --ground other", 0),
    ("contract import", "{dir}/applications.csv", 0),
    ("contract end-of-use", "a0", 0),
    ("contract withdraw-end-of-use", "a0", 0),
    ("contract change-method", "a0 other", 0),
    ("contract leave", "a1", 0),
    ("contract delete-user", "a2", 0),
    ("plan add", "pro month", 0),
    ("plan list", "", 0),
    ("price add", "pro 700 --announced 2026-07-01 --new-from 2026-07-02 --renewals-from 2026-09-01", 0),
    ("price list", "", 0),
    ("price simulate", "monthly 550 --announced 2027-07-01 --new-from 2027-07-02 --renewals-from 2027-09-01", 0),
    ("acts service-change", "--what new --ground better", 0),
    ("acts disclosure", "a0 --to court --what name --ground law", 0),
    ("acts list", "", 0),
    ("sla incident add", "--id s{n} " + FROM_TO + " --affected 60000 " + AUTHOR, 0),
    ("sla incident correct", "s{n} --affected 70000 " + AUTHOR, 0),
    ("sla incident environment", "s{n} " + AUTHOR, 0),
    ("sla incident import", "{dir}/incidents{n}.csv", 0),
    ("sla incident list", "", 0),
    ("sla observations import", "{dir}/observations{n}.csv", 0),
    ("sla notice add", "--id n{n} --published 2026-04-01 " + FROM_TO, 0),
    ("sla notice list", "", 0),
    ("sla interruption add", FROM_TO + " --ground flood --approver boss", 0),
    ("sla interruption list", "", 0),
    ("sla population add", "{n}000000 --from 2026-05-2{n}", 0),
    ("sla population list", "", 0),
    ("sla counts import", "{dir}/counts{n}.csv --range 2026-05-2{n}T10:00:00+09:00/2026-05-2{n}T12:00:00+09:00", 0),
    ("sla unknown list", "", 0),
    ("sla unknown decide", "2026-05-2{n}T11:00:00+09:00/2026-05-2{n}T12:00:00+09:00 up " + AUTHOR, 0),
    ("claim submit", "u0{n} --month 2026-05 --id k{n}", 0),
    ("claim import", "{dir}/claims{n}.csv", 0),
    ("claim recognise", "k{n} --window 2026-05-11T10:00:00+09:00/2026-05-11T10:30:00+09:00 " + AUTHOR, 0),
    ("claim environment", "k{n} " + AUTHOR, 0),
    ("claim consent", "k{n} --what voucher " + AUTHOR, 0),
    ("claim form-down", FROM_TO + " " + AUTHOR, 0),
    ("claim list", "", 0),
    ("claim show", "c0", 0),
    ("sla imports", "", 0),
    ("sla history", "2026-04", 0),
    ("sla replay", "2026-04", 0),
    ("sla differences", "", 0),
    ("sla report", "2026-04 --out {dir}/sla{n}", 0),
    ("explain cap", "u00 --on 2026-05-10", 0),
    ("explain invoice", "1", 0),
    ("explain interest", "u01", 0),
    ("explain claim", "c0", 0),
    ("account list", "", 0),
    ("account show", "key", 0),
    ("account suspend", "a3 " + BY, 0),
    ("account resume", "a3 " + BY, 0),
    ("account set-off", "creditor " + BY, 0),
    ("account write-off", "u01 --term {u01_term} " + BY, 0),
    ("account terminate", "a4 " + BY, 0),
    ("card new", "a5", 0),
    ("card begin", "a5", 2),  # simulated cards have no form
    ("card finish", "a5 seti_1", 2),
    ("card detach", "a5 pm_1", 0),
    ("card list", "a5", 0),
    ("payments unknown", "", 0),
    ("payments nothing-charged", "{attempt} " + BY, 0),
    ("payments settle", "", 0),
    ("payments refunds", "", 0),
    ("payments nothing-refunded", "refund-1 " + BY, 0),
    ("payments failed-refunds", "", 0),
    ("payments refund-dealt-with", "refund:9 " + BY, 0),
    ("payments disputes", "", 0),
    ("payments dispute-lost", "dp_1 --choice claim_stays " + BY, 0),
    ("bank import", "{dir}/bank.csv", 0),
    ("bank list", "", 0),
    ("bank match", "a6 1 " + AUTHOR, 0),
    ("bank unmatch", "1 " + AUTHOR, 0),
    ("bank send-back", "1 " + AUTHOR, 0),
    ("bank payout", "2 " + AUTHOR, 0),
    ("bank references", "a6", 0),
    ("store import", "{dir}/store.csv", 0),
    ("store list", "", 0),
    ("key issue", "--batch b1 --count 2 --months 1 --plan monthly --expires 2999-01-01 --out {dir}/keys{n}", 0),
    ("key list", "", 0),
    ("key show", "b1", 0),
    ("key check", "{key}", 0),
    ("key redeem", "new5 {key}", 0),
    ("key revoke", "b1 " + AUTHOR, 0),
    ("coupon issue", "--batch b2 --count 2 --months 1 --plan monthly --expires 2999-01-01 --out {dir}/coupons{n}", 0),
    ("coupon list", "", 0),
    ("coupon show", "b2", 0),
    ("coupon check", "{coupon}", 0),
    ("coupon redeem", "new6 {coupon}", 0),
    ("coupon revoke", "b2 " + AUTHOR, 0),
    ("interest preview", "u01", 0),
    ("invoice show", "1", 0),
    ("invoice credit-note", "1", 0),
    ("invoice month", "2026-05 --out {dir}/invoices{n}", 0),
    ("demand list", "", 0),
    ("demand show", "D1", 0),
    ("deposit list", "", 0),
    ("deposit refund", "payer --yen 10 " + AUTHOR, 0),
    ("deposit apply", "payer " + AUTHOR, 0),
    ("notice list", "", 0),
    ("notice show", "N1", 0),
    ("notice mark-sent", "N1", 0),
    ("ledger trial", "", 0),
    ("ledger account", "1110", 0),
    ("ledger entry", "1", 0),
    ("ledger deferred", "", 0),
    ("ledger post", "6110=18 1131=-18 " + AUTHOR, 0),
    ("ledger reverse", "{by_hand} " + AUTHOR, 0),
    ("reconcile month", "2026-04", 1),
    ("reconcile resolve", "2026-04 {exception} " + AUTHOR, 0),
    ("report", "2026-04 --out {dir}/report{n}", 0),
    ("export", "2026-04 --format generic --out {dir}/export{n}", 0),
    ("close month", "2026-03", 0),
    ("close list", "", 0),
    ("close verify", "", 0),
    ("close reopen", "2026-03 " + AUTHOR, 0),
    ("backup member", "u00 --out {dir}/member{n}", 0),
    ("backup list", "", 0),
    ("backup run", "", 0),
    ("night", "--on 2026-06-03", 0),
    ("db status", "", 0),
    ("db check", "", 0),
    ("db upgrade", "", 0),
    ("db roles", "--prefix {prefix}", 0),
)
"""Command, what it is given, and its exit code for those who may give it."""


def live_for_the_walk(services: Services) -> None:
    """The small world until 2 June, and somebody for each act."""
    open_world(services)
    live(services, date(2026, 6, 2))
    billing = services.billing
    for number in range(8):
        billing.approve(f"a{number}", "monthly", "card", now=NOW)
    billing.approve("payer", "monthly", "other", now=NOW)
    billing.pay("payer", 5_000, now=NOW)


def write_files(folder: Path) -> None:
    """What the imports take."""
    files = {
        "applications.csv": "account,plan,method\nfiled1,monthly,card\n",
        "bank.csv": "date,amount,payer,reference\n2026-06-01,77,A,\n2026-06-01,78,B,\n",
        "store.csv": "store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\n",
    }
    for n in (1, 2, 3, 4):
        files |= {
            f"incidents{n}.csv": "id,from,to,affected,cause,ground,author\n"
            f"f{n},2026-05-1{n} 14:00,2026-05-1{n} 15:00,70000,fault,logs,sato\n",
            f"observations{n}.csv": f"user_id,symptom,started_at,ended_at\nx{n},site,2026-05-0{n} 10:00,2026-05-0{n} 11:00\n",
            f"counts{n}.csv": f"from,to,affected,total\n2026-05-2{n} 10:00,2026-05-2{n} 11:00,1,1000000\n",
            f"claims{n}.csv": f"id,account,month,received_at,windows\nfc{n},u0{n},2026-05,2026-06-01 10:00,\n",
        }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
