"""What became of each line of the bank, act by act.

    in 2145 ── matched, returned, payout, store_payout, refund, fee, transfer, other ──> done
         <── unmatched, reopened ──┘         a wrong mapping ──> taken_back
    left out by a mapping ── joined to what was booked elsewhere, or posted ──> in 2145

`about` names what a line is joined to, booked already from another side: payout:po_1, store:AP-10, deposit:12,
file:3 (all transfers of a file).
Always holds: a line that does not wait has one act that ended its wait. Nothing here commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.terms.refusal import Refused

NOT_TAKEN_BACK: Final = ~sa.exists().where(bank_act.c.line_id == bank_line.c.id, bank_act.c.kind == "taken_back")
"""Lines that the book still has."""
WAITING: Final = ("unmatched", "posted", "reopened")
"""Acts after which a line waits in 2145."""
CHANGES: Final[Mapping[str, int]] = MappingProxyType(
    {"unmatched": 1, "posted": 1, "reopened": 1, "fee": 0, "transfer": 0, "other": 0}
    | dict.fromkeys(("matched", "returned", "payout", "store_payout", "refund", "taken_back"), -1)
)
"""By how much an act changes whether a line's money is in 1110 by the line itself: fee and transfer leave it there."""


def open_line(session: Session, line_id: int) -> sa.Row[Any]:
    """The payment, locked. Refused where there is none or it does not wait for its payer."""
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one_or_none()
    if line is None or not _is_open(session, line_id):
        session.rollback()
        see = "(see `keizoku bank list`)"
        if line is None:
            raise Refused("transfer.unknown", f"payment {line_id}: there is none", see)
        raise Refused("transfer.settled", f"payment {line_id}: it already has its payer, or went back", see)
    return line


def note_act(
    session: Session,
    line_id: int,
    kind: str,
    now: datetime,
    by: str,
    ground: str | None,
    account: str | None = None,
    receipt_id: int | None = None,
    about: str | None = None,
    change: int | None = None,
    kept_yen: int = 0,
) -> int:
    """Note what became of a payment; the id of the row. `change`: of what stands in 2145, where the kind is not it.

    `kept_yen`: what the bank kept from the payout that it is; below zero where that is taken back.
    """
    query = sa.insert(bank_act).values(
        line_id=line_id,
        kind=kind,
        change=CHANGES[kind] if change is None else change,
        account=account,
        receipt_id=receipt_id,
        author=by,
        ground=ground,
        about=about,
        kept_yen=kept_yen,
        recorded_at=now,
    )
    return int(session.execute(query.returning(bank_act.c.id)).scalar_one())


def note_matches(
    session: Session,
    matches: Sequence[tuple[int, str, int, str, str | None]],
    now: datetime,
) -> Sequence[int]:
    """Note many payments as matched: (line, account, receipt, by whom, ground) of each; the ids of the rows."""
    ids = next_ids(session, bank_act, len(matches))
    columns = ("id", "line_id", "kind", "change", "account", "receipt_id", "author", "ground", "recorded_at")
    rows = [
        (act_id, line_id, "matched", CHANGES["matched"], account, receipt_id, by, ground, now)
        for act_id, (line_id, account, receipt_id, by, ground) in zip(ids, matches, strict=True)
    ]
    copy_rows(session, bank_act, columns, rows)
    return ids


def newest_act(session: Session, line_id: int) -> sa.Row[Any] | None:
    """The act that says what the line is now; None: nobody said anything yet."""
    query = sa.select(bank_act).where(bank_act.c.line_id == line_id).order_by(bank_act.c.id.desc()).limit(1)
    return session.execute(query).one_or_none()


def _is_open(session: Session, line_id: int) -> bool:
    """Whether the line stands in 2145 and nobody has said what it is."""
    newest = newest_act(session, line_id)
    if newest is None:
        return bool(session.execute(sa.select(bank_line.c.posts).where(bank_line.c.id == line_id)).scalar_one())
    return newest.kind in WAITING
