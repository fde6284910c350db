"""A close tells what is open at the time; a reversal of a document's entry warns; the report's 1140 is the ledger's."""

from datetime import date
from pathlib import Path

import sqlalchemy as sa

from keizoku.billing.closing.close_notes import close_notes
from keizoku.billing.closing.month_close import close_month
from keizoku.billing.ledger.manual_entries import reverse
from keizoku.billing.ledger.reversal_advice import INSTEAD, landed, warning
from keizoku.billing.rules.books.journal_rules import RULES
from keizoku.db.review_tasks import open_task
from keizoku.db.tables.books import entry
from keizoku.db.tables.closing import month_act
from keizoku.scheduler.reports import finance_rows
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.world import open_world, services_on

MAY_2 = parse_instant("2026-05-02 10:00")
APRIL = Month(2026, 4)
WAITS = (
    "2145 stands at -700 yen on 2026-04-30; 1 lines of the bank wait, the oldest of 2026-04-09 "
    "(`keizoku bank list --open`, `keizoku bank statement`)"
)
REVERSED = (
    "entry {0} takes back entry {1} (term_invoiced) by hand: the document behind it, term:1, stands as it was "
    "(`keizoku ledger entry {0}`)"
)


def test_a_close_tells_what_is_open_and_what_was_reversed_by_hand(engine: sa.Engine, tmp_path: Path) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "other", now=parse_instant("2026-04-01 10:00"))
        session = services.session
        assert close_notes(session, APRIL) == ()
        file = tmp_path / "bank.csv"
        file.write_text("date,amount,payer,reference\n2026-04-09,700,X,\n2026-04-10,-90,ATM,\n", encoding="utf-8")
        services.billing.import_bank(file, author="keiri", now=parse_instant("2026-04-11 10:00"))
        open_task(session, "store_gross_differs", "term 9", {"account": "taro"}, MAY_2)
        [invoiced] = session.scalars(sa.select(entry.c.id).where(entry.c.event == "term_invoiced"))
        assert warning(session, invoiced) == (
            f"entry {invoiced} was posted for term:1 (term_invoiced), which stays as it is when the entry is "
            "reversed; give the fee up: `keizoku account write-off ACCOUNT --term …`"
        )
        made = reverse(session, invoiced, date(2026, 4, 20), "keiri", "a mistake", MAY_2)
        assert warning(session, made) is None
        notes = (
            WAITS,
            "1 lines of the month are in no books of ours (`keizoku bank statement`)",
            "1 tasks of people are open (`keizoku tasks list`)",
            REVERSED.format(made, invoiced),
        )
        assert close_notes(session, APRIL) == notes
        closed = close_month(session, services.gateway, APRIL, "kato", MAY_2)
        assert (closed.ok, closed.notes) == (False, notes)
        # the invoice is open and the journal has nothing of it: the report shows both, and sums to the ledger
        assert [(row[0], row[-1]) for row in finance_rows.receivables(session, APRIL)] == [
            ("1–30 days", 500),
            ("in the journal alone", -500),
        ]
        by_code = {row[0]: row[-1] for row in finance_rows.trial(session, APRIL)}
        assert by_code.get("1140", 0) == 0


def test_an_entry_that_lands_in_another_month_says_so(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.session.execute(
            sa.insert(month_act).values(
                month="2026-04", kind="closed", from_on=None, to_on=date(2026, 5, 1), open_from=date(2026, 5, 1),
                entries=0, content="", previous="", hash="x", author="keiri", ground="", recorded_at=MAY_2,
            )
        )  # fmt: skip
        services.session.commit()
        made = services.billing.post_by_hand(
            {"6110": 18, "1131": -18}, date(2026, 4, 20), by="keiri", ground="a fee", now=MAY_2
        )
        where = landed(services.session, made)
        assert (where.posted_on, where.belongs_to) == (date(2026, 5, 1), "2026-04")
        assert close_notes(services.session, Month(2026, 5)) == (
            "1 entries of the month belong to months that were closed before",
        )


def test_every_advice_is_of_an_event_that_there_is() -> None:
    assert INSTEAD.keys() <= {rule.event for rule in RULES}
