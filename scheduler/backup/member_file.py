"""A member's file (Act on the Protection of Personal Information 33): all that is held about one account.

    DIR/member.json    every row of every table (member_data.py), history, disclosures, reads, what is left out and why
        NAME.csv       the same rows, a file for each table
        member.pdf     a summary for the member, Japanese and then English
        SHA256SUMS     of all of them, written last

That it was made is itself a disclosure: recorded in the same transaction, and so in the file. Folder and files are
for their owner alone (0700, 0600). Names on documents are opened with the keys that are set; else they stay sealed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import owed_view
from keizoku.billing.accounts.history import AccountHistory
from keizoku.billing.documents.addressees import SealingKeys, sealed_of
from keizoku.billing.documents.atomic_files import SUMS
from keizoku.billing.documents.rendering import sections_pdf
from keizoku.billing.documents.written_documents import documents_view
from keizoku.billing.rules.documents.notice_text import SUBJECTS
from keizoku.db.members.rows import LEFT_OUT
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.people import member_file
from keizoku.scheduler.backup.member_data import member_rows, write_csv
from keizoku.scheduler.files import write_private
from keizoku.scheduler.reports.account_story import account_story
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules

__all__ = ["MemberFile", "Request", "write_member_file"]

JSON: Final = "member.json"
PDF: Final = "member.pdf"
_BOTH: Final[tuple[Lang, Lang]] = ("ja", "en")
_INVOICES: Final = {"invoice": ("ご利用料金の請求", "Invoice"), "credit_note": ("返還請求書", "Credit note")}


@dataclass(frozen=True, slots=True)
class Request:
    """Whose file is made, for whom, on what ground, by whom."""

    account: str
    recipient: str
    ground: str
    author: str
    now: datetime


@dataclass(frozen=True, slots=True)
class MemberFile:
    """What was written: the folder, and how many rows of each table."""

    folder: Path
    rows: Mapping[str, int]


def write_member_file(
    session: Session,
    rules: Rules,
    request: Request,
    folder: Path,
    *,
    keys: SealingKeys | None = None,
    font: Path | None = None,
) -> MemberFile:
    """Write all that is held about an account, and record that it was. Commits once every file is there.

    Refused for an account that is not known, and without a recipient, a ground or an author. Raises OSError, FontError.
    """
    want_to_add(session, member_file)
    if not all(said.strip() for said in (request.recipient, request.ground, request.author)):
        raise Refused("act.unsigned", f"account {request.account}: say to whom, on what ground, and who makes the file")
    story = account_story(session, rules, request.account, until=request.now, known_at=request.now)
    session.execute(
        sa.insert(member_file).values(
            account=request.account,
            recipient=request.recipient,
            ground=request.ground,
            author=request.author,
            made_at=request.now,
        )
    )
    held = _held(session, request.account, keys)
    owed = owed_view(session, rules, request.account, request.now).to_json()
    documents = documents_view(session, request.account)
    written = {
        "account": request.account,
        "made_at": iso_jst(request.now),
        "recipient": request.recipient,
        "ground": request.ground,
        "author": request.author,
        "owed": owed,
        "history": {lang: [_line(each) for each in story.sentences(lang)] for lang in _BOTH},
        "documents": [each.to_json() for each in documents],
        "disclosures": _disclosures(held),
        "reads": _reads(held),
        "tables": held,
        "left_out": dict(sorted(LEFT_OUT.items())),
    }
    kinds = [(each.on, each.kind) for each in documents]
    parts = [(lang, sentence("member_file.title", lang, {}), _summary(lang, written, story, kinds)) for lang in _BOTH]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / JSON, json.dumps(written, ensure_ascii=False, indent=1, default=str) + "\n")
    for name, rows in held.items():
        write_csv(folder, name, list(rows[0]), (row.values() for row in rows))
    write_private(folder / PDF, sections_pdf(parts, font))
    names = [JSON, PDF, *(f"{name}.csv" for name in held)]
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)}
    write_private(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    session.commit()
    return MemberFile(folder, {name: len(rows) for name, rows in held.items()})


def _held(session: Session, account: str, keys: SealingKeys | None) -> dict[str, list[dict[str, Any]]]:
    """Table -> its rows of the account, as JSON values."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table, rows in member_rows(session, account):
        drawn = [{name: _value(value) for name, value in row._mapping.items()} for row in rows]
        if table.name == "issued_addressee":
            drawn = [_named(session, row, keys) for row in drawn]
        found[table.name] = drawn
    return found


