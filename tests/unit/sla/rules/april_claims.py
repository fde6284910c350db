"""A claim for April 2026 as tests of Article 9 state it: terms, outages and the account's month from words."""

from datetime import date, datetime

from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimFacts, TermFact, TermKind
from keizoku.sla.rules.claims import adjudicate
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Interval, Month, epoch, parse_instant
from keizoku.terms.policy import Terms

POLICY = Terms.load("premium").at(date(2026, 4, 1))
APRIL = Month(2026, 4)
NOON = epoch(parse_instant("2026-04-10 12:00"))


def at(text: str) -> datetime:
    return parse_instant(text)


def span(start: str, end: str) -> tuple[int, int]:
    return epoch(at(start)), epoch(at(end))


def april(*outages: tuple[int, int]) -> ServiceMonth:
    facts = MonthFacts(APRIL, tuple(Outage(start, end, Cause.FAULT, "test") for start, end in outages))
    return service_month(facts, POLICY, 0)


def stopped_for(seconds: int) -> ServiceMonth:
    """April with one outage of so many seconds from noon."""
    return april((NOON, NOON + seconds))


def term(
    start: str = "2026-03-20 10:00",
    end: str = "2026-05-20",
    method: str = "card",
    interval: Interval = "month",
    price_yen: int = 500,
    term_id: int = 1,
) -> TermFact:
    return TermFact(term_id, TermKind(*span(start, end), method, interval, price_yen))


def month_of(*claims: Claim, terms: tuple[TermFact, ...] = (term(),)) -> AccountMonth:
    return AccountMonth("hanako", APRIL, claims or (MAY_2,), terms)


MAY_2 = Claim("c1", at("2026-05-02 09:00"))


def decide(service: ServiceMonth, among: AccountMonth, claim: Claim = MAY_2):  # type: ignore[no-untyped-def]
    return adjudicate(ClaimFacts(claim, among), service, POLICY)
