"""The month's report: its figures are the ledger's, in the page, the workbook, the CSV files and the statements."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import trial_balance
from keizoku.billing.closing.contract_liability import COLUMNS, KINDS, contract_liability
from keizoku.billing.closing.export_files import balances_before, month_sums
from keizoku.billing.closing.reconciliation import ExceptionType
from keizoku.billing.documents.atomic_files import SUMS
from keizoku.billing.documents.invoice_documents import credit_note_of, statement_of
from keizoku.billing.documents.outbox import waiting
from keizoku.billing.ledger.manual_entries import post_by_hand
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.ledger.queries import BY_PEOPLE
from keizoku.billing.rules.books.deferred_revenue import Part
from keizoku.billing.rules.books.journal_rules import RULES, rules_table
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.review_tasks import TaskKind
from keizoku.scheduler.app import Services
from keizoku.scheduler.reports import finance_files
from keizoku.scheduler.reports.finance import FinanceReport, finance_report
from keizoku.scheduler.reports.finance_files import write_finance, write_workbook
from keizoku.scheduler.reports.finance_members import members, recurring
from keizoku.scheduler.reports.finance_page import finance_page
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import templates
from tests.conftest import OwnDatabase
from tests.worlds.finance_world import MAY, NOW, lived_services, report_of
from tests.worlds.workbook_cells import MAIN, calculated, cells_of, sheets


@pytest.fixture(scope="module")
def services(own_database: OwnDatabase) -> Iterator[Services]:
    with own_database() as engine, lived_services(engine) as lived:
        yield lived


@pytest.fixture(scope="module")
def report(services: Services) -> FinanceReport:
    return report_of(services)


def test_figures_are_the_ledgers(services: Services, report: FinanceReport) -> None:
    moved, closing = month_sums(services.session, MAY), balances_before(services.session, MAY.next())
    told = {each.key: each.value for each in report.figures}
    assert told["revenue"] == -(moved["4110"] + moved["4190"])
    assert told["invoiced"] + told["charged"] + told["tax"] > 0
    assert told["receivable"] == closing["1140"] == sum(each.value for each in report.ages)
    assert told["deferred"] == told["scheduled"] == -closing["2120"]
    assert told["granted"] - told["applied"] - told["refunded"] == -moved["2130"]
    assert told["granted"] > 0 < told["applied"]
    assert sum(yen for _, yen in report.revenue) == told["revenue"]
    trial = {str(row[0]): row[5] for row in report.table("trial").rows()}
    assert trial == {code: yen for code, yen in closing.items() if yen or code in trial}
    assert closing == trial_balance(services.session, date(2026, 5, 31))


def test_statements_sum_to_invoices(services: Services, report: FinanceReport) -> None:
    numbers = [int(str(row[0])) for row in report.table("invoices").rows()]
    told = [statement_of(services.session, services.rules, number, Issuer()) for number in numbers]
    assert sum(each.total_yen for each in told) == report.figure("invoiced").value
    assert sum(each.charged_yen for each in told) == report.figure("charged").value
    assert sum(each.tax_yen for each in told) == report.figure("tax").value
    assert {credit.month for each in told for credit in each.credits} == {"2026-04"}


@pytest.mark.parametrize("number", [0, -1, 10**6, 2**63, 10**30])
def test_a_document_of_nothing_is_refused(services: Services, number: int) -> None:
    with pytest.raises(Refused, match=f"there is no invoice {number};"):
        statement_of(services.session, services.rules, number, Issuer())
    with pytest.raises(Refused, match=f"there is no credit {number};"):
        credit_note_of(services.session, services.rules, number, Issuer())


def test_no_return_invoice_is_due_for_a_small_credit(services: Services) -> None:
    with pytest.raises(Refused, match="below 10,000 yen no return invoice is due"):
        credit_note_of(services.session, services.rules, 1, Issuer())


def test_the_contract_liability_rolls_forward_month_by_month(services: Services) -> None:
    rolled = [contract_liability(services.session, Month(2026, number), NOW.date()) for number in (2, 3, 4, 5)]
    assert (rolled[0].rows(), rolled[0].schedule) == ([], ())
    assert [each.closing_yen for each in rolled[:-1]] == [each.opening_yen for each in rolled[1:]]
    assert dict(rolled[-1].movements).keys() >= {"term_invoiced", "revenue_recognised", "store_term_started"}
    for each in rolled:
        assert each.closing_yen == sum(yen for _, _, yen in each.rows()) == sum(part.yen for part in each.schedule)
        for plan in each.plans:
            kinds = plan.by_kind()
            assert kinds["closing"] == sum(kinds[name] for name in COLUMNS if name != "closing") == plan.closing_yen


def test_what_is_deferred_will_be_earned_as_its_months_later_show(services: Services) -> None:
    """What was to come at April's end came in May: its part of the terms that had begun by then."""
    april = contract_liability(services.session, Month(2026, 4), NOW.date())
    assert {each.when for each in april.schedule} >= {"2026-05"}
    came = services.session.execute(
        sa.text(
            "SELECT term.plan, sum(price_yen * (least(ends_on, date '2026-06-01') - starts_on) / (ends_on - starts_on)"
            " - price_yen * (date '2026-05-01' - starts_on) / (ends_on - starts_on)) FROM term"
            " WHERE starts_on < '2026-05-01' AND ends_on > '2026-05-01' AND method <> 'coupon' AND"
            " (closed_on IS NULL OR closed_on >= '2026-05-01') GROUP BY term.plan"
        )
    )
    assert {(plan, int(yen)) for plan, yen in came} == {
        (each.plan, each.yen) for each in april.schedule if each.when == "2026-05"
    }


