"""A file that was read by a wrong mapping is taken back: what its lines posted is reversed, and it may be read again.

Nothing is removed: each line gets an act that says so, matches are taken back as people take them back, the newest
first. What people decided by an entry of their own stands in the way until they reverse it.
"""

from datetime import datetime

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import NOT_TAKEN_BACK, WAITING, newest_act, note_act
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.bank.by_people import kept_on_the_way
from keizoku.billing.receivables.bank.match_reversal import reopen_other_half, take_apart_what_left, unmatch
from keizoku.billing.receivables.import_log import import_of, note_undone
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line, money_import_undone
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def take_back(
    session: Session, rules: Rules, import_id: int, by: str, ground: str, now: datetime
) -> tuple[int, tuple[str, ...]]:
    """Take an import back; how many lines, and whose payments some were thought to be. Commits.

    Refused where it was taken back already, or where a person's own entry rests on one of its lines.
    """
    want_to_add(session, money_import_undone)
    done = import_of(session, "bank", import_id)
    if done.undone:
        session.rollback()
        raise Refused("import.undone", f"import {import_id} is taken back already")
    lines = session.execute(
        sa.select(bank_line).where(bank_line.c.file_digest == done.digest, NOT_TAKEN_BACK).order_by(bank_line.c.id)
    ).all()
    newest = {row.id: newest_act(session, row.id) for row in lines}
    for row in lines:
        act = newest[row.id]
        if act is not None and act.kind == "other":
            session.rollback()
            raise Refused(
                "transfer.rests_on_it",
                f"payment {row.id}: {act.author} booked it by hand",
                "reverse that entry first (`keizoku ledger reverse`), then `keizoku bank unmatch`",
            )
    accounts = set()
    matched = [act for act in newest.values() if act is not None and act.kind == "matched"]
    for act in sorted(matched, key=lambda each: -each.receipt_id):
        accounts.add(unmatch(session, act.line_id, by, ground, now))
    today = jst_day(now)
    for row in lines:
        act = newest_act(session, row.id)
        counted = _counted(session, row.id, row.posts)
        sign = 1 if row.direction == "in" else -1
        if act is not None and act.kind == "fee":
            tax_yen = tax_included_yen(row.yen, rules.terms.at(row.paid_on).tax.rate)
            amounts = {"yen": -row.yen, "tax_yen": -tax_yen}
            post(session, [Posting("bank_fee", f"bank:{row.id}:fee undone:{act.id}", today, amounts)], now)
        if counted and (act is None or act.kind in (*WAITING, "fee", "transfer")):
            key = f"bank:{row.id}:undone:{done.id}"
            post(session, [Posting("bank_line_undone", key, row.paid_on, {"yen": sign * row.yen})], now)
        kept_yen = 0 if act is None or act.kind not in ("payout", "store_payout") else act.kept_yen
        act_id = note_act(
            session, row.id, "taken_back", now, by, ground, change=-1 if counted else 0, kept_yen=-kept_yen
        )
        if kept_yen:
            post(session, [kept_on_the_way(rules, row, -kept_yen, act_id, today)], now)
        if act is not None:
            reopen_other_half(session, act, by, ground, now)
        if act is not None and act.kind == "returned":  # what left is no answer to it any more
            take_apart_what_left(session, rules, row.id, done.digest, by, ground, now)
    note_undone(session, done.digest, by, ground, now)
    session.commit()
    return len(lines), tuple(sorted(accounts))


def _counted(session: Session, line_id: int, posts: bool) -> bool:
    """Whether the line's money is in 1110 by the line itself."""
    changed = sa.select(sa.func.coalesce(sa.func.sum(bank_act.c.change), 0)).where(bank_act.c.line_id == line_id)
    return int(posts) + int(session.execute(changed).scalar_one()) > 0
