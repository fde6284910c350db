"""The joins of the reconciliation, in the order in which they run. Read with billing/closing/reconciliation.py.

Every step adds to `pairs`, `matched` or `differs`; a row that is in one of them is left alone by the next.
"""

COLUMNS: dict[str, tuple[str, ...]] = {
    "ours": (
        "ref TEXT", "kind TEXT", "key TEXT", "gateway_id TEXT", "state TEXT", "yen BIGINT", "booked_yen BIGINT",
        "tax_yen BIGINT", "on_day DATE", "belongs_to TEXT", "account TEXT",
    ),
    "gateway": (
        "ref TEXT", "kind TEXT", "key TEXT", "payment TEXT", "source TEXT", "yen BIGINT", "tax_yen BIGINT",
        "currency TEXT", "on_day DATE",
    ),
    "payouts": ("ref TEXT", "yen BIGINT", "moved_yen BIGINT", "on_day DATE"),
    "bank": ("ref TEXT", "yen BIGINT", "on_day DATE", "of_processor BOOLEAN", "waits BOOLEAN", "receipt TEXT"),
    "receipts": ("ref TEXT", "yen BIGINT", "on_day DATE", "account TEXT"),
}  # fmt: skip

TABLES: tuple[str, ...] = (
    *(f"CREATE TABLE {name} ({', '.join(columns)})" for name, columns in COLUMNS.items()),
    "CREATE MACRO in_month(on_day) AS on_day >= getvariable('first') AND on_day < getvariable('past')",
)

_PAIRS = """
CREATE OR REPLACE TEMP TABLE pairs (o TEXT, g TEXT, how TEXT)"""

_BY_KEY = """
INSERT INTO pairs
SELECT o, g, 'key' FROM (
    SELECT ours.ref AS o, gateway.ref AS g,
           row_number() OVER (PARTITION BY ours.ref
                              ORDER BY gateway.yen = ours.yen DESC, gateway.on_day, gateway.ref) AS nth
    FROM ours JOIN gateway ON gateway.key = ours.key AND gateway.kind = ours.kind
) WHERE nth = 1"""

_BY_ID = """
INSERT INTO pairs
SELECT o, g, 'id' FROM (
    SELECT ours.ref AS o, gateway.ref AS g,
           row_number() OVER (PARTITION BY ours.ref
                              ORDER BY gateway.yen = ours.yen DESC, gateway.on_day, gateway.ref) AS nth,
           row_number() OVER (PARTITION BY gateway.ref ORDER BY ours.ref) AS turn
    FROM (SELECT * FROM ours ANTI JOIN pairs ON pairs.o = ours.ref WHERE gateway_id IS NOT NULL) AS ours
    JOIN (
        SELECT ref, kind, yen, on_day, payment AS id FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref
        WHERE payment IS NOT NULL AND kind = 'charge'
        UNION
        SELECT ref, kind, yen, on_day, source AS id FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref
        WHERE source IS NOT NULL
    ) AS gateway ON gateway.id = ours.gateway_id AND gateway.kind = ours.kind
) WHERE nth = 1 AND turn = 1"""

_BY_AMOUNT = """
INSERT INTO pairs
SELECT ours.ref, gateway.ref, 'amount' FROM (
    SELECT any_value(ref) AS ref, kind, yen, on_day FROM ours ANTI JOIN pairs ON pairs.o = ours.ref
    WHERE state = 'done' AND kind IN ('charge', 'refund') GROUP BY kind, yen, on_day HAVING count(*) = 1
) AS ours JOIN (
    SELECT any_value(ref) AS ref, kind, yen, on_day FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref
    WHERE key IS NULL AND currency = 'jpy' AND kind IN ('charge', 'refund')
    GROUP BY kind, yen, on_day HAVING count(*) = 1
) AS gateway USING (kind, yen, on_day)"""

_MATCHED = """
CREATE OR REPLACE TEMP TABLE matched (seam TEXT, left_at TEXT, left_ref TEXT, right_at TEXT, right_ref TEXT)"""

_DIFFERS = """
CREATE OR REPLACE TEMP TABLE differs (
    type TEXT, left_at TEXT, left_ref TEXT, left_yen BIGINT, left_on DATE, left_more TEXT,
    right_at TEXT, right_ref TEXT, right_yen BIGINT, right_on DATE, right_more TEXT, yen BIGINT)"""

