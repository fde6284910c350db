"""Claims: in time? found what? which exclusion decided? and the rulings of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from keizoku.scheduler.reports.claim_page import explain_claim
from keizoku.sla.pictures.on_pages import month_on_page, waterfall_on_page
from keizoku.sla.rules.claims import claim_deadline
from keizoku.sla.rules.intervals import intersect
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.policy import Policy
from keizoku.web.calls.answering import jsonable
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Figure, Figures, Filters, Input, Page, Picture, Table
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.people.letters import letter_table

__all__ = ["claim", "claim_table", "claims"]

_ACTS = ("recognise", "environment", "withdraw", "consent", "perform_remedy", "withdraw_remedy", "grant_late")


@staff.screen("/claims", command="claim list", resource="claims")
def claims(view: View) -> Page:
    """Claims, of a month or of an account."""
    say = view.say
    month, account = view.query.get("month", ""), view.query.get("account", "")
    found = view.rows("claims.list_claims", month=month or None, account=account or None)
    filters = Filters(
        (Input("month", say("Month"), "month", month), Input("account", say("Account"), value=account)), say("Show")
    )
    acts = view.acts(say("What may be done"), [view.act("claims.submit"), view.act("claims.form_down")])
    return Page(say("Claims"), [filters, claim_table(view, found.data, found.next, ""), acts])


@staff.screen("/claims/{claim}", command="claim show", resource="claims")
def claim(view: View, claim: Id) -> Page:
    """One claim, decided or not, from its receipt to the yen."""
    say = view.say
    explained = explain_claim(view.call.session, view.call.rules, claim, view.call.now)
    found, told = jsonable(explained.explanation.state_json()), jsonable(explained.to_json(view.lang))
    month, account = found["month"], found["account"]
    written = view.rows("documents.letters", account=account, also_sent=True, table="letters").data
    letters = [each for each in written if str(each["kind"]).startswith(("claim_", "credit", "remedy"))]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Outcome"), view.word("outcome", found["outcome"] or "undecided"), _reason(view, found)),
                Figure(say("Recognised"), view.seconds(found["seconds"])),
                Figure(say("Share of the fee"), view.share(found["rate"])),
                Figure(say("Credit"), view.yen(found["credit"], to("accounts", account, "money"))),
                Figure(say("In time"), *_in_time(view, found["received_at"], month, explained.policy)),
                Figure(say("Month"), view.month(month, to("sla", month))),
            ]
        )
    ]
    if told["deciding"]:
        blocks.append(view.story(say("What decided"), [{"text": each} for each in told["deciding"]]))
    blocks.append(view.story(say("The decision in sentences"), told["sentences"], say("It is not decided yet.")))
    buckets, claimed = explained.buckets, intersect(explained.claimed, explained.service.gross)
    blocks += [
        Picture.of(say("From the outages to what is recognised"),
              waterfall_on_page(buckets or explained.service.buckets, explained.policy, view.lang)),
        Picture.of(say("The month as this claim sees it"),
              month_on_page(explained.service, explained.policy, view.lang, buckets, claimed)),
    ]  # fmt: skip
    rows = [
        [view.word("bucket", bucket, tone=""), view.seconds(seconds), view.number(seconds)]
        for bucket, seconds in (found["waterfall"] or {}).items()
    ]
    blocks += [
        view.table(
            say("Every second"),
            [say("Bucket"), say("Time"), say("Seconds")],
            rows,
            empty=say("It is not decided yet."),
            name="buckets",
        ),
        letter_table(view, letters, None, say("Letters")),
        view.acts(say("Rule by hand"), [view.act(f"claims.{name}", claim=claim) for name in _ACTS]),
    ]
    title = say("Claim {claim}", claim=claim)
    lead = say(
        "{account}, {month}, received {at}",
        account=account,
        month=words.month(month, view.ja),
        at=view.at(found["received_at"]),
    )
    return Page(title, blocks, lead, above=[(say("Claims"), to("claims")), (account, to("accounts", account))])


def claim_table(view: View, found: Sequence[Mapping[str, Any]], following: str | None, title: str) -> Table:
    """Claims with what was decided."""
    say = view.say
    rows = [
        [
            view.claim(each["id"]),
            view.account(each["account"]),
            view.month(each["month"], to("sla", each["month"])),
            view.at(each["received_at"]),
            view.word("outcome", each["outcome"] or "undecided"),
            view.text(_reason(view, each)),
            view.seconds(each["seconds"]),
            view.share(each["rate"]),
        ]
        for each in found
    ]
    columns = [
        say("Claim"), say("Account"), say("Month"), say("Received"), say("Outcome"), say("Ground"), say("Recognised"),
        say("Rate"),
    ]  # fmt: skip
    return view.table(title, columns, rows, empty=say("No claim was made."), name="claims", next=following)


def _in_time(view: View, received_at: str, month: str, policy: Policy) -> tuple[Cell, str]:
    """Whether the claim came before the deadline of its month, as it is where no form of ours was down."""
    deadline = claim_deadline(Month.parse(month), (), policy)
    received = datetime.fromisoformat(received_at)
    note = view.say("until {at}", at=view.at(deadline))
    if received < deadline:
        return view.yes(True), note
    longer = view.say("later where our form was down")
    return view.text(view.say("after the deadline"), tone="warn"), f"{note} · {longer}"


def _reason(view: View, found: Mapping[str, Any]) -> str:
    return view.word("claim_reason", found["reason"], tone="").text if found["reason"] else ""
