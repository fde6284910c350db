"""The settings of nights: what one may write before a person looks at it."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from keizoku.scheduler.night.waiting import Limit, limit_of

__all__ = ["NightSettings"]


class NightSettings(BaseModel):
    """The part of the settings that is about nights."""

    night_limits: tuple[str, ...] = Field(
        default=(),
        description="what a night may write before its charges and refunds wait for a person, each "
        "payments.charges=500 or payments.charges=1000000yen; odd: nothing beyond the last 30 nights; empty: none waits",
    )

    @field_validator("night_limits")
    @classmethod
    def _readable(cls, limits: tuple[str, ...]) -> tuple[str, ...]:
        for written in limits:
            limit_of(written)
        return limits

    def limits_of_nights(self) -> tuple[Limit, ...]:
        """The limits, read."""
        return tuple(map(limit_of, self.night_limits))
