"""Reductions (Article 9): what was measured, until when it can be claimed, what it would be worth, what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keizoku.scheduler.reports.claim_page import explain_claim
from keizoku.scheduler.reports.claim_worth import claim_worth, measured_month
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.rules.intervals import intersect, normalise
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.values import Id, MonthText
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.act_fields import instant_of
from keizoku.web.pages.shared.blocks import Block, Choice, Choices, Figure, Figures, Line, Page, Prose, Story
from keizoku.web.pages.shared.pictures import drawn
from keizoku.web.pages.shared.words import word
from keizoku.web.resources.sla.evidence import spans_in

__all__ = ["claim", "claims", "new_claim"]

MONTHS: Final = 6
"""Months that are shown, the present one among them."""


@member.screen("/claims", command="claim list", resource="claims")
def claims(view: MemberView) -> Page:
    """The last months, each with what was measured and until when it can be claimed; and what was claimed."""
    say, one, rows = view.say, Month.of(view.call.today), []
    for _ in range(MONTHS):
        try:
            found = view.ask("claims.measured", month=str(one))
        except (UncoveredDateError, NoPopulationError):
            break
        open_now = found["open"] and found["gross_seconds"]
        rows.append(
            [
                view.month(str(one), at_home("claims", "new", one)),
                view.seconds(found["gross_seconds"]),
                view.seconds(found["unusable_seconds"]),
                view.at(found["deadline_at"]),
                view.text(say("claim"), at_home("claims", "new", one)) if open_now else view.text(None),
            ]
        )
        one = one.previous()
    columns = [say("Month"), say("Outages measured"), say("of which count"), say("Claim before"), ""]
    made = view.rows("claims.list_claims", account=view.own, table="claims")
    own = [
        [
            view.text(each["id"], at_home("claims", each["id"])),
            view.month(each["month"]),
            view.at(each["received_at"]),
            view.word("outcome", each["outcome"] or "undecided"),
            view.text(_reason(view, each)),
            view.yen(each.get("credit")),
        ]
        for each in made.data
    ]
    own_columns = [say("Receipt"), say("Month"), say("Received"), say("Outcome"), say("Ground"), say("Reduction")]
    lead = say(
        "Where more than {share} of all users could not use the service for long in a month, "
        "a share of the fee comes off on your claim.",
        share=words.percent(_quorum(view), view.ja),
    )
    return Page(
        say("Reductions"),
        [
            view.table(say("Months"), columns, rows, empty=say("No month yet."), name="months"),
            view.table(
                say("Your claims"),
                own_columns,
                own,
                empty=say("You have made no claim."),
                name="claims",
                next=made.next,
            ),
        ],
        lead,
    )


@member.screen("/claims/new/{month}", command="claim show", resource="claims")
def new_claim(view: MemberView, month: MonthText) -> Page:
    """The measured windows to choose from, what they would be worth, and the claim."""
    say, call = view.say, view.call
    measured = measured_month(call.session, call.rules, Month.parse(month), call.now)
    found = measured.to_json()
    chosen = [each for each in view.request.query_params.getlist("windows") if each]
    offered = [f"{each['from']}/{each['to']}" for each in found["outages"]]
    lines = [_whole(part) for each in chosen for part in each.splitlines() if part.strip()]
    spans = normalise(spans_in(",".join(lines))) if lines else None
    worth = claim_worth(call.session, view.own, measured, spans, call.now).to_json()
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Claim before"), view.at(found["deadline_at"]), "" if found["open"] else say("it is over")),
                Figure(say("Outages measured"), view.seconds(found["gross_seconds"])),
                Figure(say("of which count"), view.seconds(found["unusable_seconds"])),
                Figure(say("It would be worth"), view.yen(worth["yen"]), _worth(view, worth)),
            ]
        ),
        Prose(
            say(
                "Worked out by what is known now, as the decision will be. It is decided in the night after your claim."
            ),
            "soft",
        ),
    ]
    if measured.service.gross:
        blocks.append(drawn(words.month(month, view.ja), month_on_page(measured.service, measured.policy, view.lang)))
    blocks.append(
        view.table(
            say("Every second that was measured"),
            [say("From"), say("To"), say("Time"), say("What it is"), say("Clause")],
            [
                [
                    view.at(e["from"]),
                    view.at(e["to"]),
                    view.seconds(e["seconds"]),
                    view.word("bucket", e["bucket"], tone=""),
                    view.clause(e["clause"]),
                ]
                for e in found["windows"]
            ],
            empty=say("No outage is on record for this month. You may claim it all the same: people look at it."),
            name="windows",
        )
    )
    if found["open"]:
        blocks.append(
            Choices(
                say("When could you not use it?"),
                "windows",
                [Choice(each, _span(view, each), not chosen or each in chosen) for each in offered],
                say("Other times, one a line: 2026-04-10 21:10 / 2026-04-11 01:00, Japan time"),
                "\n".join(each for each in chosen if each not in offered),
                look=(say("Show what it would be worth"), at_home("claims", "new", month)),
                act=(say("Claim"), at_home("acts", "claims.submit")),
                hidden={"month": month, "form_token": view.form_token, "step": "look", "return_to": at_home("claims")},
            )
        )
    return Page(
        say("Claim for {month}", month=words.month(month, view.ja)),
        blocks,
        above=[(say("Reductions"), at_home("claims"))],
    )


@member.screen("/claims/{claim}", command="claim show", resource="claims")
def claim(view: MemberView, claim: Id) -> Page:
    """One claim: its receipt, and what was decided and why."""
    say, explained = view.say, explain_claim(view.call.session, view.call.rules, claim, view.call.now)
    found, told = jsonable(explained.explanation.state_json()), jsonable(explained.to_json(view.lang))
    decided = found["outcome"] not in (None, "pending")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Receipt"), view.code(claim), say("received {at}", at=view.at(found["received_at"]))),
                Figure(say("Outcome"), view.word("outcome", found["outcome"] or "undecided"), _reason(view, found)),
                Figure(say("Reduction"), view.yen(found["credit"]) if decided else view.text(None),
                       view.share(found["rate"]).text if found["rate"] else ""),
                Figure(say("Time that counts"), view.seconds(found["seconds"])),
            ]
        ),
        Story(say("What decided"), [Line(each) for each in told["deciding"]], say("It is not decided yet.")),
        view.story(say("The decision in sentences"), told["sentences"], say("It is not decided yet.")),
        drawn(say("The month as this claim sees it"),
              month_on_page(explained.service, explained.policy, view.lang, explained.buckets,
                            intersect(explained.claimed, explained.service.gross), sums=True)),
    ]  # fmt: skip
    acts = [] if decided else [view.act("claims.withdraw", say("Take the claim back"), claim=claim)]
    if acts:
        blocks.append(view.acts(say("What you can do"), acts))
    title = say("Claim for {month}", month=words.month(found["month"], view.ja))
    return Page(title, blocks, above=[(say("Reductions"), at_home("claims"))])


def _worth(view: MemberView, worth: Mapping[str, Any]) -> str:
    if worth["reason"]:
        return word("claim_reason", worth["reason"], view.lang)
    return view.say(
        "{share} of the fee of {fee}",
        share=words.percent(worth["rate"], view.ja),
        fee=view.yen(worth["monthly_fee_yen"]),
    )


def _reason(view: MemberView, found: Mapping[str, Any]) -> str:
    return view.word("claim_reason", found["reason"], tone="").text if found["reason"] else ""


def _span(view: MemberView, window: str) -> str:
    start, _, end = window.partition("/")
    return words.windows([(start, end)], view.ja)


def _whole(line: str) -> str:
    """A line of the form as the call takes it: instants with their seconds and offset."""
    start, _, end = line.partition("/")
    return f"{instant_of(start.strip())}/{instant_of(end.strip())}"


def _quorum(view: MemberView) -> str:
    policy = view.call.rules.terms.of_month(Month.of(view.call.today))
    return str(policy.sla.quorum_share)
