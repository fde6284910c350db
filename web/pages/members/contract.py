"""The contract: may I come in, until when, what renews, and how use ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from keizoku.terms import words
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Act, Acts, Block, Cell, Facts, Figure, Figures, Page, Prose, Story
from keizoku.web.pages.shared.blocks import Line as StoryLine
from keizoku.web.pages.shared.money_blocks import parts_owed
from keizoku.web.pages.shared.words import word

__all__ = ["contract", "end_of_use"]


@member.screen("", command="account show", resource="accounts")
def contract(view: MemberView) -> Page:
    """The first page."""
    say, own = view.say, view.own
    access, found = view.ask("accounts.access", account=own), view.ask("accounts.contract", account=own)
    owed = view.ask("accounts.owed", account=own)
    figures = [
        Figure(say("You can use the service"), _may_use(view, access["access"]), _until(view, found)),
        Figure(
            say("To be paid"),
            view.yen(owed["total"], at_home("payments"), "bad" if owed["total"] else ""),
            parts_owed(view, owed) if owed["total"] else say("nothing is open"),
        ),
        Figure(say("Paid by"), view.text(word("method", found["method"], view.lang) if found["method"] else None)),
    ]
    if found["term"] and found["renews"]:
        figures.insert(
            1, Figure(say("Renews on"), view.long_day(found["term"][1]), say("by itself, unless you end it"))
        )
    blocks: list[Block] = [Figures(figures), *_what_to_do(view, found, owed), *_ending(view, found)]
    notices = view.rows("documents.letters", account=own, also_sent=True, table="letters").data[-3:][::-1]
    blocks.append(
        Story(
            say("The newest letters"),
            [
                StoryLine(
                    each[f"subject_{view.lang}"],
                    str(view.day(each["written_at"])),
                    href=at_home("papers", "letters", each["id"]),
                )
                for each in notices
            ],
            say("No letter was written to you."),
        )
    )
    return Page(say("Your contract"), blocks, _lead(view, found))


@member.screen("/end-of-use", command="account show", resource="accounts")
def end_of_use(view: MemberView) -> Page:
    """What ends when, what is not given back, and the form."""
    say, found = view.say, view.ask("accounts.contract", account=view.own)
    if not found["term"] or not found["renews"]:
        return Page(say("End of use"), _ending(view, found), above=[(say("Your contract"), at_home())])
    ends = date.fromisoformat(found["term"][1])
    facts = Facts(
        "",
        [
            (say("You can ask until"), view.text(_last_second(view, _ask_before(view, ends)))),
            (say("Last day of use"), view.long_day(ends - timedelta(days=1))),
            (say("Until then"), view.text(say("you can go on using the service as before"))),
            (say("Given back"), view.text(say("nothing: a term that has begun is paid for as a whole"))),
            (say("A change of mind"), view.text(say("you can take it back until the term ends"))),
        ],
    )
    if found["method"] == "app_store":
        blocks: list[Block] = [
            Prose(say("Your subscription is billed by an app store. End it there, in the subscriptions of your "
                      "device; "
                      "the store tells us, and use ends with the term that is paid."), "warn"),
            Story(say("How to end it in the store"), [
                StoryLine(say("iPhone and iPad: Settings, your name, Subscriptions; choose this service, then "
                              "Cancel.")),
                StoryLine(say("Android: Google Play, your picture, Payments and subscriptions, Subscriptions; "
                              "choose this "
                              "service, then Cancel.")),
            ]),
            Facts("", facts.rows[1:4]),
            *view.ask_us(),
        ]  # fmt: skip
    else:
        act = view.act("contracts.end_of_use", say("Go on: ask for the end of use"), account=view.own)
        late = view.call.today >= _ask_before(view, ends)
        told = [Prose(say("It is too late for this term: what you ask now ends the next one."), "warn")] if late else []
        blocks = [*told, facts, view.acts("", [act])]
    return Page(say("End of use"), blocks, above=[(say("Your contract"), at_home())])


def _what_to_do(view: MemberView, found: Mapping[str, Any], owed: Mapping[str, Any]) -> list[Block]:
    """What waits for the member, and where they do it."""
    say = view.say
    if owed["total"]:
        return [Prose(say("A payment is open. See how to pay it."), "bad", at_home("payments"))]
    if found["term"] and not found["access"]:
        return [Prose(say("Nothing is open, and still you cannot come in. Ask us, please."), "warn"), *view.ask_us()]
    return []


def _ending(view: MemberView, found: Mapping[str, Any]) -> list[Block]:
    """How the contract ends, or ended."""
    say, today = view.say, view.call.today
    ends = found["ended_on"] or (found["term"][1] if found["term"] and not found["renews"] else None)
    if ends is None and not found["term"]:
        return [Prose(say("There is no contract."), "soft")]
    if ends is None:
        last = date.fromisoformat(found["term"][1])
        change = view.act("contracts.change_method", say("Change how you pay"), account=view.own)
        until = _ask_before(view, last)
        told = say("until {at}", at=_last_second(view, until)) if today < until else ""
        items = [
            Act(say("End of use"), at_home("end-of-use"), told),
            change,
        ]
        return [Acts(say("What you can do"), [each for each in items if each is not None])]
    day = view.long_day(date.fromisoformat(ends) - timedelta(days=1))
    if date.fromisoformat(ends) <= today:
        return [Prose(say("The contract ended; its last day was {day}.", day=day), "soft")]
    back = view.act("contracts.withdraw_end_of_use", say("Take it back: go on"), account=view.own)
    told = say("You can take it back until {at}.", at=_last_second(view, date.fromisoformat(ends)))
    acts = [replace(back, said=told)] if back is not None and not found["ended_on"] else []
    return [
        Prose(say("The contract ends; its last day is {day}. Until then you can use the service as before.", day=day),
              "warn"),
        *([view.acts("", acts)] if acts else []),
    ]  # fmt: skip


def _may_use(view: MemberView, may: bool) -> Cell:
    return view.text(
        view.say("you can use it") if may else view.say("you cannot use it now"), tone="good" if may else "bad"
    )


def _ask_before(view: MemberView, ends: date) -> date:
    """The first day on which it is too late to ask for the end of a term."""
    return ends - timedelta(days=view.call.rules.discretion.end_of_use_days_before)


def _last_second(view: MemberView, too_late_on: date) -> str:
    """The last second before a day begins in Japan."""
    return view.say("{day}, 23:59:59 Japan time", day=words.day(too_late_on - timedelta(days=1), view.ja))


def _until(view: MemberView, found: Mapping[str, Any]) -> str:
    if found["access"] and found["term"]:
        last = date.fromisoformat(found["term"][1]) - timedelta(days=1)
        return view.say("until the end of {day}", day=words.day(last, view.ja)) if not found["renews"] else ""
    return word("reason", found["reason"], view.lang) if found["reason"] else ""


def _lead(view: MemberView, found: Mapping[str, Any]) -> str:
    term = found["term"]
    over = not term or date.fromisoformat(term[1]) <= view.call.today
    return "" if over else view.say(
        "The present term: {first} to {last}.", first=words.day(term[0], view.ja),
        last=words.day(date.fromisoformat(term[1]) - timedelta(days=1), view.ja),
    )  # fmt: skip
