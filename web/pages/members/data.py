"""What is kept about the member here: to read, to take along, and how it is put right."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Mapping
from typing import Annotated, Final
from zipfile import ZIP_DEFLATED, ZipFile

from fastapi import APIRouter, Request, Response

from keizoku.web.pages.members.acting import FormOf, did
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.members.forms import GROUND
from keizoku.web.pages.shared.blocks import Block, Facts, Page, Prose, Story
from keizoku.web.pages.shared.blocks import Line as StoryLine
from keizoku.web.pages.shared.words import word

__all__ = ["ROUTER", "data"]

ROUTER: Final = APIRouter(include_in_schema=False)
FILE: Final = at_home("data", "file")


@member.screen("/data", command="account show", resource="accounts")
def data(view: MemberView) -> Page:
    """The account, the contract, the cards; the file with everything; how to put it right."""
    say, own = view.say, view.own
    found = view.ask("accounts.contract", account=own)
    cards = view.rows("cards.list_cards", account=own, table="cards")
    blocks: list[Block] = [
        Facts(
            "",
            [
                (say("Your number"), view.text(own)),
                (say("Contract"), view.word("state", found["state"])),
                (say("Paid by"), view.text(word("method", found["method"], view.lang) if found["method"] else None)),
                (say("Term"), view.term(found["term"])),
            ],
        ),
        view.table(
            say("Saved cards"),
            [say("Card"), say("Saved"), say("Ended on"), say("Charged")],
            [
                [
                    view.code(each["card"]), view.at(each["saved_at"]), view.at(each["ended_at"]),
                    view.yes(each["charged"]),
                ]
                for each in cards.data
            ],
            empty=say("No card is saved."),
            name="cards",
            next=cards.next,
        ),
        Prose(say("Card numbers are kept by the card gateway alone. Names and addresses are not kept here."), "soft"),
        view.send(
            say("Download everything (ZIP)"),
            FILE,
            say("All that is kept about you: every record, your history, letters and invoices, who read it and "
                "when; as "
                "tables, as one file for programs, and a summary to read. That you took it is itself recorded."),
        ),
        Story(
            say("If something is wrong"),
            [
                StoryLine(say("A card or the way you pay: change it yourself under payments.")),
                StoryLine(say("Your name, address or mail: change them where you came from; they are not kept "
                              "here.")),
                StoryLine(say("Anything else: ask us, name your number and what should stand there instead. "
                              "What money "
                              "rests on is not erased; it is put right by a new record beside it.")),
            ],
        ),
        *view.ask_us(),
    ]  # fmt: skip
    return Page(say("My data"), blocks)


@ROUTER.post(FILE)
def take(request: Request, form: Annotated[dict[str, str], FormOf("accounts.member_file")]) -> Response:
    """The member's file as one ZIP; made anew each time, and recorded as a disclosure each time."""
    answer = did(request, form, "accounts.member_file", {"ground": GROUND}, key=uuid.uuid4().hex)
    door = request.app.state.door
    named = f'attachment; filename="keizoku-{door.clock():%Y-%m-%d}.zip"'
    return Response(_zip(answer["files"]), 200, {"Content-Disposition": named}, "application/zip")


def _zip(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as kept:
        for name, content in files.items():
            kept.writestr(name, base64.b64decode(content))
    return held.getvalue()
