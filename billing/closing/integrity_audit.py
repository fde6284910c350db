"""The checks behind the certificate: values are derived again from contracts and events and compared with the rows.

Each check is a query that counts what should not be; each sum is computed twice, from the journal and from the
rows that it was posted from. Nothing here repairs anything.

    base: an earlier audit without differences ──> its floors (ids), and what the rows up to them summed to
    this audit: rows above the floors, the rows that they touch, what is open; plus what was carried
    without a base: everything

Rows up to a floor are of tables that the database lets nobody change (db/tables/guards.py), or final (an attempt with
its answer). What changes all the same is asked for whole: open fees, running contracts, days to come.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.derived_balances import BATCHES, BY_PEOPLE, DISPUTES, KEYS, MOVEMENTS, OPEN_LINES, SUMS
from keizoku.billing.closing.set_aside_sql import SET_ASIDE
from keizoku.db.session import PreparedQuery, Session

_MARGIN = timedelta(days=1)
"""Clocks of several machines differ, and what is recorded during a night bears the time of its beginning."""

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

_CHECKS: Mapping[str, str] = {
    "contracts whose last term is over and that were neither renewed nor ended": """
        SELECT count(*) FROM contract WHERE ended_on IS NULL AND renews_on <= :business_date
        AND id NOT IN (SELECT id FROM contracts_aside)""",
    "contracts whose last term is not the one they remember": """
        SELECT count(*) FROM touched_contracts JOIN contract USING (id) JOIN LATERAL (
            SELECT ends_on, method FROM term WHERE contract_id = contract.id ORDER BY ends_on DESC LIMIT 1
        ) AS last ON true
        WHERE contract.ended_on IS NULL
          AND (last.ends_on, last.method) IS DISTINCT FROM (renews_on, contract.method)""",
    "approved contracts without a term": """
        SELECT count(*) FROM contract WHERE approved_at IS NOT NULL AND (renews_on IS NULL OR id > :contract)
        AND NOT EXISTS (SELECT 1 FROM term WHERE term.contract_id = contract.id)""",
    "terms that go on after their contract ended": """
        SELECT count(*) FROM ended_contracts AS contract JOIN term ON term.contract_id = contract.id
        WHERE coalesce(term.closed_on, term.ends_on) > contract.ended_on""",
    "terms without their invoice": """
        SELECT count(*) FROM term WHERE id > :term AND method IN ('card', 'other') AND NOT EXISTS (
            SELECT 1 FROM invoice WHERE invoice.contract_id = term.contract_id AND invoice.term_id = term.id)
        AND id NOT IN (SELECT id FROM terms_aside)""",
    "terms of stores and keys that the journal does not know": """
        SELECT count(*) FROM term WHERE id > :term AND method IN ('app_store', 'product_key')
        AND NOT EXISTS (SELECT 1 FROM entry WHERE event_key = concat('term:', term.id))
        AND id NOT IN (SELECT id FROM terms_aside)""",
    "invoices whose total is not their term's price": """
        SELECT count(*) FROM invoice JOIN term ON term.id = invoice.term_id
        WHERE invoice.id > :invoice AND invoice.state <> 'void' AND invoice.total_yen <> term.price_yen""",
    "invoices whose open amount is not what their settlements leave": """
        SELECT count(*) FROM touched_invoices JOIN invoice USING (id) LEFT JOIN settled ON settled.invoice_id = id
        WHERE invoice.state <> 'void' AND open_yen <> total_yen - coalesce(settled.yen, 0)""",
    "awards without a credit": """
        SELECT count(*) FROM award WHERE id > :award
        AND NOT EXISTS (SELECT 1 FROM credit WHERE credit.award_id = award.id)
        AND id NOT IN (SELECT id FROM awards_aside)""",
    "credits whose available amount is not what was granted less what was used": """
        SELECT count(*) FROM touched_credits JOIN credit USING (id)
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_application
                   WHERE credit_id IN (SELECT id FROM touched_credits) GROUP BY credit_id) AS applied
          ON applied.credit_id = credit.id
        LEFT JOIN (SELECT credit_id, sum(yen) AS yen FROM credit_refund
                   WHERE outcome = 'succeeded' AND failed_on IS NULL
                   AND credit_id IN (SELECT id FROM touched_credits) GROUP BY credit_id) AS refunded
          ON refunded.credit_id = credit.id
        LEFT JOIN credit_extinguishment ON credit_extinguishment.credit_id = credit.id
        WHERE available_yen + coalesce(credit_extinguishment.yen, 0)
            <> granted_yen - coalesce(applied.yen, 0) - coalesce(refunded.yen, 0)""",
    "charges that succeeded and settled nothing": """
        SELECT count(*) FROM payment_attempt WHERE id > :payment_attempt AND outcome = 'succeeded' AND NOT EXISTS (
            SELECT 1 FROM settlement WHERE settlement.invoice_id = payment_attempt.invoice_id AND kind = 'card'
            AND source_id = payment_attempt.id)
        AND NOT EXISTS (SELECT 1 FROM review_task WHERE kind = 'charged_too_much'
                        AND subject = concat('attempt ', payment_attempt.id))""",
    "terms that ended early, are paid, and are not recognised to their end": """
        SELECT count(*) FROM term JOIN invoice
          ON invoice.contract_id = term.contract_id AND invoice.term_id = term.id AND invoice.state <> 'open'
        WHERE closed_on IS NOT NULL AND NOT EXISTS (SELECT 1 FROM term_closure WHERE term_id = term.id)
        AND NOT EXISTS (SELECT 1 FROM aside WHERE subject = 'closed_terms: stage closed_terms')""",
    "payments whose parts do not make the whole": """
        SELECT count(*) FROM touched_receipts JOIN receipt USING (id) LEFT JOIN (
            SELECT receipt_id, sum(yen) AS yen FROM allocation
            WHERE receipt_id IN (SELECT id FROM touched_receipts) GROUP BY receipt_id
        ) AS parts ON parts.receipt_id = receipt.id WHERE receipt.yen <> coalesce(parts.yen, 0)""",
    "invoices whose credit is not what was applied when they were issued": """
        SELECT count(*) FROM touched_invoices JOIN invoice USING (id) LEFT JOIN settled ON settled.invoice_id = id
        WHERE invoice.credit_yen <> coalesce(settled.credit_yen, 0)""",
    "card settlements without a charge that succeeded": """
        SELECT count(*) FROM settlement LEFT JOIN payment_attempt ON payment_attempt.id = settlement.source_id
        WHERE settlement.id > :settlement AND settlement.kind = 'card'
          AND payment_attempt.outcome IS DISTINCT FROM 'succeeded'""",
    "contracts whose first term does not begin on the day of their approval": """
        SELECT count(*) FROM contract JOIN term ON term.contract_id = contract.id AND term.follows_on IS NULL
        WHERE term.id > :term AND (term.starts_on <> contract.anchor_on OR term.starts_at <> contract.approved_at)""",
    "journal entries without lines": """
        SELECT count(*) FROM entry WHERE id > :entry
        AND NOT EXISTS (SELECT 1 FROM line WHERE line.entry_id = entry.id)""",
    "journal entries that do not balance": """
        SELECT count(*) FROM (SELECT entry_id FROM line WHERE entry_id > :entry
                              GROUP BY entry_id HAVING sum(yen) <> 0) AS unbalanced""",
}

_COUNTED = ("term", "invoice", "payment_attempt", "award", "credit", "entry")
"""Tables that are counted on from the floor."""

_COUNTS: Mapping[str, str] = {
    "contracts_running": "SELECT count(*) FROM contract WHERE approved_at IS NOT NULL AND ended_on IS NULL",
    "invoices_open": "SELECT count(*) FROM invoice WHERE state = 'open'",
    "attempts_unknown": "SELECT count(*) FROM payment_attempt WHERE outcome IS NULL",
    "claim_decisions": "SELECT count(*) FROM claim_decision",
    "tasks_of_people": "SELECT count(*) FROM review_task WHERE closed_at IS NULL",
}

_FLOORS = (
    *("award", "allocation", "contract", "contract_fact", "credit", "credit_application", "credit_extinguishment"),
    *("entry", "invoice", "receipt", "settlement", "term"),
)
"""Tables with a floor at their newest row; that of attempts lies below the oldest one without an answer."""

_SEALED = """
    SELECT greatest(:payment_attempt, coalesce(
        (SELECT min(id) - 1 FROM (SELECT id FROM payment_attempt WHERE outcome IS NULL OFFSET 0) AS unanswered),
        (SELECT max(id) FROM payment_attempt), 0)) AS id"""

_CARRIED: Mapping[str, tuple[str, str]] = {
    "charged": ("payment_attempt", "coalesce(sum(yen) FILTER (WHERE outcome = 'succeeded'), 0)"),
    "begun_at_stores": ("term", "coalesce(sum(price_yen) FILTER (WHERE method = 'app_store'), 0)"),
    "taken_by_disputes": ("settlement", "coalesce(sum(yen) FILTER (WHERE kind = 'dispute'), 0)"),
    "settled_by_card": ("settlement", "coalesce(sum(yen) FILTER (WHERE kind = 'card'), 0)"),
    **{f"{table}_rows": (table, f"count({table}.id)") for table in _COUNTED},
}
"""What is summed on from a floor: the table, and what of its rows."""


def _of_people(code: str) -> str:
    return f"coalesce((SELECT yen FROM by_people WHERE code = '{code}'), 0)"  # noqa: S608 - a code of the chart


def _all_at_once() -> str:
    """Every check, sum, count and floor as one statement, so that a night makes one query."""
    columns = [f'({query.strip()}) AS "check {place}"' for place, query in enumerate(_CHECKS.values())]
    columns += [f'({query.strip()}) + {_of_people(code)} AS "sum {code}"' for code, query in SUMS.items()]
    columns += [f'({query.strip()}) AS "{name}"' for name, query in _COUNTS.items()]
    columns += [f'(SELECT yen FROM {name}) AS "now {name}"' for name in _CARRIED]  # noqa: S608 - names of this file
    columns += [f'(SELECT sealed_yen FROM {name}) AS "carried {name}"' for name in _CARRIED]  # noqa: S608
    columns += [f'coalesce((SELECT max(id) FROM {table}), 0) AS "floor {table}"' for table in _FLOORS]  # noqa: S608
    columns += ['(SELECT id FROM sealed) AS "floor payment_attempt"', "(SELECT moved FROM journal) AS journal"]
    named = {
        **SET_ASIDE,
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
        **{name: _summed_on(name, table, what) for name, (table, what) in _CARRIED.items()},
    }
    return f"WITH {', '.join(f'{name} AS ({query})' for name, query in named.items())} SELECT {', '.join(columns)}"


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


_ROOM = PreparedQuery(sa.text("SET LOCAL work_mem = '64MB'"))
"""More memory: joins of whole tables, or of a large night's rows, would go through files."""

