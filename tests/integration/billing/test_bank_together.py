"""Lines that are matched many at a time: what is written is what would be, one by one; what is refused stands alone."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.billing.receivables.bank import matching, taking
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.db.session import Session
from keizoku.limits import MOST_LISTED
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.case_payments import open_fees

NOW = parse_instant("2026-05-20 10:00")
MEMBERS = 12
TOLD = {
    "receipts": "SELECT account, yen, via, received_on, received_at, for_term_on, reverses IS NULL FROM receipt",
    "settlements": "SELECT account, kind, yen, settled_on FROM settlement",
    "invoices": "SELECT account, open_yen, state, paid_on FROM invoice",
    "allocations": "SELECT account, kind, invoice_id, yen, allocated_on FROM allocation",
    "interest": "SELECT account, kind, yen, booked_on FROM interest_booking",
    "marks": "SELECT account, invoice_id, accrues_after, accrued_unpaid_yen, checkpoint_on FROM interest_checkpoint",
    "journal": "SELECT posted_on, event, account, code, yen FROM entry JOIN line ON line.entry_id = entry.id",
    "acts": "SELECT l.line, act.kind, act.account, act.author FROM bank_act act JOIN bank_line l ON l.id = line_id",
    "lines": "SELECT line, paid_on, yen, payer, reference, nth, doubt, posts FROM bank_line",
}


def statement(folder: Path) -> Path:
    """Whole, part, too much, late, twice a day, twice on other days, in any order; some of nobody's."""
    rows = []
    for place in range(40):
        number, on = place % MEMBERS + 1, date(2026, 4, 8) + timedelta(days=place * 7 % 23)
        reference = "" if place % 9 == 5 else str(Reference(ACCOUNT if place % 3 else "2", number))
        rows.append(f"{on},{(500, 120, 700, 380)[place % 4]},ﾔﾏﾀﾞ,{reference}")
    rows += [f"2026-05-02,130,ﾔﾏﾀﾞ,{Reference(ACCOUNT, 1)}"] * 2
    file = folder / "bank.csv"
    file.write_text("date,amount,payer,reference\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def told(session: Session) -> dict[str, list[str]]:
    return {name: sorted(str(tuple(row)) for row in session.execute(sa.text(query))) for name, query in TOLD.items()}


def taken(session: Session, file: Path) -> taking.BankImport:
    rules = Rules(Terms.load("premium"))
    return taking.import_bank(session, rules, file, Layout(), "keiri", NOW)


def test_5_2__many_at_a_time_come_to_what_one_by_one_comes_to(
    engine_with_tables: Callable[[], sa.Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = statement(tmp_path)
    found = []
    for one_by_one in (False, True):
        if one_by_one:
            monkeypatch.setattr(
                matching, "receive_together", lambda _s, _r, payments, _on, _now: [None] * len(payments)
            )
            monkeypatch.setattr(matching, "_chunks", lambda lines: [[place] for place in range(len(lines))])
        with engine_with_tables().connect() as session:
            open_fees(session, MEMBERS)
            session.execute(sa.text("UPDATE invoice SET method = 'transfer'"))  # bears interest from its day on
            session.commit()
            done = taken(session, file)
            assert (done.logged.rows_new, done.logged.rows_refused, len(done.matched)) == (42, 0, 38)
            acts = session.execute(sa.text("SELECT id, line_id, receipt_id FROM bank_act ORDER BY id")).all()
            assert sorted((each.act_id, each.line_id, each.receipt_id) for each in done.matched) == [
                tuple(act) for act in acts
            ]
            occasions = {f"receipt:{each.receipt_id}" for each in done.matched}
            keyed = session.execute(sa.text("SELECT id, event_key FROM entry WHERE event_key LIKE 'receipt:%'"))
            own = [row for row in keyed if not row.event_key.endswith(":corrected")]
            assert occasions == {row.event_key.removesuffix(":deposit") for row in own}
            found.append(told(session))
    assert found[0] == found[1]
    assert all(found[0][name] for name in TOLD)


def test_a_line_that_the_database_refuses_stands_alone_and_is_taken_when_the_file_is_read_again(
    engine: sa.Engine, tmp_path: Path
) -> None:
    rows = [f"2026-04-20,{yen},ﾔﾏﾀﾞ,{Reference(ACCOUNT, yen - 100)}" for yen in range(101, 101 + MEMBERS)]
    rows += [f"2026-04-20,{yen},ﾔﾏﾀﾞ," for yen in range(201, 221)]
    file = tmp_path / "bank.csv"
    file.write_text("date,amount,payer,reference\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with engine.connect() as session:
        open_fees(session, MEMBERS)
        session.execute(sa.text("ALTER TABLE receipt ADD CONSTRAINT odd CHECK (yen <> 104)"))
        session.execute(sa.text("ALTER TABLE bank_line ADD CONSTRAINT odd CHECK (yen <> 207)"))
        session.commit()
        done = taken(session, file)
        logged = done.logged
        assert (logged.rows_read, logged.rows_new, logged.rows_refused, logged.rows_passed_over) == (32, 30, 2, 0)
        assert [(each.line, each.value) for each in logged.findings] == [(5, "in 104"), (20, "in 207")]
        assert all("the database refuses it" in each.rule for each in logged.findings)
        paid = "SELECT sum(yen) FROM settlement WHERE kind = 'receipt' AND source_id = "
        assert sorted(session.scalar(sa.text(f"{paid}{each.receipt_id}")) for each in done.matched) == [
            yen for yen in range(101, 113) if yen != 104
        ]
        session.execute(sa.text("ALTER TABLE receipt DROP CONSTRAINT odd"))
        session.execute(sa.text("ALTER TABLE bank_line DROP CONSTRAINT odd"))
        session.commit()
        again = taken(session, file)
        assert (again.logged.rows_new, again.logged.rows_known, again.logged.rows_refused) == (2, 30, 0)
        assert session.execute(sa.text("SELECT count(*), count(DISTINCT yen) FROM bank_line")).one() == (32, 32)


def test_a_large_file_day_by_day_comes_to_what_it_comes_to_at_once(
    engine_with_tables: Callable[[], sa.Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = statement(tmp_path)
    found = []
    for large in (False, True):
        if large:
            monkeypatch.setattr(taking, "_TOGETHER", 0)
            monkeypatch.setattr(taking, "_CHUNK", 3)
        with engine_with_tables().connect() as session:
            open_fees(session, MEMBERS)
            session.commit()
            done, again = taken(session, file).logged, taken(session, file).logged
            assert (again.again, again.rows_new) == (True, done.rows_new)
            lines = (
                "SELECT paid_on, direction, yen, payer, reference, nth, doubt, posts FROM bank_line ORDER BY 1, 3, 4, 5"
            )
            counted = (done.rows_read, done.rows_new, done.rows_known, done.rows_passed_over, done.rows_refused)
            balances = "SELECT code, sum(yen) FROM line GROUP BY code ORDER BY code"
            found.append([counted, *(session.execute(sa.text(each)).all() for each in (lines, balances))])
    assert found[0] == found[1]


def test_of_many_rows_that_cannot_be_used_the_first_are_listed_and_all_are_counted(
    engine: sa.Engine, tmp_path: Path
) -> None:
    file = tmp_path / "bank.csv"
    rows = [f"2026-04-20,many,X{number}," for number in range(MOST_LISTED + 5)]
    file.write_text("date,amount,payer,reference\n2026-04-20,7,Y,\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with engine.connect() as session:
        logged = taken(session, file).logged
        assert (logged.rows_read, logged.rows_new, logged.rows_refused) == (MOST_LISTED + 6, 1, MOST_LISTED + 5)
        assert len(logged.findings) == MOST_LISTED + 1
        assert (logged.findings[0].line, logged.findings[-1].value) == (3, "5 more")
