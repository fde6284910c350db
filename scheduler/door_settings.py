"""The settings of the HTTP door: where browsers reach it, and how long a session lasts."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, Field, field_validator

__all__ = ["DoorSettings"]

_PAGE: Final = re.compile(r"https://[a-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~%/-]*)?")
_ORIGIN: Final = re.compile(r"https://[a-z0-9.-]+(:\d{1,5})?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")


class DoorSettings(BaseModel):
    """The part of the settings that is about browsers at the HTTP door."""

    public_url: str = Field(
        default="",
        description="where browsers reach `keizoku serve`, as https://host; empty: no sessions, or --local's alone",
    )
    host_url: str = Field(
        default="",
        description="the page of your own site that leads members to their pages, as https://host/path; named where a "
        "link or a session is over; empty: words alone",
    )
    session_idle_minutes: int = Field(
        default=30, ge=1, le=1_440, description="a session of the staff ends when it was not used for so long"
    )
    session_hours: int = Field(default=10, ge=1, le=168, description="and so long after its sign-in in any case")
    member_session_idle_minutes: int = Field(
        default=15, ge=1, le=1_440, description="a member's session ends when it was not used for so long"
    )
    member_session_minutes: int = Field(
        default=60, ge=1, le=1_440, description="and so long after the link was opened in any case"
    )
    proposal_days: int = Field(
        default=14, ge=1, le=365, description="days for which an act that wants a second person can be approved"
    )
    refund_limit_yen: int = Field(
        default=0, ge=0, description="over HTTP, a refund of a deposit over so much wants a second person"
    )
    refund_day_limit_yen: int = Field(
        default=0,
        ge=0,
        description="and a refund with which one person, or all for one account, would come to more than so much in a "
        "day of Japan does; 0: as for one refund",
    )

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not _ORIGIN.fullmatch(value.rstrip("/")):
            raise ValueError("write https://host or https://host:port, without a path")
        return value.rstrip("/")

    @field_validator("host_url")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        if value and not _PAGE.fullmatch(value):
            raise ValueError("write https://host/path, without anything behind it")
        return value
