"""What the balances of the journal's accounts have to be, derived from the rows that were posted from (SQL).

Each account of `SUMS` is the sum of queries, by the part of the audit that asks them; what they read beside the tables
are common tables of `keizoku.billing.closing.audit_questions`, which binds their parameters.
"""

from collections.abc import Mapping
from typing import Final, Literal

from keizoku.billing.rules.books.revenue_recognition import recognised_through_sql

RECEIVABLE = "SELECT coalesce(sum(open_yen), 0) FROM invoice WHERE state = 'open'"
RECOGNISED = recognised_through_sql("price_yen", "starts_on", "ends_on", "least(:day_after, closed_on)")
_OPENED = """(id <= :term OR method IN ('app_store', 'product_key') OR EXISTS (
           SELECT 1 FROM invoice WHERE invoice.contract_id = term.contract_id AND invoice.term_id = term.id))"""

_ONLY_ASIDE = f"id IN (SELECT id FROM terms_aside) AND NOT {_OPENED}"  # noqa: S608 - of this file


def _liability(of_terms: str) -> str:
    """What is deferred of some terms: their fees, less what is recognised and what was taken off."""
    return f"""
    SELECT coalesce(sum(price_yen - {RECOGNISED} - coalesce(reduced.yen, 0)), 0)
    FROM (
        SELECT * FROM term WHERE ends_on > :day_after
        UNION ALL SELECT * FROM term WHERE ends_on <= :day_after AND closed_on IS NOT NULL
    ) AS term LEFT JOIN (
        SELECT ended.id, sum(settlement.yen) AS yen
        FROM term AS ended JOIN invoice ON invoice.contract_id = ended.contract_id AND invoice.term_id = ended.id
        JOIN settlement ON settlement.invoice_id = invoice.id AND settlement.kind = 'reduction'
        WHERE ended.closed_on IS NOT NULL GROUP BY ended.id
    ) AS reduced USING (id)
    WHERE method <> 'coupon'
      AND NOT EXISTS (SELECT 1 FROM term_closure WHERE term_closure.term_id = term.id)
      AND {of_terms}"""  # noqa: S608 - all of it is ours


KEYS = """
    SELECT contract.paid_months / CASE plan.interval WHEN 'year' THEN 12 ELSE 1 END AS paid_terms,
           begun.terms AS begun, begun.price_yen, contract.ended_on IS NOT NULL AS over,
           EXISTS (SELECT 1 FROM code_redemption WHERE code_redemption.contract_id = contract.id) AS by_code
    FROM contract JOIN plan ON plan.code = contract.plan JOIN LATERAL (
        SELECT count(*) AS terms, min(price_yen) AS price_yen FROM term
        WHERE term.contract_id = contract.id AND term.method = 'product_key'
    ) AS begun ON begun.terms > 0
    WHERE contract.prepaid_method = 'product_key'"""

BATCHES = """
    SELECT code_batch.yen, coalesce(used.used, 0) AS used, coalesce(sales.sold, 0) AS sold,
           coalesce(sales.refunded, 0) AS refunded, coalesce(sales.expired, 0) AS expired FROM code_batch
    LEFT JOIN (SELECT code.batch_id, count(*) AS used FROM code_redemption JOIN code ON code.id = code_id
               WHERE contract_id IS NOT NULL GROUP BY code.batch_id) AS used ON used.batch_id = code_batch.id
    LEFT JOIN (SELECT batch_id, sum(codes) FILTER (WHERE kind = 'sold') AS sold,
                      sum(codes) FILTER (WHERE kind = 'refunded') AS refunded,
                      sum(codes) FILTER (WHERE kind = 'expired') AS expired
               FROM code_sale GROUP BY batch_id) AS sales ON sales.batch_id = code_batch.id
    WHERE code_batch.kind = 'product_key'"""

OPEN_LINES = """
    SELECT CASE direction WHEN 'in' THEN bank_line.yen ELSE -bank_line.yen END
           * (CASE WHEN posts THEN 1 ELSE 0 END + coalesce(acts.change, 0)) AS yen,
           acts.fee
    FROM bank_line
    LEFT JOIN (SELECT line_id, sum(change) AS change,
                      (array_agg(kind ORDER BY id DESC))[1] = 'fee' AS fee FROM bank_act GROUP BY line_id) AS acts
      ON acts.line_id = bank_line.id"""
"""Lines whose money is in 1110 by themselves, with its sign; all but fees are in 2145."""

MOVEMENTS = """
    SELECT kind IN ('payout', 'payout_cancel', 'payout_failure') AS is_payout,
           CASE WHEN kind IN ('charge', 'payment', 'refund', 'payment_refund') THEN -fee ELSE amount END AS yen,
           CAST(happened_at AT TIME ZONE 'Asia/Tokyo' AS date) AS on_day
    FROM balance_transaction
    WHERE currency = 'jpy' AND kind IN ('charge', 'payment', 'refund', 'payment_refund', 'stripe_fee', 'tax_fee',
                                        'payout', 'payout_cancel', 'payout_failure')"""
"""What only the gateway's balance reports: fees and payouts, with their JST days."""

