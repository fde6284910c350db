"""A scenario file is read whole: every word of the format is known, everything else is named with its line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from keizoku.scheduler.scenario.document import DEFAULT_POPULATION, EVER_AT, Scenario, read_scenario
from keizoku.scheduler.scenario.link_words import LINK_ACTIONS, LINK_CHECKS
from keizoku.scheduler.scenario.schema_words import ACTIONS, CHECKS
from keizoku.terms.calendar import Month

FULL_AUDIT = """\
title: Every word of the format
clauses: [premium/9.2, premium/5.2]
terms: 2024-12-02
settings: {suspend_after_days: 12, retry_after_days: []}
readings: {late_interest_day_count: fixed_365, term_rule: civil_code}
population: [{from: 2024-12-02, users: 900000}, {from: 2025-06-01 00:00, users: 1000000}]
plans:
  monthly:
    interval: month
    prices:
      - {yen: 500, from: 2024-12-02}
      - {yen: 550, from: 2026-01-01, announced: 2025-11-01, for_renewals_from: 2026-02-01, cohort: [jiro]}
timeline:
  - {at: 2025-01-01, card: {account: jiro, outcome: error_500}}
  - {at: 2025-01-01 09:00, register: {account: jiro, plan: monthly, method: coupon, months: 3, fallback: card}}
  - {at: 2025-01-01 09:00:30, approve: {account: jiro}}
  - {at: "2025-01-01T09:01:00+09:00", approve: {account: hanako, plan: monthly, method: card}}
  - {at: 2025-01-02 09:00, register: {account: taro, plan: monthly, method: other}}
  - {at: 2025-01-03 09:00, reject: {account: taro, ground: base terms 9.4}}
  - {at: 2025-01-04 09:00, end_of_use: {account: jiro}}
  - {at: 2025-01-04 10:00, withdraw_end_of_use: {account: jiro}}
  - {at: 2025-01-05 09:00, change_method: {account: jiro, method: card, store_stop_recorded: true}}
  - {at: 2025-01-05 09:00, new_card: {account: jiro}}
  - {at: 2025-01-05 09:00, store_stop: {account: jiro}}
  - {at: 2025-01-06 09:00, pay: {account: jiro, yen: 300, via: bank, costs: 100, for: 2025-01-01}}
  - {at: 2025-01-06 09:00, write_off: {account: jiro, term: 2025-01-01, by: keiri, ground: lost}}
  - {at: 2025-01-06 09:00, set_off: {account: jiro, by: keiri}}
  - at: 2025-01-06 09:00
    price: {plan: monthly, yen: 600, announced: 2025-01-06, for_new_from: 2025-03-01, for_renewals_from: 2025-04-01,
            cohort: [hanako, jiro]}
  - {at: 2025-01-07 09:00, suspend: {account: jiro, ground: g}}
  - {at: 2025-01-07 10:00, resume: {account: jiro, ground: g}}
  - {at: 2025-01-07 11:00, terminate: {account: jiro, ground: g}}
  - at: 2025-01-08 09:00
    stop: {id: s1, from: 2025-01-08 07:00, to: 2025-01-08 08:00, affected: 60000, cause: partner}
  - {at: 2025-01-08 10:00, correct_stop: {id: s1, affected: 70000}}
  - {at: 2025-01-08 11:00, counts: {rows: [[2025-01-08 07:00, 2025-01-08 08:00, 60000, 1000000]]}}
  - at: 2025-01-08 12:00
    observations: {rows: [[u1, site, 2025-01-08 07:00, 2025-01-08 08:00], [u2, login, 2025-01-08 07:00, null],
                          {user_id: 007, symptom: view, started_at: 2025-01-08 07:00}]}
  - {at: 2025-01-08 12:30, observations: {file: seen.csv}}
  - {at: 2025-01-09 09:00, notice: {id: n1, published: 2025-01-09 09:00, from: 2025-01-20 02:00, to: 2025-01-20 04:00}}
  - {at: 2025-01-09 09:00, interruption: {from: 2025-01-09 07:00, to: 2025-01-09 08:00, ground: g, approved_by: b}}
  - at: 2025-02-01 09:00
    claim: {id: c1, account: hanako, month: 2025-01, windows: [[2025-01-08 07:00, 2025-01-08 08:00]]}
  - {at: 2025-02-01 10:00, recognise: {claim: c1, windows: [], by: b, ground: g}}
  - {at: 2025-02-01 10:00, environment: {stop: s1, windows: [[2025-01-08 07:00, 2025-01-08 07:30]], by: b, ground: g}}
  - {at: 2025-02-01 10:00, claim_form_down: {from: 2025-02-28 07:00, to: 2025-02-28 08:00}}
  - {at: 2025-02-01 10:00, consent_alternative: {claim: c1, what: a month free, by_on: 2025-03-01}}
  - {at: 2025-02-01 10:00, perform_alternative: {claim: c1}}
  - {at: 2025-02-01 10:00, withdraw_alternative: {claim: c1}}
  - {at: 2025-02-01 10:00, grant_late: {claim: c1, ground: g, approved_by: b}}
  - {at: 2025-02-01 10:00, dispute: {account: hanako, term: 2025-01-01, outcome: lost, on: 2025-02-20}}
  - {at: 2025-02-01 10:00, refund_fails: {account: hanako}}
  - {at: 2025-02-01 10:00, store_report: {account: hanako, term: 2025-01-01, gross: 500, fee: 75}}
  - {at: 2025-02-01 10:00, store_refund: {account: hanako, term: 2025-01-01, yen: 500}}
  - {at: 2025-02-01 10:00, close_month: {month: 2025-01}}
  - {at: 2025-02-01 10:00, skip_nights: {from: 2025-02-02, to: 2025-02-04}}
  - {at: 2025-02-06 10:00, run_night: {date: 2025-02-06}}
  - {at: 2025-02-07 10:00, leave_service: {account: hanako}}
  - {at: 2025-02-07 10:00, delete_user: {account: hanako}}
