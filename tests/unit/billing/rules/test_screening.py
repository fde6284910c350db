"""Screening by a rule (premium/3.5): what it may return, which grounds are taken, and how it is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from keizoku.billing.rules.screening import (
    Applicant,
    NoRuleError,
    Rule,
    ScreeningRuling,
    apply_rule,
    approve,
    load_rule,
    refer,
    reject,
    unlisted,
)
from keizoku.terms.calendar import parse_instant

APPLICANT = Applicant("hanako", "monthly", "card", parse_instant("2025-04-10 09:00"), None, None, (), (), 0, 700)
GROUNDS = ("false_entry", "earlier_breach")


def in_debt(applicant: Applicant) -> ScreeningRuling:
    return refer("an earlier contract is unpaid") if applicant.owed_yen else approve()


def broken(applicant: Applicant) -> ScreeningRuling:
    raise KeyError(applicant.account)


@pytest.mark.parametrize(
    ("rule", "ruling"),
    [
        (in_debt, ScreeningRuling("referred", "an earlier contract is unpaid")),
        (lambda _: approve(), ScreeningRuling("approved")),
        (lambda _: reject("false_entry: no such name"), ScreeningRuling("rejected", "false_entry: no such name")),
        (lambda _: reject("no_duty"), ScreeningRuling("rejected", "no_duty")),
        (
            lambda _: reject("dislike"),
            ScreeningRuling(
                "referred",
                "the rule would reject: the ground 'dislike' is not on the list (screening_grounds): "
                "false_entry, earlier_breach, no_duty",
            ),
        ),
        (broken, ScreeningRuling("referred", "the rule failed: KeyError")),
        (lambda _: True, ScreeningRuling("referred", "the rule returned a bool, not a Ruling")),
    ],
)
def test_3_5__a_rule_approves_rejects_on_a_listed_ground_or_refers_and_its_faults_refer(
    rule: Callable[[Applicant], object], ruling: ScreeningRuling
) -> None:
    assert apply_rule(cast("Rule", rule), APPLICANT, GROUNDS) == ruling


def test_3_5__a_rejection_without_a_ground_is_no_ruling() -> None:
    with pytest.raises(ValueError, match="an application is rejected on a ground"):
        reject(" ")
    assert unlisted(" ", ()) == "a rejection needs its ground (premium/3.5)"


def test_3_5__without_a_list_any_ground_is_taken() -> None:
    assert unlisted("as people saw it", ()) is None


def test_3_5__the_rule_is_named_by_module_and_function_and_people_are_the_default() -> None:
    assert load_rule("people") is None
    assert cast("object", load_rule("keizoku.billing.rules.screening:approve")) is approve


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("nobody", "write people, module:function, or an entry point of keizoku.screening"),
        ("no_such_module:rule", "No module named 'no_such_module'"),
        ("keizoku.billing.rules.screening:no_such_rule", "no attribute 'no_such_rule'"),
        ("keizoku.billing.rules.screening:NO_DUTY", "NO_DUTY is no function"),
    ],
)
def test_3_5__a_setting_that_names_no_rule_says_what_is_wrong(named: str, why: str) -> None:
    with pytest.raises(NoRuleError, match=why):
        load_rule(named)
