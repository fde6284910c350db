"""Within stage 7, last: letters about what was decided and done. Due, save; a second run of a date writes nothing.

    a claim received ─ granted ─ rejected ─ another remedy agreed ─ a credit used ─ refunded ─ an end ─ new terms
        └─ what each letter needs to say, as facts; the words come when it is printed (rules/documents/letters.py)

A letter bears the day on which it is written; the one about a claim's receipt, the day of receipt, whose record it is.

What is due is a row without its letter, of the last WITHIN days: a database that was taken over from elsewhere does not
write to people about things long past. A termination has a notice of its own, so it has no second letter here. One
statement a night for all kinds; where a row fails, the rest goes on (keizoku.db.fence).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from keizoku.db.fence import Fence, in_halves, is_of_item
from keizoku.db.probes import NOW
from keizoku.db.session import PreparedQuery, Session
from keizoku.db.tables.claims import alternative_consent, claim, claim_decision
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.money import credit_application, credit_refund
from keizoku.db.tables.people import terms_announcement
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules

WITHIN: Final = timedelta(days=60)

_RECEIVED: Final = """
    SELECT 'claim_received', account, id, received_at, jsonb_build_object(
        'claim', id, 'outage_month', month, 'received_on', (received_at AT TIME ZONE 'Asia/Tokyo')::date)
    FROM claim
    WHERE recorded_at > :since AND received_at <= :now
    AND NOT EXISTS (SELECT 1 FROM claim_withdrawal WHERE claim_id = claim.id)
"""
_NEWEST: Final = """
    claim_decision AS decision JOIN claim ON claim.id = decision.claim_id
    WHERE decision.decided_at > :since
    AND NOT EXISTS (SELECT 1 FROM claim_decision AS later
                    WHERE later.claim_id = decision.claim_id AND later.revision > decision.revision)
"""
_WORKINGS: Final = """
    (SELECT jsonb_agg(each.step ORDER BY each.place)
     FROM claim_reasoning AS worked, jsonb_array_elements(worked.steps) WITH ORDINALITY AS each (step, place)
     WHERE worked.id = decision.reasoning_id
     AND (each.step ->> 'key' IN ('claim.stops', 'claim.recognised', 'claim.nothing_recognised')
          OR starts_with(each.step ->> 'key', 'claim.excluded.')))
"""
"""From all outages to what is recognised, each with its windows and its clause: steps of the decision."""
_GRANTED: Final = f"""
    SELECT 'claim_granted', claim.account, concat(decision.claim_id, '/', decision.revision), decision.decided_at,
           jsonb_build_object(
        'claim', claim.id, 'outage_month', claim.month,
        'received_on', (claim.received_at AT TIME ZONE 'Asia/Tokyo')::date,
        'recognised_seconds', decision.seconds, 'rate', decision.rate, 'workings', {_WORKINGS},
        'new_yen', coalesce((SELECT sum(credit.granted_yen) FROM credit JOIN award ON award.id = credit.award_id
                             WHERE award.claim_id = decision.claim_id
                             AND award.decision_revision = decision.revision), 0),
        'month_yen', coalesce((SELECT sum(granted_yen) FROM credit
                               WHERE credit.account = claim.account AND credit.month = claim.month), 0),
        'usable_on', (SELECT max(usable_from) FROM credit
                      WHERE credit.account = claim.account AND credit.month = claim.month),
        'goes_to', CASE
            WHEN EXISTS (SELECT 1 FROM alternative_consent AS consent JOIN claim AS other ON other.id = consent.claim_id
                         JOIN alternative_outcome AS outcome ON outcome.consent_id = consent.id
                         WHERE other.account = claim.account AND other.month = claim.month
                         AND outcome.outcome = 'performed') THEN 'remedy_done'
            WHEN EXISTS (SELECT 1 FROM alternative_consent AS consent JOIN claim AS other ON other.id = consent.claim_id
                         WHERE other.account = claim.account AND other.month = claim.month
                         AND NOT EXISTS (SELECT 1 FROM alternative_outcome WHERE consent_id = consent.id)) THEN 'remedy'
            WHEN EXISTS (SELECT 1 FROM contract WHERE contract.account = claim.account AND ended_on IS NULL
                         AND approved_at IS NOT NULL AND method = 'card') THEN 'bill'
            ELSE 'card' END)
    FROM {_NEWEST} AND decision.outcome = 'granted'
    AND NOT EXISTS (SELECT 1 FROM award WHERE award.account = claim.account AND award.month = claim.month
                    AND NOT EXISTS (SELECT 1 FROM credit WHERE award_id = award.id))
    AND (EXISTS (SELECT 1 FROM award JOIN credit ON credit.award_id = award.id AND granted_yen > 0
                 WHERE award.claim_id = decision.claim_id AND award.decision_revision = decision.revision)
         OR NOT EXISTS (SELECT 1 FROM letter WHERE kind = 'claim_granted'
                        AND starts_with(occasion, concat(decision.claim_id, '/'))))
