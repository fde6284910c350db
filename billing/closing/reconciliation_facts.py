"""The facts of a reconciliation as queries on the database, one per table of the workbench, in its columns' order."""

import unicodedata
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from keizoku.billing.gateway.port import BANK_NAMES
from keizoku.billing.ledger.reversal_sql import ORIGINS
from keizoku.terms.calendar import Month, day_start_at

_BOOKED = (
    ORIGINS  # noqa: S608 - all of it is ours
    + """, posted AS (
        SELECT entry.id, max(coalesce(first.event_key, entry.event_key)) AS event_key,
               max(coalesce(first.event, entry.event)) AS event, entry.posted_on, entry.belongs_to, entry.account,
               coalesce(sum(line.yen) FILTER (WHERE line.code = '1131'), 0) AS yen,
               coalesce(sum(line.yen) FILTER (WHERE line.code = '1180'), 0) AS tax_yen
        FROM entry JOIN line ON line.entry_id = entry.id
        LEFT JOIN origins ON origins.entry_id = entry.id LEFT JOIN entry AS first ON first.id = origins.origin
        WHERE entry.posted_on >= '{first}' AND entry.posted_on < '{past}' AND line.code IN ('1131', '1180')
        GROUP BY entry.id HAVING bool_or(line.code = '1131')
    ), reported AS (
        SELECT CASE WHEN event = 'by_people' THEN 'people' ELSE split_part(event_key, ':', 1) END AS word,
               CASE WHEN event = 'by_people' THEN id::text ELSE split_part(event_key, ':', 2) END AS about,
               CASE WHEN event_key LIKE 'dispute:%' AND yen > 0 THEN 'in'
                    WHEN event_key LIKE 'dispute:%' THEN 'out'
                    WHEN event = 'payout' THEN 'payout'
                    WHEN event IN ('key_sold', 'key_revoked') THEN event_key
                    WHEN event IN ('refund_failed', 'overcharge_refund_failed') THEN 'failed' ELSE '' END AS part,
               event, yen, tax_yen, posted_on, belongs_to, account
        FROM posted
    ), booked AS (
        SELECT word, about, part, sum(yen)::bigint AS yen, sum(tax_yen)::bigint AS tax_yen,
               min(posted_on) AS posted_on, max(belongs_to) AS belongs_to, max(account) AS account
        FROM reported GROUP BY word, about, part
    )"""
)
"""What the ledger's clearing account has for each event of ours; a reversal counts to the entry that it reverses."""

