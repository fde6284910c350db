"""Claims under Article 9, and the months that they are about: the windows, what they are worth, who decided."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.scheduler.reports.claim_page import explain_claim
from keizoku.scheduler.reports.claim_worth import claim_worth, measured_month
from keizoku.scheduler.reports.reading_differences import award_differences
from keizoku.scheduler.reports.replay import replay as what_if
from keizoku.scheduler.reports.review_log import reviews_of
from keizoku.scheduler.reports.sla_report import month_report
from keizoku.sla.claims.claim_views import claim_explanation, claim_list
from keizoku.sla.months.budget import budget_of
from keizoku.sla.months.history import history_of
from keizoku.sla.rules.intervals import normalise
from keizoku.terms.calendar import Month
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Instant, Lang, MonthText, Text
from keizoku.web.calls.versions import CLAIM
from keizoku.web.resources.sla.evidence import LONGEST_SPANS, Windows, findings_of, month_of, spans_in, spans_of

__all__ = ["claims"]

claims = Resource("claims", "Months under Article 9, and the claims about them.")

Submitted = listed("ClaimSubmitted", claim=str, recorded=bool, doubts=list[dict[str, Any]])
Act = listed("ClaimAct", recorded=bool, doubts=list[dict[str, Any]])
Spans = Annotated[
    str, Field(max_length=LONGEST_SPANS, description="FROM/TO of instants, joined by commas; none: the month")
]
Readings = Annotated[str, Field(max_length=2_000, description="name=choice, joined by commas")]


@claims.question("/sla-months/{month}/budget", command="sla budget", answer=dict[str, Any])
def budget(call: Call, month: MonthText) -> Any:
    """The month so far: unusable seconds, how far to each step of Article 9, which exclusions carry it."""
    return budget_of(call.session, call.rules, Month.parse(month), call.now).to_json()


@claims.question("/sla-months/{month}/history", command="sla history", answer=dict[str, Any])
def history(call: Call, month: MonthText) -> Any:
    """What was known of a month and when, and what the reviews found."""
    about = Month.parse(month)
    call.rules.terms.of_month(about)
    return {
        "month": month,
        "known": [each.to_json() for each in history_of(call.session, call.rules, about, call.now)],
        "reviews": [each.to_json() for each in reviews_of(call.session, call.rules, about, call.now)],
    }


@claims.question("/sla-months/{month}/replay", command="sla replay", answer=dict[str, Any])
def replay(call: Call, month: MonthText, *, known_at: Instant | None = None, readings: Readings | None = None) -> Any:
    """What a month and its claims would be by what was known at an instant, or under other readings. Saves nothing."""
    pairs = (part.partition("=") for part in (readings or "").split(",") if part)
    chosen = {name.strip(): choice.strip() for name, _, choice in pairs}
    return what_if(call.session, call.rules, Month.parse(month), as_known_at=known_at, readings=chosen).to_json()


@claims.question("/sla-months/{month}", command="sla report", answer=dict[str, Any])
def month(call: Call, month: MonthText) -> Any:
    """A month's report: every window, its evidence, its bucket and clause, and what still waits."""
    about = Month.parse(month)
    call.rules.terms.of_month(about)
    return month_report(call.session, call.rules, about, call.now, call.now).to_json()


@claims.question("/sla-months/{month}/measured", command="sla report", answer=dict[str, Any], member=True)
def measured(call: Call, month: MonthText) -> Any:
    """A month's measured windows with bucket and clause, and until when it can be claimed: the same for everybody."""
    return measured_month(call.session, call.rules, Month.parse(month), call.now).to_json()


@claims.question("/accounts/{account}/claim-worth/{month}", command="claim show", answer=dict[str, Any], member=True)
def worth(call: Call, account: Id, month: MonthText, *, windows: Spans | None = None) -> Any:
    """What a claim made now would bring by what is known now. Keeps nothing and promises nothing."""
    spans = normalise(spans_in(windows)) if windows else None
    measured = measured_month(call.session, call.rules, Month.parse(month), call.now)
    return claim_worth(call.session, account, measured, spans, call.now).to_json()


@claims.question("/award-differences", command="sla differences", answer=list[dict[str, Any]])
def differences(call: Call, *, month: MonthText | None = None) -> Any:
    """Awards that are higher than what would be found now; they stay as they are."""
    return [each.to_json() for each in award_differences(call.session, call.rules, month_of(month), call.now)]


