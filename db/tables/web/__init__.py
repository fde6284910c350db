"""The tables of the HTTP door, by aggregate."""

from keizoku.db.tables.web.admission import api_key, api_key_end, http_request, proposal, proposal_decision

__all__ = ["api_key", "api_key_end", "http_request", "proposal", "proposal_decision"]