_OURS = """
    SELECT 'attempt:' || payment_attempt.id, 'charge', payment_attempt.key, payment_attempt.gateway_id,
           CASE WHEN outcome IS NULL THEN 'unknown' WHEN outcome = 'succeeded' THEN 'done' ELSE 'not_done' END,
           CASE outcome WHEN 'succeeded' THEN payment_attempt.yen ELSE 0 END, coalesce(booked.yen, 0), 0,
           coalesce(booked.posted_on, payment_attempt.settled_on, payment_attempt.started_on), booked.belongs_to,
           payment_attempt.account
    FROM payment_attempt LEFT JOIN booked ON booked.word = 'attempt' AND booked.about = payment_attempt.id::text
    WHERE coalesce(payment_attempt.settled_on, payment_attempt.started_on) >= '{first}'
      AND coalesce(payment_attempt.settled_on, payment_attempt.started_on) < '{past}' OR booked.word IS NOT NULL
    UNION ALL
    SELECT 'refund:' || credit_refund.id, 'refund', key, gateway_id,
           CASE WHEN outcome IS NULL THEN 'unknown' WHEN outcome = 'succeeded' THEN 'done' ELSE 'not_done' END,
           CASE outcome WHEN 'succeeded' THEN -credit_refund.yen ELSE 0 END, coalesce(booked.yen, 0), 0,
           coalesce(booked.posted_on, settled_on, requested_on), booked.belongs_to, credit_refund.account
    FROM credit_refund
    LEFT JOIN booked ON booked.word = 'refund' AND booked.about = credit_refund.id::text AND booked.part = ''
    WHERE coalesce(settled_on, requested_on) >= '{first}' AND coalesce(settled_on, requested_on) < '{past}'
       OR booked.word IS NOT NULL
    UNION ALL
    SELECT CASE WHEN word = 'people' THEN 'entry:' || about WHEN word IN ('contract', 'batch') THEN part
                ELSE concat_ws(':', word, about, nullif(part, '')) END,
           CASE WHEN word IN ('contract', 'batch') AND part <> '' THEN CASE WHEN yen > 0 THEN 'charge' ELSE 'refund' END
                WHEN word = 'dispute' THEN 'dispute' WHEN part = 'payout' THEN 'payout'
                WHEN part = 'failed' THEN 'refund_failed'
                WHEN word = 'movement' THEN 'fee' WHEN word IN ('deposit', 'overcharge') THEN 'refund'
                ELSE 'other' END,
           CASE WHEN word IN ('contract', 'batch') AND part <> '' THEN part
                WHEN word = 'dispute' THEN about || ':' || part
                WHEN word = 'movement' THEN about
                WHEN word = 'overcharge' THEN (
                    SELECT key FROM overpayment_refund WHERE overpayment_refund.id::text = about)
                WHEN word = 'refund' THEN (
                    SELECT key FROM credit_refund WHERE credit_refund.id::text = about) END,
           CASE WHEN word = 'overcharge' THEN (
                    SELECT gateway_id FROM overpayment_refund WHERE overpayment_refund.id::text = about)
                WHEN word = 'refund' THEN (
                    SELECT gateway_id FROM credit_refund WHERE credit_refund.id::text = about) END,
           CASE WHEN word = 'people' AND EXISTS (
               SELECT 1 FROM exception_resolution WHERE exception_resolution.entry_id::text = about
           ) THEN 'explained' ELSE 'done' END,
           booked.yen, booked.yen, booked.tax_yen, posted_on, belongs_to, account
    FROM booked WHERE word <> 'attempt' AND (word <> 'refund' OR part = 'failed')"""

_GATEWAY = """
    WITH moved AS (
        SELECT *, (happened_at AT TIME ZONE 'Asia/Tokyo')::date AS on_day,
               CASE WHEN kind IN ('charge', 'payment') THEN 'charge'
                    WHEN kind IN ('refund', 'payment_refund') THEN 'refund'
                    WHEN kind IN ('refund_failure', 'payment_failure_refund') THEN 'refund_failed'
                    WHEN kind IN ('stripe_fee', 'tax_fee') THEN 'fee'
                    WHEN kind IN ('payout', 'payout_cancel', 'payout_failure') THEN 'payout'
                    WHEN kind LIKE '%reserve%' OR kind LIKE 'payout_minimum_balance_%' THEN 'reserve'
                    WHEN kind = 'adjustment' THEN 'dispute'
                    ELSE 'other' END AS part
        FROM balance_transaction WHERE happened_at >= '{first_at}' AND happened_at < '{past_at}'
    )
    SELECT id, part,
           CASE WHEN part IN ('charge', 'refund', 'refund_failed') THEN our_key WHEN part IN ('fee', 'payout') THEN id
                WHEN part = 'dispute' THEN source || CASE WHEN net > 0 THEN ':in' ELSE ':out' END END,
           payment, source,
           CASE WHEN part IN ('charge', 'refund', 'refund_failed', 'fee', 'payout') THEN amount ELSE net END,
           CASE WHEN kind = 'tax_fee' THEN -amount WHEN part = 'fee' THEN fee_tax ELSE 0 END, currency, on_day
    FROM moved
    UNION ALL
    SELECT id || ':fee', 'fee', id, payment, source, -fee, fee_tax, currency, on_day FROM moved
    WHERE fee <> 0 AND part IN ('charge', 'refund', 'refund_failed', 'fee', 'payout')"""