_JUDGED = """
CREATE OR REPLACE TEMP TABLE judged AS
SELECT ours.ref AS o, ours.booked_yen, ours.on_day AS o_on, ours.account,
       gateway.ref AS g, gateway.yen AS g_yen, gateway.on_day AS g_on, gateway.currency,
       CASE
           WHEN gateway.currency <> 'jpy' THEN 'foreign_currency'
           WHEN ours.state <> 'done' THEN 'status_differs'
           WHEN ours.booked_yen <> gateway.yen AND ours.kind = 'dispute' AND ours.booked_yen = 0 THEN 'dispute_unbooked'
           WHEN ours.booked_yen <> gateway.yen OR ours.yen <> gateway.yen THEN 'amount_differs'
           WHEN ours.kind = 'fee' AND ours.tax_yen <> gateway.tax_yen THEN 'fee_class'
           WHEN how = 'amount' OR (gateway.key IS NULL AND ours.kind IN ('charge', 'refund')) THEN 'metadata_missing'
           WHEN date_trunc('month', ours.on_day) <> date_trunc('month', gateway.on_day)
                AND coalesce(ours.belongs_to, '') <> strftime(gateway.on_day, '%Y-%m') THEN 'cutoff'
       END AS type
FROM pairs JOIN ours ON ours.ref = pairs.o JOIN gateway ON gateway.ref = pairs.g
WHERE (in_month(ours.on_day)) OR (in_month(gateway.on_day))"""

_PAIRS_END = (
    "INSERT INTO matched SELECT 'ledger-gateway', 'ledger', o, 'gateway', g FROM judged WHERE type IS NULL",
    """
    INSERT INTO differs
    SELECT type, 'ledger', o, booked_yen, o_on, account, 'gateway', g, g_yen, g_on, currency,
           CASE type WHEN 'cutoff' THEN g_yen WHEN 'fee_class' THEN g_yen WHEN 'foreign_currency' THEN booked_yen
                ELSE booked_yen - g_yen END
    FROM judged WHERE type IS NOT NULL""",
)

_GATEWAY_ALONE = """
INSERT INTO differs
SELECT CASE
           WHEN currency <> 'jpy' THEN 'foreign_currency'
           WHEN kind = 'reserve' THEN 'reserve'
           WHEN kind = 'dispute' THEN 'dispute_unbooked'
           WHEN kind = 'refund' THEN 'refund_missing'
           WHEN kind = 'refund_failed' THEN 'status_differs'
           WHEN kind = 'charge' AND (key IN (SELECT key FROM paired_charges WHERE key IS NOT NULL)
                OR payment IN (SELECT payment FROM paired_charges WHERE payment IS NOT NULL)) THEN 'duplicate_charge'
           WHEN kind = 'charge' AND key IS NULL THEN 'metadata_missing'
           ELSE 'gateway_only'
       END, NULL, NULL, NULL, NULL, NULL, 'gateway', ref, yen, on_day, currency, -yen
FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref WHERE in_month(on_day)"""

_PAIRED_CHARGES = """
CREATE OR REPLACE TEMP TABLE paired_charges AS
SELECT key, payment FROM gateway SEMI JOIN pairs ON pairs.g = gateway.ref
WHERE kind = 'charge' AND (
    key IN (SELECT key FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref WHERE kind = 'charge')
    OR payment IN (SELECT payment FROM gateway ANTI JOIN pairs ON pairs.g = gateway.ref WHERE kind = 'charge'))"""

_LEDGER_ALONE = """
INSERT INTO differs
SELECT CASE WHEN kind = 'refund' THEN 'refund_missing'
            WHEN kind = 'dispute' AND booked_yen = 0 THEN 'dispute_unbooked'
            ELSE 'ledger_only' END,
       'ledger', ref, CASE WHEN booked_yen = 0 THEN yen ELSE booked_yen END, on_day, account,
       NULL, NULL, NULL, NULL, NULL, CASE WHEN booked_yen = 0 THEN yen ELSE booked_yen END
FROM ours ANTI JOIN pairs ON pairs.o = ours.ref
WHERE (state = 'done' OR booked_yen <> 0) AND state <> 'explained' AND in_month(on_day)"""

