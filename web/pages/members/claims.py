"""Reductions (Article 9): what was measured, until when it can be claimed, what it would be worth, what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from keizoku.scheduler.reports.claim_page import explain_claim
from keizoku.scheduler.reports.claim_worth import claim_worth, measured_month
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.pictures.on_pages import month_on_page
from keizoku.sla.rules.intervals import intersect, normalise
from keizoku.terms import words
from keizoku.terms.calendar import JST, Month
from keizoku.terms.policy import UncoveredDateError
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Id, MonthText
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.members.forms import OWN_FROM, OWN_TO, own_window
from keizoku.web.pages.shared.act_fields import instant_of
from keizoku.web.pages.shared.blocks import Block, Choice, Choices, Figure, Figures, Line, Page, Picture, Prose, Story
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
        worth = found["open"] and found["gross_seconds"]
        there = at_home("claims", "new", one)
        rows.append(
            [
                view.month(str(one), there),
                view.seconds(found["gross_seconds"]) if found["gross_seconds"] else view.text(say("no outage")),
                view.seconds(found["unusable_seconds"]) if found["gross_seconds"] else view.text(None),
                view.text(_before(view, found["deadline_at"]))
                if found["open"]
                else view.text(say("it is over"), tone="soft"),
                view.text(say("see it and claim"), there) if worth else view.text(None),
            ]
        )
        one = one.previous()
    columns = [say("Month"), say("Outages measured"), say("of which count"), say("Claim until"), say("What you can do")]
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
            *_who_may(view),
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
    chosen = [
        _whole(part) for each in view.request.query_params.getlist("windows") for part in each.splitlines() if part
    ]
    own, wrong = _own_window(view)
    chosen += [own] if own else []
    offered = [f"{each['from']}/{each['to']}" for each in found["outages"]]
    try:
        spans = normalise(spans_in(",".join(chosen))) if chosen else None
    except ProblemError:
        spans, chosen, wrong = None, [], True
    worth = claim_worth(call.session, view.own, measured, spans, call.now).to_json()
    blocks: list[Block] = [
        *_deadline(view, found),
        *([Prose(say("Your own time cannot be read: give a beginning and a later end."), "bad")] if wrong else []),
    ]
    if not found["open"]:
        blocks += view.ask_us()
    if found["open"] or found["gross_seconds"]:
        blocks += [
            Figures(
                [
                    Figure(say("It would be worth"), view.yen(worth["yen"], tone="good" if worth["yen"] else ""),
                           _worth(view, worth)),
                    Figure(say("Time that counts"), view.seconds(worth["recognised_seconds"]), _tiers(view, found)),
                ]
            ),
        ]  # fmt: skip
    if found["open"]:
        told = say(
            "Worked out by what is known now, as the decision will be. It is decided in the night after your claim."
        )
        blocks.append(Prose(told, "soft"))
        blocks.append(
            Choices(
                say("When could you not use it?"),
                "windows",
                [
                    Choice(each, _span(view, each), not chosen or each in chosen)
                    for each in [*offered, *(each for each in chosen if each not in offered)]
                ],
                say("Add a time of your own (Japan time)"),
                ((OWN_FROM, say("From"), ""), (OWN_TO, say("To"), "")),
                look=(say("Show what it would be worth"), at_home("claims", "new", month)),
                act=(say("Go on: claim"), at_home("acts", "claims.submit")),
                hidden={"month": month, "form_token": view.form_token, "step": "look", "return_to": at_home("claims")},
            )
        )
    blocks += [
        view.table(
            say("Every second that was measured"),
            [say("When"), say("Time"), say("What it is"), say("Clause")],
            [
                [
                    view.text(words.windows([(e["from"], e["to"])], view.ja)),
                    view.seconds(e["seconds"]),
                    view.word("bucket", e["bucket"], tone=""),
                    view.clause(e["clause"]),
                ]
                for e in found["windows"]
            ],
            empty=say("No outage is on record for this month. You may claim it all the same: people look at it."),
            name="windows",
            note=say("{time} in all", time=words.duration(found["gross_seconds"], view.ja)) if found["windows"] else "",
        ),
    ]  # fmt: skip
    if measured.service.gross:
        blocks.append(
            Picture.of(words.month(month, view.ja), month_on_page(measured.service, measured.policy, view.lang))
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
    outcome = Figure(say("Outcome"), view.word("outcome", found["outcome"] or "undecided"), _reason(view, found))
    worked_out = [
        Figure(say("Reduction"), view.yen(found["credit"], at_home("payments") if found["credit"] else None),
               view.share(found["rate"]).text if found["rate"] else ""),
        Figure(say("Time that counts"), view.seconds(found["seconds"])),
    ]  # fmt: skip
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Receipt"), view.code(claim), say("received {at}", at=view.at(found["received_at"]))),
                outcome,
                *(worked_out if decided else ()),
            ]
        )
    ]
    if decided:
        blocks += [
            Story(say("What decided"), [Line(each) for each in told["deciding"]]),
            view.story(say("The decision in sentences"), told["sentences"]),
        ]
    else:
        blocks.append(
            Prose(say("It is decided in the first night after {month} is over. You will have a letter; there is "
                      "nothing to do until then.", month=words.month(found["month"], view.ja)))
        )  # fmt: skip
    claimed = intersect(explained.claimed, explained.service.gross)
    blocks.append(
        Picture.of(say("The month as this claim sees it"),
              month_on_page(explained.service, explained.policy, view.lang, explained.buckets, claimed, sums=True))
    )  # fmt: skip
    acts = [] if decided else [view.act("claims.withdraw", say("Take the claim back"), claim=claim)]
    if acts:
        blocks.append(view.acts(say("What you can do"), acts))
    elif found["outcome"] != "withdrawn":
        blocks += [
            Prose(say("Where this differs from what you met, ask us and name the receipt."), "soft"),
            *view.ask_us(),
        ]
    title = say("Claim for {month}", month=words.month(found["month"], view.ja))
    return Page(title, blocks, above=[(say("Reductions"), at_home("claims"))])


def _who_may(view: MemberView) -> list[Block]:
    """Whoever does not pay by card is not given a reduction (9.6): said before they claim."""
    method = view.ask("accounts.contract", account=view.own)["method"]
    eligible = view.call.rules.terms.of_month(Month.of(view.call.today)).sla.eligible_method
    if method in (None, eligible):
        return []
    return [Prose(view.say("Reductions are for those who pay by credit card (Article 9.6). For the time in which you "
                           "paid otherwise nothing comes off."), "warn")]  # fmt: skip


def _deadline(view: MemberView, found: Mapping[str, Any]) -> list[Block]:
    """Until when the month can be claimed, and why that is later than usual where it is."""
    say = view.say
    if not found["open"]:
        over = view.call.now >= datetime.fromisoformat(found["deadline_at"])
        told = (
            say("The time to claim this month is over: it was {until}. Later claims are not granted (Article 9.5).",
                until=_before(view, found["deadline_at"]))
            if over
            else say("This month has not begun yet.")
        )  # fmt: skip
        return [Prose(told, "warn"), *_moved(view, found)]
    until = say("Claim until {until}.", until=_before(view, found["deadline_at"]))
    return [Prose(until, "warn"), *_moved(view, found)]


def _moved(view: MemberView, found: Mapping[str, Any]) -> list[Block]:
    """The extension of 9.5, by the claim form's own record of when it was down."""
    if found["deadline_at"] == found["ordinary_deadline_at"]:
        return []
    down = words.windows([(each["from"], each["to"]) for each in found["form_down"]], view.ja)
    return [Prose(
        view.say("This form could not be used from {down}, shortly before the deadline {usual}. So the deadline "
                 "was moved by "
                 "as much (Article 9.5). You need not show that you tried.",
                 down=down, usual=_before(view, found["ordinary_deadline_at"])), "good",
    )]  # fmt: skip


def _before(view: MemberView, instant: str) -> str:
    """A deadline, before which something has to arrive, by its last day and hour: midnight is 24:00 of that day."""
    at = datetime.fromisoformat(instant).astimezone(JST)
    if at.hour == at.minute == at.second == 0:
        return view.say("{day} 24:00", day=words.day(at.date() - timedelta(days=1), view.ja))
    return words.instant(at, view.ja)


def _own_window(view: MemberView) -> tuple[str, bool]:
    """(the window that was typed, whether it cannot be read)."""
    line = own_window(view.query)
    start, _, end = line.partition("/")
    try:
        return line, bool(line) and not datetime.fromisoformat(start) < datetime.fromisoformat(end)
    except (ValueError, TypeError):
        return "", True


def _tiers(view: MemberView, found: Mapping[str, Any]) -> str:
    """From how much on there is a reduction."""
    first = found["tiers"][0]
    return view.say("a reduction of {share} begins above {time}", share=words.percent(first["rate"], view.ja),
                    time=words.duration(first["over_seconds"], view.ja))  # fmt: skip


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