@claims.list("/claims", command="claim list", row=dict[str, Any], member=True)
def list_claims(call: Call, *, month: MonthText | None = None, account: Id | None = None) -> Listing:
    """Claims, and what was decided."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        found = claim_list(call.session, call.now, month_of(month), account, limit=limit, after=after)
        return [dict(each.to_json()) for each in found]

    return Listing(read)


@claims.question("/claims/{claim}", command="claim show", answer=dict[str, Any], member=True, version=CLAIM)
def show(call: Call, claim: Id) -> Any:
    """One claim and what became of it."""
    return claim_explanation(call.session, claim, call.now).state_json()


@claims.question("/claims/{claim}/explanation", command="explain claim", answer=dict[str, Any], member=True)
def explanation(call: Call, claim: Id, *, lang: Lang = "en") -> Any:
    """A claim explained: the deadline, every second of the outages and its clause, what decided, the rate, the yen."""
    return explain_claim(call.session, call.rules, claim, call.now).to_json(lang)


@claims.act(
    "/claims", command="claim submit", answer=Submitted, member=True, not_by_member=("claim", "received_at", "ground")
)
def submit(
    call: Call,
    *,
    account: Id,
    month: MonthText,
    claim: Id | None = None,
    windows: Windows | None = None,
    received_at: Instant | None = None,
    ground: Ground | None = None,
) -> Any:
    """A user claims a month (9.2, 9.5): these windows, or every one that the service has on record."""
    name, findings = call.sla.submit_claim(
        account, Month.parse(month), claim, spans_of(windows), received_at, by=call.author, ground=ground, now=call.now
    )
    return {"claim": name, **findings_of(findings)}


@claims.act("/claims/{claim}/recognise", command="claim recognise", answer=Act, version=CLAIM)
def recognise(call: Call, claim: Id, *, ground: Ground, windows: Windows) -> Any:
    """People find that this user could not use the service in these windows."""
    return findings_of(call.sla.recognise(claim, spans_of(windows), call.author, ground, now=call.now))


@claims.act("/claims/{claim}/environment", command="claim environment", answer=Act, version=CLAIM)
def environment(call: Call, claim: Id, *, ground: Ground, windows: Windows | None = None) -> Any:
    """What this user met came from their own environment (9.4)."""
    return findings_of(call.sla.environment(spans_of(windows), call.author, ground, claim=claim, now=call.now))


@claims.act("/claims/{claim}/withdraw", command="claim withdraw", answer=Act, member=True, version=CLAIM)
def withdraw(call: Call, claim: Id, *, ground: Ground) -> Any:
    """The user takes a claim back before it is decided."""
    return findings_of(call.sla.withdraw_claim(claim, call.author, ground, now=call.now))


@claims.act("/claims/{claim}/consent", command="claim consent", answer=Act, member=True, version=CLAIM)
def consent(call: Call, claim: Id, *, what: Text, ground: Ground, by_on: Day | None = None) -> Any:
    """The user agrees to another remedy instead of money (9.2)."""
    return findings_of(call.sla.consent_alternative(claim, what, by_on, now=call.now, by=call.author, ground=ground))


@claims.act("/claims/{claim}/perform-remedy", command="claim perform-remedy", answer=Act, version=CLAIM)
def perform_remedy(call: Call, claim: Id, *, ground: Ground, on: Day | None = None) -> Any:
    """What was agreed instead of money was done: the credit of that month is extinguished."""
    return findings_of(call.sla.perform_alternative(claim, on, now=call.now, by=call.author, ground=ground))


@claims.act("/claims/{claim}/withdraw-remedy", command="claim withdraw-remedy", answer=Act, version=CLAIM)
def withdraw_remedy(call: Call, claim: Id, *, ground: Ground) -> Any:
    """The agreement to another remedy is withdrawn: the credit is released."""
    return findings_of(call.sla.withdraw_alternative(claim, now=call.now, by=call.author, ground=ground))


@claims.act(
    "/claims/{claim}/grant-late", command="claim grant-late", answer=dict[str, Any], four_eyes=True, version=CLAIM
)
def grant_late(call: Call, claim: Id, *, ground: Ground) -> Any:
    """People grant a claim that came too late. Another person approves it."""
    return findings_of(call.sla.grant_late(claim, ground, call.approver or "", now=call.now, by=call.author))


@claims.act("/claim-form-outages", command="claim form-down", answer=Act)
def form_down(call: Call, *, from_at: Instant, to_at: Instant, ground: Ground) -> Any:
    """The claim form was down: what that takes from a deadline is given back (9.5)."""
    spans_of([(from_at, to_at)])
    return findings_of(call.sla.claim_form_down(from_at, to_at, now=call.now, by=call.author, ground=ground))