_LEDGER_NOTHING = """
INSERT INTO matched
SELECT CASE state WHEN 'explained' THEN 'ledger-people' ELSE 'ledger-nothing' END, 'ledger', ref, NULL, NULL
FROM ours ANTI JOIN pairs ON pairs.o = ours.ref
WHERE ((state <> 'done' AND booked_yen = 0) OR state = 'explained') AND in_month(on_day)"""

_PAYOUT_MEMBERS = """
INSERT INTO differs
SELECT 'amount_differs', 'payout', ref, yen, on_day, NULL, 'gateway', ref || ':movements', moved_yen, on_day, NULL,
       yen - moved_yen
FROM payouts WHERE moved_yen IS NOT NULL AND moved_yen <> yen AND in_month(on_day)"""

_ARRIVALS = """
CREATE OR REPLACE TEMP TABLE arrivals (p TEXT, b TEXT, how TEXT)"""


def _arrivals(how: str, days: int, wanted: str) -> str:
    """Payouts that still wait, to bank lines of their amount that still wait: the nth of each is the other's."""
    day = ", on_day" if days == 0 else ""
    joined = "p.on_day = b.on_day" if days == 0 else f"abs(date_diff('day', p.on_day, b.on_day)) <= {days}"
    nth = f"row_number() OVER (PARTITION BY yen{day} ORDER BY on_day, ref) AS nth"
    return f"""
INSERT INTO arrivals SELECT p.ref, b.ref, '{how}' FROM (
    SELECT *, {nth} FROM payouts ANTI JOIN arrivals ON arrivals.p = payouts.ref
) AS p JOIN (
    SELECT *, {nth} FROM bank ANTI JOIN arrivals ON arrivals.b = bank.ref WHERE ({wanted}) AND receipt IS NULL
) AS b ON p.nth = b.nth AND p.yen = b.yen AND {joined}"""  # noqa: S608 - all of it is ours


_ARRIVED_OTHERWISE = """
INSERT INTO arrivals SELECT p, b, 'differs' FROM (
    SELECT payouts.ref AS p, bank.ref AS b,
           row_number() OVER (PARTITION BY payouts.ref ORDER BY abs(payouts.yen - bank.yen), bank.ref) AS of_payout,
           row_number() OVER (PARTITION BY bank.ref ORDER BY abs(payouts.yen - bank.yen), payouts.ref) AS of_line
    FROM (SELECT * FROM payouts ANTI JOIN arrivals ON arrivals.p = payouts.ref) AS payouts
    JOIN (
        SELECT * FROM bank ANTI JOIN arrivals ON arrivals.b = bank.ref WHERE of_processor AND receipt IS NULL
    ) AS bank ON bank.on_day = payouts.on_day
) WHERE of_payout = 1 AND of_line = 1"""
"""On the same day, for another amount: the two that are each other's nearest."""

_BANK_END = (
    """
    INSERT INTO matched SELECT 'payout-bank', 'payout', p, 'bank', b FROM arrivals
    JOIN payouts ON payouts.ref = p JOIN bank ON bank.ref = b
    WHERE how <> 'differs' AND ((in_month(payouts.on_day)) OR (in_month(bank.on_day)))""",
    """
    INSERT INTO differs
    SELECT 'payout_differs_from_bank', 'payout', p, payouts.yen, payouts.on_day, NULL,
           'bank', b, bank.yen, bank.on_day, NULL, payouts.yen - bank.yen
    FROM arrivals JOIN payouts ON payouts.ref = p JOIN bank ON bank.ref = b
    WHERE how = 'differs' AND ((in_month(payouts.on_day)) OR (in_month(bank.on_day)))""",
    """
    INSERT INTO differs
    SELECT 'payout_missing', 'payout', ref, yen, on_day, NULL, NULL, NULL, NULL, NULL, NULL, yen
    FROM payouts ANTI JOIN arrivals ON arrivals.p = payouts.ref
    WHERE getvariable('bank_given') AND in_month(on_day)""",
    """
    INSERT INTO matched SELECT 'payout-no statement', 'payout', ref, NULL, NULL
    FROM payouts ANTI JOIN arrivals ON arrivals.p = payouts.ref
    WHERE NOT getvariable('bank_given') AND in_month(on_day)""",
    """
    INSERT INTO matched SELECT 'receipt-bank', 'receipt', receipts.ref, 'bank', bank.ref
    FROM bank JOIN receipts ON receipts.ref = bank.receipt
    WHERE (in_month(bank.on_day)) OR (in_month(receipts.on_day))""",
    """
    INSERT INTO differs
    SELECT 'ledger_only', 'receipt', ref, yen, on_day, account, NULL, NULL, NULL, NULL, NULL, yen
    FROM receipts ANTI JOIN bank ON bank.receipt = receipts.ref
    WHERE getvariable('bank_given') AND in_month(on_day)""",
    """
    INSERT INTO matched SELECT 'receipt-no statement', 'receipt', ref, NULL, NULL
    FROM receipts ANTI JOIN bank ON bank.receipt = receipts.ref
    WHERE NOT getvariable('bank_given') AND in_month(on_day)""",
    """
    INSERT INTO differs
    SELECT 'payout_missing', NULL, NULL, NULL, NULL, NULL, 'bank', ref, yen, on_day, NULL, -yen
    FROM bank ANTI JOIN arrivals ON arrivals.b = bank.ref
    WHERE of_processor AND receipt IS NULL AND in_month(on_day)""",
    """
    INSERT INTO matched SELECT 'bank-booked', NULL, NULL, 'bank', bank.ref
    FROM bank ANTI JOIN arrivals ON arrivals.b = bank.ref ANTI JOIN receipts ON receipts.ref = bank.receipt
    WHERE NOT (of_processor AND receipt IS NULL) AND in_month(bank.on_day)""",
)

