"""What became known of a month, as values: when, of which kind, with the facts of that kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from keizoku.sla.rules.unknown_time import UnknownTimeDecision
from keizoku.terms.calendar import iso_jst
from keizoku.terms.read_model import JapanInstant, Key, Shown

Window = tuple[datetime, datetime | None]

HistoryKind = Literal[
    "claim",
    "consent",
    "counts",
    "environment",
    "form_down",
    "incident",
    "interruption",
    "late_grant",
    "notice",
    "observations",
    "population",
    "recognition",
    "remedy_lapsed",
    "remedy_performed",
    "remedy_withdrawn",
    "unknown",
    "unknown_ruling",
]

IMPORTED_AS: Final[Mapping[HistoryKind, str]] = {
    "observations": "observations",
    "counts": "counts",
    "unknown": "counts",
    "incident": "incidents",
    "notice": "notices",
    "population": "population",
    "claim": "claims",
}
"""Kind of a row -> kind of the import that may have brought it."""


@dataclass(frozen=True, slots=True)
class Facts(Shown):
    """What a row says beside its times and people, and what its sentence is filled with; a kind may have none."""


@dataclass(frozen=True, slots=True)
class PopulationFacts(Facts):
    """Registered users of the whole service from an instant on."""

    users: int
    from_at: JapanInstant


@dataclass(frozen=True, slots=True)
class RowsFacts(Facts):
    """So many observations or counts were recorded at once."""

    rows: int


@dataclass(frozen=True, slots=True)
class UnknownFacts(Facts):
    """So much time has no sample."""

    unknown_seconds: int


@dataclass(frozen=True, slots=True)
class UnknownDecisionFacts(Facts):
    """What people decided about unknown time; `affected` only with down."""

    decision: Annotated[UnknownTimeDecision, Key("verdict")]
    affected: int | None


@dataclass(frozen=True, slots=True)
class IncidentFacts(Facts):
    """A revision of an outage as people confirmed it."""

    revision: int
    affected: int
    cause: str
    exact: bool


@dataclass(frozen=True, slots=True)
class NoticeFacts(Facts):
    """A publication of announced maintenance, and until when it would have been in time."""

    published_at: JapanInstant
    publish_by_at: JapanInstant
    in_time: bool
    cancelled: bool
    published_from: str = ""


@dataclass(frozen=True, slots=True)
class InterruptionFacts(Facts):
    """Who approved an interruption."""

    approver: str


@dataclass(frozen=True, slots=True)
class EnvironmentFacts(Facts):
    """What a ruling on users' environments is about."""

    on: Literal["claim", "stop"]


@dataclass(frozen=True, slots=True)
class ClaimFacts(Facts):
    """When a claim was received, and whether it names the whole month."""

    received_at: JapanInstant
    whole: bool


@dataclass(frozen=True, slots=True)
class LateGrantFacts(Facts):
    """Who approved that a claim after its deadline is taken as one in time."""

    approved_by: str


@dataclass(frozen=True, slots=True)
class ConsentFacts(Facts):
    """The remedy that a user agreed to instead."""

    what: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that became known. `windows`: when it holds; an end of None is still open."""

    recorded_at: datetime
    kind: HistoryKind
    subject: str = ""  # the id of an outage, notice or claim; "" where there is none
    windows: tuple[Window, ...] = ()
    facts: Facts = Facts()
    author: str = ""
    ground: str = ""
    source: str = ""  # the file that brought it; "" by hand
    account: str = ""

    @property
    def known_at(self) -> datetime:
        """When we learned it."""
        return self.recorded_at

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        return {
            "recorded_at": iso_jst(self.recorded_at),
            "kind": self.kind,
            "subject": self.subject,
            "account": self.account,
            "windows": [[iso_jst(start), iso_jst(end) if end else None] for start, end in self.windows],
            "facts": self.facts.to_json(),
            "author": self.author,
            "ground": self.ground,
            "import": self.source,
        }
