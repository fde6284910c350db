"""Where what waits for people comes from: a SELECT for each source, and of each kind its clause and its remedy.

Every SELECT has the columns id, kind, account, since, amount_yen, about, detail. `id` is what people type. It may use
:account (NULL: everybody), :now, :today, :late (the last day by which a night should have run), :documents_before,
:unknown (unknown time as JSON). Of documents and of bank lines most are done with for good: :sent_notices and the like
are ids up to which all were handed over but the :unsent_notices and the like; of the lines up to :seen_lines only the
:open_lines waited, and what happened since to any is an act above :seen_acts. Each reads a partial index of what is
open, a table of few rows, or what is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Source:
    """A SELECT, and the kinds that it can have (None: whatever a task is called)."""

    query: str
    kinds: frozenset[str] | None
    word: str = ""
    """What its ids begin with; empty: T and a number."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What ends things of a kind: {0} is the id behind its word, {1} the account, {2} `about`; `by_word`: done does."""

    clause: str | None
    remedy: str
    by_word: bool = False


SIGNED: Final = "--author NAME --ground WHY"
BY: Final = "--by NAME --ground WHY"
DONE: Final = f"keizoku tasks done {{0}} {SIGNED}"

_TASKS: Final = """
    SELECT concat('T', id) AS id, kind, detail ->> 'account' AS account, opened_at AS since,
           CASE jsonb_typeof(detail -> 'yen') WHEN 'number' THEN (detail ->> 'yen')::numeric END AS amount_yen,
           concat_ws(', ', subject, coalesce(detail ->> 'why', detail ->> 'code')) AS about,
           detail || jsonb_build_object('subject', subject) AS detail
    FROM review_task WHERE closed_at IS NULL
    AND (kind <> 'attempt_unknown' OR NOT EXISTS (
        SELECT 1 FROM payment_attempt WHERE outcome IS NULL AND concat('attempt ', payment_attempt.id) = subject))
    AND (kind <> 'refund_unknown' OR detail ->> 'key' NOT IN (
        SELECT key FROM credit_refund WHERE outcome IS NULL
        UNION ALL SELECT key FROM overpayment_refund WHERE outcome IS NULL))
"""
_BANK: Final = """
    SELECT concat('payment ', bank_line.id), 'bank_unmatched', NULL, recorded_at, yen,
           concat_ws(', ', payer, reference),
           jsonb_build_object('paid_on', paid_on, 'payer', payer, 'reference', reference, 'doubt', doubt,
                              'direction', direction)
    FROM (
        SELECT id FROM bank_line WHERE id > :seen_lines
        UNION SELECT line_id FROM bank_act WHERE id > :seen_acts
        UNION SELECT unnest(CAST(:open_lines AS bigint[]))
    ) AS looked_at JOIN bank_line ON bank_line.id = looked_at.id LEFT JOIN LATERAL (
        SELECT kind FROM bank_act WHERE line_id = looked_at.id ORDER BY id DESC LIMIT 1
    ) AS acts ON true
    WHERE CASE WHEN acts.kind IS NULL THEN posts ELSE acts.kind IN ('unmatched', 'posted', 'reopened') END
"""
_ATTEMPTS: Final = """
    SELECT concat('attempt ', id), 'attempt_unknown', account, started_at, yen, concat('invoice ', invoice_id),
           jsonb_build_object('invoice', invoice_id, 'key', key)
    FROM payment_attempt WHERE outcome IS NULL
"""


def _refunds(table: str, of: str) -> str:
    return f"""
    SELECT concat('refund ', key), 'refund_unknown', account, requested_at, yen, key,
           jsonb_build_object('key', key, 'of', '{of}')
    FROM {table} WHERE outcome IS NULL
"""  # noqa: S608 - our own names


_DISPUTES: Final = """
    SELECT concat('dispute ', dispute), 'dispute_open', payment_attempt.account, gateway_dispute.happened_at,
           amount, dispute, jsonb_build_object('payment', payment, 'fee_yen', fee)
    FROM gateway_dispute JOIN payment_attempt ON payment_attempt.id = attempt_id
    WHERE state = 'open'
    AND NOT EXISTS (SELECT 1 FROM gateway_dispute AS later
                    WHERE later.dispute = gateway_dispute.dispute AND later.number > gateway_dispute.number)
    AND NOT EXISTS (SELECT 1 FROM dispute_choice WHERE dispute_choice.dispute = gateway_dispute.dispute)
"""
_APPLICATIONS: Final = """
    SELECT concat('application ', account), 'application_waiting', account, applied_at, NULL, concat_ws(', ', plan,
           method), jsonb_build_object('plan', plan, 'method', method, 'contract', id)
    FROM contract WHERE approved_at IS NULL AND rejected_at IS NULL
"""


