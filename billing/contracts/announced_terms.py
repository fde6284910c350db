"""Which versions of the terms bind those who agreed to an earlier one, by the announcements on record (premium/2.3).

Read only; what an announcement has to be, `keizoku.terms.law.announcements` says.
"""

from __future__ import annotations

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.people import terms_announcement
from keizoku.terms.law.announcements import TermsAnnouncement, not_binding
from keizoku.terms.policy import Terms

__all__ = ["UnannouncedTermsError", "load_announcements", "unannounced_versions"]


class UnannouncedTermsError(ValueError):
    """A renewal would come under terms that were not announced as the law asks."""


def load_announcements(session: Session) -> list[TermsAnnouncement]:
    """Every announcement of new terms, in the order of recording; the transaction goes on."""
    rows = session.execute(sa.select(terms_announcement).order_by(terms_announcement.c.id)).all()
    return [
        TermsAnnouncement(row.version, row.published_on, row.effective_on, row.place, row.beneficial) for row in rows
    ]


def unannounced_versions(session: Session, terms: Terms) -> dict[str, str]:
    """version -> why no contract of an earlier version is renewed under it; asks nothing where there is one version."""
    if len(terms.versions) == 1:
        return {}
    return not_binding(terms.versions, load_announcements(session))
