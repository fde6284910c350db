"""What the certificate rests on: derived again from contracts and events, held against what is in the rows.

Each check is a query that counts what should not be; each sum is computed twice, from the journal and from the
rows it stands for. Nothing here repairs anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from billing.views import trial_balance
from db.session import Session

_CHECKS: Mapping[str, str] = {
    "contracts whose last term is over and that were neither renewed nor ended": """
        SELECT count(*) FROM contract WHERE ended_on IS NULL AND renews_on <= :business_date""",
    "contracts whose last term is not the one they remember": """
        SELECT count(*) FROM contract JOIN LATERAL (
            SELECT ends_on, method FROM term WHERE contract_id = contract.id ORDER BY ends_on DESC LIMIT 1
        ) AS last ON true
        WHERE contract.ended_on IS NULL
          AND (last.ends_on, last.method) IS DISTINCT FROM (renews_on, contract.method)""",
    "approved contracts without a term": """
        SELECT count(*) FROM contract WHERE approved_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM term WHERE term.contract_id = contract.id)""",
    "terms that go on after their contract ended": """
        SELECT count(*) FROM contract JOIN term ON term.contract_id = contract.id
        WHERE contract.ended_on IS NOT NULL AND coalesce(term.closed_on, term.ends_on) > contract.ended_on""",
    "terms without their invoice": """
        SELECT count(*) FROM term WHERE id > :floor AND method IN ('card', 'other')
        AND NOT EXISTS (SELECT 1 FROM invoice WHERE invoice.term_id = term.id)""",
    "terms of stores and keys that the journal does not know": """
        SELECT count(*) FROM term WHERE id > :floor AND method IN ('app_store', 'product_key')
        AND NOT EXISTS (SELECT 1 FROM entry WHERE event_key = concat('term:', term.id))""",
    "invoices whose total is not their term's price": """
        SELECT count(*) FROM invoice JOIN term ON term.id = invoice.term_id
        WHERE term.id > :floor AND invoice.state <> 'void' AND invoice.total_yen <> term.price_yen""",
    "invoices whose open amount is not what their settlements leave": """
        SELECT count(*) FROM invoice LEFT JOIN (
            SELECT invoice_id, sum(yen) AS yen FROM settlement GROUP BY invoice_id
        ) AS settled ON settled.invoice_id = invoice.id
        WHERE invoice.state <> 'void' AND open_yen <> total_yen - coalesce(settled.yen, 0)""",
    "awards without a credit": """
        SELECT count(*) FROM award WHERE NOT EXISTS (SELECT 1 FROM credit WHERE credit.award_id = award.id)""",
    "credits whose available amount is not what was granted less what was used": """
        SELECT count(*) FROM credit
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_application GROUP BY credit_id) AS applied
          ON applied.credit_id = credit.id
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_refund
                   WHERE outcome = 'succeeded' AND failed_on IS NULL GROUP BY credit_id
        ) AS refunded ON refunded.credit_id = credit.id
        WHERE available_yen <> granted_yen - coalesce(applied.yen, 0) - coalesce(refunded.yen, 0)""",
    "charges that succeeded and settled nothing": """
        SELECT count(*) FROM attempt WHERE outcome = 'succeeded' AND NOT EXISTS (
            SELECT 1 FROM settlement WHERE kind = 'card' AND source_id = attempt.id)
        AND NOT EXISTS (SELECT 1 FROM people_task WHERE kind = 'charged_too_much'
                        AND subject = concat('attempt ', attempt.id))""",
    "terms that ended early, are paid, and are not recognised to their end": """
        SELECT count(*) FROM term JOIN invoice ON invoice.term_id = term.id AND invoice.state <> 'open'
        WHERE closed_on IS NOT NULL AND NOT EXISTS (SELECT 1 FROM term_closure WHERE term_id = term.id)""",
    "payments whose parts do not make the whole": """
        SELECT count(*) FROM receipt LEFT JOIN (
            SELECT receipt_id, sum(yen) AS yen FROM allocation GROUP BY receipt_id
        ) AS parts ON parts.receipt_id = receipt.id WHERE receipt.yen <> coalesce(parts.yen, 0)""",
    "invoices whose credit is not what was applied when they were issued": """
        SELECT count(*) FROM invoice LEFT JOIN (
            SELECT invoice_id, sum(yen) AS yen FROM settlement WHERE kind = 'credit' GROUP BY invoice_id
        ) AS applied ON applied.invoice_id = invoice.id WHERE credit_yen <> coalesce(applied.yen, 0)""",
    "card settlements without a charge that succeeded": """
        SELECT count(*) FROM settlement LEFT JOIN attempt ON attempt.id = settlement.source_id
        WHERE settlement.kind = 'card' AND attempt.outcome IS DISTINCT FROM 'succeeded'""",
    "contracts whose first term does not begin on the day of their approval": """
        SELECT count(*) FROM contract JOIN term ON term.contract_id = contract.id AND term.follows_on IS NULL
        WHERE term.id > :floor AND (term.starts_on <> contract.anchor_on OR term.starts_at <> contract.approved_at)""",
    "journal entries without lines": """
        SELECT count(*) FROM entry WHERE NOT EXISTS (SELECT 1 FROM line WHERE line.entry_id = entry.id)""",
    "journal entries that do not balance": """
        SELECT count(*) FROM (SELECT entry_id FROM line GROUP BY entry_id HAVING sum(yen) <> 0) AS unbalanced""",
}

_COUNTS: Mapping[str, str] = {
    "contracts_running": "SELECT count(*) FROM contract WHERE approved_at IS NOT NULL AND ended_on IS NULL",
    "terms": "SELECT count(*) FROM term",
    "last_term_id": "SELECT coalesce(max(id), 0) FROM term",
    "invoices": "SELECT count(*) FROM invoice",
    "invoices_open": "SELECT count(*) FROM invoice WHERE state = 'open'",
    "attempts": "SELECT count(*) FROM attempt",
    "attempts_unknown": "SELECT count(*) FROM attempt WHERE outcome IS NULL",
    "claim_decisions": "SELECT count(*) FROM claim_decision",
    "awards": "SELECT count(*) FROM award",
    "credits": "SELECT count(*) FROM credit",
    "entries": "SELECT count(*) FROM entry",
    "tasks_of_people": "SELECT count(*) FROM people_task WHERE closed_at IS NULL",
}

_RECEIVABLE = "SELECT coalesce(sum(open_yen), 0) FROM invoice WHERE state = 'open'"
_CREDITS = "SELECT coalesce(sum(available_yen), 0) FROM credit WHERE available_yen > 0"
_INTEREST = """
    SELECT coalesce((SELECT sum(yen) FROM interest_booking), 0)
         - coalesce((SELECT sum(yen) FROM allocation WHERE kind = 'interest'), 0)"""
_CONTRACT_LIABILITY = """
    SELECT coalesce(sum(price_yen - price_yen * greatest(0,
               least(:day_after, coalesce(closed_on, :day_after)) - starts_on) / (ends_on - starts_on)
               - coalesce(reduced.yen, 0)), 0)
    FROM term LEFT JOIN (
        SELECT invoice.term_id, sum(settlement.yen) AS yen FROM settlement
        JOIN invoice ON invoice.id = settlement.invoice_id
        WHERE settlement.kind = 'reduction' GROUP BY invoice.term_id
    ) AS reduced ON reduced.term_id = term.id
    WHERE method <> 'coupon' AND (ends_on > :day_after OR closed_on IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM term_closure WHERE term_closure.term_id = term.id)
      AND (method IN ('app_store', 'product_key') OR EXISTS (SELECT 1 FROM invoice WHERE invoice.term_id = term.id))"""


_KEYS = """
    SELECT contract.paid_months / CASE plan.interval WHEN 'year' THEN 12 ELSE 1 END AS paid_terms,
           begun.terms AS begun, begun.price_yen, contract.ended_on IS NOT NULL AS over,
           EXISTS (SELECT 1 FROM code_redemption WHERE code_redemption.contract_id = contract.id) AS by_code
    FROM contract JOIN plan ON plan.code = contract.plan JOIN LATERAL (
        SELECT count(*) AS terms, min(price_yen) AS price_yen FROM term
        WHERE term.contract_id = contract.id AND term.method = 'product_key'
    ) AS begun ON begun.terms > 0
    WHERE contract.prepaid_method = 'product_key'"""

_BATCHES = """
    SELECT code_batch.codes, code_batch.yen, used.used, ends.ended, ends.revoked FROM code_batch
    LEFT JOIN (SELECT code.batch_id, count(*) AS used FROM code_redemption JOIN code ON code.id = code_id
               WHERE contract_id IS NOT NULL GROUP BY code.batch_id) AS used ON used.batch_id = code_batch.id
    LEFT JOIN (SELECT code.batch_id, count(*) AS ended, count(*) FILTER (WHERE kind = 'revoked') AS revoked
               FROM code_end JOIN code ON code.id = code_id GROUP BY code.batch_id) AS ends
      ON ends.batch_id = code_batch.id
    WHERE code_batch.kind = 'product_key'"""

_OPEN_LINES = """
    SELECT bank_line.yen * (1 + coalesce(acts.change, 0)) AS yen FROM bank_line
    LEFT JOIN (SELECT line_id, sum(change) AS change FROM bank_act GROUP BY line_id) AS acts
      ON acts.line_id = bank_line.id"""

_MOVEMENTS = """
    SELECT kind IN ('payout', 'payout_cancel', 'payout_failure') AS is_payout,
           CASE WHEN kind IN ('charge', 'payment', 'refund', 'payment_refund') THEN -fee ELSE amount END AS yen
    FROM balance_transaction
    WHERE currency = 'jpy' AND kind IN ('charge', 'payment', 'refund', 'payment_refund', 'stripe_fee', 'tax_fee',
                                        'payout', 'payout_cancel', 'payout_failure')"""

_DISPUTES = """
    SELECT CASE state WHEN 'open' THEN amount WHEN 'won' THEN -amount ELSE 0 END AS yen,
           fee - coalesce(lag(fee) OVER (PARTITION BY dispute ORDER BY id), 0) AS fee
    FROM gateway_dispute WHERE attempt_id IS NOT NULL"""
"""What each state of a dispute moved, and what its fee was more or less than before."""

_BY_PEOPLE = "SELECT line.code, sum(line.yen) AS yen FROM people_entry JOIN line USING (entry_id) GROUP BY line.code"

_SUMS: Mapping[str, str] = {
    "1140": _RECEIVABLE,
    "1150": _INTEREST,
    "1110": """SELECT coalesce((SELECT sum(yen) FROM receipt), 0)
        - coalesce((SELECT sum(yen) FROM deposit_use WHERE kind = 'refunded' AND origin = 'sent'), 0)
        + coalesce((SELECT sum(yen) FROM store_payout), 0) + coalesce((SELECT sum(yen) FROM open_lines), 0)
        - coalesce((SELECT sum(yen) FROM movements WHERE is_payout), 0)""",
    "1132": """SELECT coalesce((SELECT sum(yen) FROM our_disputes), 0)
        + coalesce((SELECT sum(yen) FROM settlement WHERE kind = 'dispute'), 0)""",
    "2145": "SELECT -coalesce((SELECT sum(yen) FROM open_lines), 0)",
    "1131": """SELECT coalesce((SELECT sum(yen) FROM attempt WHERE outcome = 'succeeded'), 0)
        - coalesce((SELECT sum(yen) FROM credit_refund WHERE outcome = 'succeeded' AND failed_on IS NULL), 0)
        - coalesce((SELECT sum(yen) FROM deposit_use WHERE kind = 'refunded' AND origin = 'card'), 0)
        + coalesce((SELECT sum(paid_terms * price_yen) FROM keys WHERE NOT by_code), 0)
        + coalesce((SELECT sum(codes * yen - coalesce(revoked, 0) * yen) FROM batches), 0)
        + coalesce((SELECT sum(yen) FROM movements), 0)
        - coalesce((SELECT sum(yen + fee) FROM our_disputes), 0)""",
    "1133": """SELECT coalesce((SELECT sum(price_yen) FROM term WHERE method = 'app_store'), 0)
        - coalesce((SELECT sum(fee_yen) FROM store_report), 0)
        - coalesce((SELECT sum(yen) FROM store_payout), 0)""",
    "2125": """SELECT -coalesce((SELECT sum((paid_terms - begun) * price_yen) FROM keys WHERE NOT over), 0)
        - coalesce((SELECT sum((codes - coalesce(used, 0) - coalesce(ended, 0)) * yen) FROM batches), 0)""",
    "2140": """SELECT -coalesce((SELECT sum(yen) FROM allocation WHERE kind = 'deposit'), 0)
        - coalesce((SELECT sum(attempt.yen) FROM attempt WHERE outcome = 'succeeded'), 0)
        + coalesce((SELECT sum(yen) FROM settlement WHERE kind = 'card'), 0)
        + coalesce((SELECT sum(yen) FROM deposit_use), 0)""",
    "2120": f"SELECT -({_CONTRACT_LIABILITY.strip()})",
    "2130": f"SELECT -({_CREDITS})",
}
"""What an account of the journal must stand at, computed from the rows it stands for; entries of people come to it."""


def _of_people(code: str) -> str:
    return f"coalesce((SELECT yen FROM by_people WHERE code = '{code}'), 0)"  # noqa: S608 - a code of the chart


def _all_at_once() -> str:
    """Every check, sum and count as one statement: a night asks once."""
    columns = [f'({query.strip()}) AS "check {place}"' for place, query in enumerate(_CHECKS.values())]
    columns += [f'({query.strip()}) + {_of_people(code)} AS "sum {code}"' for code, query in _SUMS.items()]
    columns += [f'({query.strip()}) AS "{name}"' for name, query in _COUNTS.items()]
    named = {
        "keys": _KEYS,
        "batches": _BATCHES,
        "open_lines": _OPEN_LINES,
        "movements": _MOVEMENTS,
        "our_disputes": _DISPUTES,
        "by_people": _BY_PEOPLE,
    }
    return f"WITH {', '.join(f'{name} AS ({query})' for name, query in named.items())} SELECT {', '.join(columns)}"


_AUDIT = sa.text(_all_at_once())


@dataclass(frozen=True, slots=True)
class Audit:
    """What was counted, what was summed (yen), and every difference found, in words."""

    counts: Mapping[str, int]
    sums: Mapping[str, int]
    differences: tuple[str, ...]
    last_term_id: int


def audit(session: Session, business_date: date, *, recognised_to: date, above: int = 0) -> Audit:
    """Check everything as of the business date; revenue is recognised for the days before `recognised_to`.

    Terms up to the id `above` are covered by an earlier certificate.
    """
    found = {
        name: int(value)
        for name, value in session.execute(
            _AUDIT, {"business_date": business_date, "floor": above, "day_after": recognised_to}
        )
        .one()
        ._mapping.items()
    }
    balances = trial_balance(session)
    differences = [f"{found[f'check {place}']} {what}" for place, what in enumerate(_CHECKS) if found[f"check {place}"]]
    for code in _SUMS:
        stands_at, rows_say = balances.get(code, 0), found[f"sum {code}"]
        if stands_at != rows_say:
            differences.append(f"account {code} stands at {stands_at} yen, its rows say {rows_say}")
    if sum(balances.values()):
        differences.append(f"the trial balance is off by {sum(balances.values())} yen")
    return Audit({name: found[name] for name in _COUNTS}, dict(balances), tuple(differences), found["last_term_id"])