_AUDIT = PreparedQuery(
    sa.text(_all_at_once()).bindparams(
        sa.bindparam("business_date", type_=sa.Date()),
        sa.bindparam("day_after", type_=sa.Date()),
        sa.bindparam("since", type_=sa.DateTime(timezone=True)),
        *(sa.bindparam(name, type_=sa.BigInteger()) for name in (*_FLOORS, "payment_attempt", *_CARRIED)),
    )
)


@dataclass(frozen=True, slots=True)
class AuditBaseline:
    """An audit without differences on which the next one builds; the default is that of an empty database."""

    floors: Mapping[str, int] = field(default_factory=dict)  # rows up to these ids need not be looked at again
    carried: Mapping[str, int] = field(default_factory=dict)  # what they summed to (yen, rows)
    sums: Mapping[str, int] = field(default_factory=dict)  # the journal's balances at its floor (yen)
    issued_at: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether the next audit can build on it; one written by an earlier release may lack figures."""
        return self.floors.keys() >= {*_FLOORS, "payment_attempt"} and self.carried.keys() >= _CARRIED.keys()


FULL_AUDIT = AuditBaseline()


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts, sums (yen), every difference found, as sentences, and the base for the next audit."""

    counts: Mapping[str, int]
    sums: Mapping[str, int]
    differences: tuple[str, ...]
    floors: Mapping[str, int]
    carried: Mapping[str, int]