def test_every_event_that_moves_the_contract_liability_has_its_place_in_the_roll_forward() -> None:
    moving = {
        row.event for row in rules_table() if "2120" in {account.code for account, _ in (*row.debit, *row.credit)}
    }
    assert moving | set(BY_PEOPLE) == set(KINDS)


def test_what_people_post_to_the_contract_liability_is_shown_apart(services: Services) -> None:
    services.session.rollback()
    before = contract_liability(services.session, MAY, NOW.date())
    post_by_hand(services.session, {"2120": -70, "7120": 70}, date(2026, 5, 30), "kato", "a test", NOW, commit=False)
    after = contract_liability(services.session, MAY, NOW.date())
    services.session.rollback()
    assert after.closing_yen - before.closing_yen == 70
    assert set(after.schedule) - set(before.schedule) == {Part("", "by_people", 70)}


def test_a_report_on_books_that_do_not_tie_is_refused_with_what_differs(services: Services) -> None:
    services.session.rollback()
    of_no_term = Posting("term_invoiced", "term:999999", date(2026, 5, 30), {"yen": 70}, "u00")
    post(services.session, [of_no_term], NOW)
    with pytest.raises(Refused) as refused:
        finance_report(services.session, services.rules, MAY, NOW)
    services.session.rollback()
    assert str(refused.value) == (
        "account 2120 does not tie in 2026-05: entries of no term: 0 yen are to be earned, 70 are in it; "
        "see what `keizoku night --whole-audit` finds, and the entries in `keizoku ledger account 2120`"
    )


def test_the_workbooks_formulas_come_to_its_values_and_the_files_to_their_hashes(
    report: FinanceReport, tmp_path: Path
) -> None:
    written = write_finance(report, tmp_path / "out", "en")
    folder = tmp_path / "out"
    hashes = {row.split("  ")[1]: row.split("  ")[0] for row in (folder / SUMS).read_text().splitlines()}
    assert hashes == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written if path.name != SUMS}
    assert {path.name for path in folder.iterdir()} == {*hashes, SUMS}
    book = sheets(folder / "report.xlsx")
    assert list(book) == ["summary", *(table.key for table in report.tables)]
    assert all(sheet.find(f".//{MAIN}pane[@state='frozen']") is not None for sheet in book.values())
    cells = {name: cells_of(sheet)[0] for name, sheet in book.items()}
    summary, formulas = cells_of(book["summary"])
    figures = report.all_figures
    told = {row: (summary["A", row], value) for row, (_, value) in formulas.items()}
    assert list(told.values()) == [(each.en, each.value) for each in figures]
    assert [calculated(formula, cells) for formula, _ in formulas.values()] == [each.value for each in figures]
    for table in report.tables:
        text = (folder / f"{table.key}.csv").read_bytes().decode("utf-8-sig")
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert header == [column.key for column in table.columns]
        assert rows == [["" if value is None else str(value) for value in row] for row in table.rows()]


