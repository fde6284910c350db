"""Consent to the terms (premium/3.2): what is agreed to by registering, and what a named version has to be."""

from __future__ import annotations

from datetime import date

import pytest

from keizoku.billing.rules.consent import Consent, ConsentError, consents, outdated, related_in_force

IN_FORCE = {"premium": "2024-12-02", "base": "2025-04-01"}


def test_3_2__who_registers_agrees_to_all_that_is_in_force() -> None:
    assert consents([], IN_FORCE) == (
        Consent("premium", "2024-12-02", stated=False),
        Consent("base", "2025-04-01", stated=False),
    )


def test_3_2__named_versions_are_kept_as_stated_in_whatever_order() -> None:
    assert consents(["base/2025-04-01", "premium/2024-12-02"], IN_FORCE) == (
        Consent("premium", "2024-12-02", stated=True),
        Consent("base", "2025-04-01", stated=True),
    )


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (
            ["premium/2024-12-02"],
            "consent to base/2025-04-01 is missing; in force: premium/2024-12-02, base/2025-04-01",
        ),
        (
            ["premium/2016-06-27", "base/2025-04-01"],
            "'premium/2016-06-27' is not consent to what is in force",
        ),
        (
            ["premium/2024-12-02", "base/2025-04-01", "other/1"],
            "'other/1' is not consent to what is in force",
        ),
        (["premium"], "consent to 'premium' is not consent"),
        ([""], "consent to '' is not consent"),
    ],
)
def test_3_2__consent_to_anything_else_is_refused_with_what_is_in_force(named: list[str], why: str) -> None:
    with pytest.raises(ConsentError) as refused:
        consents(named, IN_FORCE)
    assert why in str(refused.value)


def test_3_2__related_terms_change_on_their_day() -> None:
    related = ("base/2025-04-01", "base/2024-01-01", "privacy/2026-01-01")
    assert related_in_force(related, date(2023, 12, 31)) == {}
    assert related_in_force(related, date(2025, 3, 31)) == {"base": "2024-01-01"}
    assert related_in_force(related, date(2025, 4, 1)) == {"base": "2025-04-01"}
    assert related_in_force(related, date(2026, 1, 1)) == {"base": "2025-04-01", "privacy": "2026-01-01"}


def test_3_2__an_approval_needs_consent_to_what_is_in_force_on_its_day() -> None:
    assert outdated(IN_FORCE, IN_FORCE) == []
    assert outdated({"premium": "2024-12-02", "base": "2024-01-01"}, IN_FORCE) == ["base/2025-04-01"]
    assert outdated({}, IN_FORCE) == ["premium/2024-12-02", "base/2025-04-01"]