def _named(session: Session, row: dict[str, Any], keys: SealingKeys | None) -> dict[str, Any]:
    """A name on a document in the clear, where its key is there."""
    shown = {name: value for name, value in row.items() if name != "sealed"}
    if keys is None or row["key_id"] not in keys.keys:
        return {**shown, "name": f"sealed with the key {row['key_id']}", "lines": []}
    addressee = sealed_of(session, row["document_id"], keys)
    return {**shown, **(addressee.to_json() if addressee is not None else {})}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return iso_jst(value)
    return value.isoformat() if isinstance(value, date) else value


def _disclosures(held: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """To whom data went, in order: what people recorded (premium/8.1), and the files of this account, this one last."""
    told = [
        {name: row[name] for name in ("occurred_at", "recipient", "what", "ground", "author")}
        for row in held.get("operator_act", [])
        if row["kind"] == "disclosure"
    ]
    told += [
        {name: row[name] for name in ("occurred_at", "recipient", "what", "ground", "author")}
        for row in held.get("link_disclosure", [])
    ]
    files = [
        {"occurred_at": row["made_at"], "what": "member_file", **{n: row[n] for n in ("recipient", "ground", "author")}}
        for row in held.get("member_file", [])
    ]
    return sorted([*told, *files], key=lambda each: str(each["occurred_at"]))


def _reads(held: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Who read the account, in order: by a command or the library, and over HTTP where it was answered."""
    read = [
        {"read_at": row["read_at"], "reader": row["reader"] or row["login"], "question": row["question"]}
        for row in held.get("account_read", [])
    ]
    asked = [
        {
            "read_at": row["received_at"],
            "reader": row["principal"],
            "question": f"{row['method']} {row['route']}",
        }
        for row in held.get("http_request", [])
        if not row["act"] and row["status"] < 400
    ]
    return sorted([*read, *asked], key=lambda each: str(each["read_at"]))


def _summary(
    lang: Lang, written: Mapping[str, Any], story: AccountHistory, documents: Sequence[tuple[date, str]]
) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Sections of rows for people."""
    ja = lang == "ja"

    def say(key: str, **facts: object) -> str:
        return sentence(f"member_file.{key}", lang, facts)

    owed = {f"{name}_yen": written["owed"][name] for name in ("principal", "interest", "costs", "deposit")}
    head = [
        say("who", account=written["account"]),
        say("made", **{name: written[name] for name in ("made_at", "author", "recipient", "ground")}),
        say("whole"),
    ]
    titles = {**_INVOICES, **SUBJECTS}
    disclosed: list[tuple[str, ...]] = [
        (
            str(each["occurred_at"])[:16].replace("T", " "),
            each["recipient"],
            say("itself") if each["what"] == "member_file" else each["what"],
            each["ground"],
        )
        for each in written["disclosures"]
    ]
    reads: list[tuple[str, ...]] = [
        (str(each["read_at"])[:16].replace("T", " "), each["reader"], each["question"]) for each in written["reads"]
    ]
    sections: list[tuple[str, list[tuple[str, ...]]]] = [
        ("owed", [(say("owed", **owed),)]),
        ("history", [(when, f"{words} {clause}") for when, words, clause in story.sentences(lang)]),
        ("documents", [(on.isoformat(), titles[kind][0 if ja else 1]) for on, kind in documents]),
        ("disclosures", disclosed),
        ("reads", reads),
        ("tables", [(f"{name}.csv", str(len(rows))) for name, rows in written["tables"].items()]),
    ]
    return [
        (written["account"], [(line,) for line in head]),
        *((say(f"section.{name}"), rows or [(say("nothing"),)]) for name, rows in sections),
    ]


def _line(told: tuple[str, str, str]) -> dict[str, str]:
    when, words, clause = told
    return {"at": when, "text": words, "clause": clause}