def test_a_sheet_that_would_be_too_long_ends_early_and_the_summary_says_so(
    report: FinanceReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finance_files, "LIST_ROWS", 7)
    monkeypatch.setattr(finance_files, "MOST_ROWS", 10)
    write_workbook(report, tmp_path / "report.xlsx", "en")
    book = sheets(tmp_path / "report.xlsx")
    lengths = {table.key: sum(1 for _ in table.rows()) for table in report.tables}
    summed = {figure.table for figure in report.all_figures}
    most = {key: 10 if key in summed else 7 for key in lengths}
    cut = {key for key, length in lengths.items() if length > most[key]}
    assert {"ledger", "revenue"} <= cut
    rows = {key: max((row for _, row in cells_of(book[key])[0]), default=1) - 1 for key in lengths}
    assert rows == {key: min(lengths[key], most[key]) for key in lengths}
    cells, formulas = cells_of(book["summary"])
    figures = report.all_figures
    for row, figure in enumerate(figures, start=2):
        value = float(str(cells["B", row])) if figure.table in cut else formulas[row][1]
        assert value == figure.value
    notes = [text for (column, row), text in cells.items() if column == "A" and row > len(figures) + 2]
    assert sorted(map(str, notes)) == sorted(f"{key}: the first {most[key]} rows; all: {key}.csv" for key in cut)


def test_exceptions_of_the_reconciliation_are_in_the_report(report: FinanceReport) -> None:
    assert report.reconciled is not None
    found = [(row[0], row[2], row[3]) for row in report.table("exceptions").rows()]
    assert [(each.type.value, each.key, each.yen) for each in report.reconciled.outcome.exceptions] == found
    assert (report.closed, report.reconciled.unexplained) == (False, ())


def test_names_from_outside_are_text_on_the_page_and_no_formula_in_the_files(
    services: Services, report: FinanceReport, tmp_path: Path
) -> None:
    services.session.rollback()
    services.session.execute(
        sa.text("INSERT INTO review_task (kind, subject, opened_at, detail) VALUES ('k', :subject, :at, '{}')"),
        {"subject": "=<script>1+1", "at": MAY.start_at},
    )
    write_finance(report, tmp_path, "ja")
    services.session.rollback()
    assert "&lt;script&gt;1+1" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "'=<script>1+1" in (tmp_path / "exceptions.csv").read_text(encoding="utf-8-sig")
    assert "'=<script>1+1" in cells_of(sheets(tmp_path / "report.xlsx")["exceptions"])[0].values()


def test_a_month_in_which_nothing_happened_is_a_report_of_zeros(services: Services, tmp_path: Path) -> None:
    empty = report_of(services, Month(2026, 2))
    assert {each.value for each in empty.all_figures} == {0}
    write_finance(empty, tmp_path, "ja")
    cells, formulas = cells_of(sheets(tmp_path / "report.xlsx")["summary"])
    assert {calculated(formula, {name: cells_of(sheet)[0] for name, sheet in sheets(tmp_path / "report.xlsx").items()})
            for formula, _ in formulas.values()} == {0}  # fmt: skip
    assert cells["A", 1] == "項目"


def test_every_event_exception_and_task_has_a_name_in_both_languages() -> None:
    codes = [f"entry.{event}" for event in (*(rule.event for rule in RULES), *BY_PEOPLE)]
    codes += [f"exception.{each.value}" for each in ExceptionType]
    codes += [f"task.{each}" for each in get_args(TaskKind)]
    assert [code for code in codes if f"word.{code}" not in templates()] == []


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_has_no_code_where_people_read_a_name(report: FinanceReport, lang: Literal["ja", "en"]) -> None:
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", finance_page(report, lang))
    assert [cell for cell in cells if re.fullmatch(r"[a-z]+(_[a-z]+)+", cell)] == []
    names = {"ja": ["利用料金の請求", "減額の決定", "充当"], "en": ["fee invoiced", "credit granted", "applied"]}
    assert [name for name in names[lang] if name not in cells] == []


