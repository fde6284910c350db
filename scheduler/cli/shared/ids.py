"""Ids as people type them: what a list or a sentence prints is accepted, and the bare number too.

`12`, `#12`, `1,234`, `invoice 12` and `請求12` are the same invoice; `D3` and `demand 3` the same demand; `claim c0063`
is the claim `c0063`. One parser for each kind; what it cannot read ends the command in one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final

import typer

from keizoku.scheduler.cli.shared.language import both

__all__ = [
    "AttemptId",
    "ClaimId",
    "CreditId",
    "DemandId",
    "DocumentId",
    "EntryId",
    "ImportId",
    "InvoiceId",
    "PaymentId",
    "RefundId",
    "TaskId",
    "TransferId",
    "document_id",
    "numbered",
    "worded",
]

LONGEST: Final = 18
"""Digits that an id has at most: more do not fit into its column."""


def number_form(*words: str) -> re.Pattern[str]:
    """Matches a number, its commas with it, after # and one of the words, which may be missing: (word, number)."""
    names = "|".join(re.escape(word) for word in words)
    return re.compile(rf"({names})?\s*#?\s*(\d[\d,]*)", re.IGNORECASE)


def read_number(form: re.Pattern[str], text: str) -> tuple[str, int] | None:
    """(word, number) of what was typed; None for what is of another form, or longer than an id."""
    found = form.fullmatch(text.strip())
    if found is None:
        return None
    digits = found[2].replace(",", "")
    return (found[1] or "", int(digits)) if len(digits) <= LONGEST else None


def numbered(*words: str) -> Callable[[str], int]:
    """A parser of the numbers of one kind, whose names are `words`; the first is the one that errors say."""
    form = number_form(*words)

    def parse(text: str) -> int:
        found = read_number(form, text)
        if found is None:
            raise typer.BadParameter(f"{text!r} is no number of the kind: write 12, #12 or {words[0]} 12")
        return found[1]

    parse.__name__ = "number"
    return parse


def worded(*words: str) -> Callable[[str], str]:
    """A parser of the names of one kind, in front of which one of `words` may stand."""
    names = "|".join(re.escape(word) for word in words)
    form = re.compile(rf"(?:(?:{names})\s+)?(\S.*)", re.IGNORECASE | re.DOTALL)

    def parse(text: str) -> str:
        found = form.fullmatch(text.strip())
        if found is None:
            raise typer.BadParameter(f"{text!r} names nothing: write its id, as the list prints it")
        return found[1]

    parse.__name__ = "text"
    return parse


def document_id(text: str) -> str:
    """The id of a document for a user: N12 a notice, D3 a demand."""
    found = read_number(_DOCUMENT, text)
    if found is None or not found[0]:
        raise typer.BadParameter(
            f"{text!r} is not the id of a document: N12 is a notice, D3 a demand; `keizoku notice list` lists them"
        )
    return f"{found[0][0].upper()}{found[1]}"


def refund_id(text: str) -> str:
    """The id of a refund as `keizoku payments failed-refunds` prints it: a kind and a number, else as it is written."""
    written = " ".join(text.replace("#", " ").split())
    return f"refund {written}" if written.isdigit() else written


def task_id(text: str) -> str:
    """The id of an item of the work list: 12, #12 and t12 are T12; the others as the list prints them."""
    found = read_number(_TASK, text)
    if found is not None:
        return f"T{found[1]}"
    if _TASK.fullmatch(text.strip()):
        raise typer.BadParameter(f"{text!r} is not the id of a task: `keizoku tasks list` lists them")
    return " ".join(text.split())


_DOCUMENT: Final = number_form("n", "d", "notice", "demand")
_TASK: Final = number_form("t", "task", "タスク")


InvoiceId = Annotated[
    int,
    typer.Argument(
        metavar="INVOICE",
        parser=numbered("invoice", "請求"),
        help=both(
            "The invoice: 12, as `keizoku account show` names it.", "請求: `keizoku account show` の番号、12 など。"
        ),
    ),
]
CreditId = Annotated[
    int,
    typer.Argument(
        metavar="CREDIT",
        parser=numbered("credit", "減額"),
        help=both(
            "The credit: 4, as `keizoku account show` names it.", "減額: `keizoku account show` の番号、4 など。"
        ),
    ),
]
DemandId = Annotated[
    int,
    typer.Argument(
        metavar="DEMAND",
        parser=numbered("demand", "D", "督促"),
        help=both(
            "The demand: D3 or 3, as `keizoku demand list` shows it.", "督促: `keizoku demand list` の D3 または 3。"
        ),
    ),
]
DocumentId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        parser=document_id,
        help=both("N12 is a notice, D3 a demand for late interest.", "N12 は通知、D3 は遅延損害金の請求。"),
    ),
]
EntryId = Annotated[
    int,
    typer.Argument(
        metavar="ENTRY",
        parser=numbered("entry", "仕訳"),
        help=both(
            "The entry: 12, as `keizoku ledger account` shows it.", "仕訳: `keizoku ledger account` の番号、12 など。"
        ),
    ),
]
ImportId = Annotated[
    int,
    typer.Argument(parser=numbered("import", "取込み"), help=both("The number of an import.", "取込みの番号。")),
]
PaymentId = Annotated[
    int,
    typer.Argument(
        metavar="PAYMENT",
        parser=numbered("payment", "bank line", "入金"),
        help=both("The payment: 5, as `keizoku bank list` shows it.", "入金: `keizoku bank list` の番号、5 など。"),
    ),
]
TransferId = Annotated[
    int,
    typer.Argument(
        metavar="TRANSFER",
        parser=numbered("transfer", "振込"),
        help=both(
            "The transfer: 5, as `keizoku transfer list` shows it.", "振込: `keizoku transfer list` の番号、5 など。"
        ),
    ),
]
AttemptId = Annotated[
    int,
    typer.Argument(
        metavar="ATTEMPT",
        parser=numbered("attempt", "決済"),
        help=both(
            "The attempt: 7, as `keizoku payments unknown` lists it.",
            "決済: `keizoku payments unknown` の番号、7 など。",
        ),
    ),
]
RefundId = Annotated[
    str,
    typer.Argument(
        metavar="REFUND",
        parser=refund_id,
        help=both(
            'The refund, as `keizoku payments failed-refunds` lists it: "refund 7".',
            "返金: `keizoku payments failed-refunds` の番号、「refund 7」など。",
        ),
    ),
]
ClaimId = Annotated[
    str,
    typer.Argument(
        metavar="CLAIM",
        parser=worded("claim", "申請"),
        help=both(
            "The claim, as `keizoku claim list` shows it: c0063.", "申請: `keizoku claim list` の番号、c0063 など。"
        ),
    ),
]
TaskId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        parser=task_id,
        help=both(
            "What waits, as `keizoku tasks list` shows it: T12, 'attempt 7'.",
            "担当者を待つもの: `keizoku tasks list` の番号、T12 や 'attempt 7' など。",
        ),
    ),
]
