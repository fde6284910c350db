"""The tables of the HTTP door, by aggregate."""

from keizoku.db.tables.web.admission import api_key, api_key_end, http_request, proposal, proposal_decision
from keizoku.db.tables.web.endpoints import (
    webhook_delivery,
    webhook_endpoint,
    webhook_place,
    webhook_secret,
    webhook_setting,
    webhook_waiting,
)
from keizoku.db.tables.web.events import EVENT_TYPES, event_batch
from keizoku.db.tables.web.health import form_sighting, job_state
from keizoku.db.tables.web.sessions import sign_in_link, web_session

__all__ = [
    "EVENT_TYPES",
    "api_key",
    "api_key_end",
    "event_batch",
    "form_sighting",
    "http_request",
    "job_state",
    "proposal",
    "proposal_decision",
    "sign_in_link",
    "web_session",
    "webhook_delivery",
    "webhook_endpoint",
    "webhook_place",
    "webhook_secret",
    "webhook_setting",
    "webhook_waiting",
]