def test_every_number_on_the_page_leads_to_a_table_that_is_there(report: FinanceReport) -> None:
    for lang in ("ja", "en"):
        page = finance_page(report, "ja" if lang == "ja" else "en")
        targets = set(re.findall(r'href="#([\w-]+)"', page))
        assert targets == set(re.findall(r'id="([\w-]+)"', page)) & targets
        assert {f"t-{each.table}" for each in report.all_figures if each.key != "scheduled"} <= targets
        assert not re.findall(r'(?:src|href)="(?!#|\w+\.csv")', page)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_figure_stands_once_on_the_page_as_it_is_in_the_json(
    report: FinanceReport, lang: Literal["ja", "en"]
) -> None:
    page = finance_page(report, lang)
    shown = re.findall(r'id="f-(\w+)">(\D?)[¥]?([\d,]+)', page)
    told = {key: int(number.replace(",", "")) * (-1 if sign == "−" else 1) for key, sign, number in shown}
    assert len(shown) == len(told)
    left_out = {"scheduled", "age_besides"}  # once more what is deferred; nothing, in this month
    assert told == {each.key: each.value for each in report.all_figures if each.key not in left_out}
    assert report.figure("age_besides").value == 0


def test_beside_each_figure_stands_the_month_before(services: Services, report: FinanceReport) -> None:
    april = report_of(services, Month(2026, 4))
    known = {each.key: each.prior for each in report.all_figures if each.key != "exceptions"}
    assert known == {each.key: each.value for each in april.all_figures if each.key != "exceptions"}
    assert report.figure("exceptions").prior is None
    assert report.figure("revenue").change == report.figure("revenue").value - april.figure("revenue").value
    assert report.service_before is not None
    assert report.service_before.month == Month(2026, 4)


def test_what_is_owed_by_age_sums_to_the_receivable_also_what_only_the_journal_has(
    services: Services, report: FinanceReport
) -> None:
    services.session.rollback()
    post_by_hand(services.session, {"1140": 70, "7120": -70}, date(2026, 5, 30), "kato", "a test", NOW, commit=False)
    found = finance_report(services.session, services.rules, MAY, NOW, report.reconciled)
    page = finance_page(found, "ja")
    closing = balances_before(services.session, MAY.next())
    services.session.rollback()
    assert found.figure("age_besides").value == 70
    assert sum(each.value for each in found.ages) == found.figure("receivable").value == closing["1140"]
    assert found.figure("interest_owed").value == closing.get("1150", 0)
    assert "仕訳だけにあるもの" in page
    assert "in the journal alone" not in re.sub(r'data-\w+="[^"]*"', "", page)


def test_members_add_up_from_month_to_month_and_are_those_with_a_term(services: Services) -> None:
    told = [report_of(services, Month(2026, number)).members for number in (2, 3, 4, 5)]
    values = [[each.value for each in month] for month in told]
    assert [start + joined + left for start, joined, left, _ in values] == [end for *_, end in values]
    assert [end for *_, end in values][:-1] == [start for start, *_ in values][1:]
    assert values[0] == [0, 0, 0, 0]
    assert values[1][1] == 12
    with_a_term = services.session.execute(
        sa.text("SELECT count(DISTINCT account) FROM term WHERE starts_on <= :on AND ends_on > :on"
                " AND (closed_on IS NULL OR closed_on > :on)"), {"on": date(2026, 5, 31)}
    ).scalar_one()  # fmt: skip
    assert values[3][3] == with_a_term