def audit(session: Session, business_date: date, *, recognised_to: date, base: AuditBaseline = FULL_AUDIT) -> Audit:
    """Check as of the business date what came since `base`; revenue is recognised for the days before `recognised_to`.

    Counts and sums are those of everything, whatever the base. Without one every row is looked at.
    """
    _ROOM.rows(session)
    [row] = _AUDIT.rows(session, _asked(business_date, recognised_to, base))
    moved: Mapping[str, int] = row["journal"]
    found = {name: int(value) for name, value in row.items() if name != "journal"}
    codes = sorted({*base.sums, *moved})
    balances = {code: base.sums.get(code, 0) + int(moved.get(code, 0)) for code in codes}
    differences = [f"{found[f'check {place}']} {what}" for place, what in enumerate(_CHECKS) if found[f"check {place}"]]
    for code in SUMS:
        stands_at, rows_say = balances.get(code, 0), found[f"sum {code}"]
        if stands_at != rows_say:
            differences.append(f"account {code} stands at {stands_at} yen, its rows say {rows_say}")
    if sum(balances.values()):
        differences.append(f"the trial balance is off by {sum(balances.values())} yen")
    counts = {name: found[name] for name in _COUNTS}
    counts |= {f"{table}s": found[f"now {table}_rows"] for table in _COUNTED if table != "entry"}
    counts |= {"entries": found["now entry_rows"], "last_term_id": found["floor term"]}
    return Audit(
        counts,
        balances,
        tuple(differences),
        {table: found[f"floor {table}"] for table in (*_FLOORS, "payment_attempt")},
        {name: found[f"carried {name}"] for name in _CARRIED},
    )


def _asked(business_date: date, recognised_to: date, base: AuditBaseline) -> dict[str, Any]:
    since = datetime(1, 1, 1, tzinfo=UTC) if base.issued_at is None else base.issued_at - _MARGIN
    return {
        "business_date": business_date,
        "day_after": recognised_to,
        "since": since,
        **{table: base.floors.get(table, 0) for table in (*_FLOORS, "payment_attempt")},
        **{name: base.carried.get(name, 0) for name in _CARRIED},
    }