STEPS: tuple[str, ...] = (
    _PAIRS, _BY_KEY, _BY_ID, _BY_AMOUNT, _MATCHED, _DIFFERS, _JUDGED, *_PAIRS_END,
    _PAIRED_CHARGES, _GATEWAY_ALONE, _LEDGER_ALONE, _LEDGER_NOTHING, _PAYOUT_MEMBERS, _ARRIVALS,
    _arrivals("day", 0, "of_processor OR waits"),
    _arrivals("later", 5, "of_processor"),
    _ARRIVED_OTHERWISE,
    *_BANK_END,
)  # fmt: skip

EXCEPTIONS = """
SELECT type, left_at, left_ref, left_yen, left_on, left_more, right_at, right_ref, right_yen, right_on, right_more, yen
FROM differs ORDER BY type, left_ref NULLS LAST, right_ref"""

SIDES = """
SELECT 'ledger', count(*), coalesce(sum(booked_yen), 0)::BIGINT FROM ours WHERE in_month(on_day)
UNION ALL
SELECT 'gateway', count(*), coalesce(sum(yen) FILTER (WHERE currency = 'jpy'), 0)::BIGINT FROM gateway
WHERE in_month(on_day)
UNION ALL SELECT 'payout', count(*), coalesce(sum(yen), 0)::BIGINT FROM payouts WHERE in_month(on_day)
UNION ALL SELECT 'bank', count(*), coalesce(sum(yen), 0)::BIGINT FROM bank WHERE in_month(on_day)
UNION ALL SELECT 'receipt', count(*), coalesce(sum(yen), 0)::BIGINT FROM receipts WHERE in_month(on_day)"""

UNEXPLAINED = """
SELECT side, ref, count(ended_ref) FROM (
    SELECT 'ledger' AS side, ref FROM ours WHERE in_month(on_day)
    UNION ALL SELECT 'gateway', ref FROM gateway WHERE in_month(on_day)
    UNION ALL SELECT 'payout', ref FROM payouts WHERE in_month(on_day)
    UNION ALL SELECT 'bank', ref FROM bank WHERE in_month(on_day)
    UNION ALL SELECT 'receipt', ref FROM receipts WHERE in_month(on_day)
) AS every LEFT JOIN (
    SELECT left_at AS side, left_ref AS ref, left_ref AS ended_ref FROM matched WHERE left_ref IS NOT NULL
    UNION ALL SELECT right_at, right_ref, right_ref FROM matched WHERE right_ref IS NOT NULL
    UNION ALL SELECT left_at, left_ref, left_ref FROM differs
    WHERE left_ref IS NOT NULL AND right_ref IS DISTINCT FROM left_ref || ':movements'
    UNION ALL SELECT right_at, right_ref, right_ref FROM differs
    WHERE right_ref IS NOT NULL AND right_ref IS DISTINCT FROM left_ref || ':movements'
) AS ended USING (side, ref)
GROUP BY side, ref HAVING count(ended_ref) <> 1 ORDER BY side, ref LIMIT 100"""
"""Rows of the month that ended in no match and no exception, or in several."""