def test_members_are_those_counted_day_by_day(services: Services) -> None:
    """Of any lives: the roll-forward comes to who has a contract on the days before and after."""
    services.session.rollback()
    chance = random.Random(7)  # noqa: S311
    lives = []
    for number in range(120):
        begun = date(2026, 2, 1) + timedelta(days=chance.randrange(150))
        ended = begun + timedelta(days=chance.choice((0, 1, 28, 60))) if chance.random() < 0.6 else None
        lives.append((f"m{number:03}", begun, ended))
    services.session.execute(
        sa.text("INSERT INTO account (id, created_at) VALUES (:id, :at)"), [{"id": one, "at": NOW} for one, *_ in lives]
    )
    services.session.execute(
        sa.text("INSERT INTO contract (account, plan, method, applied_at, approved_at, anchor_on, renews_on, ended_on,"
                " ended_at, ended_reason, end_recorded_at, recorded_at) VALUES (:account, 'monthly', 'card', :at, :at,"
                " :begun, :begun, CAST(:ended AS date), CAST(:ended_at AS timestamptz), :reason,"
                " CAST(:ended_at AS timestamptz), :at)"),
        [{"account": one, "at": NOW, "begun": begun, "ended": ended, "ended_at": ended and NOW,
          "reason": ended and "end_of_use"} for one, begun, ended in lives],
    )  # fmt: skip
    lived = [each for each in lives if each[1] != each[2]]  # the others never had a day
    for month in (Month(2026, 3), Month(2026, 4), Month(2026, 5)):
        rows = list(members(services.session, month))
        moved = {(row[0], row[2]) for row in rows if str(row[2]).startswith("m")}
        assert moved == {("joined", one) for one, begun, _ in lived if Month.of(begun) == month} | {
            ("left", one) for one, _, ended in lived if ended and Month.of(ended) == month
        }
        running = services.session.execute(
            sa.text("SELECT count(*) FROM contract WHERE anchor_on < :past AND (ended_on IS NULL OR ended_on >= :past)"
                    " AND ended_on IS DISTINCT FROM anchor_on"), {"past": month.end_on}
        ).scalar_one()  # fmt: skip
        assert sum(int(str(row[5])) for row in rows) == running
    services.session.rollback()


def test_recurring_revenue_is_the_price_by_the_month_of_the_terms_under_way(services: Services) -> None:
    """Of 31 May: what costs 500 a month and what costs 5,300 a year; a coupon's term brings nothing."""
    rows = list(recurring(services.session, date(2026, 5, 31), Fraction(1, 10)))
    for plan, method, interval, price_yen, terms, monthly_yen, tax_yen, net_yen in rows:
        months = {"month": 1, "year": 12}[str(interval)]
        assert (plan, price_yen) == {1: ("monthly", 500), 12: ("yearly", 5_300)}[months]
        assert monthly_yen == int(str(terms)) * int(str(price_yen)) // months
        assert tax_yen == int(str(monthly_yen)) * 10 // 110
        assert net_yen == int(str(monthly_yen)) - int(str(tax_yen))
        assert method != "coupon"
    assert ("yearly", "card", "year", 5_300, 2, 883, 80, 803) in rows  # 2 × 441 2/3
    april = list(recurring(services.session, date(2026, 4, 10), Fraction(1, 10)))
    assert "coupon" not in {row[1] for row in april}
    assert {row[1] for row in april} >= {"product_key", "app_store", "other", "card"}


def test_the_workbooks_summary_has_the_month_before_and_the_change(report: FinanceReport, tmp_path: Path) -> None:
    write_workbook(report, tmp_path / "report.xlsx", "ja")
    cells, _ = cells_of(sheets(tmp_path / "report.xlsx")["summary"])
    assert [cells[column, 1] for column in "ABCD"] == ["項目", "値", "2026年4月", "増減"]
    for row, each in enumerate(report.all_figures, start=2):
        beside = (cells.get(("C", row)), cells.get(("D", row)))
        assert beside == ((None, None) if each.prior is None else (each.prior, each.change))


def test_9_2__the_letter_about_a_claim_says_what_was_measured(services: Services) -> None:
    (written,) = waiting(services.session, account="u00", kinds=["claim_granted"])
    _, letter = written.page("ja").letters
    assert [paragraph for paragraph in letter.paragraphs if "(Article 9" in paragraph][1:] == [
        "In April 2026, more than 5% of all users could not use the service for 8 h in total. (Article 9.3)",
        "The unusable time that we recognise is 8 h (16 April 2026 12:00–20:00 JST). (Article 9.2)",
    ]
