"""The tables of the HTTP door, by aggregate."""

from keizoku.db.tables.web.admission import api_key, api_key_end, http_request, proposal, proposal_decision
from keizoku.db.tables.web.events import event_batch
from keizoku.db.tables.web.sessions import sign_in_link, web_session

__all__ = [
    "api_key",
    "api_key_end",
    "event_batch",
    "http_request",
    "proposal",
    "proposal_decision",
    "sign_in_link",
    "web_session",
]