expect:
  - at: 2025-02-08
    contract: {account: jiro, state: ended, access: false, term: [2025-01-01, 2025-02-01], renews: false,
               method: coupon, ended_on: 2025-01-07, reason: null}
  - {at: 2025-01-02, invoices: {account: jiro, list: []}}
  - at: 2025-02-08
    invoices: {account: jiro, list: [{term: [2025-01-01, 2025-02-01], total: 500, credit: 0, charged: 500, tax: 45,
                                      state: paid, due: 2025-01-01, paid_on: 2025-01-01, price: 500}]}
  - {at: 2025-02-08, attempts: {account: jiro, list: [{on: 2025-01-01, yen: 500, outcome: ok}]}}
  - {at: 2025-02-08, charges: {account: jiro, count: 1, yen: 500}}
  - {at: 2025-02-08, owed: {account: jiro, principal: 0, interest: 0, costs: 0, total: 0, deposit: 0}}
  - {at: 2025-02-08, demands: {account: jiro, list: [{"on": 2025-02-01, interest: 6}]}}
  - {at: 2025-02-08, notices: {account: jiro, list: [{on: 2025-01-25, kind: renewal}]}}
  - {at: 2025-02-08, documents: {account: jiro, list: [{on: 2025-01-25, kind: renewal}]}}
  - {at: 2025-02-08, events: {account: jiro, list: [{on: 2025-01-25, type: invoice.issued, subject: "1"}]}}
  - {at: 2025-02-08, claim: {id: c1, outcome: granted, seconds: 3600, rate: "0.2", credit: 100, reason: null,
                             waterfall: {night: 0, recognised: 3600}}}
  - {at: 2025-02-08, month: {month: 2025-01, stop_seconds: 3600, unusable_seconds: 3600,
                             windows: [[2025-01-08 07:00, 2025-01-08 08:00]]}}
  - {at: 2025-02-08, credit: {account: hanako, available: 0, applied: 100, refunded: 0}}
  - {at: 2025-02-08, refunds: {account: hanako, count: 0, yen: 0}}
  - {at: 2025-02-08, journal: {balanced: true, balances: {2130: 0, "1140": -5}}}
  - {at: 2025-02-08, close: {month: 2025-01, unexplained: 0, exceptions: {payout_missing: 1}}}
  - {at: 2025-02-08, night: {date: 2025-02-06, changes: 0, certificate: ok}}
