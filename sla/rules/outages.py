"""Stops of the service, and what is said of them: announcements, interruptions, rulings. Facts, decided elsewhere.

Instants are epoch seconds, spans are [start, end).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from keizoku.sla.rules.intervals import Spans


class Cause(StrEnum):
    """Why an outage happened, strongest first: inside an overlap the first one named here holds."""

    FAULT = "fault"  # our own systems; also whatever nobody has named another cause for
    PARTNER = "partner"  # a partner's, and a person confirmed that our own pages could not be viewed
    SYSTEM_UPDATE = "system_update"  # our update, announced or not
    USER_ENVIRONMENT = "user_environment"  # depends on the users' own environment


@dataclass(frozen=True, slots=True)
class Outage:
    """Time in which more than the threshold of all users could not use the service, with its cause.

    `exact` evidence was confirmed to the second: a gap between two exact edges is never bridged.
    `incident`: the outage of people that it rests on, if it does.
    """

    start: int
    end: int
    cause: Cause
    source: str
    exact: bool = False
    incident: str = ""


@dataclass(frozen=True, slots=True)
class UpdateNotice:
    """One publication of one maintenance window; an edit of it is another, `cancelled` its withdrawal."""

    uid: str
    published_at: int
    start: int
    end: int
    cancelled: bool = False
    calendar: str = ""
    event: str = ""  # the series that it is an occurrence of
    published_from: str = field(default="", compare=False)  # what says when: a property, --published, our first sight


@dataclass(frozen=True, slots=True)
class Interruption:
    """The service interrupted under the terms; counts only with a ground and an approver."""

    start: int
    end: int
    ground: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class EnvironmentRuling:
    """People's ruling that these seconds depend on users' environments; counts only with a ground.

    It is on one outage of people (`incident`); without one, on all evidence of those seconds.
    """

    spans: Spans
    by: str
    ground: str
    source: str
    incident: str = ""