def _unsent(table: str, series: str, kind: str) -> str:
    return f"""
        SELECT {kind} AS kind, account, written_at FROM {table}
        JOIN (SELECT id FROM {table} WHERE id > :sent_{series}s
              EXCEPT SELECT {series}_id FROM handover WHERE {series}_id > :sent_{series}s
              UNION SELECT id FROM unnest(CAST(:unsent_{series}s AS bigint[])) AS id
              WHERE NOT EXISTS (SELECT 1 FROM handover WHERE {series}_id = id)) AS ids USING (id)
        WHERE written_at < :documents_before
"""  # noqa: S608 - our own names


_DOCUMENTS: Final = f"""
    SELECT concat('documents ', kind), 'documents_unsent', CAST(:account AS text), min(written_at), NULL,
           concat(kind, ' × ', count(*)), jsonb_build_object('kind', kind, 'documents', count(*))
    FROM (
        {_unsent("user_notice", "notice", "kind")} UNION ALL {_unsent("demand", "demand", "'demand'")}
        UNION ALL {_unsent("letter", "letter", "kind")}
    ) AS unsent
    WHERE CAST(:account AS text) IS NULL OR account = :account GROUP BY kind
"""  # noqa: S608 - our own text
_EXCEPTIONS: Final = """
    SELECT concat('exception ', month, ' ', found ->> 'exception'), 'reconciliation_exception', NULL, recorded_at,
           (found ->> 'yen')::numeric, concat_ws(' ', month, found ->> 'exception'),
           found || jsonb_build_object('month', month)
    FROM (SELECT DISTINCT ON (month) month, exceptions, recorded_at FROM reconciliation_result
          ORDER BY month, id DESC) AS newest, jsonb_array_elements(exceptions) AS found
    WHERE NOT EXISTS (SELECT 1 FROM exception_resolution
                      WHERE exception = found ->> 'exception' AND yen = (found ->> 'yen')::numeric)
"""
_UNKNOWN: Final = """
    SELECT concat('unknown ', "from", '/', "to"), 'unknown_time', NULL, "to"::timestamptz, NULL,
           concat("from", '/', "to"), jsonb_build_object('seconds', seconds, 'source', source)
    FROM jsonb_to_recordset(CAST(:unknown AS jsonb)) AS spans("from" text, "to" text, seconds bigint, source text)
"""
_NIGHTS: Final = """
    SELECT concat('night ', business_date), 'night_differs', NULL, issued_at, NULL,
           (SELECT string_agg(each, '; ') FROM jsonb_array_elements_text(differences) AS each),
           jsonb_build_object('differences', differences)
    FROM (SELECT * FROM certificate ORDER BY id DESC LIMIT 1) AS newest WHERE state = 'differences'
    UNION ALL
    SELECT concat('night ', CAST(:late AS date)), 'nights_missed', NULL, max(issued_at), NULL,
           concat('last ', max(business_date)), jsonb_build_object('last', max(business_date))
    FROM (SELECT * FROM certificate ORDER BY business_date DESC LIMIT 1) AS last
    HAVING max(business_date) < CAST(:late AS date)
"""

SOURCES: Final = (
    Source(_TASKS, None),
    Source(_BANK, frozenset({"bank_unmatched"}), "payment"),
    Source(_ATTEMPTS, frozenset({"attempt_unknown"}), "attempt"),
    Source(_refunds("credit_refund", "credit"), frozenset({"refund_unknown"}), "refund"),
    Source(_refunds("overpayment_refund", "overcharge"), frozenset({"refund_unknown"}), "refund"),
    Source(_DISPUTES, frozenset({"dispute_open"}), "dispute"),
    Source(_APPLICATIONS, frozenset({"application_waiting"}), "application"),
    Source(_DOCUMENTS, frozenset({"documents_unsent"}), "documents"),
    Source(_EXCEPTIONS, frozenset({"reconciliation_exception"}), "exception"),
    Source(_UNKNOWN, frozenset({"unknown_time"}), "unknown"),
    Source(_NIGHTS, frozenset({"night_differs", "nights_missed"}), "night"),
)