"""

CONTRACT_KEYS = "account, state, access, term, renews, method, ended_on, reason"
TOP_KEYS = "title, clauses, terms, settings, readings, population, plans, timeline, expect"
SMALL = """\
title: A month
plans: {monthly: {interval: month, prices: [{yen: 500, from: 2024-12-02}]}}
timeline:
  - {at: 2025-01-01 09:00, approve: {account: jiro, plan: monthly, method: card}}
expect:
  - {at: 2025-01-02, contract: {account: jiro, state: active}}
"""


def read(tmp_path: Path, text: str) -> tuple[Scenario | None, list[str]]:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    scenario, findings = read_scenario(path)
    return scenario, [str(finding).removeprefix(f"{path}:") for finding in findings]


def test_every_action_and_check_of_the_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").write_text("user_id,symptom,started_at,ended_at\n", encoding="utf-8")
    scenario, findings = read(tmp_path, FULL_AUDIT)
    assert findings == []
    assert scenario is not None
    checks = {check: words for check, words in CHECKS.items() if check not in LINK_CHECKS}  # test_link_words.py
    assert {step.action for step in scenario.steps} == set(ACTIONS) - set(LINK_ACTIONS)
    assert {expectation.check for expectation in scenario.expectations} == set(checks)
    stated = {check: set[str]() for check in checks}
    for expectation in scenario.expectations:
        stated[expectation.check] |= set(expectation.expected)
    subjects = {"account", "id", "month", "date"}
    assert stated == {
        check: set(words) - (subjects if check != "month" else {"month"}) for check, words in checks.items()
    }
    assert scenario.rules.discretion.suspend_after_days == 12
    assert scenario.rules.terms.at(date(2025, 1, 1)).readings["term_rule"] == "civil_code"
    assert [users for _, users in scenario.population] == [900_000, 1_000_000]


def test_values_are_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "seen.csv").touch()
    scenario, _ = read(tmp_path, FULL_AUDIT)
    assert scenario is not None
    facts = {step.action: step.facts for step in scenario.steps}
    assert facts["dispute"] == {
        "account": "hanako",
        "term": date(2025, 1, 1),
        "outcome": "lost",
        "on": date(2025, 2, 20),
    }
    assert facts["claim"]["month"] == Month(2025, 1)
    assert facts["claim"]["windows"] == ((datetime(2025, 1, 7, 22, tzinfo=UTC), datetime(2025, 1, 7, 23, tzinfo=UTC)),)
    rows = next(step.facts["rows"] for step in scenario.steps if step.action == "observations")
    assert rows[1] == ("u2", "login", datetime(2025, 1, 7, 22, tzinfo=UTC), None)
    assert rows[2][0] == "007"
    assert [step.at.isoformat() for step in scenario.steps[:4]] == [
        "2024-12-31T15:00:00+00:00",
        "2025-01-01T00:00:00+00:00",
        "2025-01-01T00:00:30+00:00",
        "2025-01-01T00:01:00+00:00",
    ]


def test_a_day_in_expect_is_just_after_its_night_and_expectations_are_put_in_order(tmp_path: Path) -> None:
    scenario, _ = read(
        tmp_path,
        SMALL
        + """\
  - {at: 2025-01-01 10:00, contract: {account: jiro, state: active}}
  - {at: 2025-01-02 02:00, contract: {account: jiro, state: active}}