DISPUTES = """
    SELECT gone - coalesce(lag(gone) OVER (PARTITION BY dispute ORDER BY number), 0) AS yen,
           fee - coalesce(lag(fee) OVER (PARTITION BY dispute ORDER BY number), 0) AS fee,
           CAST(happened_at AT TIME ZONE 'Asia/Tokyo' AS date) AS on_day
    FROM (
        SELECT dispute, number, fee, happened_at,
               CASE WHEN state IN ('inquiry', 'closed', 'prevented') THEN 0 ELSE amount - returned END AS gone
        FROM gateway_dispute WHERE attempt_id IS NOT NULL
    ) AS stood"""
"""What left the balance, or came back, with each row of a dispute, and what its fee was more or less than before."""

BY_PEOPLE = "SELECT line.code, sum(line.yen) AS yen FROM manual_entry JOIN line USING (entry_id) GROUP BY line.code"

Part = Literal[
    "first",
    "overdue",
    "contracts",
    "closed",
    "fees",
    "entries",
    "credits",
    "bank",
    "gateway",
    "prepaid",
    "by_people",
    "aside",
]
"""Of the audit: what is asked in one statement."""

SUMS: Final[Mapping[str, Mapping[Part, str]]] = {
    "1140": {"first": RECEIVABLE},
    "1150": {
        "bank": """SELECT coalesce((SELECT sum(yen) FROM interest_booking), 0)
            - coalesce((SELECT sum(yen) FROM allocation WHERE kind = 'interest'), 0)"""
    },
    "1110": {
        "bank": """SELECT coalesce((SELECT sum(yen) FROM receipt), 0)
            - coalesce((SELECT sum(yen) FROM deposit_use WHERE through = 'bank'), 0)
            + coalesce((SELECT sum(yen) FROM open_lines), 0)
            - coalesce((SELECT sum(kept_yen) FROM bank_act), 0)""",
        "prepaid": """SELECT coalesce(sum(yen), 0) FROM (SELECT yen FROM store_payout
            UNION ALL SELECT fee_yen - yen FROM store_refund WHERE payout_id IS NOT NULL) AS paid""",
        "gateway": "SELECT -coalesce((SELECT sum(yen) FROM movements WHERE is_payout), 0)",
    },
    "1132": {
        "gateway": "SELECT coalesce((SELECT sum(yen) FROM our_disputes), 0)",
        "bank": "SELECT -coalesce(sum(yen), 0) FROM deposit_use WHERE kind = 'dispute'",
    },
    "2145": {"bank": "SELECT -coalesce((SELECT sum(yen) FROM open_lines WHERE fee IS NOT true), 0)"},
    "1131": {
        "credits": "SELECT -coalesce(sum(yen), 0) FROM credit_refund WHERE outcome = 'succeeded' AND failed_on IS NULL",
        "bank": "SELECT -coalesce(sum(yen), 0) FROM deposit_use WHERE through = 'card'",
        "prepaid": """SELECT coalesce((SELECT sum(paid_terms * price_yen) FROM keys WHERE NOT by_code), 0)
            + coalesce((SELECT sum((sold - refunded) * yen) FROM batches), 0)""",
        "gateway": """SELECT coalesce((SELECT sum(yen) FROM movements), 0)
            - coalesce((SELECT sum(yen + fee) FROM our_disputes), 0)""",
    },
    "1133": {
        "prepaid": """SELECT -coalesce(sum(yen), 0) FROM (SELECT fee_yen AS yen FROM store_report
            UNION ALL SELECT yen FROM store_payout
            UNION ALL SELECT yen - fee_yen FROM store_refund WHERE payout_id IS NULL) AS gone""",
        "aside": "SELECT -store_yen FROM fees_aside",
    },
    "2125": {
        "prepaid": """SELECT -coalesce((SELECT sum((paid_terms - begun) * price_yen) FROM keys WHERE NOT over), 0)
            - coalesce((SELECT sum((sold - refunded - expired - used) * yen) FROM batches), 0)""",
        "aside": "SELECT -key_yen FROM fees_aside",
    },
    "2140": {
        "bank": """SELECT -coalesce((SELECT sum(yen) FROM allocation WHERE kind = 'deposit'), 0)
            + coalesce((SELECT sum(yen) FROM deposit_use), 0)"""
    },
    "2120": {
        "first": f"SELECT -({_liability(_OPENED).strip()})",
        "aside": f"""SELECT (SELECT yen FROM fees_aside)
            - ({_liability(_ONLY_ASIDE).strip()})""",  # noqa: S608 - all of it is ours
    },
    "2130": {"credits": "SELECT -coalesce(sum(available_yen), 0) FROM credit WHERE available_yen > 0"},
}  # fmt: skip
"""The balance that an account must have, as the sum of what these find, what is CARRIED, and manual entries."""

CARRIED_INTO: Final[Mapping[str, Mapping[str, int]]] = {
    "1131": {"charged": 1},
    "1132": {"taken_by_disputes": 1},
    "1133": {"begun_at_stores": 1},
    "2140": {"charged": -1, "settled_by_card": 1},
}
"""What an audit carries on from the one before it, with its sign in the balance of an account."""
