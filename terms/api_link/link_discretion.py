"""What the linked service's contract leaves to the operator; every field names the clause that leaves the room."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator

Days = Annotated[int, Field(ge=0, le=365)]


def _setting(default: Any, clause: str, description: str, *, ge: int = 0, le: int | None = None) -> Any:
    return Field(
        default=default, description=description, json_schema_extra={"clause": f"api_link/{clause}"}, ge=ge, le=le
    )


class LinkDiscretion(BaseModel):
    """The part of the operator's discretion that is about links."""

    link_needs_rulings: tuple[str, ...] = Field(
        default=("4.3", "4.4", "4.5"),
        description="conditions whose text is not at hand and on which people have to rule before a link can be used",
        json_schema_extra={"clause": "api_link/4.3"},
    )
    link_renew_ahead_seconds: int = _setting(
        900, "1.1", "how long before its end a token is renewed, in seconds; at most half of its life", ge=1, le=86_400
    )
    link_lapse_notice_days: tuple[Days, ...] = Field(
        default=(30, 7, 1),
        description="days before a link lapses on which its customer is written to; may be empty",
        json_schema_extra={"clause": "api_link/4.2"},
    )
    link_keep_seconds: int = _setting(
        0, "6.2", "how long fetched fields may be shown again without a new fetch; 0: nothing is kept", le=3_600
    )
    link_look_up_seconds: int = _setting(
        600, "6.5", "how long an order without an answer is looked up before people are asked, in seconds", le=86_400
    )
    link_fetches_an_hour: int = _setting(
        120, "9.2", "fetches of one account in an hour above which people are shown the figures", ge=1
    )

    @field_validator("link_lapse_notice_days")
    @classmethod
    def _descending(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if list(days) != sorted(set(days), reverse=True):
            raise ValueError("the days of notices have to descend, each once")
        return days

    @field_validator("link_needs_rulings")
    @classmethod
    def _known(cls, clauses: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [clause for clause in clauses if clause not in RULED]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of the clauses that people rule on: {', '.join(RULED)}")
        return clauses


RULED = ("4.3", "4.4", "4.5", "5.1", "5.2", "5.3", "5.4", "5.6", "1.4", "1.5", "1.7")
"""Clauses of api_link whose text is not at hand: people rule on them for a customer."""
