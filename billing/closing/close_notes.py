"""What a close says beside its checks: what is open, and what looks strange, at the time. Read only."""

from datetime import timedelta

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.terms.calendar import Month

SHOWN = 5
NAMED = 3


def close_notes(session: Session, month: Month) -> tuple[str, ...]:
    """Sentences about a month that do not stand in the way of its close."""
    last_on = month.end_on - timedelta(days=1)
    asked = {"first": month.first_on, "last": last_on}
    found = session.execute(_COUNTS, asked).one()
    notes = []
    if found.unidentified_yen or found.waiting:
        since = f", the oldest of {found.oldest}" if found.oldest else ""
        notes.append(
            f"2145 stands at {found.unidentified_yen:,} yen on {last_on}; {found.waiting:,} lines of the bank wait"
            f"{since} (`keizoku bank list --open`, `keizoku bank statement`)"
        )
    if found.left_out:
        notes.append(f"{found.left_out:,} lines of the month are in no books of ours (`keizoku bank statement`)")
    if early := [f"{row.account or '(not named)'} on {row.last_on}" for row in session.execute(_ENDS, asked)]:
        more = f", {len(early) - NAMED} more" if len(early) > NAMED else ""
        notes.append(f"statements end before the month does: {', '.join(early[:NAMED])}{more} (`keizoku bank balance`)")
    if found.tasks:
        notes.append(f"{found.tasks:,} tasks of people are open (`keizoku tasks list`)")
    if found.of_others:
        notes.append(f"{found.of_others:,} entries of the month belong to months that were closed before")
    notes += [
        f"entry {row.entry_id} takes back entry {row.reverses} ({row.event}) by hand: "
        f"the document behind it, {row.event_key}, stands as it was (`keizoku ledger entry {row.entry_id}`)"
        for row in session.execute(_REVERSED, asked | {"most": SHOWN})
    ]
    return tuple(notes)


_COUNTS = sa.text(
    """
    WITH standing AS (
        SELECT DISTINCT ON (line_id) line_id, kind FROM bank_act ORDER BY line_id, id DESC
    ), lines AS (
        SELECT bank_line.*, standing.kind FROM bank_line LEFT JOIN standing ON standing.line_id = bank_line.id
        WHERE paid_on <= :last
    ), waiting AS (
        SELECT paid_on FROM lines
        WHERE CASE WHEN kind IS NULL THEN posts ELSE kind IN ('unmatched', 'posted', 'reopened') END
    )
    SELECT
      (SELECT coalesce(sum(yen), 0) FROM line JOIN entry ON entry.id = entry_id
       WHERE code = '2145' AND posted_on <= :last) AS unidentified_yen,
      (SELECT count(*) FROM waiting) AS waiting,
      (SELECT min(paid_on) FROM waiting) AS oldest,
      (SELECT count(*) FROM lines WHERE paid_on >= :first AND NOT posts AND kind IS NULL) AS left_out,
      (SELECT count(*) FROM review_task WHERE closed_at IS NULL) AS tasks,
      (SELECT count(*) FROM entry WHERE posted_on >= :first AND posted_on <= :last
       AND belongs_to IS NOT NULL) AS of_others
    """
)

_ENDS = sa.text(
    """
    SELECT bank_account AS account, max(last_on) AS last_on FROM bank_statement AS told
    WHERE currency = 'JPY' AND (opening IS NOT NULL OR closing IS NOT NULL) AND NOT EXISTS (
        SELECT 1 FROM money_import JOIN money_import_undone ON import_id = money_import.id
        WHERE money_import.digest = told.digest AND money_import.recorded_at >= told.recorded_at)
    GROUP BY bank_account HAVING max(last_on) < :last ORDER BY bank_account
    """
)
"""An account without a line in the last days has a statement that ends early, too: only people know."""

_REVERSED = sa.text(
    """
    SELECT manual_entry.entry_id, manual_entry.reverses, first.event, first.event_key FROM manual_entry
    JOIN entry ON entry.id = manual_entry.entry_id JOIN entry AS first ON first.id = manual_entry.reverses
    WHERE entry.posted_on >= :first AND entry.posted_on <= :last AND first.event NOT IN ('by_people', 'reversal')
    ORDER BY manual_entry.entry_id LIMIT :most
    """
)
