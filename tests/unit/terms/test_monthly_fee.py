"""The monthly fee (premium/9.2): one function, and all who speak of the fee say what it says."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.sla_credit import award_yen
from keizoku.scheduler.reports.claim_states import yen_of
from keizoku.sla.claims.explanation import claim_sentences
from keizoku.sla.claims.read_models import (
    AwardRow,
    ClaimExplanation,
    ClaimRevision,
    ClaimStatus,
    SubmittedClaim,
    TermPrice,
)
from keizoku.sla.rules.claim_decision import ClaimDecision, term_json
from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimFacts, TermFact, TermKind
from keizoku.sla.rules.claims import adjudicate
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, service_month
from keizoku.terms.calendar import Interval, Month, epoch, parse_instant
from keizoku.terms.monthly_fee import MonthlyFee, monthly_fee
from keizoku.terms.policy import Terms

ROOT = Path(__file__).parents[3]
POLICY = Terms.load("premium").at(date(2026, 4, 1))
APRIL = Month(2026, 4)
NOON = epoch(parse_instant("2026-04-10 12:00"))
STOPPED = service_month(MonthFacts(APRIL, (Outage(NOON, NOON + 20_000, Cause.FAULT, "test"),)), POLICY, 0)
CLAIM = Claim("c1", parse_instant("2026-05-02 09:00"))

prices = st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(("month", "year"))), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("of_terms", "fee"),
    [
        ([], None),
        ([(500, "month")], MonthlyFee(Fraction(500), 500, "month")),
        ([(5_300, "year")], MonthlyFee(Fraction(1_325, 3), 5_300, "year")),
        ([(5_300, "year"), (500, "month"), (333, "month")], MonthlyFee(Fraction(500), 500, "month")),
        ([(6_000, "year"), (500, "month")], MonthlyFee(Fraction(500), 6_000, "year")),  # alike: the first
    ],
)
def test_9_2__the_fee_is_the_highest_by_the_month_and_not_rounded(
    of_terms: list[tuple[int, Interval]], fee: MonthlyFee | None
) -> None:
    assert monthly_fee(of_terms) == fee


def test_9_2__a_price_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="never below zero: -1"):
        monthly_fee([(-1, "month")])


def decided_on(of_terms: list[tuple[int, Interval]]) -> ClaimDecision:
    """The claim of a member whose terms share the outage between them."""
    length = 20_000 // len(of_terms)
    terms = tuple(
        TermFact(at, TermKind(NOON + at * length, NOON + (at + 1) * length, "card", interval, price_yen))
        for at, (price_yen, interval) in enumerate(of_terms)
    )
    return adjudicate(ClaimFacts(CLAIM, AccountMonth("hanako", APRIL, (CLAIM,), terms)), STOPPED, POLICY)


@given(prices)
def test_9_2__award_explanation_credit_and_report_rest_on_the_same_fee(of_terms: list[tuple[int, Interval]]) -> None:
    fee = monthly_fee(of_terms)
    assert fee is not None
    made = decided_on(of_terms)
    assert made.rate is not None
    assert (made.monthly_fee, made.worth) == (fee.exact_yen, fee.exact_yen * made.rate)
    term_prices = [term_json(term) for term in made.terms]
    total_yen = award_yen(made.rate, of_terms)
    assert total_yen == -(-made.worth.numerator // made.worth.denominator)  # rounded up, once
    assert yen_of(str(made.rate), term_prices, "up") == total_yen
    award = AwardRow(
        id=1,
        account="hanako",
        month="2026-04",
        revision=1,
        claim_id="c1",
        decision_revision=1,
        rate=str(made.rate),
        seconds=made.seconds,
        term_ids=(),
        term_prices=tuple(TermPrice(0, interval, price_yen) for price_yen, interval in of_terms),
        fee_basis=str(made.monthly_fee),
        usable_from=date(2026, 6, 1),
        decided_on=date(2026, 6, 1),
        decided_at=CLAIM.received_at,
        windows=(),
        total_yen=total_yen,
        granted_yen=total_yen,
    )
    explanation = ClaimExplanation(
        SubmittedClaim("c1", "hanako", "2026-04", CLAIM.received_at, None),
        ClaimStatus(outcome="granted", credit_yen=total_yen),
        (ClaimRevision(1, CLAIM.received_at, made.decision),),
        (award,),
    )
    said = [words for _, words in claim_sentences(explanation, "en")]
    whole, rest = divmod(made.worth.numerator, made.worth.denominator)
    exact = f"{whole:,} {rest}/{made.worth.denominator}" if rest else f"{whole:,}"
    yearly = " ÷ 12" if fee.interval == "year" else ""
    assert [words for words in said if f"{fee.price_yen:,} yen{yearly} × 20% = {exact} yen" in words], said


def test_9_2__nothing_else_divides_a_price_by_the_months_of_its_interval() -> None:
    rooms = (path for room in ("billing", "link", "sla", "scheduler", "terms") for path in (ROOT / room).rglob("*.py"))
    spelled = {
        path.relative_to(ROOT).as_posix()
        for path in rooms
        if '"year": 12' in (text := path.read_text(encoding="utf-8")) or "Fraction(price_yen" in text
    }
    assert spelled == {"terms/calendar.py", "terms/monthly_fee.py"}
