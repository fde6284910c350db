"""No screen reads a table that grows with the contracts from end to end: the planner is asked, as of a million rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from keizoku.db.tables import metadata
from keizoku.scheduler.reports.work import work_seen
from tests.benchmarks.screens_walk import Browser, Look, looks, open_browser
from tests.integration.web.conftest import NOW, House
from tests.worlds.console_world import fill
from tests.worlds.screen_plans import as_of_a_million

SMALL: Final = frozenset({
    # what people set, decide or announce, by hand
    "plan", "price", "offer", "terms_announcement", "operator_act", "night_word", "proposal", "proposal_decision",
    "api_key", "api_key_end", "payer_rule", "month_act", "manual_entry", "exception_resolution", "task_snooze",
    "code_batch", "code_sale", "transfer_file", "transfer_order", "transfer_act", "account_hold", "account_hold_end",
    # the service: outages, notices, counts and who watches them, a few a day
    "incident", "interruption", "maintenance_notice", "notice_issue", "notice_publication", "notice_sighting",
    "outage_count", "observation_arrival", "measured_day", "population", "unknown_time", "unknown_ruling",
    "unable_at_midnight", "evidence_import", "claim_form_outage", "form_sighting", "environment_ruling",
    # the operation: nights, copies, files, endpoints
    "certificate", "stage_run", "night_range", "backup_copy", "restoration", "restoration_end", "restored_act",
    "restored_act_end", "schema_release", "alembic_version", "test_clock", "money_import", "money_import_undone",
    "bank_statement", "reconciliation_result", "gateway_binding", "gateway_cursor", "gateway_payout", "refund_look",
    "webhook_endpoint", "webhook_setting", "webhook_secret", "webhook_place", "webhook_waiting", "revenue_posting",
    "link_designation", "link_text", "link_stop", "link_stop_end", "link_announcement", "link_security_event",
    "link_secret", "link_load_ruling",
    # what happens to one member in some thousand
    "gateway_dispute", "dispute_choice", "overpayment_refund", "alternative_outcome", "link_disclosure", "member_file",
})  # fmt: skip
"""Tables whose rows do not grow with the contracts: reading all of one is no fault."""
OF_WHAT_IS_OPEN: Final = frozenset(
    str(index.name)
    for table in metadata.sorted_tables
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
)
"""Indexes of the few rows that something is open for: reading all of one is reading what is looked for."""
AS_IT_STANDS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    # above the place up to which a process has seen everything (scheduler/reports/work/work_seen.py)
    "WITH put_off AS": frozenset({
        ("bank_act", "ix_bank_act_line_id"), ("bank_line", "pk_bank_line"), ("handover", "Seq Scan"),
        ("letter", "pk_letter"), ("user_notice", "pk_user_notice"), ("demand", "pk_demand"),
    }),
    # in the order of names, until the page is full
    "SELECT contract.id, contract.account FROM contract": frozenset({("contract", "ix_contract_account")}),
    # in the order of receipt, until the page is full; what is recorded later than now is left out
    "SELECT claim.id, claim.account": frozenset({("claim", "ix_claim_received_at")}),
    # three series of letters in one order: all that were written, or those above what was seen
    "SELECT anon_1.letter": frozenset({
        ("demand", "pk_demand"), ("letter", "pk_letter"), ("user_notice", "pk_user_notice"),
        ("handover", "uq_handover_demand_id"), ("handover", "uq_handover_letter_id"),
        ("handover", "uq_handover_notice_id"),
    }),
    # payouts with the lines of the bank that they came by: it reads every act on a line, as the bank's control does
    "FROM gateway_payout AS told": frozenset({("bank_act", "pk_bank_act")}),
    "SELECT contract_fact.account, max": frozenset({("contract_fact", "Seq Scan")}),
}  # fmt: skip
"""Statements by their beginning, and what they may read as they do: the planner of a small world knows no values."""


MOST_STATEMENTS: Final = 110
"""Of a page: twelve months of evidence; what an account's story asks, a kind of row at a time."""


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """For as long as the file's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def browser(house: House, monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Somebody of the staff and a member at the small world, whose tables are said to be large."""

    for late in ("_LATE_COMMITS", "_LATE_LINES"):
        monkeypatch_module.setattr(work_seen, late, 0)
    fill(house)
    large = [table for table in metadata.sorted_tables if table.name not in SMALL]
    as_of_a_million(house.engine, house.door.schema, large)
    with open_browser(house.engine.url, house.door.schema, house.door.prefix, NOW, "u01") as browser:
        yield browser


def read_whole(house: House, browser: Browser) -> Mapping[tuple[str, str, str], list[str]]:
    """(table, how, statement) -> the screens that read it so, of tables that grow."""
    found: dict[tuple[str, str, str], set[str]] = {}
    with house.engine.connect() as session:
        addresses = looks(session, "u01", "u01")
    assert browser.look(Look("", "/console/tasks")).status == 200  # what a process remembers from then on
    for at in addresses:
        browser.planned = []
        assert browser.look(at).status == 200, at.address
        for text, reads in browser.planned:
            short = re.sub(r"\s+", " ", text).strip()
            allowed = {each for head, those in AS_IT_STANDS.items() if head in short for each in those}
            for each in reads:
                if each.table in SMALL or each.how in OF_WHAT_IS_OPEN or (each.table, each.how) in allowed:
                    continue
                found.setdefault((each.table, each.how, short[:200]), set()).add(at.address)
    browser.planned = None
    return {each: sorted(where) for each, where in found.items()}


def test_no_screen_reads_a_whole_table_that_grows(house: House, browser: Browser) -> None:
    assert read_whole(house, browser) == {}


def test_a_screen_whose_index_is_gone_is_found(house: House, browser: Browser) -> None:
    at = Look("console.entries", "/console/ledger/entries?account=u01")
    browser.planned = []
    assert browser.look(at).status == 200
    assert [reads for _, reads in browser.planned if reads] == []
    with house.engine.begin() as session:
        session.exec_driver_sql("DROP INDEX ix_entry_account")
    browser.planned = []
    assert browser.look(at).status == 200
    found = [reads for _, reads in browser.planned if reads]
    assert [(each.table, each.how) for (each,) in found] == [("entry", "pk_entry")]


def test_no_page_asks_once_for_each_of_its_rows(house: House, browser: Browser) -> None:
    """An account's story asks each kind of its rows once; a list asks for all of its page at once."""
    with house.engine.connect() as session:
        addresses = looks(session, "u01", "u01")
    browser.planned = None
    asked = {at.address: len(browser.look(at).asked) for at in addresses}
    assert {address: number for address, number in asked.items() if number > MOST_STATEMENTS} == {}
