"""The questions of the night's audit: what is counted and summed, in parts, and when a part has to be asked (SQL).

    FIRST    how far each table goes, what is open, and whether there is anything at all for a part
      └─ a part is asked where something that it reads is above its floor, or is there; not asked, it counts 0

So a quiet night asks two small statements, and the audit of everything asks all that has rows.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.closing.derived_balances import (
    BATCHES,
    BY_PEOPLE,
    DISPUTES,
    KEYS,
    MOVEMENTS,
    OPEN_LINES,
    SUMS,
    Part,
)
from keizoku.billing.closing.set_aside_sql import SET_ASIDE
from keizoku.db.session import PreparedQuery

FLOORS: Final = (
    *("award", "allocation", "contract", "contract_fact", "credit", "credit_application", "credit_extinguishment"),
    *("entry", "invoice", "receipt", "settlement", "term"),
)
"""Tables with a floor at their newest row; that of attempts lies below the oldest one without an answer."""

_ANY: Final[Mapping[str, str]] = {
    "aside": "review_task WHERE kind IN ('no_price', 'set_aside') AND closed_at IS NULL",
    "charged": "payment_attempt WHERE id > :payment_attempt",
    "ended": "contract WHERE ended_on IS NOT NULL AND end_recorded_at >= :since",
    "overdue": "contract WHERE ended_on IS NULL AND renews_on <= :business_date",
    "closed": "term WHERE closed_on IS NOT NULL",
    "key": "contract WHERE prepaid_method = 'product_key'",
    **{
        table: table
        for table in (
            *("balance_transaction", "bank_line", "code_batch", "credit_refund", "deposit_use", "gateway_dispute"),
            *("interest_booking", "manual_entry", "store_payout", "store_refund", "store_report"),
        )
    },
}
"""Rows that FIRST looks for: whether there is one."""

ASKED_IF: Final[Mapping[Part, tuple[str, ...]]] = {
    "overdue": ("any overdue",),
    "contracts": ("above term", "above contract_fact", "above contract", "any ended", "any unbegun"),
    "closed": ("any closed",),
    "fees": ("above invoice", "above settlement", "any charged"),
    "entries": ("above entry",),
    "credits": ("any award", "any credit", "any credit_refund"),
    "bank": ("any receipt", "any allocation", "any bank_line", "any deposit_use", "any interest_booking"),
    "gateway": ("any balance_transaction", "any gateway_dispute"),
    "prepaid": ("any key", "any code_batch", "any store_payout", "any store_refund", "any store_report"),
    "by_people": ("any manual_entry",),
    "aside": ("any aside",),
}
"""A part is asked where one of these holds: a table has rows above its floor, or there are such rows at all."""

_TOUCHED_CONTRACTS = """
    SELECT contract_id AS id FROM term WHERE id > :term
    UNION SELECT contract_id FROM contract_fact WHERE id > :contract_fact
    UNION SELECT id FROM contract WHERE id > :contract"""

_TOUCHED_INVOICES = """
    SELECT id FROM invoice WHERE id > :invoice UNION SELECT invoice_id FROM settlement WHERE id > :settlement"""

_TOUCHED_CREDITS = """
    SELECT id FROM credit WHERE id > :credit
    UNION SELECT credit_id FROM credit_application WHERE id > :credit_application
    UNION SELECT credit_id FROM credit_extinguishment WHERE id > :credit_extinguishment
    UNION SELECT credit_id FROM deposit_use WHERE kind = 'credit' AND recorded_at >= :since
    UNION SELECT credit_id FROM credit_refund WHERE answer_recorded_at >= :since OR failure_recorded_at >= :since"""

_TOUCHED_RECEIPTS = """
    SELECT id FROM receipt WHERE id > :receipt UNION SELECT receipt_id FROM allocation WHERE id > :allocation"""

_SETTLED = """
    SELECT invoice_id, sum(yen) AS yen, sum(yen) FILTER (WHERE kind = 'credit') AS credit_yen FROM settlement
    WHERE invoice_id IN (SELECT id FROM touched_invoices) GROUP BY invoice_id"""

_JOURNAL = """
    SELECT coalesce(json_object_agg(code, yen), '{}') AS moved FROM (
        SELECT code, sum(yen) AS yen FROM line WHERE entry_id > :entry GROUP BY code
    ) AS by_code"""

_ENDED_CONTRACTS = """
    SELECT id, ended_on FROM contract WHERE ended_on IS NOT NULL AND end_recorded_at >= :since
    UNION SELECT contract.id, ended_on FROM contract JOIN term ON term.contract_id = contract.id
    WHERE term.id > :term AND ended_on IS NOT NULL"""


CHECKS: Final[Mapping[str, tuple[Part, str]]] = {
    "contracts whose last term is over and that were neither renewed nor ended": (
        "overdue",
        """
        SELECT count(*) FROM contract WHERE ended_on IS NULL AND renews_on <= :business_date
        AND id NOT IN (SELECT id FROM contracts_aside)""",
    ),
    "contracts whose last term is not the one they remember": (
        "contracts",
        """
        SELECT count(*) FROM touched_contracts JOIN contract USING (id) JOIN LATERAL (
            SELECT ends_on, method FROM term WHERE contract_id = contract.id ORDER BY ends_on DESC LIMIT 1
        ) AS last ON true
        WHERE contract.ended_on IS NULL
          AND (last.ends_on, last.method) IS DISTINCT FROM (renews_on, contract.method)""",
    ),
    "approved contracts without a term": (
        "contracts",
        """
        SELECT count(*) FROM contract WHERE approved_at IS NOT NULL AND (renews_on IS NULL OR id > :contract)
        AND NOT EXISTS (SELECT 1 FROM term WHERE term.contract_id = contract.id)""",
    ),
    "terms that go on after their contract ended": (
        "contracts",
        """
        SELECT count(*) FROM ended_contracts AS contract JOIN term ON term.contract_id = contract.id
        WHERE coalesce(term.closed_on, term.ends_on) > contract.ended_on""",
    ),
    "terms without their invoice": (
        "contracts",
        """
        SELECT count(*) FROM term WHERE id > :term AND method IN ('card', 'other') AND NOT EXISTS (
            SELECT 1 FROM invoice WHERE invoice.contract_id = term.contract_id AND invoice.term_id = term.id)
        AND id NOT IN (SELECT id FROM terms_aside)""",
    ),
    "terms of stores and keys that the journal does not know": (
        "contracts",
        """
        SELECT count(*) FROM term WHERE id > :term AND method IN ('app_store', 'product_key')
        AND NOT EXISTS (SELECT 1 FROM entry WHERE event_key = concat('term:', term.id))
        AND id NOT IN (SELECT id FROM terms_aside)""",
    ),
    "invoices whose total is not their term's price": (
        "fees",
        """
        SELECT count(*) FROM invoice JOIN term ON term.id = invoice.term_id
        WHERE invoice.id > :invoice AND invoice.state <> 'void' AND invoice.total_yen <> term.price_yen""",
    ),
    "invoices whose open amount is not what their settlements leave": (
        "fees",
        """
        SELECT count(*) FROM touched_invoices JOIN invoice USING (id) LEFT JOIN settled ON settled.invoice_id = id
        WHERE invoice.state <> 'void' AND open_yen <> total_yen - coalesce(settled.yen, 0)""",
    ),
    "awards without a credit": (
        "credits",
        """
        SELECT count(*) FROM award WHERE id > :award
        AND NOT EXISTS (SELECT 1 FROM credit WHERE credit.award_id = award.id)
        AND id NOT IN (SELECT id FROM awards_aside)""",
    ),
    "credits whose available amount is not what was granted less what was used": (
        "credits",
        """
        SELECT count(*) FROM touched_credits JOIN credit USING (id)
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_application
                   WHERE credit_id IN (SELECT id FROM touched_credits) GROUP BY credit_id) AS applied
          ON applied.credit_id = credit.id
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_refund
                   WHERE outcome = 'succeeded' AND failed_on IS NULL
                   AND credit_id IN (SELECT id FROM touched_credits) GROUP BY credit_id) AS refunded
          ON refunded.credit_id = credit.id
        LEFT JOIN (SELECT credit_id, -sum(yen) AS yen FROM deposit_use
                   WHERE credit_id IN (SELECT id FROM touched_credits) GROUP BY credit_id) AS kept
          ON kept.credit_id = credit.id
        LEFT JOIN credit_extinguishment ON credit_extinguishment.credit_id = credit.id
        WHERE available_yen + coalesce(credit_extinguishment.yen, 0) + coalesce(kept.yen, 0)
            <> granted_yen - coalesce(applied.yen, 0) - coalesce(refunded.yen, 0)""",
    ),
    "charges that succeeded and settled nothing": (
        "fees",
        """
        SELECT count(*) FROM payment_attempt WHERE id > :payment_attempt AND outcome = 'succeeded' AND NOT EXISTS (
            SELECT 1 FROM settlement WHERE settlement.invoice_id = payment_attempt.invoice_id AND kind = 'card'
            AND source_id = payment_attempt.id)
        AND NOT EXISTS (SELECT 1 FROM review_task WHERE kind = 'charged_too_much'
                        AND subject = concat('attempt ', payment_attempt.id))""",
    ),
    "terms that ended early, are paid, and are not recognised to their end": (
        "closed",
        """
        SELECT count(*) FROM term JOIN invoice
          ON invoice.contract_id = term.contract_id AND invoice.term_id = term.id AND invoice.state <> 'open'
        WHERE closed_on IS NOT NULL AND NOT EXISTS (SELECT 1 FROM term_closure WHERE term_id = term.id)
        AND NOT EXISTS (SELECT 1 FROM aside WHERE subject = 'closed_terms: stage closed_terms')""",
    ),
    "payments whose parts do not make the whole": (
        "bank",
        """
        SELECT count(*) FROM touched_receipts JOIN receipt USING (id) LEFT JOIN (
            SELECT receipt_id, sum(yen) AS yen FROM allocation
            WHERE receipt_id IN (SELECT id FROM touched_receipts) GROUP BY receipt_id
        ) AS parts ON parts.receipt_id = receipt.id WHERE receipt.yen <> coalesce(parts.yen, 0)""",
    ),
    "invoices whose credit is not what was applied when they were issued": (
        "fees",
        """
        SELECT count(*) FROM touched_invoices JOIN invoice USING (id) LEFT JOIN settled ON settled.invoice_id = id
        WHERE invoice.credit_yen <> coalesce(settled.credit_yen, 0)""",
    ),
    "card settlements without a charge that succeeded": (
        "fees",
        """
        SELECT count(*) FROM settlement LEFT JOIN payment_attempt ON payment_attempt.id = settlement.source_id
        WHERE settlement.id > :settlement AND settlement.kind = 'card'
          AND payment_attempt.outcome IS DISTINCT FROM 'succeeded'""",
    ),
    "contracts whose first term does not begin on the day of their approval": (
        "contracts",
        """
        SELECT count(*) FROM contract JOIN term ON term.contract_id = contract.id AND term.follows_on IS NULL
        WHERE term.id > :term AND (term.starts_on <> contract.anchor_on OR term.starts_at <> contract.approved_at)""",
    ),
    "journal entries without lines": (
        "entries",
        """
        SELECT count(*) FROM entry WHERE id > :entry
        AND NOT EXISTS (SELECT 1 FROM line WHERE line.entry_id = entry.id)""",
    ),
    "journal entries that do not balance": (
        "entries",
        """
        SELECT count(*) FROM (SELECT entry_id FROM line WHERE entry_id > :entry
                              GROUP BY entry_id HAVING sum(yen) <> 0) AS unbalanced""",
    ),
}
"""Each difference in words, the part that looks for it, and the query that counts it."""


COUNTED: Final[Mapping[str, Part]] = {
    "term": "contracts",
    "invoice": "fees",
    "payment_attempt": "fees",
    "award": "credits",
    "credit": "credits",
    "entry": "entries",
}
"""Tables that are counted on from the floor, and the part that does."""

COUNTS: Final[Mapping[str, str]] = {
    "contracts_running": "SELECT running FROM contracts",
    "invoices_open": "SELECT count(*) FROM invoice WHERE state = 'open'",
    "attempts_unknown": "SELECT count(*) FROM payment_attempt WHERE outcome IS NULL",
    "claim_decisions": "SELECT count(*) FROM claim_decision",
    "tasks_of_people": "SELECT count(*) FROM review_task WHERE closed_at IS NULL",
}

_SEALED = """
    SELECT greatest(:payment_attempt, coalesce(
        (SELECT min(id) - 1 FROM (SELECT id FROM payment_attempt WHERE outcome IS NULL OFFSET 0) AS unanswered),
        (SELECT max(id) FROM payment_attempt), 0)) AS id"""

CARRIED: Final[Mapping[str, tuple[Part, str, str]]] = {
    "charged": ("fees", "payment_attempt", "coalesce(sum(yen) FILTER (WHERE outcome = 'succeeded'), 0)"),
    "begun_at_stores": ("contracts", "term", "coalesce(sum(price_yen) FILTER (WHERE method = 'app_store'), 0)"),
    "taken_by_disputes": ("fees", "settlement", "coalesce(sum(yen) FILTER (WHERE kind = 'dispute'), 0)"),
    "settled_by_card": ("fees", "settlement", "coalesce(sum(yen) FILTER (WHERE kind = 'card'), 0)"),
    **{f"{table}_rows": (part, table, f"count({table}.id)") for table, part in COUNTED.items()},
}
"""What is summed on from a floor: by which part, the table, and what of its rows."""

_CONTRACTS = """
    SELECT count(*) FILTER (WHERE ended_on IS NULL) AS running, count(*) FILTER (WHERE renews_on IS NULL) AS unbegun
    FROM contract WHERE approved_at IS NOT NULL"""


def _summed_on(name: str, table: str, what: str) -> str:
    """From the floor on: to the newest row, and to the floor of the next audit."""
    if table != "payment_attempt":
        return f"SELECT :{name} + {what} AS yen, :{name} + {what} AS sealed_yen FROM {table} WHERE id > :{table}"  # noqa: S608
    sealed = what.replace("outcome =", "payment_attempt.id <= sealed.id AND outcome =")
    if sealed == what:
        sealed = f"{what} FILTER (WHERE payment_attempt.id <= sealed.id)"
    return (
        f"SELECT :{name} + {what} AS yen, :{name} + {sealed} AS sealed_yen "  # noqa: S608
        "FROM sealed LEFT JOIN payment_attempt ON payment_attempt.id > :payment_attempt"
    )


_COMMON: Final[Mapping[str, str]] = {
    **SET_ASIDE,
    "contracts": _CONTRACTS,
    "keys": KEYS,
    "batches": BATCHES,
    "open_lines": OPEN_LINES,
    "movements": MOVEMENTS,
    "our_disputes": DISPUTES,
    "by_people": BY_PEOPLE,
    "touched_contracts": _TOUCHED_CONTRACTS,
    "ended_contracts": _ENDED_CONTRACTS,
    "touched_invoices": _TOUCHED_INVOICES,
    "touched_credits": _TOUCHED_CREDITS,
    "touched_receipts": _TOUCHED_RECEIPTS,
    "settled": _SETTLED,
    "sealed": _SEALED,
    "journal": _JOURNAL,
    **{name: _summed_on(name, table, what) for name, (_, table, what) in CARRIED.items()},
}
"""Common tables, each of which may read those before it."""

_PARAMETERS: Final[Mapping[str, sa.types.TypeEngine[Any]]] = {
    "business_date": sa.Date(),
    "day_after": sa.Date(),
    "since": sa.DateTime(timezone=True),
    **{name: sa.BigInteger() for name in (*FLOORS, "payment_attempt", *CARRIED)},
}


def _statement(columns: Mapping[str, str]) -> PreparedQuery:
    """These columns in one row, with the common tables that they read."""
    selected = ", ".join(f'({query.strip()}) AS "{name}"' for name, query in columns.items())
    text, named = selected, list[str]()
    for name, query in reversed(list(_COMMON.items())):
        if re.search(rf"(FROM|JOIN) {name}\b", text):
            named.insert(0, f"{name} AS ({query})")
            text += query
    whole = f"WITH {', '.join(named)} SELECT {selected}" if named else f"SELECT {selected}"
    used = [sa.bindparam(name, type_=kind) for name, kind in _PARAMETERS.items() if re.search(rf":{name}\b", whole)]
    return PreparedQuery(sa.text(whole).bindparams(*used))


_FIRST: Final[Mapping[str, str]] = {
    "room": "SELECT set_config('work_mem', '64MB', true)",  # a large night's rows would be joined through files
    **{f"floor {table}": f"SELECT coalesce(max(id), 0) FROM {table}" for table in FLOORS},  # noqa: S608 - of this file
    "floor payment_attempt": "SELECT id FROM sealed",
    **{f"any {name}": f"SELECT EXISTS (SELECT FROM {rows})" for name, rows in _ANY.items()},  # noqa: S608 - the same
    "any unbegun": "SELECT unbegun > 0 FROM contracts",
    **COUNTS,
}


def _columns(part: Part) -> Mapping[str, str]:
    """What a part asks, by the name of its column."""
    return {
        **(_FIRST if part == "first" else {}),
        **{f"check {at}": query for at, (of, query) in enumerate(CHECKS.values()) if of == part},
        **{f"sum {code}": queries[part] for code, queries in SUMS.items() if part in queries},
        **{f"now {name}": f"SELECT yen FROM {name}" for name, (of, _, _) in CARRIED.items() if of == part},  # noqa: S608
        **{f"carried {name}": f"SELECT sealed_yen FROM {name}" for name, (of, _, _) in CARRIED.items() if of == part},  # noqa: S608
        **({"moved": "SELECT moved FROM journal"} if part == "entries" else {}),
        **({"by_people": "SELECT json_object_agg(code, yen) FROM by_people"} if part == "by_people" else {}),
    }


@cache  # made when it is first asked: most processes audit nothing
def question(part: Part) -> PreparedQuery:
    """The statement of a part."""
    return _statement(_columns(part))


def parts_to_ask(first: Mapping[str, Any], floors: Mapping[str, int]) -> list[Part]:
    """The parts that may find something, by the answer of the part "first" and the floors of the last audit."""
    holds = {
        **{f"above {table}": first[f"floor {table}"] > floors.get(table, 0) for table in FLOORS},
        **{f"any {table}": first[f"floor {table}"] > 0 for table in FLOORS},
        **first,
    }
    return [part for part, conditions in ASKED_IF.items() if any(holds[each] for each in conditions)]
