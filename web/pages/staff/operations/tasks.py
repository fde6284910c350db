"""Tasks: what waits for people, the oldest first; one of them, and the act that ends it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keizoku.scheduler.reports.work.work_sources import KINDS
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Facts, Filters, Input, Page, Table
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["rows_of_tasks", "task", "tasks", "what_of"]


_SUBJECT: Final = re.compile(r"\b(invoice|attempt|refund|credit|claim|dispute|term|account|payment|transfer) ")
_NAMED: Final = re.compile(r"\b(invoice|claim) (\d+|c\w+)")


@staff.screen("/tasks", command="tasks list", resource="tasks")
def tasks(view: View) -> Page:
    """All that waits, of one kind or every, or what was put off."""
    say = view.say
    kind, account = view.query.get("kind", ""), view.query.get("account", "")
    snoozed = "snoozed" in view.query
    found = view.rows("tasks.list_tasks", kind=kind or None, account=account or None, snoozed=snoozed)
    kinds = [(each, word("task", each, view.lang)) for each in KINDS]
    filters = Filters(
        (
            Input("kind", say("Kind"), "select", kind, choices=kinds),
            Input("account", say("Account"), value=account),
            Input("snoozed", say("put off"), "checkbox", "yes" if snoozed else ""),
        ),
        say("Show"),
    )
    return Page(
        say("Tasks"), [filters, rows_of_tasks(view, found.data, found.next, "", "rows")],
        say("What waits for people, the oldest first."),
    )  # fmt: skip


@staff.screen("/tasks/{task}", command="tasks show", resource="tasks")
def task(view: View, task: Id) -> Page:
    """One of them."""
    say = view.say
    item = view.ask("tasks.show", task=task)
    detail = [
        (word("field", name, view.lang), view.text(value))
        for name, value in item["detail"].items()
        if isinstance(value, str | int) and name not in ("subject", "why")
    ]
    facts = Facts(
        "",
        [
            (say("What"), view.text(what_of(view, item), _subject_at(item))),
            (say("Kind"), view.word("task", item["kind"])),
            (say("Account"), view.account(item["account"])),
            (say("Waits since"), view.at(item["since"])),
            (say("Sum"), view.yen(item["amount_yen"])),
            (say("Clause"), view.clause(item["clause"])),
            *detail,
        ],
    )
    acts = view.acts(
        say("What may be done"),
        [
            *_remedies(view, item["remedy"]),
            *_letters(view, item),
            view.act("tasks.done", task=item["id"]),
            view.act("tasks.snooze", task=item["id"]),
        ],
    )
    return Page(what_of(view, item), [facts, acts], above=[(say("Tasks"), to("tasks"))])


def rows_of_tasks(
    view: View, found: Sequence[Mapping[str, Any]], following: str | None, title: str, name: str
) -> Table:
    """Items of the work list as a table."""
    say = view.say
    rows = [
        [
            view.text(what_of(view, each), to("tasks", each["id"])),
            view.word("task", each["kind"], tone=""),
            view.account(each["account"]),
            view.number(each["age_days"]),
            view.yen(each["amount_yen"]),
            view.clause(each["clause"]),
        ]
        for each in found
    ]
    columns = [say("What"), say("Kind"), say("Account"), say("Days"), say("Sum"), say("Clause")]
    return view.table(title, columns, rows, empty=say("Nothing waits for people here."), name=name, next=following)


def what_of(view: View, item: Mapping[str, Any]) -> str:
    """What an item is about, in one language: its kind, then whose letters, which charge, which invoice."""
    kind = word("task", item["kind"], view.lang)
    if item["kind"] == "documents_unsent":
        letters = word("letter", str(item["detail"].get("kind")), view.lang)
        return f"{kind}: {letters} × {item['detail'].get('documents'):,}"
    about = str(item[f"what_{view.lang}"]).partition(": ")[2]
    if not view.ja:
        return f"{kind}: {about}" if about else kind
    told = _SUBJECT.sub(lambda found: word("subject", found[1], view.lang) + " ", about)
    return f"{kind}: {told}" if told else kind


def _subject_at(item: Mapping[str, Any]) -> str | None:
    """The page of what an item is about, where it names an invoice or a claim."""
    found = _NAMED.search(str(item["what_en"]))
    if found is None:
        return None
    return to("invoices" if found[1] == "invoice" else "claims", found[2])


def _letters(view: View, item: Mapping[str, Any]) -> list[Act | None]:
    """The letters that wait, where the item is that they do."""
    if item["kind"] != "documents_unsent":
        return []
    return [Act(view.say("Letters"), to("letters", kind=item["detail"].get("kind")))]


def _remedies(view: View, remedy: str) -> list[Act | None]:
    """The act whose command ends the item, with what the command names filled in."""
    try:
        words = shlex.split(remedy)[1:]
    except ValueError:
        return []
    for operation in view.operations.values():
        command = operation.command.split()
        if (
            operation.kind != "act"
            or operation.upload
            or words[: len(command)] != command
            or not view.may(operation.name)
        ):
            continue
        if operation.name in ("tasks.done", "tasks.snooze"):
            return []
        given = [each for each in words[len(command) :] if not each.startswith("-") and not each.isupper()]
        known = dict(zip(operation.in_path, given, strict=False))
        return [view.act(operation.name, **known)]
    return []