"""  # noqa: S608 - our own words
_REJECTED: Final = f"""
    SELECT 'claim_rejected', claim.account, concat(decision.claim_id, '/', decision.reason), decision.decided_at,
           jsonb_build_object(
        'claim', claim.id, 'outage_month', claim.month,
        'received_on', (claim.received_at AT TIME ZONE 'Asia/Tokyo')::date,
        'reason', decision.reason, 'recognised_seconds', decision.seconds,
        'workings', CASE decision.reason WHEN 'threshold' THEN {_WORKINGS} END,
        'deadline_at', reasoning.facts ->> 'deadline_at',
        'threshold_seconds', jsonb_path_query_first(reasoning.steps, '$[*].facts.threshold_seconds'))
    FROM claim_reasoning AS reasoning, {_NEWEST}
    AND reasoning.id = decision.reasoning_id AND decision.outcome = 'rejected'
    AND NOT EXISTS (SELECT 1 FROM claim_decision AS before
                    WHERE before.claim_id = decision.claim_id AND before.outcome = 'granted')
"""  # noqa: S608 - our own words
_REMEDY: Final = """
    SELECT 'remedy', claim.account, consent.id::text, consent.recorded_at, jsonb_build_object(
        'claim', claim.id, 'outage_month', claim.month, 'what', consent.what,
        'agreed_on', (consent.recorded_at AT TIME ZONE 'Asia/Tokyo')::date, 'by_on', consent.by_on,
        'outcome', (SELECT outcome FROM alternative_outcome WHERE consent_id = consent.id ORDER BY id DESC LIMIT 1),
        'outcome_on', (SELECT on_day FROM alternative_outcome WHERE consent_id = consent.id ORDER BY id DESC LIMIT 1))
    FROM alternative_consent AS consent JOIN claim ON claim.id = consent.claim_id
    WHERE consent.recorded_at > :since
"""
_CREDIT: Final = """
    SELECT 'credit', invoice.account, concat('invoice:', invoice.id), max(applied.recorded_at), jsonb_build_object(
        'issued_on', invoice.issued_on, 'due_on', invoice.due_on, 'method', invoice.method,
        'pay_to', CAST(:pay_to AS text),
        'total_yen', invoice.total_yen, 'credit_yen', sum(applied.yen),
        'charged_yen', invoice.total_yen - sum(applied.yen),
        'credits', jsonb_agg(jsonb_build_array(credit.month, applied.yen) ORDER BY credit.month, credit.id))
    FROM credit_application AS applied
    JOIN credit ON credit.id = applied.credit_id
    JOIN invoice ON invoice.id = applied.invoice_id
    JOIN settlement ON settlement.source_id = applied.id AND settlement.invoice_id = invoice.id
         AND settlement.kind = 'credit'
    WHERE applied.recorded_at > :since
    GROUP BY invoice.id
"""
_REFUND: Final = """
    SELECT 'refund', refund.account, refund.id::text, refund.answer_recorded_at, jsonb_build_object(
        'outage_month', credit.month, 'yen', refund.yen, 'refunded_on', refund.settled_on,
        'paid_on', attempt.settled_on)
    FROM credit_refund AS refund
    JOIN credit ON credit.id = refund.credit_id
    JOIN payment_attempt AS attempt ON attempt.id = refund.attempt_id
    WHERE refund.answer_recorded_at > :since AND refund.outcome = 'succeeded' AND refund.failed_on IS NULL
"""
_ENDED: Final = """
    SELECT 'contract_end', account, contract.id::text, end_recorded_at, jsonb_build_object(
        'reason', ended_reason, 'ended_on', ended_on,
        'last_on', CASE WHEN ended_reason IN ('leave_service', 'delete_user') THEN ended_on ELSE ended_on - 1 END,
        'owed_yen', coalesce((SELECT sum(open_yen) FROM invoice
                              WHERE invoice.contract_id = contract.id AND invoice.state = 'open'), 0),
        'owed_due_on', (SELECT max(least(due_on, accelerated_on)) FROM invoice
                        WHERE invoice.contract_id = contract.id AND invoice.state = 'open'),
        'written_on', CAST(:today AS date), 'pay_to', CAST(:pay_to AS text),
        'payer_number', (SELECT number FROM account WHERE account.id = contract.account),
        'credit_yen', CASE
            WHEN EXISTS (SELECT 1 FROM contract AS other WHERE other.account = contract.account
                         AND other.approved_at IS NOT NULL AND other.ended_on IS NULL AND other.method = 'card') THEN 0
            ELSE coalesce((SELECT sum(available_yen) FROM credit WHERE credit.account = contract.account
                           AND NOT EXISTS (SELECT 1 FROM alternative_consent AS consent
                                           JOIN claim ON claim.id = consent.claim_id
                                           WHERE claim.account = credit.account AND claim.month = credit.month
                                           AND coalesce((SELECT bool_or(outcome = 'performed') FROM alternative_outcome
                                                         WHERE consent_id = consent.id), true))), 0) END)
    FROM contract
    WHERE ended_on IS NOT NULL AND end_recorded_at > :since AND ended_reason <> 'termination'
    AND approved_at IS NOT NULL