_PAYOUTS = """
    WITH paid AS (
        SELECT DISTINCT ON (payout) payout, amount, automatic, (arrives_at AT TIME ZONE 'Asia/Tokyo')::date AS on_day
        FROM gateway_payout
        WHERE currency = 'jpy' AND state = 'paid' AND amount > 0 AND NOT EXISTS (
            SELECT 1 FROM gateway_payout AS after WHERE after.payout = gateway_payout.payout
            AND after.state IN ('failed', 'canceled'))
          AND (arrives_at AT TIME ZONE 'Asia/Tokyo')::date >= '{first}'
          AND (arrives_at AT TIME ZONE 'Asia/Tokyo')::date < '{past}'
        ORDER BY payout, id
    ), members AS (
        SELECT payout_movement.payout, sum(net)::bigint AS net
        FROM payout_movement JOIN balance_transaction ON balance_transaction.id = payout_movement.movement
        WHERE payout_movement.payout IN (SELECT payout FROM paid WHERE automatic) GROUP BY payout_movement.payout
    )
    SELECT payout, amount, members.net, on_day FROM paid LEFT JOIN members USING (payout) ORDER BY payout"""
"""The movements of all payouts are summed at once; one by one, each would need a look-up by its key."""

_BANK = """
    SELECT 'bank:' || bank_line.id, yen + CASE newest.kind WHEN 'payout' THEN newest.kept_yen ELSE 0 END, paid_on,
           coalesce(newest.kind, '') NOT IN ('store_payout', 'taken_back', 'transfer', 'other', 'matched') AND (
               coalesce(newest.kind, '') = 'payout' OR NOT posts
               OR EXISTS (SELECT 1 FROM unnest(ARRAY[{processor}]::text[]) AS name
                          WHERE strpos(upper(normalize(payer, NFKC)), name) > 0)),
           newest.kind IS NULL OR newest.kind IN ('unmatched', 'posted', 'reopened'),
           CASE newest.kind WHEN 'matched' THEN 'receipt:' || newest.receipt_id END
    FROM bank_line LEFT JOIN LATERAL (
        SELECT kind, receipt_id, kept_yen FROM bank_act WHERE line_id = bank_line.id ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    WHERE paid_on >= '{first}' AND paid_on < '{past}' AND direction = 'in' AND currency = 'JPY' AND state = 'booked'"""
"""A line is the card processor's where the payer has one of its names in it, whatever the width and case of letters,
where it is joined to a payout, or where its mapping leaves it out."""

_RECEIPTS = """
    SELECT 'receipt:' || id, yen, received_on, account FROM receipt
    WHERE via = 'bank' AND reverses IS NULL AND received_on >= '{first}' AND received_on < '{past}'
      AND NOT EXISTS (SELECT 1 FROM receipt AS later WHERE later.reverses = receipt.id)"""

LEDGER_MOVED = sa.text(
    """
    SELECT coalesce(sum(line.yen), 0) FROM line JOIN entry ON entry.id = line.entry_id
    WHERE line.code = '1131' AND entry.posted_on >= :first AND entry.posted_on < :past
    """
)
"""What the clearing account moved by in the month, straight from the ledger."""


def queries(month: Month, around: timedelta, processor_names: Sequence[str] = BANK_NAMES) -> dict[str, str]:
    """Table of the workbench -> query, with the days and names written in: COPY takes no parameters."""
    first, past = month.first_on - around, month.end_on + around
    days = {
        "first": first.isoformat(),
        "past": past.isoformat(),
        "first_at": day_start_at(first).isoformat(),
        "past_at": day_start_at(past).isoformat(),
        "processor": ", ".join(_literal(unicodedata.normalize("NFKC", name).upper()) for name in processor_names),
    }
    found = {
        "ours": f"{_BOOKED} {_OURS}",
        "gateway": _GATEWAY,
        "payouts": _PAYOUTS,
        "bank": _BANK,
        "receipts": _RECEIPTS,
    }
    return {table: query.format(**days) for table, query in found.items()}


def _literal(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"
