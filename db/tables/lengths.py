"""How long the texts of a row may be: the limits of keizoku/limits.py, held by the database itself.

Services and readers refuse a longer one in one line; this is the last line behind them. An id that an index holds has
to fit into a page of it (PostgreSQL: 2,704 bytes), or the row is refused with words about btrees.
"""

from typing import Final

from sqlalchemy import CheckConstraint, MetaData

from keizoku.limits import LENGTH, LONGEST_ID, LONGEST_NAME, LONGEST_STORED_ID, LONGEST_TEXT

__all__ = ["limit_lengths"]

_BY_NAME: Final = {
    "approved_by": LONGEST_NAME,
    "author": LONGEST_NAME,
    "costs_proof": LONGEST_TEXT,
    "closed_by": LONGEST_NAME,
    "closed_ground": LONGEST_TEXT,
    "ground": LONGEST_TEXT,
    "lifted_by": LONGEST_NAME,
    "payer": LONGEST_NAME,
    "payout_id": LONGEST_ID,
    "proof": LONGEST_TEXT,
    "recipient": LONGEST_NAME,
    "reference": LONGEST_NAME,
    "rejected_ground": LONGEST_TEXT,
    "what": LONGEST_TEXT,
}
_BY_COLUMN: Final = {
    "account.id": LONGEST_ID,
    "api_key.created_by": LONGEST_NAME,
    "api_key.name": LONGEST_NAME,
    "api_key_end.by": LONGEST_NAME,
    "claim.account": LONGEST_ID,
    "claim.id": LONGEST_STORED_ID,
    "code_batch.name": LONGEST_ID,
    "environment_ruling.incident_id": LONGEST_ID,
    "evidence_import.read_as": LONGEST_TEXT,
    "http_request.account": LONGEST_ID,
    "http_request.principal": LONGEST_NAME,
    "incident.incident_id": LONGEST_ID,
    "webhook_delivery.event": LONGEST_ID,
    "webhook_delivery.why": LONGEST_TEXT,
    "webhook_endpoint.created_by": LONGEST_NAME,
    "webhook_endpoint.name": LONGEST_NAME,
    "webhook_secret.made_by": LONGEST_NAME,
    "webhook_setting.by": LONGEST_NAME,
    "webhook_setting.url": LONGEST_TEXT,
    "maintenance_notice.calendar": LONGEST_NAME,
    "maintenance_notice.uid": LONGEST_STORED_ID,
    "notice_issue.calendar": LONGEST_NAME,
    "notice_issue.published_from": LONGEST_ID,
    "notice_issue.uid": LONGEST_ID,
    "notice_sighting.url": LONGEST_TEXT,
    "month_to_review.account": LONGEST_ID,
    "observation.user_id": LONGEST_ID,
    "plan.code": LONGEST_ID,
    "proposal.account": LONGEST_ID,
    "proposal.person": LONGEST_NAME,
    "proposal.proposed_by": LONGEST_NAME,
    "proposal_decision.decided_by": LONGEST_NAME,
    "proposal_decision.of_person": LONGEST_NAME,
    "proposal_decision.person": LONGEST_NAME,
    "sign_in_link.account": LONGEST_ID,
    "sign_in_link.created_by": LONGEST_NAME,
    "sign_in_link.principal": LONGEST_NAME,
    "web_session.account": LONGEST_ID,
    "web_session.principal": LONGEST_NAME,
    "terms_announcement.place": LONGEST_TEXT,
    "terms_announcement.version": LONGEST_NAME,
}


def limit_lengths(metadata: MetaData) -> None:
    """Give every table of it the constraints on its texts."""
    for table in metadata.sorted_tables:
        for column in table.c:
            most = _BY_COLUMN.get(f"{table.name}.{column.name}", _BY_NAME.get(column.name))
            if most is not None:
                check = CheckConstraint(f"length({column.name}) <= {most}", name=f"{column.name}_{LENGTH}")
                table.append_constraint(check)