""",
    )
    assert scenario is not None
    assert [expectation.when for expectation in scenario.expectations] == [
        "2025-01-01T10:00:00+09:00",
        "2025-01-02T02:00:00+09:00",
        "2025-01-02",
    ]
    assert scenario.expectations[-1].at == datetime(2025, 1, 1, 17, 30, tzinfo=UTC)
    assert scenario.population == ((EVER_AT, DEFAULT_POPULATION),)


@pytest.mark.parametrize(
    ("line", "written", "says"),
    [
        (2, "title: A month\nplan: 1\n", "2: plan: unknown key of a scenario; the nearest known one is `plans`"),
        (
            4,
            "aprove: {account: jiro, plan: monthly, method: card}",
            "4: aprove: unknown action; the nearest known one is `approve`",
        ),
        (
            4,
            "approve: {account: jiro, plan: monthly, methods: card}",
            "4: methods: unknown key of `approve`; the nearest known one is `method`",
        ),
        (
            4,
            "approve: {account: jiro, plan: monthly, method: crad}",
            "4: crad: one of card, coupon, product_key, app_store, other is expected; the nearest known one is `card`",
        ),
        (
            4,
            "approve: {account: jiro, plan: montly, method: card}",
            "4: montly: unknown plan; the nearest known one is `monthly`",
        ),
        (
            4,
            "approve: {account: jiro, plan: monthly}",
            "4: {…}: a registration needs the key `method`; account, plan, method; or the account alone",
        ),
        (
            4,
            "approve: {account: jiro, plan: monthly, method: coupon}",
            "4: {…}: a coupon needs the key `months`; how long it pays for",
        ),
        (
            4,
            "approve: {account: jiro, plan: monthly, method: card, months: 3}",
            "4: {…}: `months` belongs to coupon and product_key; leave it out",
        ),
        (
            4,
            "approve: {account: jiro, account: taro, plan: monthly, method: card}",
            "4: account: the key `account` of `approve` is given twice; first on line 4",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: int, written: str, says: str) -> None:
    lines = SMALL.splitlines()
    lines[line - 1] = written if line == 2 else f"  - {{at: 2025-01-01 09:00, {written}}}"
    if line == 2:
        lines[0:2] = [*written.splitlines(), SMALL.splitlines()[1]]
    scenario, findings = read(tmp_path, "\n".join(lines))
    assert scenario is None
    assert says in findings


@pytest.mark.parametrize(
    ("added", "says"),
    [
        (
            "{at: 2025-01-02, contract: {account: jiro, sate: active}}",
            "7: sate: unknown key of `contract`; the nearest known one is `state`",
        ),
        (
            "{at: 2025-01-02, contract: {account: jrio, state: active}}",
            "7: jrio: unknown account; the nearest known one is `jiro`",
        ),
        (
            "{at: 2025-01-02, contract: {state: active}}",
            f"7: {{…}}: `contract` needs the key `account`; keys: {CONTRACT_KEYS}",
        ),
        (
            "{at: 2025-01-02, contract: {account: jiro}}",
            f"7: contract: `contract` expects nothing; keys: {CONTRACT_KEYS}",
        ),
        ("{at: 2025-01-02, claim: {id: c9, outcome: granted}}", "7: c9: unknown claim; nothing is known here yet"),
        (
            "{at: 2025-01-02, invoices: {account: jiro, list: [{totl: 5}]}}",
            "7: totl: unknown key of invoice; the nearest known one is `total`",
        ),
        (
            '{at: 2025-01-02, owed: {account: jiro, total: "5,300"}}',
            "7: 5,300: a whole number is expected; write 5300: no quotes, comma, colon, leading 0",
        ),
        (
            "{at: 2025-01-02, owed: {account: jiro, total: 10.5}}",
            "7: 10.5: a whole number is expected; write 5300: no quotes, comma, colon, leading 0",
        ),
        (
            "{at: 2025-01-02, owed: {account: jiro, total: -1}}",
            "7: -1: a whole number from 0 is expected; it may not be negative",
        ),
        (
            '{at: 2025-01-02, contract: {account: jiro, access: "false"}}',
            "7: false: true or false is expected; no quotes",
        ),
        (
            "{at: 2025-02-30, contract: {account: jiro, access: false}}",
            (
                "7: 2025-02-30: no such day in the calendar; "
                'write 2026-04-10 09:00 (JST), or "2026-04-10T09:00:00+09:00" in quotes'
            ),
        ),
        (
            "{at: 2025-01-02, contract: {account: jiro, ended_on: 2025-01-02 10:00}}",
            "7: 2025-01-02 10:00: a day is expected, not a time; write 2026-04-10",
        ),
        (
            "{at: 2025-01-02, month: {month: 2025-13, stop_seconds: 0}}",
            "7: 2025-13: a month is expected; write 2026-04",
        ),
        (
            "{at: 2025-01-02, claim: {id: c9, waterfall: {nihgt: 0}}}",
            "7: nihgt: unknown key of the waterfall; the nearest known one is `night`",
        ),
        (
            "{contract: {account: jiro, state: active}}",
            "7: {…}: an expectation needs the key `at`; write {at: 2026-04-10 09:00, …}",
        ),
    ],
)
def test_what_is_wrong_in_an_expectation_is_named_with_its_line(tmp_path: Path, added: str, says: str) -> None:
    scenario, findings = read(tmp_path, SMALL + f"  - {added}\n")
    assert scenario is None
    assert findings == [says] or says in findings


def test_an_earlier_step_after_a_later_one_is_an_error(tmp_path: Path) -> None:
    text = SMALL.replace("expect:", "  - {at: 2025-01-01 08:59, new_card: {account: jiro}}\nexpect:")
    assert read(tmp_path, text) == (
        None,
        [
            (
                "5: 2025-01-01T08:59:00+09:00: an earlier step after a later one; "
                "the step before it is at 2025-01-01T09:00:00+09:00"
            )
        ],
    )


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("terms: 2024-12-01", "1: 2024-12-01: unknown version of the terms; the nearest known one is `2024-12-02`"),
        (
            "settings: {suspend_after: 3}",
            "1: suspend_after: unknown key of the settings; the nearest known one is `suspend_after_days`",
        ),
        (
            "readings: {term_rul: civil_code}",
            "1: term_rul: unknown key of the readings; the nearest known one is `term_rule`",
        ),
        ("clauses: [premium/9.2.7]", "1: premium/9.2.7: unknown clause; the nearest known one is `premium/9.2.2`"),
    ],
)
def test_unknown_names_at_the_top_name_the_nearest(tmp_path: Path, head: str, says: str) -> None:
    assert read(tmp_path, f"{head}\n{SMALL}") == (None, [says])


def test_a_wrong_value_of_a_setting_or_reading_is_named(tmp_path: Path) -> None:
    _, findings = read(tmp_path, f"settings: {{suspend_after_days: soon}}\nreadings: {{term_rule: lunar}}\n{SMALL}")
    assert len(findings) == 2
    assert findings[0].startswith("2: {…}: the reading 'term_rule' has no choice 'lunar'")
    assert findings[1].startswith("1: suspend_after_days: ")


def test_a_file_that_is_no_scenario_is_a_finding(tmp_path: Path) -> None:
    assert read(tmp_path, "")[1] == [f"1: s.yaml: the file is empty; keys: {TOP_KEYS}"]
    assert read(tmp_path, "- a")[1] == ["1: […]: a scenario is a mapping of keys to values; write {key: value, …}"]
    assert read(tmp_path, "title: [")[1][0].startswith("1: s.yaml: the file is not YAML;")
    assert read(tmp_path, "title: x")[1] == [
        f"1: {{…}}: a scenario needs the key `{key}`; keys: {TOP_KEYS}" for key in ("timeline", "expect")
    ]
    scenario, findings = read_scenario(tmp_path / "none.yaml")
    assert scenario is None
    assert findings[0].rule == "the file cannot be read"


def test_everything_wrong_is_found_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("method: card", "method: cash").replace("state: active", "state: alive")
    assert [finding.split(":")[0] for finding in read(tmp_path, text)[1]] == ["4", "6"]


def test_merge_keys_and_anchors_of_yaml_work(tmp_path: Path) -> None:
    text = SMALL.replace("plans: {", "plans: &p {").replace(
        "expect:",
        "  - {at: 2025-01-01 09:30, approve: {<<: {plan: monthly, method: other}, account: taro, method: card}}\n"
        "expect:",
    )
    scenario, findings = read(tmp_path, text)
    assert findings == []
    assert scenario is not None
    assert scenario.steps[1].facts == {"account": "taro", "method": "card", "plan": "monthly"}