KINDS: Final = {
    "attempt_unknown": Kind("premium/5.2", f"keizoku payments nothing-charged {{0}} {BY}"),
    "refund_unknown": Kind("premium/9.2", f"keizoku payments nothing-refunded {{0}} {BY}"),
    "refund_failed": Kind("premium/9.2", DONE, by_word=True),
    "charged_too_much": Kind("premium/6.3", f"keizoku deposit refund {{1}} {SIGNED}"),
    "no_price": Kind("premium/4.3", DONE, by_word=True),
    "award_above_finding": Kind("premium/9.2", DONE, by_word=True),
    "credit_over_granted": Kind("premium/9.2", DONE, by_word=True),
    "credit_without_charge": Kind("premium/9.2", f"keizoku deposit from-credits {{1}} {SIGNED}"),
    "remedy_and_credit": Kind("premium/9.2", DONE, by_word=True),
    "dispute_beyond_fee": Kind("premium/5.2", DONE, by_word=True),
    "dispute_won_late": Kind("premium/5.2", DONE, by_word=True),
    "dispute_of_unknown_payment": Kind("premium/5.2", DONE, by_word=True),
    "balance_file_whose": Kind(None, DONE, by_word=True),
    "gateway_movement": Kind(None, DONE, by_word=True),
    "link_announcement": Kind("api_link/11.2", "keizoku link announce STOP --place PLACE --author NAME"),
    "link_load": Kind("api_link/9.2", DONE, by_word=True),
    "link_order_unknown": Kind("api_link/6.5", f"keizoku link order never-arrived ORDER {SIGNED}"),
    "link_outage": Kind("premium/9.3", DONE, by_word=True),
    "link_revocation": Kind("api_link/12.2", DONE, by_word=True),
    "gateway_object_unknown": Kind(None, DONE, by_word=True),
    "mail_no_address": Kind(None, DONE, by_word=True),
    "addressee_unfit": Kind(None, DONE, by_word=True),
    "document_unissued": Kind(None, DONE, by_word=True),
    "collect_silent": Kind("premium/9.3", "keizoku sla imports"),
    "directory_silent": Kind(None, DONE, by_word=True),
    "mail_refused": Kind(None, DONE, by_word=True),
    "webhook_given_up": Kind(None, DONE, by_word=True),
    "webhook_off": Kind(None, DONE, by_word=True),
    "mail_unknown": Kind(None, DONE, by_word=True),
    "store_charged_after_end": Kind("premium/6.1", DONE, by_word=True),
    "renewed_unnotified": Kind("premium/4.3", DONE, by_word=True),
    "small_rest": Kind("premium/5.2", DONE, by_word=True),
    "store_gross_differs": Kind("premium/5.3", DONE, by_word=True),
    "store_stopped_before_term": Kind("premium/6.1", DONE, by_word=True),
    "terms_unannounced": Kind("premium/2.3", DONE, by_word=True),
    "restored_act": Kind(None, "keizoku backup held"),
    "restored_database": Kind(None, "keizoku backup held"),
    "bank_unmatched": Kind("premium/4.1", f"keizoku bank match ACCOUNT {{0}} {SIGNED}"),
    "dispute_open": Kind("premium/5.2", f"keizoku payments dispute-lost {{0}} --choice claim_stays {BY}"),
    "application_waiting": Kind("premium/3.3", "keizoku contract approve {1}"),
    "documents_unsent": Kind(None, "keizoku notice list --kind {0}"),
    "reconciliation_exception": Kind(None, f"keizoku reconcile resolve {{2}} {SIGNED}"),
    "unknown_time": Kind("premium/9.3", f"keizoku sla unknown decide {{0}} VERDICT {SIGNED}"),
    "night_differs": Kind(None, "keizoku night --whole-audit"),
    "nights_missed": Kind(None, "keizoku night"),
}
"""Kinds that are known by name; a task of another kind says its clause and its remedy itself, or a word ends it."""