"""
_TERMS: Final = """
    SELECT 'terms', contract.account, concat(announced.version, '/', contract.id), announced.recorded_at,
           jsonb_build_object('version', announced.version, 'published_on', announced.published_on,
                              'effective_on', announced.effective_on, 'place', announced.place)
    FROM (SELECT DISTINCT ON (known.version) known.*
          FROM terms_announcement AS known
          JOIN unnest(:versions, :version_days) AS told (version, in_force_from)
          ON told.version = known.version AND told.in_force_from = known.effective_on
          WHERE known.published_on <= :today AND (known.beneficial OR known.published_on < known.effective_on)
          AND known.effective_on > CAST(:since AS date)
          ORDER BY known.version, known.id DESC) AS announced
    JOIN contract ON contract.approved_at IS NOT NULL AND contract.ended_on IS NULL
         AND (contract.approved_at AT TIME ZONE 'Asia/Tokyo')::date < announced.effective_on
"""
_DUE: Final = f"""
    SELECT * FROM (
        {" UNION ALL ".join((_RECEIVED, _GRANTED, _REJECTED, _REMEDY, _CREDIT, _REFUND, _ENDED, _TERMS))}
    ) AS found (kind, account, occasion, happened_at, facts)
    WHERE NOT EXISTS (SELECT 1 FROM letter WHERE letter.kind = found.kind AND letter.occasion = found.occasion)
"""  # noqa: S608 - our own words
_WRITE: Final = PreparedQuery(
    sa.text(
        f"""
    WITH written AS (
        INSERT INTO letter (account, kind, occasion, written_on, written_at, facts)
        SELECT account, kind, occasion,
               CASE kind WHEN 'claim_received' THEN (happened_at AT TIME ZONE 'Asia/Tokyo')::date ELSE :today END,
               :now, facts FROM ({_DUE}) AS due
        WHERE :only IS NULL OR concat(kind, ' ', occasion) = ANY(:only)
        ORDER BY happened_at, array_position(ARRAY['claim_received', 'claim_granted', 'claim_rejected', 'remedy',
                                                   'credit', 'refund', 'contract_end', 'terms'], kind), occasion
        RETURNING 1
    ) SELECT count(*) AS letters FROM written
    """  # noqa: S608 - our own words
    ).bindparams(
        sa.bindparam("today", type_=sa.Date()),
        sa.bindparam("now", type_=sa.DateTime(timezone=True)),
        sa.bindparam("since", type_=sa.DateTime(timezone=True)),
        sa.bindparam("versions", type_=ARRAY(sa.Text())),
        sa.bindparam("version_days", type_=ARRAY(sa.Date())),
        sa.bindparam("pay_to", type_=sa.Text()),
        sa.bindparam("only", type_=ARRAY(sa.Text())),
    )
)


_SINCE: Final = NOW - sa.literal(WITHIN)


def anything_due() -> sa.ColumnElement[bool]:
    """Whether anything that letters tell of was recorded in the last WITHIN days, told of or not."""
    return sa.or_(
        *(
            sa.exists().where(recorded_at > _SINCE)
            for recorded_at in (
                claim.c.recorded_at,
                claim_decision.c.decided_at,
                alternative_consent.c.recorded_at,
                credit_application.c.recorded_at,
                credit_refund.c.answer_recorded_at,
            )
        ),
        sa.exists().where(contract.c.ended_on.is_not(None), contract.c.end_recorded_at > _SINCE),
        sa.exists().where(terms_announcement.c.effective_on > sa.cast(_SINCE, sa.Date)),
    )


def save(session: Session, rules: Rules, now: datetime, fence: Fence | None = None) -> int:
    """Write the letters that are due, and commit; how many. With a fence, one that fails is set aside."""
    later = rules.terms.versions[1:] if rules.discretion.terms_notice else ()
    known = {
        "versions": [each.version for each in later],
        "version_days": [each.in_force_from for each in later],
        "now": now,
        "today": jst_day(now),
        "since": now - WITHIN,
        "pay_to": rules.discretion.transfer_account,
    }

    def of_some(session: Session, some: Sequence[str] | None) -> int:
        [written] = _WRITE.rows_and_commit(session, {**known, "only": some})
        return int(written["letters"])

    try:
        return of_some(session, None)
    except Exception as error:
        session.rollback()
        if fence is None or not is_of_item(error):
            raise
        names = sa.text(f"SELECT concat(kind, ' ', occasion) AS name, account FROM ({_DUE}) AS due").bindparams(  # noqa: S608
            sa.bindparam("versions", type_=ARRAY(sa.Text())), sa.bindparam("version_days", type_=ARRAY(sa.Date()))
        )
        rows = session.execute(names, known).all()
        accounts = {row.name: row.account for row in rows}
        of_step = Fence()
        written = in_halves(session, of_step, "document", sorted(accounts), of_some)
        for each in of_step.items.values():
            fence.take(replace(each, account=accounts[each.key]))
        return written
