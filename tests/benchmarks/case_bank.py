"""A bank's file of a million lines: read, told apart, matched to their payers, in the book and in the journal.

Four in five lines state a reference, of a member or of an invoice, and nearly all others are of payers for whom people
confirmed a rule: all of these pay a fee. One in a hundred is of a payer whom nobody knows. The limit that is named
beside us decides nothing: the same rows, as they stand, by one COPY into the same table.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.receivables.bank.taking import import_bank
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.rules.bank.names import without_numbers
from keizoku.billing.rules.payment_reference import ACCOUNT, INVOICE, Reference
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.session import Session, copy_rows, open_session
from keizoku.db.tables.bank import bank_line, payer_rule
from keizoku.terms.calendar import parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.case_payments import fresh_database as with_open_fees
from tests.benchmarks.harness import Case, Contender

NOW = parse_instant("2026-07-10 10:00")
FIRST = date(2026, 4, 10)
DAYS = 90
FEE_YEN = 500
KANA = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓ"


def _is_nobody_s(number: int) -> bool:
    return number % 100 == 99


def _by_rule(number: int) -> bool:
    return number % 5 == 4 and not _is_nobody_s(number)


def _name(number: int) -> str:
    """A name of kana that nobody else has; digits would not count."""
    letters = []
    for _ in range(5):
        number, place = divmod(number, len(KANA))
        letters.append(KANA[place])
    return f"ﾔﾏﾀﾞ {''.join(letters)}"


def _row(number: int) -> tuple[date, int, str, str]:
    """Day, yen, payer and reference of the line: a member's fee, or another amount of nobody's."""
    on = FIRST + timedelta(days=number % DAYS)
    if _is_nobody_s(number):
        return on, FEE_YEN + 1 + number % 9000, f"ｽｽﾞｷ {_name(number)}", ""
    stated = "" if _by_rule(number) else str(Reference(INVOICE if number % 2 else ACCOUNT, number + 1))
    return on, FEE_YEN, _name(number), stated


def fresh_database(folder: Path, size: Mapping[str, int]) -> None:
    """A member with an open fee for every line, and a rule for every fifth."""
    with_open_fees(folder, {"charges": size["lines"]})
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        rules = (
            (without_numbers(_name(number)), "member", f"member-{number + 1}", "keiri", "asked by telephone", NOW)
            for number in range(size["lines"])
            if _by_rule(number)
        )
        columns = ("folded", "says", "account", "author", "ground", "recorded_at")
        copy_rows(session, payer_rule, columns, rules)
        session.commit()
        session.execute(sa.text("ANALYZE payer_rule"))
        session.commit()


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The file, and the members whose fees it pays."""
    with (folder / "bank.csv").open("w", encoding="utf-8") as file:
        file.write("date,amount,payer,reference\n")
        for number in range(size["lines"]):
            file.write(",".join(map(str, _row(number))) + "\n")
    fresh_database(folder, size)


def _in_the_book(session: Session) -> dict[str, Any]:
    """What both have to have: lines and yen by the day."""
    found = session.execute(
        sa.select(sa.func.count(), sa.func.sum(bank_line.c.yen), sa.func.count(sa.distinct(bank_line.c.paid_on)))
    ).one()
    return {"lines": int(found[0]), "yen": int(found[1]), "days": int(found[2])}


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The whole import; every member's line has to have paid its fee, and 1110 has to be the bank's yen."""
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        begun = time.perf_counter()
        done = import_bank(session, Rules(Terms.load("premium")), folder / "bank.csv", Layout(), "keiri", NOW)
        seconds = time.perf_counter() - begun
        of_members = sum(not _is_nobody_s(number) for number in range(size["lines"]))
        paid = session.execute(sa.text("SELECT count(*) FROM settlement WHERE kind = 'receipt'")).scalar_one()
        at_bank = session.execute(sa.text("SELECT sum(yen) FROM line WHERE code = '1110'")).scalar_one()
        answer = _in_the_book(session)
        told = (done.logged.rows_new, done.logged.rows_refused, len(done.matched), int(at_bank))
        assert told == (size["lines"], 0, of_members, answer["yen"]), told
        assert paid == of_members, paid
        return {**answer, "seconds": seconds, "figures": {"lines_a_second": size["lines"] / seconds}}


def plain_copy(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The limit: the rows of the file into the same table, by one COPY."""
    columns = ("source", "line", "paid_on", "yen", "payer", "reference", "nth", "recorded_at")
    with EmbeddedServer(folder) as server, open_session(server.url) as session:
        rows = [(number, _row(number)) for number in range(size["lines"])]
        begun = time.perf_counter()
        copy_rows(
            session, bank_line, columns,
            (("bank.csv", number + 2, on, yen, payer, stated, number + 1, NOW)
             for number, (on, yen, payer, stated) in rows),
        )  # fmt: skip
        session.commit()
        seconds = time.perf_counter() - begun
        return {**_in_the_book(session), "seconds": seconds}


CASE = Case(
    name="bank",
    title="A bank's file, imported and matched",
    about=(
        "A file of three months is imported into an empty book, with the embedded PostgreSQL: every line read, told "
        "from those that are known, matched by its reference (four in five) or by a rule of its payer's name, applied "
        "to the fee that it pays, with its interest, and posted; one in a hundred is nobody's and waits. "
        "Beside it the limit, which decides and posts nothing: the same rows by one COPY. "
        "The target for 1,000,000 lines is 120 s and 500 MB."
    ),
    size={"lines": 100_000},
    tiny={"lines": 40},
    large=({"lines": 1_000_000},),
    prepare=prepare,
    before_run=fresh_database,
    contenders=[
        Contender("Keizoku", keizoku, note="seconds of the import; memory of the engine, without PostgreSQL."),
        Contender("limit: the same rows by one COPY", plain_copy, note="no line is told apart, matched or posted."),
    ],
)
